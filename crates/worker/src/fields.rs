//! The rules of header and trailer fields, and what a head's fields say about its body.

use std::borrow::Cow;

use crate::refusal::Refusal;
use crate::rules::{self, Rules};

/// How a request's body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes; none if nothing is said.
    Length(u64),
    Chunked,
}

/// Which fields are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Section {
    #[default]
    Head,
    Trailer,
}

/// Lengths from here on are not told from others by the parser.
const LONGEST_BODY: u64 = u64::MAX - 2;

/// The fields of one section, taken one after the other.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    section: Section,
    count: usize,
    has_host: bool,
    has_content_type: bool,
    /// The value of Content-Length; what is wrong with it is said at the end.
    length: Option<Option<u64>>,
    has_coding: bool,
    chunked: bool,
    /// There is a coding besides chunked; the application has to know what to do with it.
    pub(crate) has_other_coding: bool,
    /// What is wrong with the framing, first come: it is said when all fields have been judged.
    misframed: Option<Box<Refusal>>,
    /// The parser must be told something else.
    pub(crate) edited: bool,
}

impl Fields {
    pub(crate) fn of(section: Section) -> Self {
        Self { section, ..Self::default() }
    }

    /// Takes a line in which there are no control characters, and that is not folded.
    pub(crate) fn take_usual(&mut self, line: &[u8], rules: &Rules) -> Result<(), Refusal> {
        let length = rules::token_length(line);
        let is_usual = length > 0 && line.get(length) == Some(&b':') && line.len() + "\r\n".len() <= rules.field_size;
        if !is_usual || self.count >= rules.fields || self.section == Section::Trailer {
            return self.take(line, false, rules);
        }
        self.count += 1;
        // As long as the names that have a meaning here.
        if !matches!(length, 4 | 6 | 12 | 14 | 17) {
            return Ok(());
        }
        self.heed(&line[..length], rules::trimmed(&line[length + 1..]), rules)
    }

    /// Takes a field's line or, where folding is permitted, its lines; without the last line end.
    /// `folded`: more lines follow, and that is not permitted.
    pub(crate) fn take(&mut self, line: &[u8], folded: bool, rules: &Rules) -> Result<(), Refusal> {
        if self.count >= rules.fields {
            return Err(Refusal::long_fields("limit request headers fields"));
        }
        self.count += 1;
        let (name, text) = match rules::token_length(line) {
            length if length > 0 && line.get(length) == Some(&b':') => (&line[..length], &line[length + 1..]),
            _ => self.split_odd(line, rules)?,
        };
        if self.section == Section::Trailer && is_forbidden_in_trailers(name) {
            return Err(Refusal::field_name(&name.to_ascii_uppercase()));
        }
        if folded {
            return Err(Refusal::folding(&name.to_ascii_uppercase()));
        }
        let too_long = line.len() + "\r\n".len() > rules.field_size;
        let value = value(text, rules);
        if matches!(value, Cow::Owned(_)) {
            self.edited = true;
            if too_long {
                return Err(Refusal::long_fields("limit request headers fields size"));
            }
        }
        if has_control(&value) {
            return Err(Refusal::field(&name.to_ascii_uppercase()));
        }
        if too_long {
            return Err(Refusal::long_fields("limit request headers fields size"));
        }
        self.heed(name, &value, rules)
    }

    /// Name and value of a line that does not begin with a name and a colon.
    fn split_odd<'a>(&mut self, line: &'a [u8], rules: &Rules) -> Result<(&'a [u8], &'a [u8]), Refusal> {
        let first = if rules.permits_folding { first_line(line) } else { line };
        let Some(colon) = memchr::memchr(b':', first).filter(|at| *at > 0) else {
            return Err(Refusal::field(first));
        };
        let mut name = &line[..colon];
        if rules.strips_blanks {
            let length = name.iter().rposition(|byte| !rules::is_blank(*byte)).map_or(0, |last| last + 1);
            self.edited |= length < colon;
            name = &name[..length];
        }
        if rules::is_token(name) { Ok((name, &line[colon + 1..])) } else { Err(Refusal::field_name(name)) }
    }

    /// Judges those fields that have a meaning here.
    fn heed(&mut self, name: &[u8], value: &[u8], rules: &Rules) -> Result<(), Refusal> {
        let doubled = match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => std::mem::replace(&mut self.has_host, true),
            12 if name.eq_ignore_ascii_case(b"content-type") => std::mem::replace(&mut self.has_content_type, true),
            6 if self.section == Section::Head && name.eq_ignore_ascii_case(b"expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Refusal::expectation(value));
                }
                false
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    self.misframe(Refusal::field(b"CONTENT-LENGTH"));
                }
                self.length = Some(number(value));
                false
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.heed_codings(value);
                false
            }
            // In a head this is the policy's business, which knows the peer.
            _ if self.section == Section::Trailer && rules.refuses_underscores && name.contains(&b'_') => {
                return Err(Refusal::field_name(&name.to_ascii_uppercase()));
            }
            _ => false,
        };
        if doubled { Err(Refusal::field(&name.to_ascii_uppercase())) } else { Ok(()) }
    }

    fn heed_codings(&mut self, value: &[u8]) {
        self.has_coding = true;
        for coding in value.split(|byte| *byte == b',').map(rules::trimmed) {
            let is = |names: &[&str]| names.iter().any(|name| coding.eq_ignore_ascii_case(name.as_bytes()));
            if is(&["chunked"]) {
                // Codings stack, and nobody means to stack this one.
                if std::mem::replace(&mut self.chunked, true) {
                    self.misframe(Refusal::field(b"TRANSFER-ENCODING"));
                }
            } else if is(&["identity", "compress", "deflate", "gzip"]) {
                if self.chunked {
                    self.misframe(Refusal::field(b"TRANSFER-ENCODING"));
                }
                self.has_other_coding |= !is(&["identity"]);
            } else {
                self.misframe(Refusal::coding(value));
            }
        }
    }

    fn misframe(&mut self, refusal: Refusal) {
        self.misframed.get_or_insert_with(|| Box::new(refusal));
    }

    /// How the body is delimited, now that all fields are known.
    pub(crate) fn framing(&mut self, version: (u8, u8)) -> Result<Framing, Refusal> {
        if let Some(refusal) = self.misframed.take() {
            return Err(*refusal);
        }
        if self.has_coding && (!self.chunked || version < (1, 1)) {
            return Err(Refusal::field(b"TRANSFER-ENCODING"));
        }
        match (self.chunked, self.length) {
            (true, None) => Ok(Framing::Chunked),
            (false, None) => Ok(Framing::Length(0)),
            (false, Some(Some(length))) if length < LONGEST_BODY => Ok(Framing::Length(length)),
            _ => Err(Refusal::field(b"CONTENT-LENGTH")),
        }
    }
}

fn first_line(lines: &[u8]) -> &[u8] {
    memchr::memchr(b'\n', lines).map_or(lines, |feed| lines[..feed].strip_suffix(b"\r").unwrap_or(lines))
}

/// Fields that would change routing, framing or authentication after the fact (RFC 9110, 6.5.1).
fn is_forbidden_in_trailers(name: &[u8]) -> bool {
    ["host", "content-length", "transfer-encoding", "trailer", "authorization", "te"]
        .iter()
        .any(|forbidden| name.eq_ignore_ascii_case(forbidden.as_bytes()))
}

/// The value without the blanks around it; lines that are folded are joined by one blank.
fn value<'a>(text: &'a [u8], rules: &Rules) -> Cow<'a, [u8]> {
    if !rules.permits_folding || memchr::memchr(b'\n', text).is_none() {
        return Cow::Borrowed(rules::trimmed(text));
    }
    let lines = text.split(|byte| *byte == b'\n').map(|line| rules::trimmed(line.strip_suffix(b"\r").unwrap_or(line)));
    Cow::Owned(lines.collect::<Vec<_>>().join(&b' '))
}

/// Whether there is a control character other than a tab.
fn has_control(value: &[u8]) -> bool {
    // No early return: the compiler makes this a comparison of many bytes at a time.
    value.iter().fold(false, |found, byte| found | (*byte < 0x20 && *byte != b'\t') | (*byte == 0x7f))
}

fn number(value: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

/// Appends a field as it was meant: no blanks before the colon, all of its value in one line.
pub(crate) fn append_edited(line: &[u8], rules: &Rules, text: &mut Vec<u8>) {
    let colon = memchr::memchr(b':', line).unwrap_or(line.len());
    text.extend_from_slice(rules::trimmed(&line[..colon]));
    text.extend_from_slice(b": ");
    text.extend_from_slice(&value(line.get(colon + 1..).unwrap_or_default(), rules));
    text.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(section: Section, lines: &[&str], rules: &Rules) -> Result<Fields, String> {
        let mut fields = Fields::of(section);
        lines
            .iter()
            .try_for_each(|line| fields.take(line.as_bytes(), false, rules))
            .map_err(|refusal| refusal.cause)?;
        Ok(fields)
    }

    fn framing(lines: &[&str]) -> Result<Framing, String> {
        read(Section::Head, lines, &Rules::default())?.framing((1, 1)).map_err(|refusal| refusal.cause)
    }

    #[test]
    fn fields_say_how_long_a_body_is() {
        assert_eq!(framing(&["Host: x", "Accept: */*"]), Ok(Framing::Length(0)));
        assert_eq!(framing(&["content-length:\t007 "]), Ok(Framing::Length(7)));
        assert_eq!(framing(&["Transfer-Encoding: gzip , CHUNKED"]), Ok(Framing::Chunked));
        assert_eq!(framing(&["Transfer-Encoding: identity", "Transfer-Encoding: chunked"]), Ok(Framing::Chunked));
    }

    #[test]
    fn contradictions_are_refused() {
        let (length, coding) = ("Invalid HTTP Header: 'CONTENT-LENGTH'", "Invalid HTTP Header: 'TRANSFER-ENCODING'");
        for (lines, cause) in [
            (&["Content-Length: 1", "Content-Length: 1"][..], length),
            (&["Content-Length: 1", "Transfer-Encoding: chunked"], length),
            (&["Content-Length: +1"], length),
            (&["Content-Length:"], length),
            (&["Content-Length: 18446744073709551615"], length),
            (&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], coding),
            (&["Transfer-Encoding: chunked, identity"], coding),
            (&["Transfer-Encoding: gzip"], coding),
            (&["Transfer-Encoding: xchunked"], "Unsupported transfer coding: 'xchunked'"),
            (&["Transfer-Encoding: "], "Unsupported transfer coding: ''"),
            (&["Host: a", "HOST: a"], "Invalid HTTP Header: 'HOST'"),
            (&["Expect: 100"], "Unable to comply with expectation: '100'"),
        ] {
            assert_eq!(framing(lines), Err(cause.to_owned()), "{lines:?}");
        }
        let mut fields = read(Section::Head, &["Transfer-Encoding: chunked"], &Rules::default()).unwrap();
        assert!(fields.framing((1, 0)).is_err());
    }

    #[test]
    fn lines_that_are_no_fields_are_refused() {
        for (line, cause) in [
            ("no colon", "Invalid HTTP Header: 'no colon'"),
            (": nameless", "Invalid HTTP Header: ': nameless'"),
            ("a : b", "Invalid HTTP header name: 'a '"),
            (" a: b", "Invalid HTTP header name: ' a'"),
            ("a: b\0", "Invalid HTTP Header: 'A'"),
            ("a: b\rc", "Invalid HTTP Header: 'A'"),
        ] {
            assert_eq!(framing(&[line]), Err(cause.to_owned()));
        }
        let small = Rules { fields: 2, field_size: 6, ..Rules::default() };
        assert!(read(Section::Head, &["a: b", "c: d"], &small).is_ok());
        assert!(read(Section::Head, &["a: b", "c: d", "e: f"], &small).is_err());
        assert!(read(Section::Head, &["a: bc"], &small).is_err());
    }

    #[test]
    fn trailers_change_nothing_after_the_fact() {
        let rules = Rules { refuses_underscores: true, ..Rules::default() };
        assert!(read(Section::Trailer, &["Expires: x", "Expect: y"], &rules).is_ok());
        for line in ["TE: x", "Content-Length: 1", "a_b: c"] {
            assert!(read(Section::Trailer, &[line], &rules).is_err());
        }
    }

    #[test]
    fn what_is_permitted_is_told_in_other_words() {
        let rules = Rules { permits_folding: true, strips_blanks: true, ..Rules::default() };
        let line = b"A \t: b \r\n\t c\r\n  d ";
        let mut fields = Fields::default();
        fields.take(line, false, &rules).unwrap();
        assert!(fields.edited);
        let mut text = Vec::new();
        append_edited(line, &rules, &mut text);
        assert_eq!(text, b"A: b c d\r\n");
    }
}
