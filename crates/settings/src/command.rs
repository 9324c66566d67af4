//! The clap command of the settings table: the grammar of argparse, the help by sections.

use crate::usage::usage_line;
use crate::{FLAGS, Fallback, Kind, Language, Section, Setting, Support, rows};
use clap::{Arg, ArgAction, Command, ValueHint};

/// Name of the positional argument among the settings.
pub(crate) const APPLICATION: &str = "APP_MODULE";

/// The clap command of the table, also for completions and the manual page.
pub fn command(program: &str) -> Command {
    Command::new("ferricorn")
        .bin_name(program.to_owned())
        .no_binary_name(true)
        .override_usage(usage_line(program))
        .help_template("usage: {usage}\n\n{about}\n\n{all-args}")
        .about("Serves Python WSGI applications from forked workers. Takes the command line of Gunicorn.")
        .version(concat!("(version ", env!("CARGO_PKG_VERSION"), ")"))
        .infer_long_args(true)
        .args_override_self(true)
        .disable_version_flag(true)
        .arg(Arg::new("version").short('v').long("version").action(ArgAction::Version).help("Print the version"))
        .arg(
            Arg::new(APPLICATION)
                .num_args(0..)
                .action(ArgAction::Append)
                .allow_negative_numbers(true)
                .help("Application: module, module:name or module:factory('argument')"),
        )
        .args(arguments(Language::Python))
}

/// The flags of all settings, by sections. Those that do nothing for this language are known, so that what becomes of them
/// can be said, and hidden.
pub fn arguments(language: Language) -> impl Iterator<Item = Arg> {
    let rows = || rows().chain(FLAGS);
    let sections = Section::ALL.iter().flat_map(move |section| rows().filter(|row| row.section == *section));
    let is_moot = move |setting: &Setting| {
        language == Language::Rust && matches!(setting.support_in(language), Support::Refused(_) | Support::Inert(_))
    };
    sections.filter(|setting| !setting.long.is_empty()).map(move |setting| match (language, setting.name) {
        (Language::Rust, "config") => argument(setting).help(NATIVE_CONFIG),
        _ => argument(setting).hide(is_moot(setting)),
    })
}

/// What the table says of this setting is about Python.
const NATIVE_CONFIG: &str = "TOML file with settings, read from the command line and GUNICORN_CMD_ARGS only \
                             [./ferricorn.toml, if there is one]";

fn argument(setting: &'static Setting) -> Arg {
    let argument = Arg::new(setting.name)
        .help(help(setting))
        .help_heading(setting.section.title())
        .long(setting.long[0])
        .aliases(setting.long[1..].iter().copied());
    let argument = match setting.short {
        Some(short) => argument.short(short),
        None => argument,
    };
    let argument = match setting.kind {
        Kind::Bool | Kind::BoolOff => return argument.action(ArgAction::SetTrue),
        Kind::List | Kind::Files => argument.action(ArgAction::Append),
        Kind::OptionalChoice(_, bare) => argument.num_args(0..=1).default_missing_value(bare),
        _ => argument.action(ArgAction::Set),
    };
    argument.allow_negative_numbers(true).value_name(placeholder(setting.kind)).value_hint(hint(setting))
}

/// What a shell completes. Choices are not told to the parser: what it would say of a wrong one is not what we say.
fn hint(setting: &Setting) -> ValueHint {
    match (setting.kind, setting.name) {
        (Kind::Files, _) => ValueHint::FilePath,
        (Kind::Directory, _) | (_, "worker_tmp_dir" | "pythonpath") => ValueHint::DirPath,
        (Kind::User, _) => ValueHint::Username,
        (_, "config" | "pidfile" | "accesslog" | "errorlog" | "logconfig" | "logconfig_json" | "paste") => {
            ValueHint::FilePath
        }
        (_, "keyfile" | "certfile" | "ca_certs" | "control_socket") => ValueHint::FilePath,
        _ => ValueHint::Other,
    }
}

fn help(setting: &Setting) -> String {
    let default = match setting.fallback {
        Fallback::Context(words) => words.to_owned(),
        _ => setting.default_value().shown(),
    };
    if setting.section == Section::Ferricorn {
        return setting.meaning.to_owned();
    }
    let remark = match setting.support {
        Support::Works | Support::Differs(_) => "",
        Support::Inert(_) => " (without effect)",
        Support::Refused(_) => " (not supported)",
    };
    format!("{} [{default}]{remark}", setting.meaning)
}

fn placeholder(kind: Kind) -> &'static str {
    match kind {
        Kind::Int | Kind::AutoInt | Kind::Count => "INT",
        Kind::Seconds => "SECONDS",
        Kind::Directory => "DIRECTORY",
        Kind::User => "USER",
        Kind::Group => "GROUP",
        Kind::Files => "FILE",
        _ => "STRING",
    }
}
