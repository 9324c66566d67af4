//! What the settings say about the form of requests, prepared once, and the characters of HTTP.

use ferricorn_settings::{HeaderMapPolicy, Settings};

/// Limits and permissions.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The longest request line; 0 for any length.
    pub(crate) request_line: usize,
    /// The number of fields in a head, and in a trailer.
    pub(crate) fields: usize,
    /// The longest field, with the end of its line.
    pub(crate) field_size: usize,
    /// The longest body.
    pub(crate) body: u64,
    pub(crate) permits_any_method: bool,
    pub(crate) folds_method: bool,
    pub(crate) permits_any_version: bool,
    pub(crate) permits_folding: bool,
    pub(crate) strips_blanks: bool,
    pub(crate) refuses_underscores: bool,
}

impl Rules {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            request_line: settings.limit_request_line,
            fields: settings.limit_request_fields,
            field_size: settings.limit_request_field_size,
            body: Some(settings.limit_request_body).filter(|limit| *limit > 0).unwrap_or(u64::MAX),
            permits_any_method: settings.permit_unconventional_http_method,
            folds_method: settings.casefold_http_method,
            permits_any_version: settings.permit_unconventional_http_version,
            permits_folding: settings.permit_obsolete_folding,
            strips_blanks: settings.strip_header_spaces,
            refuses_underscores: settings.header_map == HeaderMapPolicy::Refuse,
        }
    }

    /// How much of a head may wait for its end, the request line not counted.
    pub(crate) fn head_size(&self) -> usize {
        self.fields.saturating_mul(self.field_size.saturating_add(2)).saturating_add(4)
    }
}

#[cfg(any(test, fuzzing))]
impl Default for Rules {
    /// Those of the default settings.
    fn default() -> Self {
        Self {
            request_line: 4094,
            fields: 100,
            field_size: 8190,
            body: u64::MAX,
            permits_any_method: false,
            folds_method: false,
            permits_any_version: false,
            permits_folding: false,
            strips_blanks: false,
            refuses_underscores: false,
        }
    }
}

const TOKEN: u8 = 1;
const PATH: u8 = 2;
const QUERY: u8 = 4;

/// To which sets of characters each byte belongs.
const SETS: [u8; 256] = {
    let mut sets = [0; 256];
    let mut index = 0;
    while index < 256 {
        let byte = index as u8;
        if byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        {
            sets[index] |= TOKEN;
        }
        // What the parser's Uri takes as it is, less the mark that ends a path.
        if matches!(byte, b'!' | b'$'..=b';' | b'=' | b'@'..=b'_' | b'a'..=b'z' | b'|' | b'~') {
            sets[index] |= PATH;
        }
        if matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'~') {
            sets[index] |= QUERY;
        }
        index += 1;
    }
    sets
};

fn all(text: &[u8], set: u8) -> bool {
    text.iter().all(|byte| SETS[usize::from(*byte)] & set != 0)
}

/// Whether this is a token (RFC 9110, 5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && all(text, TOKEN)
}

/// How many bytes at the beginning belong to a token.
pub(crate) fn token_length(text: &[u8]) -> usize {
    text.iter().position(|byte| SETS[usize::from(*byte)] & TOKEN == 0).unwrap_or(text.len())
}

/// How many bytes at the beginning are none of the control characters, of which the tab is one here. Eight at a time: most of what a
/// client sends goes through here.
pub(crate) fn text_length(text: &[u8]) -> usize {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let (words, rest) = text.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The highest bit of a byte is set where it is less than a blank, or is DEL. What is borrowed can make more of the bytes behind such a
        // one, but the first one is right.
        let low = word.wrapping_sub(EACH * 0x20) & !word;
        let other = word ^ (EACH * 0x7f);
        let del = other.wrapping_sub(EACH) & !other;
        let found = (low | del) & (EACH * 0x80);
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let in_rest = rest.iter().position(u8::is_ascii_control).unwrap_or(rest.len());
    text.len() - rest.len() + in_rest
}

/// Whether the parser's Uri holds this target, a path and perhaps a query, as it is.
pub(crate) fn is_plain_target(target: &[u8]) -> bool {
    if target.first() != Some(&b'/') {
        return false;
    }
    let path = target.iter().position(|byte| SETS[usize::from(*byte)] & PATH == 0).unwrap_or(target.len());
    let query = &target[path..];
    query.is_empty() || (query[0] == b'?' && all(query, QUERY))
}

/// Without blanks and tabs at both ends.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    let rest = skip_blanks(text);
    let length = rest.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1);
    &rest[..length]
}

/// Without blanks and tabs at the beginning.
pub(crate) fn skip_blanks(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_blank(*byte)).unwrap_or(text.len());
    &text[start..]
}

pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_where_a_control_character_is() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..20_000 {
            let mut text: Vec<u8> = (0..random.usize(..40)).map(|_| random.u8(0x20..0x7f)).collect();
            for _ in 0..random.usize(..4).min(text.len()) {
                let at = random.usize(..text.len());
                text[at] = [0, 9, b'\r', b'\n', 0x1f, 0x20, 0x7e, 0x7f, 0x80, 0x81, 0xa0, 0xff][random.usize(..12)];
            }
            let plain = text.iter().position(u8::is_ascii_control).unwrap_or(text.len());
            assert_eq!(text_length(&text), plain, "{text:?}");
        }
    }

    #[test]
    fn plain_targets_are_paths_and_queries() {
        for target in ["/", "/a%20b", "/?", "/a?b=c/d?e`", "//"] {
            assert!(is_plain_target(target.as_bytes()), "{target}");
        }
        for target in ["", "a", "?", "/a#b", "/a`", "/a?b#c", "/\u{e9}", "/a b", "/a?b c", "*"] {
            assert!(!is_plain_target(target.as_bytes()), "{target}");
        }
    }
}
