//! Words for a command line that makes no sense: clap's findings said as argparse says them.

use crate::{EarlyExit, FLAGS, Setting, TABLE, find, rows};
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

fn unknown(argument: &str, nearest: Option<String>) -> String {
    let candidates: Vec<String> = long_flags().filter(|flag| flag.starts_with(argument)).collect();
    if argument.len() > 2 && candidates.len() > 1 {
        return format!("ambiguous option: {argument} could match {}", candidates.join(", "));
    }
    let remark = match setting_called(argument) {
        Some(setting) => match setting.flag() {
            Some(flag) => format!(", did you mean {flag}?"),
            None => format!(", only a conf file can set {}", setting.name),
        },
        None => other_case(argument)
            .or(nearest.filter(|_| !argument.starts_with("---")))
            .map_or_else(String::new, |flag| format!(", did you mean {flag}?")),
    };
    format!("unrecognized arguments: {argument}{remark}")
}

/// Who knows a conf file may take the name of a setting for its flag.
fn setting_called(argument: &str) -> Option<&'static Setting> {
    find(&argument.strip_prefix("--")?.replace('-', "_"))
}

/// `-W` for `-w`.
fn other_case(argument: &str) -> Option<String> {
    let letters: Vec<char> = argument.strip_prefix('-')?.chars().collect();
    let &[letter] = letters.as_slice() else {
        return None;
    };
    let same = |flag: char| flag.eq_ignore_ascii_case(&letter);
    TABLE.iter().find_map(|setting| setting.short.filter(|flag| same(*flag))).map(|flag| format!("-{flag}"))
}

/// A long flag with one dash too few, which the grammar takes for a short flag with its value: `-workers`.
pub(crate) fn one_dash_too_few(arguments: &[String]) -> Option<String> {
    let flags: Vec<String> = long_flags().collect();
    arguments
        .iter()
        .map(|argument| format!("-{}", argument.split('=').next().unwrap_or_default()))
        .find(|long| flags.contains(long))
}

fn long_flags() -> impl Iterator<Item = String> {
    rows().chain(FLAGS).flat_map(|setting| setting.long.iter().map(|flag| format!("--{flag}")))
}

/// All flags of the setting that clap calls "--workers <INT>".
fn named(argument: &str) -> String {
    let flag = argument.split([' ', '=', '[']).next().unwrap_or_default();
    let known = rows().find(|setting| setting.flag().as_deref() == Some(flag));
    known.map_or_else(|| flag.to_owned(), Setting::flags)
}
