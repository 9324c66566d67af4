//! What a client has sent as values for the database, or a sentence for each bad field. All values go to the database as
//! text, and it knows what they are.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::failure::{Failure, Problems};

/// Bodies may be so long.
pub(crate) const LONGEST_BODY: usize = 1024 * 1024;

/// What a field takes.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// A text that is not empty, of so many characters at most.
    Text(usize),
    /// An address; only its shape is checked.
    Email,
    /// A vehicle identification number; I, O and Q are left out of it because they look like digits.
    Vin,
    /// A whole number, from and to.
    Integer(i64, i64),
    /// An amount from 0 up to this.
    Decimal(u32),
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A time of ISO 8601. One without an offset is UTC.
    Moment,
}

/// One column that clients may write, or may narrow a list by.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One that is not falls back to the column's default.
    pub(crate) required: bool,
}

impl Field {
    pub(crate) const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: true }
    }

    pub(crate) const fn optional(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, required: false }
    }
}

/// Columns and their values; without one it is the column's default.
pub(crate) type Values = Vec<(&'static str, Option<String>)>;

impl Kind {
    fn convert(self, value: &Value) -> Result<String, String> {
        match self {
            Kind::Text(longest) => text(value, longest),
            Kind::Email => email(value),
            Kind::Vin => vin(value),
            Kind::Integer(low, high) => integer(value, low, high),
            Kind::Decimal(high) => decimal(value, high),
            Kind::Choice(words) => match value.as_str() {
                Some(word) if words.contains(&word) => Ok(word.to_owned()),
                _ => Err(format!("must be one of {}", words.join(", "))),
            },
            Kind::Moment => {
                value.as_str().and_then(moment).ok_or("must be a time like 2026-09-07T14:30:00Z".to_owned())
            }
        }
    }
}

fn text(value: &Value, longest: usize) -> Result<String, String> {
    match value.as_str() {
        None => Err("must be a text that is not empty".to_owned()),
        Some(text) if text.trim().is_empty() => Err("must be a text that is not empty".to_owned()),
        Some(text) if text.chars().count() > longest => Err(format!("must have at most {longest} characters")),
        Some(text) if text.contains('\0') => Err("contains characters that cannot be stored".to_owned()),
        Some(text) => Ok(text.trim().to_owned()),
    }
}

fn email(value: &Value) -> Result<String, String> {
    let address = text(value, 254)?.to_lowercase();
    match address.split_once('@') {
        Some((user, host))
            if !user.is_empty() && host.contains('.') && !host.contains('@') && !address.contains(' ') =>
        {
            Ok(address)
        }
        _ => Err("must be an address like edgar@shop.example".to_owned()),
    }
}

fn vin(value: &Value) -> Result<String, String> {
    let number = text(value, 17)?.to_uppercase();
    let is_fit = |byte: u8| byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !b"IOQ".contains(&byte));
    if number.len() == 17 && number.bytes().all(is_fit) {
        return Ok(number);
    }
    Err("must be a VIN: 17 letters and digits without I, O and Q".to_owned())
}

/// Digits in a string count, because that is what forms and query strings send.
fn integer(value: &Value, low: i64, high: i64) -> Result<String, String> {
    let number = match value {
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        value => value.as_i64(),
    };
    match number.filter(|number| (low..=high).contains(number)) {
        Some(number) => Ok(number.to_string()),
        None => Err(format!("must be a whole number between {low} and {high}")),
    }
}

/// Kept as it was written: money is never a float on its way to the database.
fn decimal(value: &Value, high: u32) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    match text.parse::<f64>() {
        Ok(amount) if is_plain && (0.0..=f64::from(high)).contains(&amount) => Ok(text),
        _ => Err(format!("must be an amount between 0 and {high}")),
    }
}

fn moment(text: &str) -> Option<String> {
    let local = || TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    text.parse::<Timestamp>().ok().or_else(local).map(|moment| moment.to_string())
}

/// The request's JSON object, checked. `partial` (PATCH) asks only for what is to change.
pub(crate) fn read_body(headers: &HeaderMap, body: &Bytes, fields: &[Field], partial: bool) -> Result<Values, Failure> {
    let given = json_object(headers, body)?;
    let mut problems: Problems = given
        .keys()
        .filter(|name| fields.iter().all(|field| field.name != *name))
        .map(|name| (name.clone(), "is not a field that can be written".to_owned()))
        .collect();
    let mut values = Values::new();
    for field in fields {
        match given.get(field.name).map(|raw| serde_json::from_str::<Value>(raw.get())) {
            None if partial => {}
            None | Some(Ok(Value::Null)) if field.required => {
                problems.insert(field.name.to_owned(), "is required".to_owned());
            }
            None | Some(Ok(Value::Null)) => values.push((field.name, None)),
            // A text may be made of escapes that make no characters.
            Some(Err(_)) => {
                problems.insert(field.name.to_owned(), "contains characters that cannot be stored".to_owned());
            }
            Some(Ok(value)) => match field.kind.convert(&value) {
                Ok(value) => values.push((field.name, Some(value))),
                Err(problem) => {
                    problems.insert(field.name.to_owned(), problem);
                }
            },
        }
    }
    if !problems.is_empty() {
        return Err(Failure::fields("some fields are not valid", problems));
    }
    if values.is_empty() {
        return Err(Failure::new(StatusCode::BAD_REQUEST, "the body names no field to change"));
    }
    Ok(values)
}

fn json_object(headers: &HeaderMap, body: &Bytes) -> Result<BTreeMap<String, Box<RawValue>>, Failure> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") && !kind.ends_with("+json") {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body must be JSON (Content-Type: application/json)",
        ));
    }
    serde_json::from_slice(body).map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "the body is not a JSON object"))
}

/// Those of `fields` that the query gives a value for; an empty one counts as not given.
pub(crate) fn read_query(
    fields: &[Field],
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<&'static str, String>, Failure> {
    let (mut values, mut problems) = (BTreeMap::new(), Problems::new());
    for field in fields {
        let Some(text) = given.get(field.name).filter(|text| !text.is_empty()) else { continue };
        match field.kind.convert(&Value::String(text.clone())) {
            Ok(value) => {
                values.insert(field.name, value);
            }
            Err(problem) => {
                problems.insert(field.name.to_owned(), problem);
            }
        }
    }
    if problems.is_empty() { Ok(values) } else { Err(Failure::fields("some parameters are not valid", problems)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_converted_or_refused() {
        let good = [
            (Kind::Text(5), json!(" oil "), "oil"),
            (Kind::Email, json!("Zoe@Example.com"), "zoe@example.com"),
            (Kind::Vin, json!("wvwzzz1kz6w000001"), "WVWZZZ1KZ6W000001"),
            (Kind::Integer(1, 9), json!("7"), "7"),
            (Kind::Decimal(100), json!(1.5), "1.5"),
            (Kind::Moment, json!("2026-09-07T14:30:00Z"), "2026-09-07T14:30:00Z"),
            (Kind::Moment, json!("2026-09-07T14:30:00"), "2026-09-07T14:30:00Z"),
        ];
        for (kind, value, expected) in good {
            assert_eq!(kind.convert(&value).as_deref(), Ok(expected), "{value}");
        }
        let bad = [
            (Kind::Text(2), json!("oil")),
            (Kind::Email, json!("a@b")),
            (Kind::Vin, json!("TOO-SHORT")),
            (Kind::Integer(1, 9), json!(true)),
            (Kind::Integer(1, 9), json!(10)),
            (Kind::Decimal(100), json!("nan")),
            (Kind::Decimal(100), json!(-1)),
            (Kind::Choice(&["open"]), json!(["open"])),
            (Kind::Moment, json!("tomorrow")),
        ];
        for (kind, value) in bad {
            assert!(kind.convert(&value).is_err(), "{value}");
        }
    }
}
