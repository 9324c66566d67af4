//! The server's flags, for clap.

use clap::error::ErrorKind;
use clap::{ArgMatches, Args, Command, FromArgMatches};
use ferricorn_settings::{CommandLine, Language, Origin, arguments, said};

/// The server's part of a command line: `--bind`, `--workers` and all the others of docs/settings.md that concern native
/// applications.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// use axum::Router;
/// use axum::routing::get;
/// use clap::Parser;
///
/// /// Serves the shop.
/// #[derive(Parser)]
/// #[command(version)]
/// struct Arguments {
///     /// What visitors are greeted with
///     #[arg(long, default_value = "hello")]
///     greeting: String,
///     #[command(flatten)]
///     server: ferricorn::Options,
/// }
///
/// fn main() -> ExitCode {
///     let Arguments { greeting, server } = Arguments::parse();
///     ferricorn::serve_with(server, |_context| Router::new().route("/", get(async move || greeting)))
/// }
/// ```
///
/// Flags that the two have in common would be ambiguous: clap panics over them in debug builds.
#[derive(Clone, Debug)]
pub struct Options(pub(crate) CommandLine);

impl Args for Options {
    fn augment_args(command: Command) -> Command {
        // As in the command lines that these flags are from: the last one counts, and beginnings are enough.
        command.args_override_self(true).infer_long_args(true).args(arguments(Language::Rust))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let wrong = |sentence| clap::Error::raw(ErrorKind::ValueValidation, format!("{sentence}\n"));
        said(matches, Origin::CommandLine).map(Self).map_err(wrong)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Options, clap::Error> {
        let command = Options::augment_args(Command::new("shop"));
        let matches = command.try_get_matches_from(std::iter::once("shop").chain(words.split_whitespace()))?;
        Options::from_arg_matches(&matches)
    }

    #[test]
    fn flags_are_those_of_the_server() {
        Options::augment_args(Command::new("shop")).debug_assert();
        let Options(line) = parse("-b :8000 --workers 2 --bin :8001 -c shop.toml").expect("good flags");
        assert_eq!(line.config.as_deref(), Some("shop.toml"));
        let said: Vec<String> = line.layer.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(said, ["config='shop.toml'", "bind=[':8000', ':8001']", "workers=2"]);
    }

    #[test]
    fn what_makes_no_sense_is_an_error_of_status_2() {
        for (words, expected) in [
            ("--wokers 3", "a similar argument exists: '--workers'"),
            ("-w many", "argument -w/--workers: invalid int value: 'many'"),
            ("module:app", "unexpected argument 'module:app' found"),
        ] {
            let error = parse(words).expect_err(words);
            assert!(error.to_string().contains(expected), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }

    #[test]
    fn the_help_is_about_what_concerns_native_applications() {
        let help = Options::augment_args(Command::new("shop")).render_help().to_string();
        assert!(help.contains("--max-requests") && help.contains("\nServer Socket:\n"), "{help}");
        for flag in ["--threads", "--paste", "--preload", "--asgi-loop", "--log-config", "--dirty-app"] {
            assert!(!help.contains(flag), "{flag}: {help}");
        }
    }
}
