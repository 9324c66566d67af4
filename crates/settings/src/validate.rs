//! One value of one setting: is it what the setting takes? The result is the value as `--print-config` shows it.
//!
//! The rules are those of the original, observed: numbers may come as texts with Python's prefixes, a truth value is
//! a number where a number is wanted, texts lose the blanks around them. Looks at the file system and the user
//! database only for the kinds that name something there.

use crate::full_path::full_path;
use crate::machine::Machine;
use crate::paste;
use crate::value::quoted;
use crate::{AddressList, Bind, Context, Kind, Setting, StatsdAddress, Value, cipher_suites};
use std::path::Path;

/// What is wrong with a value: the last part of the sentence.
type Problem = String;

/// The largest number of what the kernel, and HTTP/2, take as 31 bits.
const LARGEST: i64 = i32::MAX as i64;

/// Most application threads of a worker: more would only wait for each other, and each costs memory.
const MOST_THREADS: i64 = 1000;

/// HTTP/2 has no such thing any more (RFC 9113, 3.1).
const NO_UPGRADE: &str = "ferricorn does not turn a connection of HTTP/1.1 into one of HTTP/2, since HTTP/2 has given that \
                          up; say prior-knowledge, and let the proxy begin with HTTP/2";

/// Checks a value of a setting. Relative paths begin at the start directory of `context`.
pub fn checked(setting: &Setting, value: &Value, context: &Context) -> Result<Value, String> {
    let start = &context.start_directory;
    let value = match setting.kind {
        Kind::Bool | Kind::BoolOff => switch(value)?,
        Kind::Int | Kind::AutoInt => number(value)?,
        Kind::Count => count(value, context)?,
        Kind::Seconds => seconds(value)?,
        Kind::Str => text(value)?.map_or(Value::None, Value::Str),
        Kind::List => Value::texts(texts(value)?),
        Kind::Files => Value::texts(files(value, start)?),
        Kind::Names if setting.name == "http_protocols" => protocols(value)?,
        Kind::Names => Value::texts(names(value)?),
        Kind::Addresses => Value::texts(addresses(value)?),
        Kind::Choice(words) | Kind::OptionalChoice(words, _) => choice(setting, value, words)?,
        Kind::Class => class(value)?,
        Kind::StatsdHost => statsd_host(value)?,
        Kind::Directory => directory(value, start)?,
        Kind::User => crate::accounts::user_id(value)?,
        Kind::Group => crate::accounts::group_id(value)?,
        Kind::Map => map(value)?,
        Kind::Hook(_) => hook(value)?,
        Kind::Any => value.clone(),
    };
    further(setting.name, &value, start)?;
    Ok(value)
}

/// What single settings ask beyond their kind.
fn further(name: &str, value: &Value, start: &Path) -> Result<(), Problem> {
    match (name, value) {
        ("bind", Value::List(addresses)) if addresses.is_empty() => Err("names no address".to_owned()),
        ("bind", Value::List(addresses)) => {
            addresses.iter().try_for_each(|address| address.shown().parse::<Bind>().map(|_| ()))
        }
        ("raw_env", Value::List(pairs)) => all_pairs(pairs, |pair| pair.contains('=')),
        ("raw_paste_global_conf", Value::List(pairs)) => all_pairs(pairs, |pair| paste::pair(pair).is_some()),
        ("paste", Value::Str(uri)) => paste::checked(uri, start),
        ("access_log_format" | "loglevel", Value::None) => Err("must be a text".to_owned()),
        ("threads", Value::Int(count)) if *count > MOST_THREADS => Err(format!("must be at most {MOST_THREADS}")),
        ("server_header" | "server_software", Value::Str(text)) => printable(text),
        ("reload_surge" | "worker_connections", Value::Int(0)) => Err("must be at least 1".to_owned()),
        ("backlog", Value::Int(length)) if *length > LARGEST => Err(format!("must be at most {LARGEST}")),
        ("ciphers", Value::Str(list)) if !list.is_empty() => cipher_suites(list).map(drop),
        ("cert_reqs", Value::Int(number)) if *number > 2 => Err("must be 0, 1 or 2".to_owned()),
        ("http2_cleartext", Value::Str(word)) if ["upgrade", "both"].contains(&word.as_str()) => {
            Err(NO_UPGRADE.to_owned())
        }
        ("http2_max_concurrent_streams", Value::Int(0)) => Err("must be at least 1".to_owned()),
        ("http2_initial_window_size", Value::Int(size)) => within(*size, 0, LARGEST),
        ("http2_max_frame_size", Value::Int(size)) => within(*size, 16384, 16777215),
        ("secure_scheme_headers", Value::Map(pairs)) => match pairs.iter().find(|(_, word)| !is_text(word)) {
            Some((header, word)) => Err(format!("the value of {header} must be a text, not {word}")),
            None => Ok(()),
        },
        ("db", Value::Map(pairs)) => {
            match pairs.iter().find(|(_, word)| matches!(word, Value::List(_) | Value::Map(_))) {
                Some((name, _)) => Err(format!("the value of {name} must be a text, a number or a truth value")),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn all_pairs(pairs: &[Value], is_pair: fn(&str) -> bool) -> Result<(), Problem> {
    match pairs.iter().find(|pair| !is_pair(&pair.shown())) {
        Some(pair) => Err(format!("{pair} is not of the form KEY=VALUE")),
        None => Ok(()),
    }
}

/// What a header's value may be, without what some clients would not understand in it.
fn printable(text: &str) -> Result<(), Problem> {
    match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => Ok(()),
        false => Err("must be made of printable ASCII characters".to_owned()),
    }
}

fn is_text(value: &Value) -> bool {
    matches!(value, Value::Str(_))
}

fn switch(value: &Value) -> Result<Value, Problem> {
    match value {
        Value::None | Value::Bool(_) => Ok(value.clone()),
        Value::Str(text) => match text.trim().to_lowercase().as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err("must be True or False".to_owned()),
        },
        _ => Err("must be True or False".to_owned()),
    }
}

fn number(value: &Value) -> Result<Value, Problem> {
    let found = match value {
        Value::Int(number) => Some(*number),
        Value::Bool(switch) => Some((*switch).into()),
        Value::Str(text) => crate::integer::prefixed(text),
        _ => None,
    };
    match found {
        Some(number) if number >= 0 => Ok(Value::Int(number)),
        Some(_) => Err("must not be negative".to_owned()),
        None => Err("must be a whole number".to_owned()),
    }
}

/// Whole seconds stay whole numbers, however they were written.
fn seconds(value: &Value) -> Result<Value, Problem> {
    let found = match value {
        Value::Float(number) => Some(*number),
        Value::Str(text) if crate::integer::prefixed(text).is_none() => text.trim().parse().ok(),
        other => return number(other).map_err(|problem| problem.replace("a whole number", "a number of seconds")),
    };
    match found.filter(|number| number.is_finite()) {
        Some(number) if number < 0.0 => Err("must not be negative".to_owned()),
        Some(number) if number.fract() == 0.0 && number < LARGEST as f64 => Ok(Value::Int(number as i64)),
        Some(number) => Ok(Value::Float(number)),
        None => Err("must be a number of seconds".to_owned()),
    }
}

/// The machine is looked at only when it is asked for.
fn count(value: &Value, context: &Context) -> Result<Value, Problem> {
    match value {
        value if is_auto(value) => Ok(Value::Int(Machine::under(&context.machine_root).workers() as i64)),
        value => number(value).map_err(|problem| match problem.as_str() {
            "must be a whole number" => "must be a whole number or auto".to_owned(),
            _ => problem,
        }),
    }
}

/// Whether the number is left to the server.
pub(crate) fn is_auto(value: &Value) -> bool {
    matches!(value, Value::Str(text) if text.trim().eq_ignore_ascii_case("auto"))
}

fn text(value: &Value) -> Result<Option<String>, Problem> {
    match value {
        Value::None => Ok(None),
        Value::Str(text) => Ok(Some(text.trim().to_owned())),
        _ => Err("must be a text".to_owned()),
    }
}

fn texts(value: &Value) -> Result<Vec<String>, Problem> {
    let wrong = |item: &Value| format!("{item} in the list must be a text");
    match value {
        value if value.is_false() => Ok(Vec::new()),
        Value::Str(text) => Ok(vec![text.trim().to_owned()]),
        Value::List(items) => items.iter().map(|item| text(item).ok().flatten().ok_or_else(|| wrong(item))).collect(),
        _ => Err("must be a list of texts".to_owned()),
    }
}

fn files(value: &Value, start: &Path) -> Result<Vec<String>, Problem> {
    let files = texts(value)?;
    let is_pattern = |file: &str| file.contains(['*', '?', '[']);
    let is_there = |file: &str| !file.is_empty() && start.join(file).exists();
    match files.iter().find(|file| !is_pattern(file) && !is_there(file)) {
        Some(missing) => Err(format!("there is no file {}", Value::text(missing))),
        None => Ok(files),
    }
}

fn names(value: &Value) -> Result<Vec<String>, Problem> {
    let list = text(value)?.unwrap_or_default();
    Ok(list.split(',').filter(|name| !name.is_empty()).map(|name| name.trim().to_owned()).collect())
}

fn addresses(value: &Value) -> Result<Vec<String>, Problem> {
    let entries = names(value)?;
    AddressList::parse(entries.iter().map(String::as_str))?;
    Ok(entries)
}

fn choice(setting: &Setting, value: &Value, words: &[&str]) -> Result<Value, Problem> {
    let wrong = || format!("must be one of {}", words.join(", "));
    if let Some(word) = as_switch(setting.name, value) {
        return Ok(Value::text(word));
    }
    let word = text(value).map_err(|_| wrong())?.ok_or_else(wrong)?.to_lowercase();
    match words.contains(&word.as_str()) {
        true => Ok(Value::Str(word)),
        false => Err(wrong()),
    }
}

/// The two choices that Gunicorn takes as switches too.
fn as_switch(name: &str, value: &Value) -> Option<&'static str> {
    let word = match value {
        Value::Str(text) => text.trim().to_lowercase(),
        _ => String::new(),
    };
    match (name, value, word.as_str()) {
        ("proxy_protocol" | "http2_cleartext", Value::None | Value::Bool(false), _) => Some("off"),
        ("http2_cleartext", Value::Bool(true), _) => Some("prior-knowledge"),
        ("proxy_protocol", Value::Bool(true), _) | ("proxy_protocol", _, "true" | "1") => Some("auto"),
        ("proxy_protocol", _, "false" | "0" | "none") => Some("off"),
        ("asgi_loop" | "asgi_lifespan" | "http_parser", Value::None, _) => Some("auto"),
        _ => None,
    }
}

/// HTTP versions, in the order of preference.
fn protocols(value: &Value) -> Result<Value, Problem> {
    let names: Vec<String> =
        names(value)?.iter().map(|name| name.to_lowercase()).filter(|name| !name.is_empty()).collect();
    match names.iter().find(|name| !["h1", "h2"].contains(&name.as_str())) {
        Some(unknown) => Err(format!("{} is not a protocol, h1 and h2 are", quoted(unknown))),
        None if names.is_empty() => Ok(Value::texts(["h1"])),
        None => Ok(Value::texts(names)),
    }
}

fn within(number: i64, least: i64, most: i64) -> Result<(), Problem> {
    match (least..=most).contains(&number) {
        true => Ok(()),
        false => Err(format!("must be between {least} and {most}")),
    }
}

fn class(value: &Value) -> Result<Value, Problem> {
    match value {
        Value::Callable(_) | Value::None => Ok(value.clone()),
        value => text(value).map(|name| name.map_or(Value::None, Value::Str)).map_err(|_| "must be a class".to_owned()),
    }
}

/// As Gunicorn keeps it: a pair of host and port, or the path of the socket.
fn statsd_host(value: &Value) -> Result<Value, Problem> {
    let Some(text) = text(value)? else {
        return Ok(Value::None);
    };
    Ok(match StatsdAddress::parse(&text)? {
        StatsdAddress::Udp { host, port } => Value::Tuple(vec![Value::Str(host), Value::Int(port.into())]),
        StatsdAddress::Unix { path } => Value::text(path.to_string_lossy()),
    })
}

fn directory(value: &Value, start: &Path) -> Result<Value, Problem> {
    let path = text(value)?.ok_or("must be a directory")?;
    let path = full_path(start, &path);
    match (path.exists(), path.is_dir()) {
        (true, true) => Ok(Value::text(path.to_string_lossy())),
        (true, false) => Err("is not a directory".to_owned()),
        (false, _) => Err("can't chdir to it, there is no such directory".to_owned()),
    }
}

fn map(value: &Value) -> Result<Value, Problem> {
    match value {
        Value::Map(_) => Ok(value.clone()),
        _ => Err("must be a dict".to_owned()),
    }
}

/// The number of arguments is looked at by whoever holds the function itself.
fn hook(value: &Value) -> Result<Value, Problem> {
    match value {
        Value::Callable(_) => Ok(value.clone()),
        Value::Str(path) if path.contains('.') => Ok(value.clone()),
        _ => Err("must be a function, or the dotted path of one".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, find};

    /// What becomes of a value, as it would be printed.
    fn taken(name: &str, value: Value) -> String {
        checked(find(name).unwrap(), &value, &Context::bare()).unwrap().to_string()
    }

    fn problem(name: &str, value: Value) -> String {
        checked(find(name).unwrap(), &value, &Context::bare()).unwrap_err()
    }

    #[test]
    fn numbers_come_in_the_forms_of_python() {
        let forms =
            [(Value::Int(0), "0"), (Value::Bool(true), "1"), (Value::text(" 0x3 "), "3"), (Value::text("1_0"), "10")];
        for (value, number) in forms {
            assert_eq!(taken("workers", value), number);
        }
        for value in [Value::Float(2.5), Value::None, Value::text("abc"), Value::texts(["3"])] {
            assert_eq!(problem("backlog", value), "must be a whole number");
        }
        assert_eq!(problem("umask", Value::text("022")), "must be a whole number");
        assert_eq!(problem("timeout", Value::Int(-1)), "must not be negative");
        assert_eq!(problem("backlog", Value::Int(1 << 31)), "must be at most 2147483647");
        assert_eq!(problem("threads", Value::Int(1001)), "must be at most 1000");
        assert_eq!(problem("http2_max_frame_size", Value::Int(1)), "must be between 16384 and 16777215");
    }

    #[test]
    fn seconds_may_have_a_fraction() {
        for (value, number) in [(Value::Float(2.5), "2.5"), (Value::Float(2.0), "2"), (Value::text(" .25 "), "0.25")] {
            assert_eq!(taken("request_timeout", value), number);
        }
        for value in [Value::Float(f64::NAN), Value::text("inf"), Value::text("soon"), Value::None, Value::texts(["3"])]
        {
            assert_eq!(problem("request_timeout", value), "must be a number of seconds");
        }
        for value in [Value::Float(-0.5), Value::Int(-1), Value::text("-2.5")] {
            assert_eq!(problem("queue_timeout", value), "must not be negative");
        }
    }

    #[test]
    fn switches_and_texts_are_not_guessed() {
        assert_eq!(taken("reload", Value::text(" TRUE")), "True");
        assert_eq!(taken("reload", Value::None), "None");
        assert_eq!(problem("reload", Value::Int(1)), "must be True or False");
        assert_eq!(problem("reload", Value::text("yes")), "must be True or False");
        assert_eq!(taken("accesslog", Value::text(" x ")), "'x'");
        assert_eq!(problem("accesslog", Value::Int(5)), "must be a text");
        assert_eq!(problem("loglevel", Value::None), "must be a text");
        assert_eq!(problem("pythonpath", Value::texts(["a"])), "must be a text");
        assert_eq!(problem("server_header", Value::text("a\r\nb")), "must be made of printable ASCII characters");
        assert_eq!(problem("server_software", Value::text("caf\u{e9}")), "must be made of printable ASCII characters");
        assert_eq!(problem("header_map", Value::text("x")), "must be one of drop, refuse, dangerous");
        assert_eq!(problem("worker_class", Value::Int(5)), "must be a class");
        let sentence = "must be a function, or the dotted path of one";
        assert_eq!(
            (problem("pre_fork", Value::Int(5)), problem("pre_fork", Value::text("f"))),
            (sentence.into(), sentence.into())
        );
        assert_eq!(taken("proxy_protocol", Value::text("None")), "'off'");
        assert_eq!(taken("proxy_protocol", Value::text("TRUE")), "'auto'");
        assert_eq!(taken("asgi_loop", Value::None), "'auto'");
    }

    #[test]
    fn lists_take_a_single_text_for_a_list_of_one() {
        assert_eq!(taken("bind", Value::text("a:1")), "['a:1']");
        assert_eq!(problem("bind", Value::List(vec![Value::Int(5)])), "5 in the list must be a text");
        assert_eq!(problem("bind", Value::Int(5)), "must be a list of texts");
        assert_eq!(problem("bind", Value::text("")), "names no address");
        assert_eq!(taken("raw_env", Value::texts([" A=1=2 ", "B="])), "['A=1=2', 'B=']");
        assert_eq!(problem("raw_env", Value::texts(["A"])), "'A' is not of the form KEY=VALUE");
        assert_eq!(problem("raw_paste_global_conf", Value::texts([r"A\=b"])), r"'A\\=b' is not of the form KEY=VALUE");
        assert_eq!(taken("reload_extra_files", Value::Bool(false)), "[]");
        assert_eq!(taken("http_protocols", Value::text(" H2,,h1")), "['h2', 'h1']");
        assert_eq!(taken("http_protocols", Value::None), "['h1']");
        assert_eq!(problem("http_protocols", Value::text("h3")), "'h3' is not a protocol, h1 and h2 are");
        assert_eq!(taken("forwarder_headers", Value::text(" a,,b ")), "['a', 'b']");
    }

    #[test]
    fn dicts_map_texts_to_texts_where_headers_are_meant() {
        let pair = |value| Value::Map(vec![("X-A".to_owned(), value)]);
        assert_eq!(taken("secure_scheme_headers", pair(Value::text("b"))), "{'X-A': 'b'}");
        let sentence = "the value of X-A must be a text, not 5";
        assert_eq!(problem("secure_scheme_headers", pair(Value::Int(5))), sentence);
        assert_eq!(problem("secure_scheme_headers", Value::Int(5)), "must be a dict");
    }

    #[test]
    fn what_names_something_on_this_machine_must_be_there() {
        assert_eq!(problem("user", Value::text("nosuch")), "No such user: 'nosuch'");
        assert_eq!(taken("chdir", Value::text("./..")), "'/'");
        assert_eq!(problem("chdir", Value::text("/etc/passwd")), "is not a directory");
        assert_eq!(problem("chdir", Value::text("/no")), "can't chdir to it, there is no such directory");
        assert_eq!(problem("reload_extra_files", Value::texts(["/no/file"])), "there is no file '/no/file'");
        assert_eq!(problem("paste", Value::text("no.ini#a")), "'/tmp/no.ini' not found");
        assert_eq!(taken("reload_extra_files", Value::text("/no/*")), "['/no/*']");
    }
}
