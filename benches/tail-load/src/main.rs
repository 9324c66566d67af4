//! An open-loop load: requests are sent when they are due, whatever became of those before, and some of them take long. What
//! is asked for is the latency of the others. `benches/tail.py` runs it against one server after another.
//!
//! - `plan`: when which request is due; `load`: sends them; `crowd`: connections that are just there.
//!
//! ```text
//! cargo run --release -p tail-load -- http://127.0.0.1:8000 --rate 300 --slow-share 0.03 --slow '/?ms=200'
//! ```

use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde::Serialize;
use strict_client::connection::Address;

use crate::crowd::Crowd;
use crate::load::{Clients, Outcome, Targets};
use crate::plan::Mix;

mod crowd;
mod load;
mod plan;

/// What has been measured, as JSON on standard output.
#[derive(Debug, PartialEq, Serialize)]
struct Report {
    /// Requests with a good answer.
    answered: usize,
    /// Requests without one.
    failed: usize,
    /// Connections that were opened for them.
    opened: usize,
    /// From the first request that was due to the last that was answered.
    seconds: f64,
    /// Of the answered requests that do not take long, in milliseconds.
    p50: f64,
    p99: f64,
    /// Connections of the crowd that were kept to the end.
    kept: usize,
}

fn main() -> ExitCode {
    match run(&command().get_matches()) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("tail-load: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &ArgMatches) -> Result<String, String> {
    let text = |name: &str| arguments.get_one::<String>(name).expect("it has a default").clone();
    let number = |name: &str| *arguments.get_one::<usize>(name).expect("it has a default");
    let real = |name: &str| *arguments.get_one::<f64>(name).expect("it has a default");
    let targets =
        Targets { address: Address::parse(&text("url"), Path::new("")), fast: text("fast"), slow: text("slow") };
    let mix =
        |seconds| Mix { rate: real("rate"), slow_share: real("slow-share"), duration: Duration::from_secs(seconds) };
    let crowd = Crowd::gather(&targets.address, &targets.fast, number("idle"), number("dribbling"))
        .map_err(|fault| format!("the crowd was not let in: {fault:?}"))?;
    if arguments.get_flag("wait") {
        // Whoever runs this wants to look at the server before the load begins.
        println!("gathered");
        io::stdin().read_line(&mut String::new()).map_err(|error| error.to_string())?;
    }
    let clients = Clients::hire(&targets, number("connections"));
    clients.ask(&mix(number("warm-up") as u64).draw());
    let outcomes = clients.ask(&mix(number("seconds") as u64).draw());
    clients.dismiss();
    let report = Report { kept: crowd.dismiss(&targets.fast), ..summarize(&outcomes) };
    serde_json::to_string(&report).map_err(|error| error.to_string())
}

fn summarize(outcomes: &[Outcome]) -> Report {
    let answered: Vec<_> = outcomes.iter().filter_map(|outcome| Some((outcome.due, outcome.latency?))).collect();
    let mut fast: Vec<_> = answered.iter().filter(|(due, _)| !due.slow).map(|(_, latency)| *latency).collect();
    fast.sort_unstable();
    let last = answered.iter().map(|(due, latency)| due.at + *latency).max().unwrap_or_default();
    Report {
        answered: answered.len(),
        failed: outcomes.len() - answered.len(),
        opened: outcomes.iter().filter(|outcome| outcome.opened).count(),
        seconds: last.as_secs_f64(),
        p50: percentile(&fast, 0.50),
        p99: percentile(&fast, 0.99),
        kept: 0,
    }
}

/// In milliseconds; 0 of nothing.
fn percentile(sorted: &[Duration], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
}

fn command() -> Command {
    let option = |name: &'static str, default: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").default_value(default).help(help)
    };
    let number = |name, default, help| option(name, default, help).value_parser(value_parser!(usize));
    let real = |name, default, help| option(name, default, help).value_parser(value_parser!(f64));
    Command::new("tail-load")
        .about("Sends short and long requests when they are due, and measures the short ones")
        .arg(Arg::new("url").required(true).help("http://ADDRESS:PORT"))
        .arg(real("rate", "300", "Requests per second"))
        .arg(real("slow-share", "0.03", "Which share of them takes long, 0 to 1"))
        .arg(option("fast", "/", "What most of them ask for"))
        .arg(option("slow", "/?ms=200", "What the others ask for"))
        .arg(number("connections", "64", "On how many connections they are sent"))
        .arg(number("seconds", "8", "How long"))
        .arg(number("warm-up", "1", "How long before that, without counting"))
        .arg(number("idle", "0", "Connections that have had one answer and stay open"))
        .arg(number("dribbling", "0", "Connections that send a head byte by byte"))
        .arg(
            Arg::new("wait")
                .long("wait")
                .action(clap::ArgAction::SetTrue)
                .help("Before the load say `gathered`, and wait for a line on standard input"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Due;

    #[test]
    fn only_good_answers_to_short_requests_count_as_latency() {
        let outcome = |at, slow, latency: Option<u64>| Outcome {
            due: Due { at: Duration::from_secs(at), slow },
            latency: latency.map(Duration::from_millis),
            opened: at == 0,
        };
        let mut outcomes: Vec<_> = (0..100).map(|at| outcome(at, false, Some(at + 1))).collect();
        outcomes.extend([outcome(100, true, Some(5000)), outcome(101, false, None)]);
        let report = summarize(&outcomes);
        assert_eq!((report.answered, report.failed, report.opened), (101, 1, 1));
        assert_eq!((report.p50, report.p99, report.seconds), (50.0, 99.0, 105.0));
        assert_eq!(summarize(&[]).p99, 0.0);
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
