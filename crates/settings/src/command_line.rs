//! Flags to values, with the grammar of Python's argparse, which is what command lines were written for: prefixes of
//! long flags, glued short flags, flags and application in any order. clap does the work, with the command of
//! `command` and the error sentences of `usage`. Parsing touches nothing but its arguments.

use crate::command::{APPLICATION, command};
use crate::integer::{decimal, octal_too};
use crate::usage::{Usage, one_dash_too_few};
use crate::validate::is_auto;
use crate::{FLAGS, Kind, Layer, Origin, Setting, Value, rows};
use clap::{ArgMatches, error::ErrorKind};

/// What a command line said.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandLine {
    /// All flags.
    pub layer: Layer,
    /// The application, if one was named.
    pub application: Option<String>,
    /// What `-c` said; also in the layer.
    pub config: Option<String>,
}

/// What to print and return instead of starting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlyExit {
    /// Exit code: 0 for what was asked for, 2 for a command line that makes no sense.
    pub code: u8,
    /// For stdout.
    pub stdout: String,
    /// For stderr.
    pub stderr: String,
}

/// Parses the arguments after the program's name. `program` is what the program calls itself in usage texts.
pub fn parse(program: &str, arguments: &[String]) -> Result<CommandLine, EarlyExit> {
    parse_from(&Usage { program, variable: None }, Origin::CommandLine, arguments)
}

/// Parses the value of `GUNICORN_CMD_ARGS`. An application in it is passed over.
pub fn parse_environment_arguments(program: &str, value: &str) -> Result<CommandLine, EarlyExit> {
    let usage = Usage { program, variable: Some("GUNICORN_CMD_ARGS") };
    let unbalanced = || EarlyExit {
        code: 1,
        stdout: String::new(),
        stderr: format!("\nError: GUNICORN_CMD_ARGS: quotation is not closed in {}\n", Value::text(value)),
    };
    let words = crate::words::split(value).ok_or_else(unbalanced)?;
    let parsed = parse_from(&usage, Origin::CommandArguments, &words)?;
    Ok(CommandLine { application: None, ..parsed })
}

fn parse_from(usage: &Usage<'_>, origin: Origin, arguments: &[String]) -> Result<CommandLine, EarlyExit> {
    let matches = match command(usage.program).try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            return Err(printed(error.render().to_string()));
        }
        Err(error) if error.kind() == ErrorKind::DisplayVersion => {
            return Err(printed(format!("ferricorn (version {})\n", env!("CARGO_PKG_VERSION"))));
        }
        Err(error) => return Err(usage.exit(&usage.words_for(&error))),
    };
    let application = application(&matches).map_err(|late| usage.exit(&format!("unrecognized arguments: {late}")))?;
    let said = said(&matches, origin).map_err(|problem| usage.exit(&with_hint(problem, arguments)))?;
    Ok(CommandLine { application, ..said })
}

/// What the flags of [`crate::arguments`] have said, whoever parsed them; the application is somebody else's to name. The
/// error is a sentence.
pub fn said(matches: &ArgMatches, origin: Origin) -> Result<CommandLine, String> {
    let mut values = Vec::new();
    for setting in rows().chain(FLAGS).filter(|setting| !setting.long.is_empty()) {
        let value = value(setting, matches)?;
        values.extend(value.map(|value| (setting.name.to_owned(), value)));
    }
    let config = matches.get_one::<String>("config").cloned();
    Ok(CommandLine { layer: Layer::new(origin, values), application: None, config })
}

fn with_hint(problem: String, arguments: &[String]) -> String {
    match one_dash_too_few(arguments) {
        Some(flag) => format!("{problem}, did you mean {flag}?"),
        None => problem,
    }
}

fn printed(stdout: String) -> EarlyExit {
    EarlyExit { code: 0, stdout, stderr: String::new() }
}

/// The first positional argument; the error is the first one that comes after flags that came after it.
fn application(matches: &ArgMatches) -> Result<Option<String>, String> {
    let Some(named) = matches.get_many::<String>(APPLICATION) else {
        return Ok(None);
    };
    let places: Vec<usize> = matches.indices_of(APPLICATION).into_iter().flatten().collect();
    let gap = places.windows(2).position(|pair| pair[1] != pair[0] + 1);
    match gap {
        Some(before) => Err(named.skip(before + 1).cloned().collect::<Vec<_>>().join(" ")),
        None => Ok(named.into_iter().next().cloned()),
    }
}

fn value(setting: &Setting, matches: &ArgMatches) -> Result<Option<Value>, String> {
    if matches!(setting.kind, Kind::Bool | Kind::BoolOff) {
        return Ok(matches.get_flag(setting.name).then_some(Value::Bool(setting.kind == Kind::Bool)));
    }
    let Some(mut texts) = matches.get_many::<String>(setting.name) else {
        return Ok(None);
    };
    match setting.kind {
        Kind::List | Kind::Files => Ok(Some(Value::texts(texts.cloned()))),
        kind => texts.next_back().map(|text| converted(setting, kind, text)).transpose(),
    }
}

fn converted(setting: &Setting, kind: Kind, text: &str) -> Result<Value, String> {
    let (number, name) = match kind {
        Kind::Count if is_auto(&Value::text(text)) => return Ok(Value::text(text)),
        Kind::Int | Kind::Count => (decimal(text), "int"),
        Kind::AutoInt => (octal_too(text), "auto_int"),
        _ => return Ok(Value::text(text)),
    };
    let wrong = || format!("argument {}: invalid {name} value: {}", setting.flags(), Value::text(text));
    number.map(Value::Int).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    //! The grammar, case by case as Gunicorn 27.0.1 was seen to take it.
    use super::*;

    fn said(line: &str) -> Result<(Option<String>, String), String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let shown = |(name, value): &(String, Value)| format!("{name}={value}");
        match parse("ferricorn", &arguments) {
            Ok(line) => Ok((line.application, line.layer.values.iter().map(shown).collect::<Vec<_>>().join(" "))),
            Err(exit) => {
                assert_eq!((exit.code, exit.stdout.as_str()), (2, ""));
                let error = exit.stderr.strip_prefix("usage: ferricorn [OPTIONS] [APP_MODULE]\nferricorn: error: ");
                Err(error.expect("usage, then the error").trim_end().to_owned())
            }
        }
    }

    fn takes(line: &str, expected: &str) {
        assert_eq!(said(line), Ok((Some("app".to_owned()), expected.to_owned())), "{line}");
    }

    fn refuses(line: &str, expected: &str) {
        assert_eq!(said(line), Err(expected.to_owned()), "{line}");
    }

    #[test]
    fn flags_come_glued_separate_shortened_and_repeated() {
        takes("-w4 app", "workers=4");
        takes("-Dw4 app", "workers=4 daemon=True");
        takes("-w=4 app", "workers=4");
        takes("--workers=4 app", "workers=4");
        takes("--bin a:1 app -b b:2", "bind=['a:1', 'b:2']");
        takes("-w 1 -w 2 app --reload --reload", "workers=2 reload=True");
        takes("--log-f x app", "errorlog='x'");
        takes("--bind= app", "bind=['']");
        takes("--access-logfile - app", "accesslog='-'");
        takes("--explain-config --print app", "print_config=True explain_config=True");
        takes("app --no-sendfile --no-control", "sendfile=False control_socket_disable=True");
    }

    #[test]
    fn the_first_positional_argument_is_the_application() {
        takes("app app2 -w 4", "workers=4");
        takes("app -- app2", "");
        takes("-w 4 -- app", "workers=4");
        takes("-- app -w 3", "");
        refuses("app -w 4 app2", "unrecognized arguments: app2");
        assert_eq!(said("-w 4"), Ok((None, "workers=4".to_owned())));
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        takes("--timeout -1 app", "timeout=-1");
        takes("-w 1_0 app", "workers=10");
        takes("-w auto app", "workers='auto'");
        takes("-m 022 app", "umask=18");
        takes("-m 0x12 app", "umask=18");
        refuses("-w 0x3 app", "argument -w/--workers: invalid int value: '0x3'");
        refuses("-m 9z app", "argument -m/--umask: invalid auto_int value: '9z'");
    }

    #[test]
    fn proxy_protocol_may_stand_alone() {
        takes("app --proxy-protocol", "proxy_protocol='auto'");
        takes("--proxy-protocol -w 3 app", "workers=3 proxy_protocol='auto'");
        assert_eq!(said("--proxy-protocol app"), Ok((None, "proxy_protocol='app'".to_owned())));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        refuses("-w", "argument -w/--workers: expected one argument");
        refuses("--reload=1 app", "argument --reload: ignored explicit argument '1'");
        refuses("--keepalive 3 app", "unrecognized arguments: --keepalive, did you mean --keep-alive?");
        refuses("--raw-env A=1 app", "unrecognized arguments: --raw-env, did you mean --env?");
        let socket = "unrecognized arguments: --control-socket-disable, did you mean --no-control-socket?";
        refuses("--control-socket-disable app", socket);
        refuses("--post-fork f app", "unrecognized arguments: --post-fork, only a conf file can set post_fork");
        refuses("-W 3 app", "unrecognized arguments: -W, did you mean -w?");
        refuses("-workers 4 app", "argument -w/--workers: invalid int value: 'orkers', did you mean --workers?");
        refuses("---x app", "unrecognized arguments: ---x");
        refuses("--wokers 4 app", "unrecognized arguments: --wokers, did you mean --workers?");
        refuses("-xfoo app", "unrecognized arguments: -x");
        refuses("--past x", "ambiguous option: --past could match --paste, --paster, --paste-global");
        let workers = "--workers, --worker-class, --worker-connections, --worker-tmp-dir";
        refuses("--work 4 app", &format!("ambiguous option: --work could match {workers}"));
        let limits = "--limit-request-fields, --limit-request-field_size";
        refuses("--limit-request-field 4", &format!("ambiguous option: --limit-request-field could match {limits}"));
    }

    #[test]
    fn help_and_version_are_answers() {
        let answer = |flag: &str| parse("gunicorn", &[flag.to_owned()]).unwrap_err();
        let version = answer("-v");
        assert_eq!((version.code, version.stderr.as_str()), (0, ""));
        assert_eq!(version.stdout, format!("ferricorn (version {})\n", env!("CARGO_PKG_VERSION")));
        let help = answer("--help").stdout;
        assert!(
            help.starts_with("usage: gunicorn [OPTIONS] [APP_MODULE]") && help.contains("\nServer Socket:\n"),
            "{help}"
        );
        for setting in rows() {
            assert!(setting.long.first().is_none_or(|flag| help.contains(&format!("--{flag}"))), "{}", setting.name);
        }
    }

    #[test]
    fn the_variable_is_parsed_alike_and_names_no_application() {
        let line = parse_environment_arguments("ferricorn", "-w 3 other -c 'a b.py'").unwrap();
        assert_eq!((line.application, line.config.as_deref()), (None, Some("a b.py")));
        assert_eq!(line.layer.origin, Origin::CommandArguments);
        let exit = parse_environment_arguments("ferricorn", "-w x").unwrap_err();
        assert!(exit.stderr.ends_with("invalid int value: 'x' (in GUNICORN_CMD_ARGS)\n") && exit.code == 2, "{exit:?}");
        assert_eq!(parse_environment_arguments("ferricorn", "'a").unwrap_err().code, 1);
    }
}
