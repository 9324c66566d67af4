//! Words for a command line that makes no sense: clap's findings said as argparse says them.

use crate::{EarlyExit, OWN, Setting, TABLE};
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// Whose arguments are wrong.
pub(crate) struct Usage<'a> {
    /// What the program calls itself.
    pub(crate) program: &'a str,
    /// The environment variable the arguments are in, unless they are the command line's.
    pub(crate) variable: Option<&'a str>,
}

/// What comes after "usage: ".
pub(crate) fn usage_line(program: &str) -> String {
    format!("{program} [OPTIONS] [APP_MODULE]")
}

impl Usage<'_> {
    /// Exit code 2 with the usage and one sentence.
    pub(crate) fn exit(&self, problem: &str) -> EarlyExit {
        let place = self.variable.map(|variable| format!(" (in {variable})")).unwrap_or_default();
        let (program, usage) = (self.program, usage_line(self.program));
        let stderr = format!("usage: {usage}\n{program}: error: {problem}{place}\n");
        EarlyExit { code: 2, stdout: String::new(), stderr }
    }

    /// The sentence for what clap found.
    pub(crate) fn words_for(&self, error: &Error) -> String {
        let argument = context(error, ContextKind::InvalidArg).unwrap_or_default();
        match error.kind() {
            ErrorKind::UnknownArgument => unknown(&argument, context(error, ContextKind::SuggestedArg)),
            ErrorKind::InvalidValue => {
                format!("argument {}: expected one argument", named(&argument))
            }
            ErrorKind::TooManyValues => {
                let value = context(error, ContextKind::InvalidValue).unwrap_or_default();
                format!("argument {}: ignored explicit argument '{value}'", named(&argument))
            }
            _ => {
                let text = error.render().to_string();
                text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned()
            }
        }
    }
}

fn context(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn unknown(argument: &str, suggestion: Option<String>) -> String {
    let candidates: Vec<String> = long_flags().filter(|flag| flag.starts_with(argument)).collect();
    match suggestion {
        _ if argument.len() > 2 && candidates.len() > 1 => {
            format!("ambiguous option: {argument} could match {}", candidates.join(", "))
        }
        Some(suggestion) => {
            format!("unrecognized arguments: {argument}, did you mean {suggestion}?")
        }
        None => format!("unrecognized arguments: {argument}"),
    }
}

fn long_flags() -> impl Iterator<Item = String> {
    TABLE.iter().chain(OWN).flat_map(|setting| setting.long.iter().map(|flag| format!("--{flag}")))
}

/// All flags of the setting that clap calls "--workers <INT>".
fn named(argument: &str) -> String {
    let flag = argument.split([' ', '=', '[']).next().unwrap_or_default();
    let known = TABLE.iter().find(|setting| setting.flag().as_deref() == Some(flag));
    known.map_or_else(|| flag.to_owned(), Setting::flags)
}
