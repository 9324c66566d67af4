//! Status and headers as a WSGI application gives them, checked and made into a [`Head`].

use bytes::Bytes;
use ferricorn_application::Head;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

/// Headers that are the server's own business, as in Gunicorn; what the application says of them is dropped.
const SERVERS_OWN: [HeaderName; 10] = [
    header::CONNECTION,
    header::DATE,
    header::SERVER,
    header::TRANSFER_ENCODING,
    header::TE,
    HeaderName::from_static("trailers"),
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
];

/// Checks what was given to start_response.
pub(crate) fn parse(status: &Bound<'_, PyAny>, headers: &Bound<'_, PyAny>) -> PyResult<Head> {
    let (status, reason) = parse_status(status)?;
    let mut map = parse_pairs(headers, text_of)?;
    let mut length = map.get(header::CONTENT_LENGTH).map(parse_length).transpose()?;
    if status != StatusCode::SWITCHING_PROTOCOLS {
        map.remove(header::CONNECTION);
        map.remove(header::UPGRADE);
    }
    let forbids_length = status.is_informational() || status == StatusCode::NO_CONTENT;
    if forbids_length {
        map.remove(header::CONTENT_LENGTH);
        length = None;
    }
    Ok(Head { status, reason, headers: map, length })
}

/// Checks the headers of early hints, which Gunicorn takes as bytes, too.
pub(crate) fn parse_hints<'py>(headers: &Bound<'py, PyAny>) -> PyResult<HeaderMap> {
    parse_pairs(headers, |object: &Bound<'py, PyAny>, what| match object.cast::<PyBytes>() {
        Ok(bytes) => {
            Ok(PyString::new(object.py(), &bytes.as_bytes().iter().copied().map(char::from).collect::<String>()))
        }
        Err(_) => text_of(object, what),
    })
}

/// Checks a list of pairs. Where Content-Length is given more than once, the last one counts.
fn parse_pairs<'py>(
    headers: &Bound<'py, PyAny>,
    text_of: impl Fn(&Bound<'py, PyAny>, &str) -> PyResult<Bound<'py, PyString>>,
) -> PyResult<HeaderMap> {
    let mut map = HeaderMap::with_capacity(16);
    for item in headers.try_iter()? {
        let (name, value) = pair(item?)?;
        let (name, value) = (text_of(&name, "a header name")?, text_of(&value, "a header value")?);
        match parse_header(name.to_str()?, value.to_str()?)? {
            Some((name, value)) if name == header::CONTENT_LENGTH => drop(map.insert(name, value)),
            Some((name, value)) => drop(map.append(name, value)),
            None => {}
        }
    }
    Ok(map)
}

fn parse_status(status: &Bound<'_, PyAny>) -> PyResult<(StatusCode, Option<Bytes>)> {
    let text = text_of(status, "the status")?;
    let text = text.to_str()?;
    let (code, reason) = text.split_once(' ').unwrap_or((text, ""));
    let code = Some(code)
        .filter(|code| code.len() == 3)
        .and_then(|code| StatusCode::from_bytes(code.as_bytes()).ok())
        .ok_or_else(|| PyValueError::new_err(format!("the status {text:?} does not begin with a three-digit code")))?;
    if code.is_informational() && code != StatusCode::SWITCHING_PROTOCOLS {
        return Err(PyValueError::new_err(format!(
            "the status {text:?} is none to end with: the client would wait on"
        )));
    }
    let usual = code.canonical_reason() == Some(reason);
    if usual {
        return Ok((code, None));
    }
    let reason = Bytes::from(latin1_bytes(reason, "status")?);
    // What a reason may be made of is what a value may be made of.
    HeaderValue::from_maybe_shared(reason.clone())
        .map_err(|_| PyValueError::new_err(format!("the status {text:?} has a control character in it")))?;
    Ok((code, Some(reason)))
}

/// Tuples, and whatever else has two parts.
fn pair(item: Bound<'_, PyAny>) -> PyResult<(Bound<'_, PyAny>, Bound<'_, PyAny>)> {
    if let Ok(pair) = item.cast::<PyTuple>()
        && pair.len() == 2
    {
        return Ok((pair.get_item(0)?, pair.get_item(1)?));
    }
    let wrong = || wrong_type("a header is not a pair", &item);
    let mut parts = item.try_iter().map_err(|_| wrong())?;
    match (parts.next(), parts.next(), parts.next()) {
        (Some(name), Some(value), None) => Ok((name?, value?)),
        _ => Err(wrong()),
    }
}

fn text_of<'py>(object: &Bound<'py, PyAny>, what: &str) -> PyResult<Bound<'py, PyString>> {
    object.cast::<PyString>().cloned().map_err(|_| wrong_type(&format!("{what} is not a string"), object))
}

/// `None` for a header that is the server's own business, if there is nothing wrong with it.
fn parse_header(text: &str, value: &str) -> PyResult<Option<(HeaderName, HeaderValue)>> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| PyValueError::new_err(format!("{text:?} cannot be a header name")))?;
    let bytes = latin1_bytes(value.trim_matches([' ', '\t']), text)?;
    let value = HeaderValue::from_maybe_shared(Bytes::from(bytes))
        .map_err(|_| PyValueError::new_err(format!("the value of header {text:?} has a control character in it")))?;
    let is_servers_own = SERVERS_OWN.contains(&name) && !begins_websocket(&name, &value);
    Ok((!is_servers_own).then_some((name, value)))
}

/// Two headers that go with 101, for applications that take the connection over.
fn begins_websocket(name: &HeaderName, value: &HeaderValue) -> bool {
    let is = |word: &str| value.as_bytes().eq_ignore_ascii_case(word.as_bytes());
    (*name == header::CONNECTION && is("upgrade")) || (*name == header::UPGRADE && is("websocket"))
}

/// One byte per character.
fn latin1_bytes(text: &str, what: &str) -> PyResult<Vec<u8>> {
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
