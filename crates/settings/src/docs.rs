//! docs/settings.md, from the table. A test keeps the file current: `UPDATE=1 cargo test -p ferricorn-settings`.

use crate::{Fallback, Kind, Section, Setting, Support, TABLE};

/// The whole page.
pub fn settings_page() -> String {
    let sections: String = Section::ALL.iter().map(|section| section_of_page(*section)).collect();
    format!("{}{sections}", introduction())
}

fn introduction() -> String {
    let count = |wanted: fn(&Support) -> bool| TABLE.iter().filter(|setting| wanted(&setting.support)).count();
    let works = count(|support| *support == Support::Works);
    let differ = count(|support| matches!(support, Support::Differs(_)));
    let inert = count(|support| matches!(support, Support::Inert(_)));
    let refused = count(|support| matches!(support, Support::Refused(_)));
    format!(
        "<!-- Generated from crates/settings/src/table.rs: UPDATE=1 cargo test -p ferricorn-settings -->\n\
         # Settings\n\n\
         The {all} settings of Gunicorn 27.0.1 and what becomes of them here: {works} work, {differ} work \
         differently, {inert} are accepted without effect, {refused} are refused. A setting that is refused may be \
         named with its default; any other value ends the start with exit code 1 and a sentence that says where it \
         came from and what to do instead.\n\n\
         Sources, each over the one before: defaults, PORT, WEB_CONCURRENCY and FORWARDED_ALLOW_IPS in the \
         environment, one conf file (`-c`, else `./gunicorn.conf.py`, else `./ferricorn.toml`), GUNICORN_CMD_ARGS, \
         the command line. Lists are replaced, never merged.\n",
        all = TABLE.len()
    )
}

fn section_of_page(section: Section) -> String {
    let rows: String = TABLE.iter().filter(|setting| setting.section == section).map(row).collect();
    let head = "| name | flag | type | default | meaning | support |\n|---|---|---|---|---|---|\n";
    format!("\n## {}\n\n{head}{rows}", section.title())
}

fn row(setting: &Setting) -> String {
    let flags = match setting.flags() {
        flags if flags.is_empty() => "file only".to_owned(),
        flags => format!("`{}`", flags.replace('/', "`, `")),
    };
    let support = match setting.support {
        Support::Works => "works".to_owned(),
        Support::Differs(phrase) => format!("works differently: {phrase}"),
        Support::Inert(reason) => format!("without effect: {reason}"),
        Support::Refused(advice) => format!("refused: {advice}"),
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
