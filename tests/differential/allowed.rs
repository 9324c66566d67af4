//! The differences that may be: `tests/requests/allowed.txt`.

use std::fs;

use super::cases;

/// Those that concern one file of cases, and whether each was seen.
#[derive(Debug)]
pub(crate) struct Allowed {
    lines: Vec<(Line, bool)>,
}

#[derive(Debug)]
struct Line {
    text: String,
    case: String,
    kinds: Vec<String>,
    /// All of its kinds depend on how the bytes happen to arrive.
    by_chance: bool,
}

impl Allowed {
    /// A line is `file | case | kind, kind | reason`. A question mark behind a kind: now and then.
    #[track_caller]
    pub(crate) fn read(file: &str) -> Self {
        let text = fs::read_to_string(cases::folder().join("allowed.txt")).expect("allowed.txt can be read");
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|line| {
            let parts: Vec<_> = line.split(" | ").map(str::trim).collect();
            let [name, case, kinds, reason] = parts[..] else { panic!("not four parts: {line:?}") };
            assert!(!reason.is_empty(), "no reason: {line:?}");
            let by_chance = kinds.split(", ").all(|kind| kind.ends_with('?'));
            let kinds = kinds.split(", ").map(|kind| kind.trim_end_matches('?').to_owned()).collect();
            (name.to_owned(), Line { text: line.to_owned(), case: case.to_owned(), kinds, by_chance })
        });
        Self { lines: lines.filter(|(name, _)| name == file).map(|(_, line)| (line, false)).collect() }
    }

    /// Whether a case may differ in this way.
    pub(crate) fn covers(&mut self, case: &str, kind: &str) -> bool {
        let covers = |line: &Line| line.case == case && line.kinds.iter().any(|allowed| allowed == kind);
        let found = self.lines.iter_mut().find(|(line, _)| covers(line));
        found.map(|(_, seen)| *seen = true).is_some()
    }

    /// Lines that describe a difference which there is no more.
    pub(crate) fn unused(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().filter(|(line, seen)| !seen && !line.by_chance).map(|(line, _)| line.text.as_str())
    }
}
