//! What an application reads of a request's body, in whatever way and order: the same by way of Ferricorn and of Gunicorn.

use crate::harness::target::Target;
use crate::harness::{Launch, Server};

/// What can be done with `wsgi.input`. Small numbers and large ones, none, and wrong ones.
const STEPS: [&str; 24] = [
    "read,0",
    "read,1",
    "read,3",
    "read,7",
    "read,100",
    "read,None",
    "read,-1",
    "read,size=4",
    "read,x",
    "readline",
    "readline,0",
    "readline,1",
    "readline,4",
    "readline,100",
    "readline,None",
    "readline,-1",
    "readline,size=2",
    "readline,x",
    "readlines",
    "readlines,3",
    "next",
    "first",
    "list",
    "read",
];

/// Bodies with lines of all kinds.
const BODIES: [&str; 7] = [
    "",
    "one line",
    "one\ntwo\nthree",
    "one\n\n\ntwo\n",
    "\n",
    "no end\r\nof lines\r\n",
    "a longer one, of 40 bytes\nin two lines, or\n",
];

/// So many rows of steps for each body and framing.
const ROWS: usize = 40;
/// So many steps in a row.
const LENGTH: usize = 6;

fn requests(body: &str, steps: &str) -> [String; 2] {
    let target = format!("/?{steps}");
    let chunks: String = body
        .as_bytes()
        .chunks(5)
        .map(|chunk| {
            let text: String = chunk.iter().map(|byte| char::from(*byte)).collect();
            format!("{:x}\r\n{text}\r\n", chunk.len())
        })
        .collect();
    [
        format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        format!("POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
    ]
}

fn start(target: Target, args: &str) -> Server {
    Launch::app("stepping").put_to(target).args(&format!("--worker-class gthread {args}")).start()
}

/// Reading gives the same, whether the body waits in memory or in a file. The steps are drawn, with a fixed seed.
#[test]
fn bodies_are_read_alike() {
    only_ferricorn!("both servers are asked in one run");
    let mut random = fastrand::Rng::with_seed(4);
    let in_files = start(Target::Ferricorn, "--client-body-buffer-size 0");
    let (in_memory, theirs) = (start(Target::Ferricorn, ""), start(Target::Gunicorn, ""));
    let mut faults = Vec::new();
    for body in BODIES {
        for _ in 0..ROWS {
            let steps: Vec<_> = (0..LENGTH).filter_map(|_| random.choice(STEPS)).collect();
            let steps = steps.join(";");
            for request in requests(body, &steps) {
                let expected = theirs.ask(&request).text();
                for (place, server) in [("memory", &in_memory), ("a file", &in_files)] {
                    let found = server.ask(&request).text();
                    if found != expected {
                        faults.push(format!("{steps} of {body:?} in {place}: {found}, not {expected}"));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} differences:\n{}", faults.len(), faults.join("\n"));
}
