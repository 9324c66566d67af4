//! `ferricorn.toml`: the settings' names as keys of one flat table.

use crate::{Layer, Origin, SettingsError, TABLE, Value, find};
use std::fs;
use std::path::Path;

/// Reads a TOML file. A key that is no setting is an error, unlike in a conf file, where any name may be a variable.
pub fn read_toml(path: &Path) -> Result<Layer, SettingsError> {
    let unreadable =
        |error: std::io::Error| SettingsError::Unreadable { path: path.into(), problem: error.to_string() };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| SettingsError::Syntax {
        path: path.into(),
        line: line_of(&text, error.span().map_or(0, |span| span.start)),
        problem: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    if let Some(key) = table.keys().find(|key| find(key).is_none()) {
        let nearest = nearest_name(key);
        return Err(SettingsError::UnknownKey { path: path.into(), key: key.clone(), nearest });
    }
    let values = table.into_iter().map(|(key, value)| (key, converted(value))).collect();
    Ok(Layer { origin: Origin::File(path.into()), values })
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

fn nearest_name(key: &str) -> &'static str {
    let distance = |name: &&'static str| strsim::damerau_levenshtein(&key.to_lowercase(), name);
    TABLE.iter().map(|setting| setting.name).min_by_key(distance).unwrap_or_default()
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
        let mut values = read("workers = 3\nbind = ['a:1']\n[secure_scheme_headers]\nX-A = 'b'\n").unwrap().values;
        values.sort_by(|one, other| one.0.cmp(&other.0));
        let headers = Value::Map(vec![("X-A".into(), Value::text("b"))]);
        let expected =
            [("bind", Value::texts(["a:1"])), ("secure_scheme_headers", headers), ("workers", Value::Int(3))];
        assert_eq!(values, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_one() {
        let sentence = "x.toml: there is no setting `wokers`, did you mean `workers`?";
        assert_eq!(read("wokers = 3").unwrap_err(), sentence);
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
