//! The page that a client sees when the server itself answers.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::Head;

/// A small HTML page for this status; `detail` is escaped. It closes the connection: what went
/// wrong may have left it in any state.
pub fn page(status: StatusCode, detail: &str) -> (Head, Bytes) {
    page_with_reason(status, status.canonical_reason().unwrap_or("Error"), detail)
}

/// Such a page with a reason phrase of its own.
pub fn page_with_reason(status: StatusCode, reason: &'static str, detail: &str) -> (Head, Bytes) {
    let text = html(reason, detail);
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    let length = Some(text.len() as u64);
    let reason = (status.canonical_reason() != Some(reason)).then(|| Bytes::from_static(reason.as_bytes()));
    (Head { status, reason, headers, length }, Bytes::from(text))
}

/// The page's text. `reason` must need no escaping.
pub fn html(reason: &str, detail: &str) -> String {
    let mut escaped = String::with_capacity(detail.len());
    for character in detail.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            other => escaped.push(other),
        }
    }
    format!(
        "<html>\n  <head>\n    <title>{reason}</title>\n  </head>\n  <body>\n    \
         <h1><p>{reason}</p></h1>\n    {escaped}\n  </body>\n</html>\n"
    )
}
