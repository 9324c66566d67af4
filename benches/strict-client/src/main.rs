//! The strict client as a command: asks a URL for a while, says every second what it saw, and ends with status 1 if anything
//! was not as it should have been.
//!
//! ```text
//! cargo run --release -p strict-client -- http://127.0.0.1:8000/ --seconds 30 --connections 8 --close 0.5
//! ```
//!
//! Any URL will do whose answer is 200. Where it has `{token}`, each request puts another token there, and the answer must
//! have the same one in its body.

use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Arg, Command, value_parser};
use strict_client::anomaly;
use strict_client::connection::Address;
use strict_client::load::{Load, Mode, Question, Tally};

/// Exit status after an anomaly.
const IMPERFECT: u8 = 1;
/// Exit status for a command line that makes no sense.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = command().get_matches();
    let number = |name: &str| *arguments.get_one::<u16>(name).expect("it has a default");
    let share = *arguments.get_one::<f64>("close").expect("it has a default");
    let url = arguments.get_one::<String>("url").expect("it is required");
    let (address, question) = match parse(url) {
        Ok(parsed) => parsed,
        Err(words) => {
            eprintln!("strict-client: {words}");
            return ExitCode::from(USAGE);
        }
    };
    let load = Load::asking(&question, &address, &modes(number("connections"), share));
    watch(&load, number("seconds"));
    let tally = load.finish();
    println!("{} right, {} anomalies", tally.right, tally.anomalies.len());
    for (kind, count) in anomaly::counts(&tally.anomalies) {
        println!("{count:>8}  {kind}");
    }
    if tally.anomalies.is_empty() && tally.right > 0 { ExitCode::SUCCESS } else { ExitCode::from(IMPERFECT) }
}

fn command() -> Command {
    let number = |name: &'static str, default: &'static str| {
        let range = value_parser!(u16).range(1..);
        Arg::new(name).long(name).value_name("N").default_value(default).value_parser(range)
    };
    Command::new("strict-client")
        .about("Asks a server and counts every anomaly by its kind")
        .arg(Arg::new("url").required(true).help(
            "http://HOST[:PORT]/PATH, or https://, with whatever certificate; {token} in it is checked in the answer",
        ))
        .arg(number("seconds", "30").help("How long to ask"))
        .arg(number("connections", "8").help("How many clients ask at the same time"))
        .arg(
            Arg::new("close")
                .long("close")
                .value_name("SHARE")
                .default_value("0.5")
                .value_parser(share)
                .help("Which share of them takes a fresh connection for each request, 0 to 1"),
        )
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    number.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}

/// Where to ask, and what.
fn parse(url: &str) -> Result<(Address, Question), String> {
    let (rest, default, address_of): (_, _, fn(SocketAddr) -> Address) =
        match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, 80, Address::Tcp),
            (None, Some(rest)) => (rest, 443, Address::Tls),
            (None, None) => return Err(format!("`{url}` does not begin with http:// or https://")),
        };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let place = if has_port { host.to_owned() } else { format!("{host}:{default}") };
    let found = place.to_socket_addrs().map_err(|error| format!("`{place}` is no address: {error}"))?.next();
    let address = found.ok_or_else(|| format!("`{place}` has no address"))?;
    let question = Question { host: host.to_owned(), target: format!("/{path}"), answer: None };
    Ok((address_of(address), question))
}

/// So many clients, of which this share closes.
fn modes(connections: u16, share: f64) -> Vec<Mode> {
    let closing = (f64::from(connections) * share).round();
    (0..connections).map(|number| if f64::from(number) < closing { Mode::Close } else { Mode::KeepAlive }).collect()
}

/// Says once a second what is new.
fn watch(load: &Load, seconds: u16) {
    let start = Instant::now();
    let mut before = Tally::default();
    for second in 1..=seconds {
        thread::sleep((start + Duration::from_secs(second.into())).saturating_duration_since(Instant::now()));
        let now = load.tally();
        let kinds = anomaly::counts(&now.anomalies[before.anomalies.len()..]);
        let told: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let told = if told.is_empty() { "no anomaly".to_owned() } else { told.join(", ") };
        println!("{second:>5} s  {:>8} right  {told}", now.right - before.right);
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_and_what() {
        let (address, question) = parse("http://127.0.0.1:8000/shop?id={token}").unwrap();
        assert_eq!(address, Address::Tcp("127.0.0.1:8000".parse().unwrap()));
        assert_eq!((question.host.as_str(), question.target.as_str()), ("127.0.0.1:8000", "/shop?id={token}"));
        assert_eq!(parse("http://127.0.0.1").unwrap().0, Address::Tcp("127.0.0.1:80".parse().unwrap()));
        assert_eq!(parse("https://127.0.0.1/").unwrap().0, Address::Tls("127.0.0.1:443".parse().unwrap()));
        assert!(parse("ftp://127.0.0.1/").is_err());
    }

    #[test]
    fn a_share_of_the_clients_closes() {
        let closing = |share| modes(8, share).iter().filter(|mode| **mode == Mode::Close).count();
        assert_eq!([closing(0.0), closing(0.5), closing(1.0)], [0, 4, 8]);
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }
}
