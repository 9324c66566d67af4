//! Checked values to [`Settings`]. Everything that could be wrong with a value was found before, so what is left to
//! find here is a missing application.

use crate::accounts::user_name;
use crate::paste;
use crate::statsd_address::metric_prefix;
use crate::worker_class::WorkerClass;
use crate::{
    AddressList, Bind, Context, HeaderMapPolicy, Http, LogLevel, Origin, ProxyProtocol, ReloadEngine, Settings,
    SettingsError, StatsdAddress, Tls, Value,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest request line there can be, as in Gunicorn.
const REQUEST_LINE: usize = 8190;
/// Most header fields there can be, as in Gunicorn.
const REQUEST_FIELDS: usize = 32768;
/// Longest header field unless told, as in Gunicorn.
const FIELD_SIZE: usize = 8190;

/// Names of the logger that needs no Python: Gunicorn's default under its old and its new name, and ours.
const DEFAULT_LOGGERS: [&str; 3] = ["gunicorn.glogging.Logger", "ferricorn.glogging.Logger", "simple"];

type Named = (&'static str, Value, Origin);

/// The settings of these values. `application` is the one named on the command line. One line for each field, hence
/// the length.
pub(crate) fn settings(
    values: &[Named],
    application: Option<&str>,
    context: &Context,
) -> Result<Settings, SettingsError> {
    let values = Values(values);
    let start = &context.start_directory;
    let paste = values.text("paste");
    let paste_file = paste.as_deref().map(|uri| paste::file(uri, start).to_string_lossy().into_owned());
    let application = paste_file
        .or_else(|| application.filter(|named| !named.is_empty()).map(str::to_owned))
        .or_else(|| values.text("wsgi_app"))
        .ok_or(SettingsError::NoApplication)?;
    let chdir = PathBuf::from(values.needed("chdir"));
    let user = values.number("user") as u32;
    Ok(Settings {
        language: context.language,
        proc_name: values.proc_name(&application),
        application,
        paste: paste.map(|uri| paste::absolute(&uri, start)),
        paste_global: values.texts("raw_paste_global_conf").iter().filter_map(|text| paste::pair(text)).collect(),
        config_file: None,
        bind: values.binds(),
        backlog: values.number("backlog") as u32,
        workers: values.count("workers"),
        multithread: WorkerClass::of(values.get("worker_class")) == Ok(WorkerClass::Gthread)
            || values.count("threads") > 1,
        threads: values.count("threads").max(1),
        worker_connections: values.count("worker_connections"),
        max_requests: values.number("max_requests"),
        max_requests_jitter: values.number("max_requests_jitter"),
        recycle_after_panic: values.switch("recycle_after_panic"),
        timeout: values.seconds("timeout"),
        graceful_timeout: values.seconds("graceful_timeout"),
        reload_surge: values.count("reload_surge"),
        boot_timeout: values.seconds("boot_timeout"),
        client_head_timeout: values.seconds("client_head_timeout"),
        client_stall_timeout: values.seconds("client_stall_timeout"),
        request_timeout: values.fraction("request_timeout"),
        queue_timeout: values.fraction("queue_timeout"),
        max_worker_memory: values.number("max_worker_memory").saturating_mul(1 << 20),
        max_worker_lifetime: values.seconds("max_worker_lifetime"),
        keepalive: values.seconds("keepalive"),
        limit_request_line: values.count("limit_request_line").min(REQUEST_LINE),
        limit_request_fields: or_when_zero(values.count("limit_request_fields"), REQUEST_FIELDS).min(REQUEST_FIELDS),
        limit_request_field_size: or_when_zero(values.count("limit_request_field_size"), FIELD_SIZE),
        reload: values.switch("reload"),
        reload_engine: values.reload_engine(),
        reload_extra_files: values.texts("reload_extra_files"),
        check_config: values.switch("check_config"),
        print_config: values.switch("print_config"),
        preload_app: values.switch("preload_app"),
        reuse_port: values.switch("reuse_port"),
        pythonpath: values.pythonpath(&chdir),
        chdir,
        daemon: values.switch("daemon"),
        raw_env: values.raw_env(),
        pidfile: values.text("pidfile").map(PathBuf::from),
        user,
        user_name: user_name(user),
        group: values.number("group") as u32,
        umask: (values.number("umask") & 0o777) as u32,
        initgroups: values.switch("initgroups"),
        tls: Tls::of(&values),
        http: Http::of(&values),
        limit_request_body: values.number("limit_request_body"),
        client_body_buffer_size: values.count("client_body_buffer_size"),
        tmp_upload_dir: values.text("tmp_upload_dir").map(PathBuf::from),
        secure_scheme_headers: values.secure_scheme_headers(),
        forwarded_allow_ips: values.trusted("forwarded_allow_ips"),
        forwarder_headers: values.texts("forwarder_headers").iter().map(|name| name.to_uppercase()).collect(),
        header_map: values.header_map(),
        proxy_protocol: values.proxy_protocol(),
        proxy_allow_ips: values.trusted("proxy_allow_ips"),
        permit_unconventional_http_method: values.switch("permit_unconventional_http_method"),
        permit_unconventional_http_version: values.switch("permit_unconventional_http_version"),
        permit_obsolete_folding: values.switch("permit_obsolete_folding"),
        strip_header_spaces: values.switch("strip_header_spaces"),
        casefold_http_method: values.switch("casefold_http_method"),
        server_header: values.text("server_header"),
        server_software: values.text("server_software"),
        accesslog: values.text("accesslog"),
        access_log_format: values.needed("access_log_format"),
        errorlog: values.text("errorlog").unwrap_or_else(|| "/dev/null".to_owned()),
        loglevel: LogLevel::named(&values.needed("loglevel")),
        capture_output: values.switch("capture_output"),
        enable_stdio_inheritance: values.switch("enable_stdio_inheritance"),
        logger_is_custom: values.logger_is_custom(),
        logs_in_python: values.logs_in_python(),
        statsd_host: values.statsd_host(),
        statsd_prefix: metric_prefix(&values.text("statsd_prefix").unwrap_or_default()),
        dogstatsd_tags: values.text("dogstatsd_tags").unwrap_or_default(),
        enable_backlog_metric: values.switch("enable_backlog_metric"),
        db: values.database(),
        db_connections: values.number("db_connections"),
    })
}

fn or_when_zero(number: usize, otherwise: usize) -> usize {
    if number == 0 { otherwise } else { number }
}

/// Checked values by name.
pub(crate) struct Values<'a>(&'a [Named]);

impl Values<'_> {
    fn named(&self, name: &str) -> &Named {
        self.0.iter().find(|(known, ..)| *known == name).expect("only settings of the table are asked for")
    }

    pub(crate) fn get(&self, name: &str) -> &Value {
        &self.named(name).1
    }

    pub(crate) fn switch(&self, name: &str) -> bool {
        *self.get(name) == Value::Bool(true)
    }

    pub(crate) fn number(&self, name: &str) -> u64 {
        match self.get(name) {
            Value::Int(number) => u64::try_from(*number).unwrap_or(0),
            other => unreachable!("{name} was checked to be a number, it is {other}"),
        }
    }

    fn count(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(usize::MAX)
    }

    /// More than a century is cut down to that, so that a deadline can always be computed.
    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.number(name).min(u32::MAX.into()))
    }

    /// Seconds with a fraction, cut down likewise. What is not zero does not become it.
    fn fraction(&self, name: &str) -> Duration {
        match self.get(name) {
            Value::Float(number) => Duration::from_secs_f64(number.min(u32::MAX.into())).max(Duration::from_nanos(1)),
            _ => self.seconds(name),
        }
    }

    /// Unset and empty are the same for names of files and applications.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.get(name) {
            Value::Str(text) if !text.is_empty() => Some(text.clone()),
            _ => None,
        }
    }

    pub(crate) fn needed(&self, name: &str) -> String {
        self.get(name).shown()
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        match self.get(name) {
            Value::List(items) => items.iter().map(Value::shown).collect(),
            other => unreachable!("{name} was checked to be a list, it is {other}"),
        }
    }

    fn binds(&self) -> Vec<Bind> {
        let binds = self.texts("bind").iter().map(|text| text.parse()).collect::<Result<_, _>>();
        binds.expect("every address was checked")
    }

    fn trusted(&self, name: &str) -> AddressList {
        AddressList::parse(self.texts(name).iter().map(String::as_str)).expect("every network was checked")
    }

    fn raw_env(&self) -> Vec<(String, String)> {
        let pair = |text: &String| text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        self.texts("raw_env").iter().filter_map(pair).collect()
    }

    fn secure_scheme_headers(&self) -> Vec<(String, String)> {
        match self.get("secure_scheme_headers") {
            Value::Map(pairs) => pairs.iter().map(|(name, word)| (name.to_uppercase(), word.shown())).collect(),
            other => unreachable!("the headers were checked to be a dict, they are {other}"),
        }
    }

    fn logger_is_custom(&self) -> bool {
        match self.get("logger_class") {
            Value::Str(name) => !name.is_empty() && !DEFAULT_LOGGERS.contains(&name.as_str()),
            class => *class != Value::None,
        }
    }

    fn logs_in_python(&self) -> bool {
        let has_dict = matches!(self.get("logconfig_dict"), Value::Map(pairs) if !pairs.is_empty());
        let has_file = self.text("logconfig").is_some() || self.text("logconfig_json").is_some();
        self.logger_is_custom() || has_dict || has_file || self.switch("syslog")
    }

    fn statsd_host(&self) -> Option<StatsdAddress> {
        match self.get("statsd_host") {
            Value::Str(path) => Some(StatsdAddress::Unix { path: path.into() }),
            Value::Tuple(pair) => match pair.as_slice() {
                [Value::Str(host), Value::Int(port)] => {
                    Some(StatsdAddress::Udp { host: host.clone(), port: u16::try_from(*port).ok()? })
                }
                other => unreachable!("the address was checked to be a host and a port, it is {other:?}"),
            },
            _ => None,
        }
    }

    fn pythonpath(&self, chdir: &Path) -> Vec<PathBuf> {
        let list = self.text("pythonpath").unwrap_or_default();
        list.split(',').filter(|path| !path.is_empty()).map(|path| chdir.join(path)).collect()
    }

    fn reload_engine(&self) -> ReloadEngine {
        match self.needed("reload_engine").as_str() {
            "poll" => ReloadEngine::Poll,
            "inotify" => ReloadEngine::Inotify,
            _ => ReloadEngine::Auto,
        }
    }

    fn database(&self) -> BTreeMap<String, String> {
        match self.get("db") {
            Value::Map(pairs) => pairs.iter().map(|(name, word)| (name.clone(), word.shown())).collect(),
            _ => BTreeMap::new(),
        }
    }

    fn header_map(&self) -> HeaderMapPolicy {
        match self.needed("header_map").as_str() {
            "refuse" => HeaderMapPolicy::Refuse,
            "dangerous" => HeaderMapPolicy::Dangerous,
            _ => HeaderMapPolicy::Drop,
        }
    }

    fn proxy_protocol(&self) -> ProxyProtocol {
        match self.needed("proxy_protocol").as_str() {
            "v1" => ProxyProtocol::V1,
            "v2" => ProxyProtocol::V2,
            "auto" => ProxyProtocol::Auto,
            _ => ProxyProtocol::Off,
        }
    }

    /// The table's own default is Gunicorn's name, which would tell nobody what runs here.
    fn proc_name(&self, application: &str) -> String {
        let (_, _, origin) = self.named("default_proc_name");
        let fallback = if *origin == Origin::Default { None } else { self.text("default_proc_name") };
        self.text("proc_name").or(fallback).unwrap_or_else(|| application.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layer, resolve};

    fn with(name: &str, value: Value) -> Settings {
        let layer = Layer::new(Origin::CommandLine, vec![(name.to_owned(), value)]);
        resolve(&[layer], Some("app"), &Context::bare()).unwrap().settings
    }

    #[test]
    fn limits_are_clamped_as_in_the_original() {
        let limit = |name, number| with(name, Value::Int(number));
        assert_eq!(limit("limit_request_line", 9000).limit_request_line, 8190);
        assert_eq!(limit("limit_request_line", 0).limit_request_line, 0);
        assert_eq!(limit("limit_request_fields", 0).limit_request_fields, 32768);
        assert_eq!(limit("limit_request_fields", 40000).limit_request_fields, 32768);
        assert_eq!(limit("limit_request_field_size", 0).limit_request_field_size, 8190);
        assert_eq!(with("request_timeout", Value::Float(0.25)).request_timeout, Duration::from_millis(250));
        assert_eq!(
            with("request_timeout", Value::Float(f64::MAX)).request_timeout,
            Duration::from_secs(u32::MAX.into())
        );
        assert!(!with("queue_timeout", Value::Float(f64::MIN_POSITIVE)).queue_timeout.is_zero());
        assert_eq!(limit("timeout", i64::MAX).timeout, Duration::from_secs(u32::MAX.into()));
    }

    #[test]
    fn texts_become_what_they_mean() {
        let pairs = with("raw_env", Value::texts(["A=1=2", "B="])).raw_env;
        assert_eq!(pairs, [("A".into(), "1=2".into()), ("B".into(), String::new())]);
        let paths = with("pythonpath", Value::text("a,/b")).pythonpath;
        assert_eq!(paths, [Path::new("/tmp/a"), Path::new("/b")]);
        assert_eq!(with("pidfile", Value::text("")).pidfile, None);
        assert_eq!(with("errorlog", Value::None).errorlog, "/dev/null");
        assert_eq!(with("reload_engine", Value::text("poll")).reload_engine, ReloadEngine::Poll);
        assert_eq!(with("proxy_protocol", Value::Bool(true)).proxy_protocol, ProxyProtocol::Auto);
        assert_eq!(with("proxy_protocol", Value::text("V1")).proxy_protocol, ProxyProtocol::V1);
        assert_eq!(with("header_map", Value::text("refuse")).header_map, HeaderMapPolicy::Refuse);
        assert_eq!(with("user", Value::text("root")).user_name.as_deref(), Some("root"));
        assert_eq!(with("umask", Value::Int(0o1022)).umask, 0o022);
    }

    #[test]
    fn python_logs_when_a_setting_asks_for_python() {
        let python = |name, value| with(name, value).logs_in_python;
        for name in ["gunicorn.glogging.Logger", "ferricorn.glogging.Logger", "simple", ""] {
            assert!(!python("logger_class", Value::text(name)), "{name}");
        }
        assert!(!python("logconfig_dict", Value::Map(Vec::new())));
        assert!(!python("statsd_host", Value::text("localhost")));
        assert!(python("logger_class", Value::text("shop.Logger")));
        assert!(python("logger_class", Value::Callable("Logger".into())));
        assert!(python("logconfig", Value::text("log.ini")));
        assert!(python("logconfig_json", Value::text("log.json")));
        assert!(python("logconfig_dict", Value::Map(vec![("version".into(), Value::Int(1))])));
        assert!(python("syslog", Value::Bool(true)));
        assert!(with("logger_class", Value::text("gunicorn.instrument.statsd.Statsd")).logger_is_custom);
        assert!(!with("syslog", Value::Bool(true)).logger_is_custom);
    }

    #[test]
    fn metrics_have_an_address_and_a_prefix() {
        let address = with("statsd_host", Value::text("LocalHost")).statsd_host;
        assert_eq!(address, Some(StatsdAddress::Udp { host: "localhost".into(), port: 8125 }));
        let socket = with("statsd_host", Value::text("unix:///run/s")).statsd_host;
        assert_eq!(socket, Some(StatsdAddress::Unix { path: "/run/s".into() }));
        assert_eq!(with("statsd_host", Value::None).statsd_host, None);
        assert_eq!(with("statsd_prefix", Value::text("shop")).statsd_prefix, "shop.");
    }

    #[test]
    fn a_worker_has_threads_by_its_class_or_by_their_number() {
        let threads = |name, value| {
            let settings = with(name, value);
            (settings.multithread, settings.threads)
        };
        assert_eq!(threads("worker_class", Value::text("gthread")), (true, 1));
        assert_eq!(threads("worker_class", Value::text("sync")), (false, 1));
        assert_eq!(threads("threads", Value::Int(4)), (true, 4));
        assert_eq!(threads("threads", Value::Int(0)), (false, 1));
    }
}
