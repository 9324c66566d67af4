//! The settings a server runs with: checked, typed, and able to cross a process boundary.
//!
//! One field for each setting of the table that has an effect. Nothing here reads files, flags or the environment:
//! [`crate::resolve`] makes a `Settings`, everybody else reads it.

use crate::{AddressList, Bind, Http, Language, StatsdAddress, Tls};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What the operator asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What the application is written in.
    pub language: Language,
    /// The application: the argument on the command line, else `wsgi_app`; not parsed here. With `paste` its file.
    pub application: String,
    /// The PasteDeploy file to load the application from, as an absolute path, and `#section` where one was named. When
    /// set, `application` is the path alone.
    pub paste: Option<String>,
    /// Variables for that file, in order.
    pub paste_global: Vec<(String, String)>,
    /// The conf file or TOML file these settings came from, to read it again at a reload.
    pub config_file: Option<PathBuf>,
    /// Addresses to listen at, in the order given; never empty.
    pub bind: Vec<Bind>,
    /// Length of the kernel's queue of connections nobody has accepted yet.
    pub backlog: u32,
    /// How many workers to keep alive; zero is allowed and means a master that only listens.
    pub workers: usize,
    /// Threads make the application's calls: `worker_class` is gthread, or became it for the sake of `threads`.
    pub multithread: bool,
    /// How many they are, at least one.
    pub threads: usize,
    /// How many connections one worker holds open at most.
    pub worker_connections: usize,
    /// Requests after which a worker is replaced; zero for never.
    pub max_requests: u64,
    /// Upper bound of the random number that each worker adds to `max_requests`.
    pub max_requests_jitter: u64,
    /// A worker in which a handler of a native application has panicked is replaced.
    pub recycle_after_panic: bool,
    /// How long a worker may be silent before it is killed; zero for ever.
    pub timeout: Duration,
    /// How long workers get to finish what they are doing when asked to leave.
    pub graceful_timeout: Duration,
    /// How many workers there may be above `workers` while some are being replaced; at least one.
    pub reload_surge: usize,
    /// How long a worker may take until it is ready; zero for ever.
    pub boot_timeout: Duration,
    /// How long a client may take to send a request head; zero for ever.
    pub client_head_timeout: Duration,
    /// Without a byte for this long in the middle of a request or response a client is given up; zero for never.
    pub client_stall_timeout: Duration,
    /// How long the application may take for one request; zero for ever.
    pub request_timeout: Duration,
    /// How long a request that has arrived may wait for its call; zero for ever.
    pub queue_timeout: Duration,
    /// Resident memory in bytes at which a worker is replaced; zero for no limit.
    pub max_worker_memory: u64,
    /// Age at which a worker is replaced; zero for never.
    pub max_worker_lifetime: Duration,
    /// How long an idle connection is kept for its next request; zero closes after each response.
    pub keepalive: Duration,
    /// Longest request line in bytes; zero for no limit, never more than 8190.
    pub limit_request_line: usize,
    /// Most header fields of a request, 1 to 32768.
    pub limit_request_fields: usize,
    /// Longest header field in bytes, never zero.
    pub limit_request_field_size: usize,
    /// Restart workers when source files change.
    pub reload: bool,
    /// How `reload` learns of changes.
    pub reload_engine: ReloadEngine,
    /// Further files or glob patterns that `reload` watches.
    pub reload_extra_files: Vec<String>,
    /// Load configuration and application, then exit.
    pub check_config: bool,
    /// Print every setting first, then do as `check_config`.
    pub print_config: bool,
    /// Import the application before workers are forked.
    pub preload_app: bool,
    /// Let other servers listen at the same TCP addresses.
    pub reuse_port: bool,
    /// Absolute directory to change to before the application is loaded; it existed when the settings were resolved.
    pub chdir: PathBuf,
    /// Detach from the terminal.
    pub daemon: bool,
    /// Variables to put in the environment of the application, in order.
    pub raw_env: Vec<(String, String)>,
    /// File to keep the master's pid in, as given: relative to `chdir`.
    pub pidfile: Option<PathBuf>,
    /// User id that workers run as.
    pub user: u32,
    /// Name of that user where it has one: what `initgroups` needs.
    pub user_name: Option<String>,
    /// Group id that workers run as.
    pub group: u32,
    /// File mode bits masked out of unix sockets as they are created.
    pub umask: u32,
    /// Give workers all groups of `user`, not only `group`.
    pub initgroups: bool,
    /// TLS at all addresses; unset for none.
    pub tls: Option<Tls>,
    /// Which HTTP is spoken.
    pub http: Http,
    /// Longest request body in bytes; zero for any length.
    pub limit_request_body: u64,
    /// Bytes of a request body that are held in memory.
    pub client_body_buffer_size: usize,
    /// Directory for request bodies too long for that; the system's own when unset.
    pub tmp_upload_dir: Option<PathBuf>,
    /// Header names (upper case) and the value by which a trusted proxy says that its client used https.
    pub secure_scheme_headers: Vec<(String, String)>,
    /// Peers whose forwarding headers are believed.
    pub forwarded_allow_ips: AddressList,
    /// Header names (upper case, with underscores) that those peers may send.
    pub forwarder_headers: Vec<String>,
    /// What happens to other header names with an underscore.
    pub header_map: HeaderMapPolicy,
    /// Which versions of the PROXY protocol are read.
    pub proxy_protocol: ProxyProtocol,
    /// Peers that may speak it.
    pub proxy_allow_ips: AddressList,
    /// Accept methods in lower case, with `#`, of any length.
    pub permit_unconventional_http_method: bool,
    /// Accept versions other than 1.x.
    pub permit_unconventional_http_version: bool,
    /// Accept fields that go on in the next line.
    pub permit_obsolete_folding: bool,
    /// Accept blanks between a field's name and the colon.
    pub strip_header_spaces: bool,
    /// Turn methods to upper case.
    pub casefold_http_method: bool,
    /// Value of the response header Server; unset for none.
    pub server_header: Option<String>,
    /// What applications find as SERVER_SOFTWARE; unset for Gunicorn's name, then ours.
    pub server_software: Option<String>,
    /// Access log file, `-` for stdout; unset for no access log.
    pub accesslog: Option<String>,
    /// Template of an access log line.
    pub access_log_format: String,
    /// Error log file, `-` for stderr.
    pub errorlog: String,
    /// Least severe level that is logged.
    pub loglevel: LogLevel,
    /// Send what the application prints to the error log.
    pub capture_output: bool,
    /// Keep redirected stdout and stderr when detaching.
    pub enable_stdio_inheritance: bool,
    /// `logger_class` is not Gunicorn's own: with `statsd_host`, metrics are then that class's business.
    pub logger_is_custom: bool,
    /// The server's own lines and the access log go through Python's logging, because a setting asks for it.
    pub logs_in_python: bool,
    /// Where metrics go; unset for no metrics.
    pub statsd_host: Option<StatsdAddress>,
    /// What comes before every metric's name, with its dot: empty, or as Gunicorn makes it of `statsd_prefix`.
    pub statsd_prefix: String,
    /// Tags of all metrics, separated by commas; empty for none.
    pub dogstatsd_tags: String,
    /// Report how many connections wait to be accepted.
    pub enable_backlog_metric: bool,
    /// What is said of the database pool.
    pub db: BTreeMap<String, String>,
    /// Connections that all workers together may have; 0 for no common limit.
    pub db_connections: u64,
    /// Name shown in process titles: `--name`, else `default_proc_name`, else the application.
    pub proc_name: String,
    /// Absolute directories to look for Python modules in, before the others.
    pub pythonpath: Vec<PathBuf>,
}

/// How changes of source files are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReloadEngine {
    /// Whatever works here.
    Auto,
    /// Look at modification times again and again.
    Poll,
    /// Let the kernel tell.
    Inotify,
}

/// What happens to a header whose name has an underscore, and which therefore may shadow another in the environ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HeaderMapPolicy {
    /// The header is left out.
    Drop,
    /// The request is refused.
    Refuse,
    /// The header is passed on.
    Dangerous,
}

/// Which versions of the PROXY protocol are read, where a connection begins with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProxyProtocol {
    /// None.
    Off,
    /// The one in words.
    V1,
    /// The binary one.
    V2,
    /// Either.
    Auto,
}

/// Severity of an error log line, most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// The server cannot do its work.
    Critical,
    /// Something failed.
    Error,
    /// Something is off.
    Warning,
    /// Start, stop, who came and went.
    Info,
    /// Everything.
    Debug,
}

impl LogLevel {
    /// The level of that name in any case; a name nobody knows means `info`, as Gunicorn has it.
    pub fn named(name: &str) -> LogLevel {
        match name.to_ascii_lowercase().as_str() {
            "critical" => LogLevel::Critical,
            "error" => LogLevel::Error,
            "warning" => LogLevel::Warning,
            "debug" => LogLevel::Debug,
            _ => LogLevel::Info,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_go_by_name_and_fall_back_to_info() {
        assert_eq!(LogLevel::named("WARNING"), LogLevel::Warning);
        assert_eq!(LogLevel::named("critical"), LogLevel::Critical);
        assert_eq!(LogLevel::named("warn"), LogLevel::Info);
        assert!(LogLevel::Critical < LogLevel::Debug);
    }
}
