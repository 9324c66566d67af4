//! Which database, how many connections, what is logged: from the environment, from `[db]` of a TOML file, or from a
//! connection string. One table says what there is.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;

use crate::dsn;

/// One setting of the pool's.
#[derive(Debug)]
pub struct Setting {
    /// Its name in `[db]` of a TOML file.
    pub name: &'static str,
    /// The variable of the environment that says it.
    pub variable: &'static str,
    /// What holds if nobody says anything, in words.
    pub default: &'static str,
    /// What it is.
    pub meaning: &'static str,
}

/// All of them.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "url",
        variable: "DATABASE_URL",
        default: "",
        meaning: "Everything about the database in one: `postgresql://user:password@host:5432/name?sslmode=require`. Wins over the single ones below.",
    },
    Setting {
        name: "host",
        variable: "POSTGRES_HOST",
        default: "localhost",
        meaning: "Host name, address, or directory of the Unix socket.",
    },
    Setting { name: "port", variable: "POSTGRES_PORT", default: "5432", meaning: "Port of Postgres." },
    Setting {
        name: "pgbouncer_port",
        variable: "PGBOUNCER_PORT",
        default: "",
        meaning: "Port of PgBouncer; wins over the port of Postgres.",
    },
    Setting { name: "database", variable: "POSTGRES_DB", default: "the user's name", meaning: "Name of the database." },
    Setting { name: "user", variable: "POSTGRES_USER", default: "postgres", meaning: "Name of the user." },
    Setting {
        name: "password",
        variable: "POSTGRES_PASSWORD",
        default: "",
        meaning: "Password. Never shown anywhere.",
    },
    Setting {
        name: "sslmode",
        variable: "PGSSLMODE",
        default: "prefer",
        meaning: "`disable`, `prefer`, `require`, `verify-ca` or `verify-full`.",
    },
    Setting {
        name: "sslrootcert",
        variable: "PGSSLROOTCERT",
        default: "~/.postgresql/root.crt, if it exists",
        meaning: "PEM file of the authorities that vouch for the server.",
    },
    Setting { name: "sslcert", variable: "PGSSLCERT", default: "", meaning: "PEM file of our own certificate." },
    Setting { name: "sslkey", variable: "PGSSLKEY", default: "", meaning: "PEM file of its key." },
    Setting {
        name: "application_name",
        variable: "PGAPPNAME",
        default: "ferricorn",
        meaning: "What pg_stat_activity shows.",
    },
    Setting {
        name: "pool_mode",
        variable: "DB_POOL_MODE",
        default: "transaction",
        meaning: "What is between us and Postgres: PgBouncer in `transaction` or `session` mode, or nothing (`direct`).",
    },
    Setting {
        name: "pool_min",
        variable: "DB_POOL_MIN",
        default: "1",
        meaning: "Connections that a worker keeps open once it has needed one.",
    },
    Setting {
        name: "pool_max",
        variable: "DB_POOL_MAX",
        default: "10",
        meaning: "Connections that a worker may have at once.",
    },
    Setting {
        name: "connect_timeout",
        variable: "DB_CONNECT_TIMEOUT",
        default: "5",
        meaning: "Seconds to make a connection.",
    },
    Setting {
        name: "pool_timeout",
        variable: "DB_POOL_TIMEOUT",
        default: "30",
        meaning: "Seconds to wait for a connection that is lent.",
    },
    Setting {
        name: "keepalives_idle",
        variable: "DB_KEEPALIVES_IDLE",
        default: "30",
        meaning: "Seconds of silence before TCP asks whether the other side is there.",
    },
    Setting {
        name: "keepalives_interval",
        variable: "DB_KEEPALIVES_INTERVAL",
        default: "10",
        meaning: "Seconds between such questions.",
    },
    Setting {
        name: "keepalives_count",
        variable: "DB_KEEPALIVES_COUNT",
        default: "3",
        meaning: "Unanswered questions after which the connection is dead.",
    },
    Setting {
        name: "slow_query_threshold",
        variable: "SLOW_QUERY_THRESHOLD",
        default: "0",
        meaning: "Milliseconds from which a statement is logged as slow; 0 logs none.",
    },
    Setting {
        name: "pool_logging",
        variable: "CONNECTION_POOL_LOGGING",
        default: "false",
        meaning: "Log connections as they are made, lent and closed.",
    },
    Setting {
        name: "performance_monitoring",
        variable: "ENABLE_PERFORMANCE_MONITORING",
        default: "false",
        meaning: "Measure how long connections are waited for and statements take.",
    },
];

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

/// Everything that a pool is made from.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// User, password, database, and what else is the session's.
    pub(crate) session: Config,
    /// Where the server may be, the first that answers is taken.
    pub(crate) places: Vec<(String, u16)>,
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
    /// Whether times are measured.
    pub measures: bool,
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
        let places: Vec<_> = self.places.iter().map(|(host, port)| format!("{host}:{port}")).collect();
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

/// The table's name of a keyword.
fn libpq_name(name: &str) -> &str {
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
struct Words(BTreeMap<String, (String, String)>);

impl Words {
    fn say(&mut self, name: &str, value: String, origin: String) {
        if name == "port" {
            // Whoever names a port means it.
            self.0.remove("pgbouncer_port");
        }
        self.0.insert(name.to_owned(), (value, origin));
    }

    /// Takes a connection string's words in place of all that was said of the address before.
    fn say_address(&mut self, pairs: &[(String, String)], origin: &str) {
        for name in ["host", "hostaddr", "port", "pgbouncer_port", "database", "user", "password"] {
            self.0.remove(name);
        }
        for (name, value) in pairs {
            self.say(libpq_name(name), value.clone(), format!("{name}{OF_A_STRING}{origin}"));
        }
    }

    fn take(&mut self, name: &str) -> Option<(String, String)> {
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

    fn into_options(mut self) -> Result<Options, String> {
        let session = self.session();
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
            measures: self.switch("performance_monitoring")?,
        };
        match self.0.into_iter().next() {
            None => Ok(options),
            Some((name, _)) => Err(format!("invalid dsn: invalid connection option \"{name}\"")),
        }
    }

    fn session(&mut self) -> Config {
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
        // The only encoding that is spoken here.
        self.take("client_encoding");
        session
    }

    fn places(&mut self) -> Result<Vec<(String, u16)>, String> {
        const DEFAULT_PORT: u16 = 5432;
        let pgbouncer = self.take("pgbouncer_port");
        let (ports, origin) = pgbouncer.or_else(|| self.take("port")).unwrap_or_default();
        self.take("port");
        let named = self.text("host").filter(|host| !host.is_empty());
        let hosts = self.text("hostaddr").filter(|host| !host.is_empty()).or(named);
        let hosts = hosts.unwrap_or_else(|| "localhost".to_owned());
        let ports: Vec<_> = ports.split(',').collect();
        let port = |index: usize| match ports.get(index).or(ports.first()).map(|port| port.trim()) {
            None | Some("") => Ok(DEFAULT_PORT),
            Some(port) => match port.parse() {
                Ok(number) if number > 0 => Ok(number),
                _ => Err(wrong(&origin, port, "not a port from 1 to 65535")),
            },
        };
        hosts.split(',').enumerate().map(|(index, host)| Ok((host.trim().to_owned(), port(index)?))).collect()
    }
}

const SSL_MODES: &[(&str, SslMode)] = &[
    ("disable", SslMode::Disable),
    ("allow", SslMode::Prefer),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

const POOL_MODES: &[(&str, PoolMode)] =
    &[("transaction", PoolMode::Transaction), ("session", PoolMode::Session), ("direct", PoolMode::Direct)];

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
