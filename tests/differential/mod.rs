//! The same raw bytes to Ferricorn and to Gunicorn, whole and byte by byte: the answers are the same, but for the
//! differences that `tests/requests/allowed.txt` lists with their reasons.

mod allowed;
pub(crate) mod answers;
pub(crate) mod cases;
mod inputs;
mod responses;

use crate::harness::Launch;
use crate::harness::target::Target;
use allowed::Allowed;

/// Longer requests are sent in so many pieces.
const MOST_PIECES: usize = 2000;

/// Puts all cases of a file to both servers. `never`: a target that no application may be called for.
#[track_caller]
fn compare(file: &str, never: Option<&str>) {
    compare_at("127.0.0.1:0", file, never);
}

/// The same at such an address.
#[track_caller]
fn compare_at(address: &str, file: &str, never: Option<&str>) {
    only_ferricorn!("both servers are asked in one run");
    let cases = cases::read(file);
    let launch = |target| Launch::app("telling").put_to(target).args("--worker-class gthread").args(&cases.args);
    let start = |target| launch(target).bind(address).start();
    let (ours, theirs) = (start(Target::Ferricorn), start(Target::Gunicorn));
    let mut allowed = Allowed::read(&cases::folder(), Some(file));
    let mut faults = Vec::new();
    for case in &cases.cases {
        for piece in [case.bytes.len(), case.bytes.len().div_ceil(MOST_PIECES)] {
            let (ours, theirs) = (answers::ask(&ours, &case.bytes, piece), answers::ask(&theirs, &case.bytes, piece));
            let how = if piece == case.bytes.len() { "whole" } else { "in pieces" };
            let differences = ours.differences(&theirs).into_iter();
            let differences = differences.filter(|difference| !allowed.covers(file, &case.name, &difference.kind));
            faults.extend(differences.map(|difference| format!("{} ({how}): {}", case.name, difference.words)));
            if ours.targets().iter().any(|target| Some(*target) == never) {
                faults.push(format!("{} ({how}): a request was smuggled", case.name));
            }
        }
    }
    faults.extend(allowed.unused().map(|line| format!("no longer different, take it out of allowed.txt: {line}")));
    assert!(faults.is_empty(), "{} differences in {} cases:\n{}", faults.len(), cases.cases.len(), faults.join("\n"));
}

/// Requests that are served give the application the same environ and body.
#[test]
fn valid_requests() {
    compare("valid.txt", None);
}

/// Also on a unix socket, where nobody has an address.
#[test]
fn valid_requests_on_a_unix_socket() {
    compare_at("unix:socket", "valid.txt", None);
}

/// Requests that are not get the same status and page.
#[test]
fn malformed_requests() {
    compare("malformed.txt", None);
}

/// Chunked bodies are decoded, or refused, in the same way.
#[test]
fn chunked_bodies() {
    compare("chunked.txt", None);
}

/// Nothing of these requests is taken for another request.
#[test]
fn smuggling() {
    compare("smuggling.txt", Some("/smuggled"));
}

/// Limits count the same bytes.
#[test]
fn limits() {
    compare("limits.txt", None);
}

/// What the settings permit is permitted in the same way.
#[test]
fn permitted_requests() {
    compare("permitted.txt", None);
}

/// Names with an underscore are refused in the same way.
#[test]
fn refused_names() {
    compare("refused_names.txt", None);
}
