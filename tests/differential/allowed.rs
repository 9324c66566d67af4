//! The differences that may be: `tests/requests/allowed.txt` and `tests/responses/allowed.txt`.

use std::fs;
use std::path::Path;

/// Those that concern one comparison, and which of their cases were seen.
#[derive(Debug)]
pub(crate) struct Allowed {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    text: String,
    /// Files of cases, or ways to ask.
    groups: Vec<String>,
    /// Each with whether it was seen to differ.
    cases: Vec<(String, bool)>,
    kinds: Vec<String>,
    /// All of its kinds depend on how the bytes happen to arrive.
    by_chance: bool,
}

impl Line {
    /// A line is `groups | cases | kind, kind | reason`; a semicolon between groups, and between cases. A question mark behind
    /// a kind: now and then.
    #[track_caller]
    fn parse(line: &str) -> Self {
        let parts: Vec<_> = line.split(" | ").map(str::trim).collect();
        let [groups, cases, kinds, reason] = parts[..] else { panic!("not four parts: {line:?}") };
        assert!(!reason.is_empty(), "no reason: {line:?}");
        let by_chance = kinds.split(", ").all(|kind| kind.ends_with('?'));
        let kinds = kinds.split(", ").map(|kind| kind.trim_end_matches('?').to_owned()).collect();
        let groups = groups.split("; ").map(str::to_owned).collect();
        let cases = cases.split("; ").map(|case| (case.to_owned(), false)).collect();
        Self { text: line.to_owned(), groups, cases, kinds, by_chance }
    }
}

impl Allowed {
    /// Reads the file of a folder; `group`: only lines that concern it.
    #[track_caller]
    pub(crate) fn read(folder: &Path, group: Option<&str>) -> Self {
        let text = fs::read_to_string(folder.join("allowed.txt")).expect("allowed.txt can be read");
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(Line::parse);
        let concerns = |line: &Line| group.is_none_or(|group| line.groups.iter().any(|named| named == group));
        Self { lines: lines.filter(concerns).collect() }
    }

    /// Whether a case may differ in this way.
    pub(crate) fn covers(&mut self, group: &str, case: &str, kind: &str) -> bool {
        let covers = |line: &&mut Line| {
            line.groups.iter().any(|named| named == group) && line.kinds.iter().any(|allowed| allowed == kind)
        };
        let mut cases = self.lines.iter_mut().filter(covers).flat_map(|line| &mut line.cases);
        cases.find(|(named, _)| named == case).map(|(_, seen)| *seen = true).is_some()
    }

    /// Cases of lines that describe a difference which there is no more.
    pub(crate) fn unused(&self) -> impl Iterator<Item = String> {
        let certain = self.lines.iter().filter(|line| !line.by_chance);
        certain.flat_map(|line| {
            let unseen = line.cases.iter().filter(|(_, seen)| !seen);
            unseen.map(move |(case, _)| format!("{case}, in `{:.100}`", line.text))
        })
    }
}
