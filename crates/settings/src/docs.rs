//! docs/settings.md, from the table. A test keeps the file current: `UPDATE=1 cargo test -p ferricorn-settings`.

use crate::differences::Class;
use crate::{FLAGS, Fallback, Kind, OWN, Section, Setting, TABLE};

/// The whole page.
pub fn settings_page() -> String {
    let sections: String = Section::ALL.iter().map(|section| section_of_page(*section)).collect();
    format!("{}{sections}", introduction())
}

fn introduction() -> String {
    let [works, differ, inert, refused] = Class::ALL.map(Class::count);
    format!(
        "<!-- Generated from crates/settings/src/table.rs: UPDATE=1 cargo test -p ferricorn-settings -->\n\
         # Settings\n\n\
         The {all} settings of Gunicorn 27.0.1 and what becomes of them here: {works} work, {differ} work \
         differently, {inert} are accepted without effect, {refused} are refused.\n\n\
         - A setting without effect that somebody set is named once in the error log, at level debug.\n\
         - A setting that is refused may be named with its default, or with a value that asks for nothing; any other \
         ends the start with exit status 1 and a sentence that says where it came from and what to do instead.\n\n\
         Sources, each over the one before: defaults, PORT, WEB_CONCURRENCY (else WORKERS) and FORWARDED_ALLOW_IPS in \
         the environment, one conf file (`-c`, else `./gunicorn.conf.py`, else `./ferricorn.toml`), GUNICORN_CMD_ARGS, \
         the command line. Lists are replaced, never merged. `--explain-config` prints where each value came from.\n",
        all = TABLE.len()
    )
}

fn section_of_page(section: Section) -> String {
    if section == Section::Ferricorn {
        let rows: String = OWN.iter().map(own_row).collect();
        let flags: String = FLAGS.iter().map(|flag| format!("| `{}` | {} |\n", flag.flags(), flag.meaning)).collect();
        return format!(
            "\n## {}\n\nSettings that Gunicorn does not have.\n\n| name | flag | type | default | meaning |\n\
             |---|---|---|---|---|\n{rows}\nFlags that are no settings: no file knows them.\n\n\
             | flag | meaning |\n|---|---|\n{flags}",
            section.title()
        );
    }
    let rows: String = TABLE.iter().filter(|setting| setting.section == section).map(row).collect();
    let head = "| name | flag | type | default | meaning | support |\n|---|---|---|---|---|---|\n";
    format!("\n## {}\n\n{head}{rows}", section.title())
}

fn own_row(setting: &Setting) -> String {
    let (kind, default) = (kind_of(setting.kind), default_of(setting));
    format!("| `{}` | `{}` | {kind} | {default} | {} |\n", setting.name, setting.flags(), setting.meaning)
}

fn row(setting: &Setting) -> String {
    let flags = match setting.flags() {
        flags if flags.is_empty() => "file only".to_owned(),
        flags => format!("`{}`", flags.replace('/', "`, `")),
    };
    let support = match Class::of(setting) {
        (class, "") => class.title().to_owned(),
        (class, phrase) => format!("{}: {phrase}", class.title()),
    };
    let (kind, default) = (kind_of(setting.kind), default_of(setting));
    format!("| `{}` | {flags} | {kind} | {default} | {} | {support} |\n", setting.name, setting.meaning)
}

fn default_of(setting: &Setting) -> String {
    match (setting.fallback, setting.default_value().to_string()) {
        (Fallback::Context(words), _) => words.to_owned(),
        (Fallback::None, _) => "unset".to_owned(),
        (Fallback::Hook(_), _) => "does nothing".to_owned(),
        (_, shown) => format!("`{shown}`"),
    }
}

fn kind_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool | Kind::BoolOff => "switch",
        Kind::Int | Kind::Count => "number",
        Kind::AutoInt => "number, octal too",
        Kind::Seconds => "seconds, fractions too",
        Kind::Str | Kind::Choice(_) | Kind::OptionalChoice(..) => "text",
        Kind::List | Kind::Files => "list",
        Kind::Names | Kind::Addresses => "text with commas",
        Kind::Class => "class",
        Kind::StatsdHost => "address",
        Kind::Directory => "directory",
        Kind::User => "user",
        Kind::Group => "group",
        Kind::Map => "dict",
        Kind::Hook(_) => "function",
        Kind::Any => "any",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs, path::Path};

    #[test]
    fn the_page_in_docs_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, settings_page()).unwrap();
        }
        let current = fs::read_to_string(&path).unwrap_or_default() == settings_page();
        assert!(current, "docs/settings.md is stale: UPDATE=1 cargo test -p ferricorn-settings");
    }
}
