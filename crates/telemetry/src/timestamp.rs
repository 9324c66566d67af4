//! The two notations of local time that logs use, formatted once a second.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::ZonedDateTime;

struct Cached {
    /// The second (Unix time) that `text` stands for.
    second: u64,
    text: String,
}

thread_local! {
    static ERROR: RefCell<Cached> = const { RefCell::new(Cached { second: 0, text: String::new() }) };
    static ACCESS: RefCell<Cached> = const { RefCell::new(Cached { second: 0, text: String::new() }) };
}

/// Appends the error log's notation: `2026-11-23 15:21:28 +0000`.
pub fn append_error_notation(line: &mut Vec<u8>) {
    ERROR.with_borrow_mut(|cached| append(cached, "%Y-%m-%d %H:%M:%S %z", line));
}

/// Appends the access log's notation: `[23/Nov/2026:15:21:28 +0000]`.
pub fn append_access_notation(line: &mut Vec<u8>) {
    ACCESS.with_borrow_mut(|cached| append(cached, "[%d/%b/%Y:%H:%M:%S %z]", line));
}

fn append(cached: &mut Cached, format: &str, line: &mut Vec<u8>) {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if cached.second != second || cached.text.is_empty() {
        cached.second = second;
        cached.text = ZonedDateTime::now().strftime(format).to_string();
    }
    line.extend_from_slice(cached.text.as_bytes());
}
