//! The head of a stream, made the head of a request as the application knows it.

use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Uri, header};

use crate::refusal::Refusal;
use crate::rules::Rules;

/// Fields of which a request has but one.
const SINGLE: [header::HeaderName; 3] = [header::HOST, header::CONTENT_TYPE, header::CONTENT_LENGTH];

/// What a head has said besides what is in it.
pub(super) struct Said {
    /// The scheme, which counts if the peer is a trusted proxy.
    pub(super) https: bool,
    /// The client waits to be told to send its body.
    pub(super) waits: bool,
}

/// Holds it to the limits of the settings, and gives it the form that one of HTTP/1 has.
pub(super) fn adapt(head: &mut Parts, rules: &Rules) -> Result<Said, Refusal> {
    let https = head.uri.scheme_str() == Some("https");
    let target = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    judge(head, &target, rules)?;
    if let Some(authority) = head.uri.authority() {
        let authority = HeaderValue::from_str(authority.as_str());
        head.headers.insert(header::HOST, authority.map_err(|_| Refusal::field(b"HOST"))?);
    }
    head.uri = Uri::from(target);
    join_cookies(&mut head.headers);
    let waits =
        head.headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    Ok(Said { https, waits })
}

fn judge(head: &Parts, target: &PathAndQuery, rules: &Rules) -> Result<(), Refusal> {
    let length = target.as_str().len();
    if rules.request_line > 0 && length > rules.request_line {
        return Err(Refusal::long_line(length, rules.request_line));
    }
    if head.headers.len() > rules.fields {
        return Err(Refusal::long_fields("limit request headers fields"));
    }
    let is_long = |(name, value): (&header::HeaderName, &HeaderValue)| {
        name.as_str().len() + value.len() + "\r\n".len() > rules.field_size
    };
    if head.headers.iter().any(is_long) {
        return Err(Refusal::long_fields("limit request headers fields size"));
    }
    match SINGLE.iter().find(|name| head.headers.get_all(*name).iter().nth(1).is_some()) {
        Some(doubled) => Err(Refusal::field(doubled.as_str().to_ascii_uppercase().as_bytes())),
        None => Ok(()),
    }
}

/// Clients send cookies one by one, so that they need not repeat those that have not changed
/// (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(joined) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        headers.insert(header::COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(uri: &str, headers: &[(&str, &str)]) -> Result<(Parts, Said), String> {
        let mut request = http::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let said = adapt(&mut head, &Rules::default()).map_err(|refusal| refusal.cause)?;
        Ok((head, said))
    }

    #[test]
    fn the_authority_is_the_host_and_the_target_a_path() {
        let (head, said) = adapted("https://a.test:8/b?c", &[("host", "other")]).unwrap();
        assert_eq!((head.uri.to_string().as_str(), said.https, said.waits), ("/b?c", true, false));
        assert_eq!(head.headers.get_all("host").iter().collect::<Vec<_>>(), ["a.test:8"]);
        let (head, said) = adapted("/", &[("host", "other"), ("expect", "100-Continue")]).unwrap();
        assert_eq!((head.headers["host"].as_bytes(), said.https, said.waits), (&b"other"[..], false, true));
    }

    #[test]
    fn crumbs_become_a_cookie() {
        let (head, _) = adapted("/", &[("cookie", "a=b"), ("x", "y"), ("cookie", "c=d")]).unwrap();
        assert_eq!(head.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=b; c=d"]);
    }

    #[test]
    fn limits_are_those_of_http_1() {
        let cause = |uri: &str, headers: &[(&str, &str)]| adapted(uri, headers).err().unwrap();
        assert_eq!(cause(&format!("/{}", "a".repeat(4094)), &[]), "Request Line is too large (4095 > 4094)");
        assert_eq!(cause("/", &[("a", "b"); 101]), "limit request headers fields");
        assert_eq!(cause("/", &[("a", &"b".repeat(8188))]), "limit request headers fields size");
        assert!(adapted("/", &[("a", &"b".repeat(8187))]).is_ok());
        assert_eq!(cause("/", &[("host", "a"), ("host", "a")]), "Invalid HTTP Header: 'HOST'");
    }
}
