//! What a server answered on one connection, and where two servers differ in it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::http::{Fault, Head};
use crate::harness::{Connection, Server};

/// Different in each run, or on purpose.
const MASKED: [&str; 3] = ["REMOTE_PORT", "SERVER_PORT", "SERVER_SOFTWARE"];

/// One response.
#[derive(Debug)]
struct Answer {
    /// Version, status and reason.
    status: String,
    /// Names in lower case. What every response of one server has and of the other has not is left out.
    headers: BTreeMap<String, String>,
    /// The environ, if the application answered.
    environ: BTreeMap<String, Value>,
    /// The body, if it did not.
    page: String,
}

/// All that came on one connection.
#[derive(Debug)]
pub(crate) struct Answers {
    answers: Vec<Answer>,
    /// How the connection ended.
    end: Option<Fault>,
}

/// One difference: of what kind, and in which words.
#[derive(Debug)]
pub(crate) struct Difference {
    /// `count`, `status`, `headers`, `page`, `end` or `environ KEY`.
    pub(crate) kind: String,
    pub(crate) words: String,
}

/// Sends the bytes in pieces of this size, says that there are no more, and reads everything.
pub(crate) fn ask(server: &Server, bytes: &[u8], piece: usize) -> Answers {
    let mut connection = server.connect();
    // A server that has seen enough does not take the rest.
    let sent = bytes.chunks(piece).try_for_each(|piece| connection.try_send(piece));
    if sent.is_ok() {
        connection.finish_sending();
    }
    read_all(&mut connection)
}

/// Reads everything that comes on a connection.
pub(crate) fn read_all(connection: &mut Connection) -> Answers {
    let mut answers = Vec::new();
    let end = loop {
        match read(connection) {
            Ok(answer) => answers.push(answer),
            Err(Fault::Closed) => break None,
            Err(fault) => break Some(fault),
        }
    };
    Answers { answers, end }
}

fn read(connection: &mut Connection) -> Result<Answer, Fault> {
    let head = connection.try_head()?;
    let length = head.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let bodiless = head.header("x-method") == Some("HEAD") || head.status < 200;
    let body = if bodiless { Vec::new() } else { connection.take(length)? };
    Ok(Answer::new(&head, &String::from_utf8_lossy(&body)))
}

impl Answer {
    fn new(head: &Head, body: &str) -> Self {
        let status = format!("{} {} {}", head.version, head.status, head.reason);
        let is_compared = |name: &str| !["date", "server", "connection", "content-length"].contains(&name);
        let headers = head.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        let headers = headers.filter(|(name, _)| is_compared(name)).collect();
        let environ: Option<BTreeMap<String, Value>> = serde_json::from_str(body).ok();
        let page = if environ.is_some() { String::new() } else { body.to_owned() };
        Self { status, headers, environ: environ.unwrap_or_default(), page }
    }
}

impl Answers {
    /// The targets of the requests that the application saw.
    pub(crate) fn targets(&self) -> Vec<&str> {
        self.answers.iter().filter_map(|answer| answer.environ.get("RAW_URI")?.as_str()).collect()
    }

    /// What the application saw of each request that reached it: method, path, query, body.
    pub(crate) fn requests<'a>(&'a self) -> Vec<[&'a str; 4]> {
        let said = |answer: &'a Answer, key: &str| answer.environ.get(key)?.as_str();
        let all = |answer| {
            let [method, path] = [said(answer, "REQUEST_METHOD")?, said(answer, "PATH_INFO")?];
            Some([method, path, said(answer, "QUERY_STRING")?, said(answer, "body")?])
        };
        self.answers.iter().filter_map(all).collect()
    }

    /// Where these differ from those of the other server.
    pub(crate) fn differences(&self, other: &Self) -> Vec<Difference> {
        let mut all = Vec::new();
        let mut add = |kind: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| {
            let (ours, theirs) = (format!("{ours:?}"), format!("{theirs:?}"));
            if ours != theirs {
                all.push(Difference { kind: kind.to_owned(), words: format!("{kind}: {ours}, not {theirs}") });
            }
        };
        add("count", &self.answers.len(), &other.answers.len());
        add("end", &self.end, &other.end);
        for (ours, theirs) in self.answers.iter().zip(&other.answers) {
            add("status", &ours.status, &theirs.status);
            add("headers", &ours.headers, &theirs.headers);
            add("page", &ours.page, &theirs.page);
            if ours.environ.is_empty() || theirs.environ.is_empty() {
                continue;
            }
            let keys = ours.environ.keys().chain(theirs.environ.keys().filter(|key| !ours.environ.contains_key(*key)));
            for key in keys.filter(|key| !MASKED.contains(&key.as_str())) {
                add(&format!("environ {key}"), &ours.environ.get(key), &theirs.environ.get(key));
            }
        }
        all
    }
}
