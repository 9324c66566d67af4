//! Connection strings: `postgresql://user:password@host:5432/name?sslmode=require`, and libpq's `host=... dbname=...`.
//!
//! No error repeats the string: it may hold a password.

use percent_encoding::percent_decode_str;

/// Keywords and values in the order in which they were said.
pub(crate) type Pairs = Vec<(String, String)>;

/// What a connection string should look like.
const SHAPE: &str = "expected postgresql://user:password@host:5432/name or host=... dbname=... user=...";

/// Takes a connection string of either form apart.
pub(crate) fn parse(text: &str) -> Result<Pairs, String> {
    match text.strip_prefix("postgresql://").or_else(|| text.strip_prefix("postgres://")) {
        Some(rest) => parse_url(rest),
        None => parse_pairs(text),
    }
}

fn parse_url(rest: &str) -> Result<Pairs, String> {
    let mut pairs = Pairs::new();
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (account, places) = authority.rsplit_once('@').unwrap_or(("", authority));
    if account.is_empty() && query.contains('@') {
        return Err(format!(
            "a @ behind the first ?: write ? as %3F in a user or password, @ as %40 in a value; {SHAPE}"
        ));
    }
    let (user, password) = account.split_once(':').unwrap_or((account, ""));
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for place in places.split(',') {
        let (host, port) = split_place(place)?;
        hosts.push(decode(host)?);
        ports.push(decode(port)?);
    }
    let mut say = |name: &str, value: String| {
        if !value.is_empty() {
            pairs.push((name.to_owned(), value));
        }
    };
    say("user", decode(user)?);
    say("password", decode(password)?);
    if hosts.iter().any(|host| !host.is_empty()) {
        say("host", hosts.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        say("port", ports.join(","));
    }
    say("dbname", decode(database)?);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("a parameter without a value: {SHAPE}"))?;
        say(&decode(name)?, decode(value)?);
    }
    Ok(pairs)
}

/// Host and port; an IPv6 address has brackets.
fn split_place(place: &str) -> Result<(&str, &str), String> {
    if let Some(inside) = place.strip_prefix('[') {
        let (host, behind) = inside.split_once(']').ok_or_else(|| format!("a [ without its ]: {SHAPE}"))?;
        return match behind {
            "" => Ok((host, "")),
            _ => behind.strip_prefix(':').map(|port| (host, port)).ok_or_else(|| SHAPE.to_owned()),
        };
    }
    Ok(place.split_once(':').unwrap_or((place, "")))
}

fn decode(text: &str) -> Result<String, String> {
    percent_decode_str(text).decode_utf8().map(Into::into).map_err(|_| format!("%-escapes that are not UTF-8: {SHAPE}"))
}

/// `name = value` with blanks between; a value may be in single quotes, a backslash takes the next character as it is.
fn parse_pairs(text: &str) -> Result<Pairs, String> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=').ok_or_else(|| format!("a keyword without a value: {SHAPE}"))?;
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(SHAPE.to_owned());
        }
        let (value, behind) = take_value(behind.trim_start())?;
        pairs.push((name.to_owned(), value));
        rest = behind.trim_start();
    }
    Ok(pairs)
}

fn take_value(text: &str) -> Result<(String, &str), String> {
    let (quoted, text) = text.strip_prefix('\'').map_or((false, text), |inside| (true, inside));
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, next)| next)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            _ if character.is_whitespace() && !quoted => return Ok((value, &text[at..])),
            _ => value.push(character),
        }
    }
    if quoted { Err(format!("a quote without its end: {SHAPE}")) } else { Ok((value, "")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let pairs = parse(text).unwrap();
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn urls() {
        assert_eq!(
            shown("postgresql://u%40x:p%3Aw@db:6432/shop?sslmode=require&connect_timeout=3"),
            "user=u@x password=p:w host=db port=6432 dbname=shop sslmode=require connect_timeout=3"
        );
        assert_eq!(shown("postgres://[::1]:5433/x"), "host=::1 port=5433 dbname=x");
        assert_eq!(shown("postgresql:///x?host=/run/postgresql"), "dbname=x host=/run/postgresql");
        assert_eq!(shown("postgresql://a:1,b:2/x"), "host=a,b port=1,2 dbname=x");
        assert!(parse("postgresql://u:pa?secret=x@host/db").unwrap_err().starts_with("a @ behind"));
        assert!(parse("postgresql://u:secret@[::1/x").unwrap_err().starts_with("a [ without"));
    }

    #[test]
    fn pairs() {
        assert_eq!(
            shown(r"host = localhost dbname='my db' password='it\'s' user=a\ b"),
            "host=localhost dbname=my db password=it's user=a b"
        );
        for wrong in ["nothing", "= x", "password='secret"] {
            assert!(!parse(wrong).unwrap_err().contains("secret"));
        }
    }
}
