//! What a source said about a setting, before anybody checked it: a conf file's global, a TOML key, a flag.
//!
//! A [`Value`] knows how Python would write it, because `--print-config` and the error sentences show values as the
//! author of a `gunicorn.conf.py` knows them. It never validates anything.

use serde::{Deserialize, Serialize};
use std::fmt;

/// One value as it came from a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Python's `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(String),
    /// A list, or a tuple of a conf file.
    List(Vec<Value>),
    /// What Gunicorn keeps as a tuple: an address of a host and a port.
    Tuple(Vec<Value>),
    /// A dict with text keys, in the order of the source.
    Map(Vec<(String, Value)>),
    /// A function or class of the conf file, by its qualified name.
    Callable(String),
    /// Anything else, by its `repr`.
    Other(String),
}

impl Value {
    /// Text from anything that turns into it.
    pub fn text(text: impl Into<String>) -> Value {
        Value::Str(text.into())
    }

    /// A list of texts.
    pub fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Value {
        Value::List(texts.into_iter().map(Value::text).collect())
    }

    /// What Python takes for false: where a conf file means to say nothing.
    pub fn is_false(&self) -> bool {
        match self {
            Value::None | Value::Bool(false) | Value::Int(0) => true,
            Value::Str(text) => text.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Map(pairs) => pairs.is_empty(),
            _ => false,
        }
    }

    /// As Python's `str()` shows it: texts bare, lists and dicts with quoted members.
    pub fn shown(&self) -> String {
        match self {
            Value::Str(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// As Python's `repr()` shows it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("None"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => write!(f, "{number:?}"),
            Value::Str(text) => f.write_str(&quoted(text)),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Value::Tuple(items) => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                write!(f, "({})", items.join(", "))
            }
            Value::Map(pairs) => {
                let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("{}: {value}", quoted(key))).collect();
                write!(f, "{{{}}}", pairs.join(", "))
            }
            Value::Callable(name) => write!(f, "<{name}()>"),
            Value::Other(repr) => f.write_str(repr),
        }
    }
}

/// A Python string literal: single quotes, unless only double quotes spare an escape.
pub(crate) fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push(quote);
    for letter in text.chars() {
        match letter {
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '\\' => literal.push_str("\\\\"),
            letter if letter == quote => literal.extend(['\\', letter]),
            letter if is_printable(letter) => literal.push(letter),
            letter => literal.push_str(&escaped(letter as u32)),
        }
    }
    literal.push(quote);
    literal
}

/// A letter before it keeps marks that combine with one from being escaped, which Python does not do.
fn is_printable(letter: char) -> bool {
    !letter.is_control() && !format!("a{letter}").escape_debug().skip(1).eq(letter.escape_unicode())
}

fn escaped(code: u32) -> String {
    match code {
        ..=0xff => format!("\\x{code:02x}"),
        0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_python_writes_them() {
        let map = Value::Map(vec![("a'b".into(), Value::texts(["x", "y\n"])), ("n".into(), Value::None)]);
        assert_eq!(map.to_string(), r#"{"a'b": ['x', 'y\n'], 'n': None}"#);
        assert_eq!(Value::Float(2.0).to_string(), "2.0");
        assert_eq!(Value::text("it's \"both\"").to_string(), r#"'it\'s "both"'"#);
        assert_eq!(Value::text("\0é\u{200b}\u{e0001}").to_string(), r"'\x00é\u200b\U000e0001'");
        assert_eq!(Value::text("e\u{301}").to_string(), "'e\u{301}'");
        assert_eq!(Value::Tuple(vec![Value::text("a"), Value::Int(1)]).to_string(), "('a', 1)");
        assert_eq!(Value::text("bare").shown(), "bare");
    }
}
