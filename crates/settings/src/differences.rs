//! The part of docs/differences-from-gunicorn.md that counts settings, from the table. A test keeps it current:
//! `UPDATE=1 cargo test -p ferricorn-settings`.

use crate::{Setting, Support, TABLE};

/// What becomes of a setting, without the phrase: the four classes that the pages count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Works,
    Differs,
    Inert,
    Refused,
}

impl Class {
    pub(crate) const ALL: [Class; 4] = [Class::Works, Class::Differs, Class::Inert, Class::Refused];

    /// The class of a setting, and the phrase that goes with it.
    pub(crate) fn of(setting: &Setting) -> (Class, &'static str) {
        match setting.support {
            Support::Works => (Class::Works, ""),
            Support::Differs(phrase) => (Class::Differs, phrase),
            Support::Inert(phrase) => (Class::Inert, phrase),
            Support::Refused(phrase) => (Class::Refused, phrase),
        }
    }

    /// As a row of the pages begins.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Class::Works => "works",
            Class::Differs => "works differently",
            Class::Inert => "without effect",
            Class::Refused => "refused",
        }
    }

    /// How many settings are of this class.
    pub(crate) fn count(self) -> usize {
        TABLE.iter().filter(|setting| Class::of(setting).0 == self).count()
    }
}

/// A table of counts, and for every class but the first a table of its settings.
pub fn differences_table() -> String {
    let counts: String =
        Class::ALL.iter().map(|class| format!("| {} | {} |\n", class.title(), class.count())).collect();
    let tables: String = Class::ALL.iter().skip(1).map(|class| settings_of(*class)).collect();
    format!("| of {} settings | |\n|---|---|\n{counts}{tables}", TABLE.len())
}

/// One row for each phrase, as some settings share theirs.
fn settings_of(class: Class) -> String {
    let members = || TABLE.iter().map(|setting| (setting.name, Class::of(setting))).filter(|(_, (of, _))| *of == class);
    let mut phrases: Vec<&str> = Vec::new();
    for (_, (_, phrase)) in members() {
        if !phrases.contains(&phrase) {
            phrases.push(phrase);
        }
    }
    let row = |phrase: &&str| {
        let sharing = members().filter(|(_, (_, own))| own == phrase);
        let names: Vec<String> = sharing.map(|(name, _)| format!("`{name}`")).collect();
        format!("| {} | {phrase} |\n", names.join(", "))
    };
    let rows: String = phrases.iter().map(row).collect();
    format!("\n| {} | |\n|---|---|\n{rows}", class.title())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{env, fs, path::Path};

    /// What the generated part stands between.
    const MARKS: [&str; 2] = ["<!-- counts: generated -->\n", "<!-- counts: end -->\n"];

    #[test]
    fn the_counts_in_docs_are_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/differences-from-gunicorn.md");
        let page = fs::read_to_string(&path).unwrap();
        let (before, rest) = page.split_once(MARKS[0]).expect("the first mark");
        let (_, after) = rest.split_once(MARKS[1]).expect("the second mark");
        let wanted = format!("{before}{}{}{}{after}", MARKS[0], differences_table(), MARKS[1]);
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        let current = fs::read_to_string(&path).unwrap() == wanted;
        assert!(current, "docs/differences-from-gunicorn.md is stale: UPDATE=1 cargo test -p ferricorn-settings");
    }

    #[test]
    fn every_setting_is_counted_once() {
        assert_eq!(Class::ALL.iter().map(|class| class.count()).sum::<usize>(), 120);
        assert!(Class::Refused.count() <= 12);
        let table = differences_table();
        for setting in TABLE.iter().filter(|setting| setting.support != Support::Works) {
            assert_eq!(table.matches(&format!("`{}`", setting.name)).count(), 1, "{}", setting.name);
        }
    }
}
