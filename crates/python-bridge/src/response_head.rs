//! Status and headers as a WSGI application gives them, checked and made into a [`Head`].

use bytes::Bytes;
use ferricorn_application::Head;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

/// Headers that are the server's own business; what the application says of them is dropped.
const SERVERS_OWN: [HeaderName; 9] = [
    header::CONNECTION,
    header::DATE,
    header::SERVER,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
];

/// Checks what was given to start_response.
pub(crate) fn parse(status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<Head> {
    let (status, reason) = parse_status(status)?;
    let mut map = parse_headers(headers)?;
    let mut length = map.get(header::CONTENT_LENGTH).map(parse_length).transpose()?;
    let forbids_length = status.is_informational() || status == StatusCode::NO_CONTENT;
    if forbids_length {
        map.remove(header::CONTENT_LENGTH);
        length = None;
    }
    Ok(Head { status, reason, headers: map, length })
}

/// Checks a list of pairs. Where Content-Length is given more than once, the last one counts.
pub(crate) fn parse_headers(headers: &Bound<'_, PyAny>) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::with_capacity(16);
    for item in headers.try_iter()? {
        let item = item?;
        let pair = item.cast::<PyTuple>().map_err(|_| wrong_type("a header is not a tuple", &item))?;
        let (name, value) = match pair.len() {
            2 => (pair.get_item(0)?, pair.get_item(1)?),
            _ => return Err(wrong_type("a header is not a pair", pair)),
        };
        match parse_header(&name, &value)? {
            Some((name, value)) if name == header::CONTENT_LENGTH => drop(map.insert(name, value)),
            Some((name, value)) => drop(map.append(name, value)),
            None => {}
        }
    }
    Ok(map)
}

fn parse_status(status: &Bound<'_, PyAny>) -> PyResult<(StatusCode, Option<Bytes>)> {
    let text = status.cast::<PyString>().map_err(|_| wrong_type("the status is not a string", status))?.to_str()?;
    let (code, reason) = text.split_once(' ').unwrap_or((text, ""));
    let code = Some(code)
        .filter(|code| code.len() == 3)
        .and_then(|code| StatusCode::from_bytes(code.as_bytes()).ok())
        .ok_or_else(|| PyValueError::new_err(format!("the status {text:?} does not begin with a three-digit code")))?;
    let usual = code.canonical_reason() == Some(reason);
    let reason = if usual { None } else { Some(Bytes::from(field_bytes(reason, "status")?)) };
    Ok((code, reason))
}

/// `None` for a header that is the server's own business.
fn parse_header(name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<Option<(HeaderName, HeaderValue)>> {
    let text = name.cast::<PyString>().map_err(|_| wrong_type("a header name is not a string", name))?.to_str()?;
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| PyValueError::new_err(format!("{text:?} cannot be a header name")))?;
    let value = value.cast::<PyString>().map_err(|_| wrong_type("a header value is not a string", value))?;
    if SERVERS_OWN.contains(&name) || name.as_str() == "keep-alive" {
        return Ok(None);
    }
    let bytes = field_bytes(value.to_str()?, text)?;
    let value = HeaderValue::from_maybe_shared(Bytes::from(bytes))
        .map_err(|_| PyValueError::new_err(format!("the value of header {text:?} has a control character in it")))?;
    Ok(Some((name, value)))
}

/// One byte per character, outer blanks removed.
fn field_bytes(text: &str, what: &str) -> PyResult<Vec<u8>> {
    let text = text.trim_matches([' ', '\t']);
    if text.is_ascii() {
        return Ok(text.as_bytes().to_vec());
    }
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.map_err(|_| PyValueError::new_err(format!("{what:?} has a character in it that latin-1 does not have")))
}

fn parse_length(value: &HeaderValue) -> PyResult<u64> {
    let text = value.to_str().unwrap_or_default();
    Some(text)
        .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| PyValueError::new_err(format!("Content-Length {text:?} is not a number")))
}

fn wrong_type(what: &str, object: &Bound<'_, PyAny>) -> PyErr {
    let shown = object.repr().map_or_else(|_| String::new(), |repr| repr.to_string());
    PyTypeError::new_err(format!("{what}: {shown}"))
}
