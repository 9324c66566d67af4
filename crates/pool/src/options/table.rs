//! The settings of the pool's: what there is, what it is called, what holds if nobody says anything.

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
    Setting {
        name: "sslcert",
        variable: "PGSSLCERT",
        default: "~/.postgresql/postgresql.crt, if it exists",
        meaning: "PEM file of our own certificate.",
    },
    Setting {
        name: "sslkey",
        variable: "PGSSLKEY",
        default: "~/.postgresql/postgresql.key",
        meaning: "PEM file of its key.",
    },
    Setting {
        name: "channel_binding",
        variable: "PGCHANNELBINDING",
        default: "prefer",
        meaning: "Whether a SCRAM password is bound to the server's certificate: `disable`, `prefer` or `require`.",
    },
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
        meaning: "Log how the pools of all workers do, once a minute and at the end: statements, errors, how long they took and connections were waited for.",
    },
];
