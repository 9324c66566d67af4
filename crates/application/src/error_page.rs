//! The page that a client sees when the server itself answers.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::Head;

/// A small HTML page for this status; `detail` is escaped. It closes the connection: what went
/// wrong may have left it in any state.
pub fn page(status: StatusCode, detail: &str) -> (Head, Bytes) {
    let reason = status.canonical_reason().unwrap_or("Error");
    let detail = detail.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let text = format!(
        "<html>\n  <head>\n    <title>{reason}</title>\n  </head>\n  <body>\n    \
         <h1><p>{reason}</p></h1>\n    {detail}\n  </body>\n</html>\n"
    );
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    let length = Some(text.len() as u64);
    (Head { status, reason: None, headers, length }, Bytes::from(text))
}
