//! The line that begins a chunk: its size, and extensions, which must be well formed.

use crate::refusal::Refusal;
use crate::rules::{is_blank, skip_blanks, token_length};

/// What such a line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SizeLine {
    /// The chunk's bytes; 0 for the last one.
    pub(crate) size: u64,
    /// Of its bytes, those that say the size: what follows is extensions.
    pub(crate) digits: usize,
}

/// Judges a line, which comes without its end.
pub(crate) fn size_line(line: &[u8]) -> Result<SizeLine, Refusal> {
    let (size, extensions) = line.split_at(memchr::memchr(b';', line).unwrap_or(line.len()));
    if extensions.contains(&b'\r') {
        return Err(Refusal::chunk_extension("bare CR not allowed"));
    }
    let size = match extensions {
        [] => size,
        // Blanks may stand before extensions, and only there.
        _ => &size[..size.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |last| last + 1)],
    };
    let digits = std::str::from_utf8(size).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let number = digits.and_then(|text| u64::from_str_radix(text, 16).ok());
    let Some(number) = number else { return Err(Refusal::chunk_size(size)) };
    if !are_extensions(extensions) {
        return Err(Refusal::chunk_extension("invalid chunk extension"));
    }
    Ok(SizeLine { size: number, digits: size.len() })
}

/// Any number of `;name`, `;name=value` and `;name="value"`, with blanks around the marks.
fn are_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some(behind) = skip_blanks(rest).strip_prefix(b";") else { return false };
        let Some(behind) = skip_token(skip_blanks(behind)) else { return false };
        rest = match skip_blanks(behind).strip_prefix(b"=") {
            None => behind,
            Some(value) => match skip_token(skip_blanks(value)).or_else(|| skip_quoted(skip_blanks(value))) {
                Some(behind) => behind,
                None => return false,
            },
        };
    }
    true
}

fn skip_token(text: &[u8]) -> Option<&[u8]> {
    let length = token_length(text);
    (length > 0).then(|| &text[length..])
}

fn skip_quoted(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', behind @ ..] => return Some(behind),
            [b'\\', escaped, behind @ ..] if is_quotable(*escaped) => behind,
            [byte, behind @ ..] if *byte != b'\\' && is_quotable(*byte) => behind,
            _ => return None,
        }
    }
}

fn is_quotable(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_hexadecimal() {
        for (line, size, digits) in
            [("0", 0, 1), ("aF", 0xaf, 2), ("0000000000000000000005", 5, 22), ("5 \t;a", 5, 1), ("5;a=b", 5, 1)]
        {
            assert_eq!(size_line(line.as_bytes()), Ok(SizeLine { size, digits }), "{line}");
        }
        for line in ["", " 5", "5 ", "0x5", "+5", "-5", "5_0", "5\r", "\u{661}", ";a", "10000000000000000"] {
            assert!(size_line(line.as_bytes()).unwrap_err().cause.starts_with("Invalid chunk size: b'"), "{line}");
        }
    }

    #[test]
    fn extensions_are_names_and_values() {
        for extensions in [";a", "; a = b", ";a=\"b;\\\"\u{e9}\t\";c", " ;a\t;b=\"\""] {
            assert!(size_line(format!("5{extensions}").as_bytes()).is_ok(), "{extensions}");
        }
        for extensions in
            [";", ";a=", ";a b", ";a ", ";=b", ";a=\"", ";a=\"\\", ";a=\"\n\"", ";a\r", ";a\n;b", ";\u{e9}"]
        {
            let refusal = size_line(format!("5{extensions}").as_bytes()).unwrap_err();
            assert!(refusal.cause.starts_with("Invalid chunk extension: "), "{extensions:?}");
        }
    }
}
