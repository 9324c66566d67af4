//! The cases: raw requests in the files of `tests/requests/`, in a notation that can be read.
//!
//! A file begins with remarks (`# ...`) and may say with which arguments the servers are started (`args: ...`).
//! Each case begins with `### ` and its name. Its lines are sent with CR LF at their ends; one that ends in a
//! backslash is sent without. An empty line in front of the next name is therefore the end of a head, and a case whose last line
//! is not to be ended closes with a backslash. `\r`, `\n`, `\t`, `\\`, `\xHH` are bytes; `\{text*3}` is `texttexttext`.

use std::fs;
use std::path::PathBuf;

/// One raw request, or several on one connection.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// A file of them.
#[derive(Debug)]
pub(crate) struct Cases {
    /// What the servers are started with.
    pub(crate) args: String,
    pub(crate) cases: Vec<Case>,
}

/// The directory of these files.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("requests")
}

/// Reads one file.
#[track_caller]
pub(crate) fn read(name: &str) -> Cases {
    let path = folder().join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let (preface, rest) = text.split_once("### ").unwrap_or_else(|| panic!("there is no case in {}", path.display()));
    let args = preface.lines().filter_map(|line| line.strip_prefix("args: ")).collect::<Vec<_>>().join(" ");
    // The last case ends as the others do, whatever an editor thinks of empty lines there.
    let rest = format!("{}\n", rest.trim_end_matches('\n'));
    let cases = rest.split("\n### ").map(|case| {
        let (name, lines) = case.split_once('\n').unwrap_or((case, ""));
        let unended = lines.strip_suffix('\n').filter(|lines| is_unended(lines));
        Case { name: name.to_owned(), bytes: bytes(unended.unwrap_or(lines)) }
    });
    Cases { args, cases: cases.collect() }
}

/// Each line with its end.
fn bytes(lines: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines.split('\n') {
        if is_unended(line) {
            bytes.extend(resolve(&line[..line.len() - 1]));
        } else {
            bytes.extend(resolve(line));
            bytes.extend(b"\r\n");
        }
    }
    bytes
}

fn is_unended(lines: &str) -> bool {
    lines.ends_with('\\') && !lines.ends_with("\\\\")
}

fn resolve(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend(rest[..at].bytes());
        rest = &rest[at + 1..];
        let kind = rest.chars().next().unwrap_or_else(|| panic!("a backslash stands alone in {text:?}"));
        rest = &rest[kind.len_utf8()..];
        match kind {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '\\' => bytes.push(b'\\'),
            'x' => {
                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap_or_else(|_| panic!("no byte in {text:?}")));
                rest = &rest[2..];
            }
            '{' => {
                let (inner, behind) = rest.split_once('}').unwrap_or_else(|| panic!("no end in {text:?}"));
                let (piece, count) = inner.rsplit_once('*').unwrap_or_else(|| panic!("no number in {text:?}"));
                bytes.extend(resolve(piece).repeat(count.parse().expect("a number of times")));
                rest = behind;
            }
            other => panic!("`\\{other}` means nothing, in {text:?}"),
        }
    }
    bytes.extend(rest.bytes());
    bytes
}
