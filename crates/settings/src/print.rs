//! What `--print-config` prints: the format of the original, line for line.

use crate::Resolved;

/// One line for each setting, sorted by name, with a line break after each.
pub fn print_config(resolved: &Resolved) -> String {
    let width = resolved.values.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let mut rows: Vec<_> = resolved.values.iter().collect();
    rows.sort_by_key(|(name, ..)| *name);
    rows.into_iter().map(|(name, value, _)| format!("{name:width$} = {}\n", value.shown())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Layer, Origin, Value, resolve};

    /// What Gunicorn 27.0.1 prints for `--print-config app`, started by root in /tmp.
    const ORIGINAL: &str = include_str!("../tests/print_config.txt");

    #[test]
    fn the_printed_settings_are_those_of_the_original() {
        let values = vec![("print_config".to_owned(), Value::Bool(true))];
        let flag = Layer { origin: Origin::CommandLine, values };
        let printed = print_config(&resolve(&[flag], Some("app"), &Context::bare()).unwrap());
        for (ours, theirs) in printed.lines().zip(ORIGINAL.lines()) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(printed.lines().count(), 120);
    }
}
