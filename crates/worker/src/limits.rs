//! Requests that hyper takes and Gunicorn would not, and methods that it turns to upper case.

use ferricorn_settings::Settings;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Version, header};

/// A request that is not served, and the words for client and log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
}

/// Bytes of `" HTTP/1.1"` in a request line, and of the blank before the target.
const REQUEST_LINE_REST: usize = " ".len() + " HTTP/1.1".len();
/// Bytes of `": "` and the line end in a header line.
const HEADER_LINE_REST: usize = ": ".len() + "\r\n".len();

/// Judges a head by the limits and rules of the settings.
pub(crate) fn check(head: &mut Parts, settings: &Settings) -> Result<(), Refusal> {
    check_method(&head.method, settings)?;
    if settings.casefold_http_method {
        head.method = upper_case(&head.method)?;
    }
    check_request_line(head, settings)?;
    if head.headers.len() > settings.limit_request_fields {
        return Err(too_large("Limit request headers fields".to_owned()));
    }
    for (name, value) in &head.headers {
        let length = name.as_str().len() + value.len() + HEADER_LINE_REST;
        if settings.limit_request_field_size > 0 && length > settings.limit_request_field_size {
            return Err(too_large("Limit request headers fields size".to_owned()));
        }
    }
    check_expectation(head)?;
    for name in [header::HOST, header::CONTENT_TYPE] {
        if head.headers.get_all(&name).iter().nth(1).is_some() {
            return Err(bad(format!("Invalid HTTP Header: '{}'", name.as_str().to_ascii_uppercase())));
        }
    }
    Ok(())
}

/// That it is a token hyper has made sure of.
fn check_method(method: &Method, settings: &Settings) -> Result<(), Refusal> {
    let name = method.as_str();
    let conventional =
        (3..=20).contains(&name.len()) && !name.bytes().any(|byte| byte.is_ascii_lowercase() || byte == b'#');
    if conventional || settings.permit_unconventional_http_method {
        Ok(())
    } else {
        Err(bad(format!("Invalid Method '{name}'")))
    }
}

fn upper_case(method: &Method) -> Result<Method, Refusal> {
    let name = method.as_str().to_ascii_uppercase();
    Method::from_bytes(name.as_bytes()).map_err(|_| bad(format!("Invalid Method '{name}'")))
}

fn check_request_line(head: &Parts, settings: &Settings) -> Result<(), Refusal> {
    check_target(head)?;
    let target = match (head.uri.path_and_query(), head.uri.authority()) {
        (Some(target), None) => target.as_str().len(),
        _ => head.uri.to_string().len(),
    };
    let length = head.method.as_str().len() + target + REQUEST_LINE_REST;
    if settings.limit_request_line > 0 && length > settings.limit_request_line {
        let detail = format!("Request Line is too large ({length} > {})", settings.limit_request_line);
        return Err(Refusal { status: StatusCode::URI_TOO_LONG, detail });
    }
    Ok(())
}

/// The four forms of a request target, each where it belongs.
fn check_target(head: &Parts) -> Result<(), Refusal> {
    let uri = &head.uri;
    let connects = head.method == Method::CONNECT;
    let is_ascii = uri.path_and_query().is_none_or(|target| target.as_str().is_ascii());
    let fits = is_ascii
        && match (uri.scheme(), uri.authority()) {
            (None, Some(_)) => connects,
            (Some(_), _) => !connects,
            (None, None) if uri.path() == "*" => head.method == Method::OPTIONS,
            (None, None) => uri.path().starts_with('/') && !connects,
        };
    if fits { Ok(()) } else { Err(bad(format!("Invalid Request Line '{} {uri} {:?}'", head.method, head.version))) }
}

fn check_expectation(head: &Parts) -> Result<(), Refusal> {
    let unknown = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    match head.headers.get(header::EXPECT).filter(|value| unknown(value)) {
        Some(value) if head.version != Version::HTTP_10 => {
            Err(Refusal { status: StatusCode::EXPECTATION_FAILED, detail: format!("Unknown expectation {value:?}") })
        }
        _ => Ok(()),
    }
}

fn bad(detail: String) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, detail }
}

fn too_large(detail: String) -> Refusal {
    Refusal { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, detail }
}
