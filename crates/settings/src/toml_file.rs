//! `ferricorn.toml`: the settings' names as keys of one flat table.

use crate::{Kind, Layer, Origin, Setting, SettingsError, Value, find, rows};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use toml::Spanned;

/// Reads a TOML file. A key that is no setting is an error, unlike in a conf file, where any name may be a variable.
pub fn read_toml(path: &Path) -> Result<Layer, SettingsError> {
    let unreadable =
        |error: std::io::Error| SettingsError::Unreadable { path: path.into(), problem: error.to_string() };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let keys: HashMap<Spanned<String>, toml::Value> = toml::from_str(&text).map_err(|error| SettingsError::Syntax {
        path: path.into(),
        line: line_of(&text, error.span().map_or(0, |span| span.start)),
        problem: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    let mut keys: Vec<_> = keys.into_iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    let mut layer = Layer::new(Origin::File(path.into()), Vec::new());
    for (key, value) in keys {
        let (line, name) = (line_of(&text, key.span().start), key.into_inner());
        let setting = find(&name).ok_or_else(|| unknown(path, line, &name))?;
        layer.values.push((name.clone(), in_form(setting, converted(value))));
        layer.lines.insert(name, line);
    }
    Ok(layer)
}

fn unknown(path: &Path, line: usize, key: &str) -> SettingsError {
    SettingsError::UnknownKey { path: path.into(), line, key: key.to_owned(), nearest: nearest_name(key) }
}

/// Lists that a conf file writes with commas may be arrays here.
fn in_form(setting: &Setting, value: Value) -> Value {
    match (setting.kind, &value) {
        (Kind::Names | Kind::Addresses, Value::List(items)) if items.iter().all(is_one_name) => {
            Value::Str(items.iter().map(Value::shown).collect::<Vec<_>>().join(","))
        }
        _ => value,
    }
}

fn is_one_name(value: &Value) -> bool {
    matches!(value, Value::Str(name) if !name.contains(','))
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn nearest_name(key: &str) -> &'static str {
    let distance = |name: &&'static str| strsim::damerau_levenshtein(&key.to_lowercase(), name);
    rows().map(|setting| setting.name).min_by_key(distance).unwrap_or_default()
}

fn converted(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::Str(text),
        toml::Value::Integer(number) => Value::Int(number),
        toml::Value::Float(number) => Value::Float(number),
        toml::Value::Boolean(switch) => Value::Bool(switch),
        toml::Value::Datetime(moment) => Value::Other(moment.to_string()),
        toml::Value::Array(items) => Value::List(items.into_iter().map(converted).collect()),
        toml::Value::Table(table) => {
            Value::Map(table.into_iter().map(|(key, value)| (key, converted(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Layer, String> {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        fs::write(file.path(), text).unwrap();
        let shorten = |error: SettingsError| error.to_string().replace(&file.path().display().to_string(), "x.toml");
        read_toml(file.path()).map_err(shorten)
    }

    #[test]
    fn keys_are_settings() {
        let layer = read("workers = 3\nbind = ['a:1']\n\n[secure_scheme_headers]\nX-A = 'b'\n").unwrap();
        let headers = Value::Map(vec![("X-A".into(), Value::text("b"))]);
        let expected =
            [("workers", Value::Int(3)), ("bind", Value::texts(["a:1"])), ("secure_scheme_headers", headers)];
        assert_eq!(layer.values, expected.map(|(name, value)| (name.to_owned(), value)));
        let lines = [("workers", 1), ("bind", 2), ("secure_scheme_headers", 4)];
        assert_eq!(layer.lines, lines.map(|(name, line)| (name.to_owned(), line)).into());
    }

    #[test]
    fn lists_with_commas_may_be_arrays() {
        let values = |text: &str| read(text).unwrap().values.remove(0).1;
        assert_eq!(values("forwarded_allow_ips = ['::1', '10.0.0.0/8']"), Value::text("::1,10.0.0.0/8"));
        assert_eq!(values("forwarder_headers = 'A,B'"), Value::text("A,B"));
        assert_eq!(values("forwarder_headers = []"), Value::text(""));
        assert_eq!(values("forwarder_headers = [1]"), Value::List(vec![Value::Int(1)]));
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_one() {
        let sentence = "x.toml, line 2: there is no setting `wokers`, did you mean `workers`?";
        assert_eq!(read("bind = 'a'\nwokers = 3").unwrap_err(), sentence);
        let table = "x.toml, line 1: there is no setting `bd`, did you mean `db`?";
        assert_eq!(read("[bd]\nurl = 'x'").unwrap_err(), table);
    }

    #[test]
    fn a_syntax_error_is_one_line_that_says_where() {
        let sentence = read("workers = 3\nbind = \n").unwrap_err();
        assert!(sentence.starts_with("x.toml, line 2: ") && sentence.lines().count() == 1, "{sentence}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let sentence = read_toml(Path::new("/nowhere/x.toml")).unwrap_err().to_string();
        assert_eq!(sentence, "/nowhere/x.toml: No such file or directory (os error 2)");
    }
}
