//! What is said of the database, by whom, and what comes of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::ChannelBinding;

use super::{Host, Keepalive, Options, PoolMode, SslMode};

const SSL_MODES: &[(&str, SslMode)] = &[
    ("disable", SslMode::Disable),
    ("allow", SslMode::Prefer),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

const CHANNEL_BINDINGS: &[(&str, ChannelBinding)] =
    &[("disable", ChannelBinding::Disable), ("prefer", ChannelBinding::Prefer), ("require", ChannelBinding::Require)];

const POOL_MODES: &[(&str, PoolMode)] =
    &[("transaction", PoolMode::Transaction), ("session", PoolMode::Session), ("direct", PoolMode::Direct)];

/// The table's name of a keyword.
pub(super) fn libpq_name(name: &str) -> &str {
    match name {
        "dbname" => "database",
        other => other,
    }
}

/// A sentence about a value that makes no sense. One of a connection string's is not repeated: where a password has characters
/// that should have been escaped, it is a part of it.
fn wrong(origin: &str, value: &str, words: &str) -> String {
    if origin.contains(OF_A_STRING) { format!("{origin}: {words}") } else { format!("{origin} = '{value}': {words}") }
}

/// Between the name of a value and that of the connection string that it comes from.
const OF_A_STRING: &str = " of ";

/// What has been said, and where.
#[derive(Default)]
pub(super) struct Words(BTreeMap<String, (String, String)>);

impl Words {
    pub(super) fn say(&mut self, name: &str, value: String, origin: String) {
        if name == "port" {
            // Whoever names a port means it.
            self.0.remove("pgbouncer_port");
        }
        self.0.insert(name.to_owned(), (value, origin));
    }

    /// Takes a connection string's words in place of all that was said of the address before.
    pub(super) fn say_address(&mut self, pairs: &[(String, String)], origin: &str) {
        for name in ["host", "hostaddr", "port", "pgbouncer_port", "database", "user", "password"] {
            self.0.remove(name);
        }
        for (name, value) in pairs {
            self.say(libpq_name(name), value.clone(), format!("{name}{OF_A_STRING}{origin}"));
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<(String, String)> {
        self.0.remove(name)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).map(|(value, _)| value)
    }

    fn number(&mut self, name: &str, low: u64, high: u64) -> Result<Option<u64>, String> {
        let Some((value, origin)) = self.take(name) else { return Ok(None) };
        match value.trim().parse() {
            Ok(number) if (low..=high).contains(&number) => Ok(Some(number)),
            _ => Err(wrong(&origin, &value, &format!("not a whole number from {low} to {high}"))),
        }
    }

    fn seconds(&mut self, name: &str, default: f64) -> Result<Duration, String> {
        const LONGEST: f64 = 86_400.0;
        let Some((value, origin)) = self.take(name) else { return Ok(Duration::from_secs_f64(default)) };
        match value.trim().parse::<f64>() {
            Ok(seconds) if (0.0..=LONGEST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
            _ => Err(wrong(&origin, &value, &format!("not a number of seconds from 0 to {LONGEST}"))),
        }
    }

    fn switch(&mut self, name: &str) -> Result<bool, String> {
        let Some((value, origin)) = self.take(name) else { return Ok(false) };
        match value.trim().to_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(wrong(&origin, &value, "neither true nor false")),
        }
    }

    fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)], default: T) -> Result<T, String> {
        let Some((value, origin)) = self.take(name) else { return Ok(default) };
        let found = choices.iter().find(|(word, _)| *word == value.trim());
        found.map(|(_, choice)| *choice).ok_or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            wrong(&origin, &value, &format!("expected one of {}", words.join(", ")))
        })
    }

    pub(super) fn into_options(mut self) -> Result<Options, String> {
        let session = self.session()?;
        let places = self.places()?;
        let pool_max = self.number("pool_max", 1, 10_000)?;
        let pool_min = self.number("pool_min", 0, 10_000)?;
        let [min, max] = [pool_min.unwrap_or(1), pool_max.unwrap_or(10.max(pool_min.unwrap_or(1)))];
        if min > max {
            return Err(format!("DB_POOL_MAX ({max}) is smaller than DB_POOL_MIN ({min})"));
        }
        let watched = self.text("keepalives").is_none_or(|value| value.trim() != "0");
        let options = Options {
            session,
            places,
            sslmode: self.choice("sslmode", SSL_MODES, SslMode::Prefer)?,
            sslrootcert: self.text("sslrootcert").map(PathBuf::from),
            sslcert: self.text("sslcert").map(PathBuf::from),
            sslkey: self.text("sslkey").map(PathBuf::from),
            mode: self.choice("pool_mode", POOL_MODES, PoolMode::Transaction)?,
            pool_min: min as usize,
            pool_max: max as usize,
            connect_timeout: self.seconds("connect_timeout", 5.0)?,
            pool_timeout: self.seconds("pool_timeout", 30.0)?,
            keepalive: Keepalive {
                idle: self.seconds("keepalives_idle", 30.0).map(|idle| if watched { idle } else { Duration::ZERO })?,
                interval: self.seconds("keepalives_interval", 10.0)?,
                count: self.number("keepalives_count", 1, 100)?.unwrap_or(3) as u32,
            },
            slow_query: self
                .number("slow_query_threshold", 0, 86_400_000)?
                .filter(|milliseconds| *milliseconds > 0)
                .map(Duration::from_millis),
            logs_pool: self.switch("pool_logging")?,
            monitored: self.switch("performance_monitoring")?,
        };
        match self.0.into_iter().next() {
            None => Ok(options),
            Some((name, _)) => Err(format!("invalid dsn: invalid connection option \"{name}\"")),
        }
    }

    fn session(&mut self) -> Result<Config, String> {
        let mut session = Config::new();
        let user = self.text("user").unwrap_or_else(|| "postgres".to_owned());
        session.dbname(self.text("database").unwrap_or_else(|| user.clone()));
        session.user(user);
        if let Some(password) = self.text("password") {
            session.password(password);
        }
        session.application_name(self.text("application_name").unwrap_or_else(|| "ferricorn".to_owned()));
        if let Some(options) = self.text("options") {
            session.options(options);
        }
        session.channel_binding(self.choice("channel_binding", CHANNEL_BINDINGS, ChannelBinding::Prefer)?);
        // The only encoding that is spoken here.
        self.take("client_encoding");
        Ok(session)
    }

    fn places(&mut self) -> Result<Vec<Host>, String> {
        const DEFAULT_PORT: u16 = 5432;
        let pgbouncer = self.take("pgbouncer_port");
        let (ports, origin) = pgbouncer.or_else(|| self.take("port")).unwrap_or_default();
        self.take("port");
        let named = self.text("host").filter(|host| !host.is_empty());
        let addresses = self.text("hostaddr").filter(|addresses| !addresses.is_empty());
        let hosts = named.or_else(|| addresses.clone()).unwrap_or_else(|| "localhost".to_owned());
        let addresses: Vec<_> = addresses.iter().flat_map(|addresses| addresses.split(',')).map(str::trim).collect();
        if !addresses.is_empty() && addresses.len() != hosts.split(',').count() {
            return Err(format!("hostaddr names {} places, and host {}", addresses.len(), hosts.split(',').count()));
        }
        let ports: Vec<_> = ports.split(',').collect();
        let port = |index: usize| match ports.get(index).or(ports.first()).map(|port| port.trim()) {
            None | Some("") => Ok(DEFAULT_PORT),
            Some(port) => match port.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(wrong(&origin, port, "not a port from 1 to 65535")),
            },
        };
        let place = |(index, name): (usize, &str)| {
            let address = addresses.get(index).filter(|address| !address.is_empty());
            let address = address.map(|address| (*address).to_owned());
            Ok(Host { name: name.trim().to_owned(), address, port: port(index)? })
        };
        hosts.split(',').enumerate().map(place).collect()
    }
}
