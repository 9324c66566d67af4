//! Which database, how many connections, what is logged: from the environment, from `[db]` of a TOML file, or from a
//! connection string. One table says what there is.
//!
//! - `table`: that table
//! - `words`: what is said, and how it is understood

mod table;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;

use self::words::{Words, libpq_name};
use crate::dsn;

pub use self::table::{SETTINGS, Setting};

/// What is between us and Postgres.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PoolMode {
    /// PgBouncer in transaction mode: a session lasts as long as a transaction.
    #[default]
    Transaction,
    /// PgBouncer in session mode.
    Session,
    /// Nothing.
    Direct,
}

/// How much TLS there is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SslMode {
    /// None.
    Disable,
    /// If the server has it; whoever it is.
    #[default]
    Prefer,
    /// In any case; whoever it is, unless there are authorities to ask.
    Require,
    /// The authorities must vouch for the server.
    VerifyCa,
    /// They must vouch for its name, too.
    VerifyFull,
}

/// TCP's own watch over a silent connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first question; zero for no watch.
    pub idle: Duration,
    /// Time between questions.
    pub interval: Duration,
    /// How many may stay unanswered.
    pub count: u32,
}

/// Where a server may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// What it is called, by people and by its certificate: a name, an address, or a socket's directory.
    pub name: String,
    /// Its address, where that is said apart.
    pub address: Option<String>,
    /// Its port.
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, self.port)
    }
}

/// Everything that a pool is made from.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// User, password, database, and what else is the session's.
    pub(crate) session: Config,
    /// Where the server may be, the first that answers is taken.
    pub(crate) places: Vec<Host>,
    /// How much TLS.
    pub sslmode: SslMode,
    /// Who vouches for the server.
    pub sslrootcert: Option<PathBuf>,
    /// Our own certificate.
    pub sslcert: Option<PathBuf>,
    /// Its key.
    pub sslkey: Option<PathBuf>,
    /// What is between us and Postgres.
    pub mode: PoolMode,
    /// Connections to keep.
    pub pool_min: usize,
    /// Connections at most.
    pub pool_max: usize,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For a connection to become free.
    pub pool_timeout: Duration,
    /// TCP's watch.
    pub keepalive: Keepalive,
    /// From which a statement is slow.
    pub slow_query: Option<Duration>,
    /// Whether every connection's life is logged.
    pub logs_pool: bool,
    /// Whether the server's log says now and then how its pools do.
    pub monitored: bool,
}

impl fmt::Debug for Options {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Options").field("target", &self.target()).finish_non_exhaustive()
    }
}

impl Options {
    /// Reads the environment, above what a TOML file's `[db]` says. `said` wins over both: keywords of libpq's and names of
    /// the table's. The error is one sentence.
    pub fn resolve(
        variable: impl Fn(&str) -> Option<String>,
        file: &BTreeMap<String, String>,
        said: &[(String, String)],
    ) -> Result<Self, String> {
        let mut words = Words::default();
        for setting in SETTINGS {
            let by_variable = variable(setting.variable).filter(|value| !value.is_empty());
            let found = by_variable.map(|value| (value, setting.variable.to_owned()));
            let found = found.or_else(|| {
                let value = file.get(setting.name).cloned()?;
                Some((value, format!("[db] {}", setting.name)))
            });
            if let Some((value, origin)) = found {
                words.say(setting.name, value, origin);
            }
        }
        if let Some((url, origin)) = words.take("url") {
            words.say_address(&dsn::parse(&url).map_err(|problem| format!("{origin}: {problem}"))?, &origin);
        }
        for (name, value) in said {
            match name.as_str() {
                "dsn" => {
                    let pairs = dsn::parse(value).map_err(|problem| format!("invalid dsn: {problem}"))?;
                    words.say_address(&pairs, "dsn");
                }
                _ => words.say(libpq_name(name), value.clone(), name.clone()),
            }
        }
        words.into_options()
    }

    /// Host, port and database, for people.
    pub fn target(&self) -> String {
        let places: Vec<_> = self.places.iter().map(ToString::to_string).collect();
        format!("{}/{}", places.join(","), self.database())
    }

    /// The database's name.
    pub fn database(&self) -> &str {
        self.session.get_dbname().unwrap_or_default()
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        self.session.get_user().unwrap_or_default()
    }
}

/// Keywords and values of a connection string. The error is a sentence that repeats nothing of it.
pub fn split_dsn(text: &str) -> Result<Vec<(String, String)>, String> {
    dsn::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(environment: &[(&str, &str)], said: &[(&str, &str)]) -> Result<Options, String> {
        let variable =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let said: Vec<_> = said.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Options::resolve(variable, &BTreeMap::new(), &said)
    }

    #[test]
    fn the_environment() {
        let options = resolve(&[], &[]).unwrap();
        assert_eq!((options.target().as_str(), options.pool_max), ("localhost:5432/postgres", 10));
        let environment =
            [("POSTGRES_HOST", "db"), ("POSTGRES_PORT", "1"), ("PGBOUNCER_PORT", "2"), ("POSTGRES_DB", "x")];
        assert_eq!(resolve(&environment, &[]).unwrap().target(), "db:2/x");
        let url = [("POSTGRES_HOST", "db"), ("PGBOUNCER_PORT", "2"), ("DATABASE_URL", "postgresql://u:p@h/y")];
        let options = resolve(&url, &[]).unwrap();
        assert_eq!((options.target().as_str(), options.user()), ("h:5432/y", "u"));
        assert_eq!(resolve(&environment, &[("port", "7"), ("dbname", "z")]).unwrap().target(), "db:7/z");
        let options = resolve(&[], &[("dsn", "host=a,b hostaddr=::1,127.0.0.1 port=5,6")]).unwrap();
        assert_eq!(
            (options.target().as_str(), options.places[0].address.as_deref()),
            ("a:5,b:6/postgres", Some("::1"))
        );
        assert_eq!(resolve(&[], &[("hostaddr", "::1")]).unwrap().target(), "::1:5432/postgres");
        assert_eq!(resolve(&url, &[("dsn", "host=a,b port=5,6 user=v")]).unwrap().target(), "a:5,b:6/v");
    }

    #[test]
    fn what_is_wrong_is_one_sentence_without_the_password() {
        let wrong = |environment: &[(&str, &str)], said: &[(&str, &str)]| resolve(environment, said).unwrap_err();
        assert_eq!(wrong(&[("DB_POOL_MAX", "many")], &[]), "DB_POOL_MAX = 'many': not a whole number from 1 to 10000");
        assert_eq!(
            wrong(&[("DB_POOL_MIN", "9"), ("DB_POOL_MAX", "2")], &[]),
            "DB_POOL_MAX (2) is smaller than DB_POOL_MIN (9)"
        );
        assert_eq!(wrong(&[], &[("host", "a,b"), ("hostaddr", "::1")]), "hostaddr names 1 places, and host 2");
        assert_eq!(wrong(&[], &[("nonsense", "1")]), "invalid dsn: invalid connection option \"nonsense\"");
        assert_eq!(
            wrong(&[], &[("sslmode", "maybe")]),
            "sslmode = 'maybe': expected one of disable, allow, prefer, require, verify-ca, verify-full"
        );
        assert!(!wrong(&[("DATABASE_URL", "postgres://u:secret@[x")], &[]).contains("secret"));
        let options = resolve(&[("POSTGRES_PASSWORD", "secret")], &[]).unwrap();
        assert!(!format!("{options:?}").contains("secret"));
    }
}
