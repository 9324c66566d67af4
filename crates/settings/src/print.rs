//! What `--print-config` prints: the format of the original, line for line. What `--explain-config` prints: the same,
//! and behind each value where it came from.

use crate::{Kind, Origin, Resolved, TABLE, Value, rows};

/// One line for each setting, sorted by name, with a line break after each. Those that Gunicorn does not have are left out,
/// unless where they came from is wanted too.
pub fn print_config(resolved: &Resolved) -> String {
    let width = resolved.values.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let count = if resolved.explained { resolved.values.len() } else { TABLE.len() };
    let mut rows: Vec<_> = rows().map(|setting| setting.kind).zip(&resolved.values).take(count).collect();
    rows.sort_by_key(|(_, (name, ..))| *name);
    let line = |(kind, (name, value, origin)): (Kind, &(&str, Value, Origin))| {
        let source = if resolved.explained { format!("  # {origin}") } else { String::new() };
        format!("{name:width$} = {}{source}\n", shown(kind, value))
    };
    rows.into_iter().map(line).collect()
}

/// A hook that was named by its dotted path is shown as the function that it leads to.
fn shown(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Hook(_), Value::Str(path)) => {
            Value::Callable(path.rsplit('.').next().unwrap_or_default().to_owned()).shown()
        }
        (_, value) => value.shown(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, Layer, resolve};

    /// What Gunicorn 27.0.1 prints for `--print-config app`, started by root in /tmp.
    const ORIGINAL: &str = include_str!("../tests/print_config.txt");

    #[test]
    fn the_printed_settings_are_those_of_the_original() {
        let printed = printed(&[("print_config", Value::Bool(true))]);
        for (ours, theirs) in printed.lines().zip(ORIGINAL.lines()) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(printed.lines().count(), 120);
    }

    /// What is printed when the command line says this.
    fn printed(values: &[(&str, Value)]) -> String {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let flags = Layer::new(Origin::CommandLine, values);
        print_config(&resolve(&[flags], Some("app"), &Context::bare()).unwrap())
    }

    #[test]
    fn functions_classes_and_addresses_print_as_in_the_original() {
        let printed = printed(&[
            ("when_ready", Value::text("hooks.ready")),
            ("logger_class", Value::Callable("Own".into())),
            ("statsd_host", Value::text("LOCAL:9")),
        ]);
        for line in [
            "when_ready                         = <ready()>",
            "logger_class                       = <Own()>",
            "statsd_host                        = ('local', 9)",
        ] {
            assert!(printed.lines().any(|known| known == line), "{line}");
        }
    }

    #[test]
    fn an_explanation_says_where_each_value_came_from() {
        let printed = printed(&[("explain_config", Value::Bool(true)), ("timeout", Value::Int(9))]);
        for line in [
            "timeout                            = 9  # the command line",
            "workers                            = 1  # the defaults",
            "print_config                       = False  # the defaults",
        ] {
            assert!(printed.lines().any(|known| known == line), "{line}");
        }
        assert_eq!(printed.lines().count(), rows().count());
    }
}
