//! Gunicorn's 120 settings. One row each; flags, file keys, validation, `--print-config` and docs/settings.md are
//! derived from these rows and from nothing else. Long, never deep: no code but a lookup.

use crate::Fallback::{self, Context};
use crate::Kind::*;
use crate::Section::*;
use crate::Setting;

/// The setting of that name.
pub fn find(name: &str) -> Option<&'static Setting> {
    rows().find(|setting| setting.name == name)
}

/// All settings, Gunicorn's and ours.
pub fn rows() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().chain(OWN)
}

/// All settings, in the order in which Gunicorn's help lists them within a section.
pub static TABLE: &[Setting] = &[
    Setting::new("config", ConfigFile, Str)
        .short('c')
        .long(&["config"])
        .or(Fallback::Str("./gunicorn.conf.py"))
        .meaning(
            "conf file: a path, file:PATH, python:MODULE or a .toml file; read from the \
             command line and GUNICORN_CMD_ARGS only",
        ),
    Setting::new("wsgi_app", ConfigFile, Str).meaning("application to serve when the command line names none"),
    Setting::new("bind", ServerSocket, List)
        .short('b')
        .long(&["bind"])
        .or(Fallback::List(&["127.0.0.1:8000"]))
        .meaning(
            "addresses to listen at: host:port, [v6]:port, unix:path or fd://N; with \
             PORT in the environment the default is 0.0.0.0:$PORT",
        ),
    Setting::new("backlog", ServerSocket, Int)
        .long(&["backlog"])
        .or(Fallback::Int(2048))
        .meaning("connections that wait in the kernel until a worker accepts them"),
    Setting::new("workers", WorkerProcesses, Count).short('w').long(&["workers"]).or(Fallback::Int(1)).meaning(
        "number of worker processes, or auto: two for each processor that the cgroup allows, no more than find \
             128 MiB each in its memory limit; WEB_CONCURRENCY, else WORKERS, in the environment changes the default",
    ),
    Setting::new("worker_class", WorkerProcesses, Class)
        .short('k')
        .long(&["worker-class"])
        .or(Fallback::Str("sync"))
        .differs("classes other than sync and gthread are refused").meaning("kind of worker: sync or gthread"),
    Setting::new("threads", WorkerProcesses, Int)
        .long(&["threads"])
        .or(Fallback::Int(1))
        .meaning("application threads per worker, at most 1000; more than one makes a sync worker a gthread worker"),
    Setting::new("worker_connections", WorkerProcesses, Int)
        .long(&["worker-connections"])
        .or(Fallback::Int(1000))
        .differs("bounds the sync worker too, and counts idle connections").meaning("most connections one worker holds open"),
    Setting::new("max_requests", WorkerProcesses, Int)
        .long(&["max-requests"])
        .or(Fallback::Int(0))
        .differs("the worker serves on until its successor is ready").meaning("requests after which a worker is replaced, 0 for never"),
    Setting::new("max_requests_jitter", WorkerProcesses, Int)
        .long(&["max-requests-jitter"])
        .or(Fallback::Int(0))
        .meaning("upper bound of the random number each worker adds to max_requests"),
    Setting::new("timeout", WorkerProcesses, Int)
        .short('t')
        .long(&["timeout"])
        .or(Fallback::Int(30))
        .differs("bounds a call of a sync worker's, not the time in which a request arrives").meaning("seconds a worker may be silent before it is killed, 0 for ever"),
    Setting::new("graceful_timeout", WorkerProcesses, Int)
        .long(&["graceful-timeout"])
        .or(Fallback::Int(30))
        .meaning("seconds workers get to finish when asked to leave"),
    Setting::new("keepalive", WorkerProcesses, Int).long(&["keep-alive"]).or(Fallback::Int(2)).differs("the sync worker keeps connections too").meaning(
        "seconds an idle connection waits for its next request, 0 closes it after \
             each response",
    ),
    Setting::new("limit_request_line", Security, Int)
        .long(&["limit-request-line"])
        .or(Fallback::Int(4094))
        .meaning("longest request line in bytes, at most 8190, 0 for no limit"),
    Setting::new("limit_request_fields", Security, Int)
        .long(&["limit-request-fields"])
        .or(Fallback::Int(100))
        .meaning("most header fields of a request, 0 or more than 32768 count as 32768"),
    Setting::new("limit_request_field_size", Security, Int)
        .long(&["limit-request-field_size"])
        .or(Fallback::Int(8190))
        .meaning("longest header field in bytes, 0 counts as 8190"),
    Setting::new("reload", Debugging, Bool).long(&["reload"]).meaning("restart workers when source files change"),
    Setting::new("reload_engine", Debugging, Choice(&["auto", "poll", "inotify"]))
        .long(&["reload-engine"])
        .or(Fallback::Str("auto"))
        .meaning("how changes are noticed: auto, poll or inotify"),
    Setting::new("reload_extra_files", Debugging, Files)
        .long(&["reload-extra-file"])
        .or(Fallback::List(&[]))
        .meaning("further files or glob patterns to watch with reload"),
    Setting::new("spew", Debugging, Bool).long(&["spew"]).refused("ferricorn has no line tracer; run the application under `python -m trace` instead").meaning("print every line of Python as it runs"),
    Setting::new("check_config", Debugging, Bool)
        .long(&["check-config"])
        .meaning("load configuration and application, then exit with 0 or 1"),
    Setting::new("print_config", Debugging, Bool)
        .long(&["print-config"])
        .meaning("print every setting, then do as check_config"),
    Setting::new("preload_app", ServerMechanics, Bool)
        .long(&["preload"])
        .differs("the mold loads the application, and a HUP loads it anew").meaning("load the application once, before workers are forked"),
    Setting::new("sendfile", ServerMechanics, BoolOff)
        .long(&["no-sendfile"])
        .inert("files never go through sendfile(2)").meaning("whether files may be sent by the kernel"),
    Setting::new("reuse_port", ServerMechanics, Bool)
        .long(&["reuse-port"])
        .differs("set on the sockets of the master, which its workers share").meaning("give every worker a listening socket of its own"),
    Setting::new("chdir", ServerMechanics, Directory)
        .long(&["chdir"])
        .or(Context("the directory the server was started in"))
        .meaning("directory to change to before the application is loaded"),
    Setting::new("daemon", ServerMechanics, Bool)
        .short('D')
        .long(&["daemon"])
        .differs("the conf file is evaluated twice at the start").meaning("detach from the terminal and run in the background"),
    Setting::new("raw_env", ServerMechanics, List)
        .short('e')
        .long(&["env"])
        .or(Fallback::List(&[]))
        .meaning("environment variables for the application, KEY=VALUE"),
    Setting::new("pidfile", ServerMechanics, Str).short('p').long(&["pid"]).meaning("file to keep the master's pid in"),
    Setting::new("worker_tmp_dir", ServerMechanics, Str)
        .long(&["worker-tmp-dir"])
        .inert("heartbeats live in shared memory").meaning("directory for heartbeat files"),
    Setting::new("user", ServerMechanics, User)
        .short('u')
        .long(&["user"])
        .or(Context("the user that started the server"))
        .meaning("user that workers run as"),
    Setting::new("group", ServerMechanics, Group)
        .short('g')
        .long(&["group"])
        .or(Context("the group that started the server"))
        .meaning("group that workers run as"),
    Setting::new("umask", ServerMechanics, AutoInt)
        .short('m')
        .long(&["umask"])
        .or(Fallback::Int(0))
        .meaning("mode bits to mask out of unix sockets as they are created"),
    Setting::new("initgroups", ServerMechanics, Bool).long(&["initgroups"]).meaning("give workers all groups of user"),
    Setting::new("tmp_upload_dir", ServerMechanics, Str)
        .differs("long request bodies wait there; Gunicorn has no use for it").meaning("directory for request bodies too long to be held in memory"),
    Setting::new("secure_scheme_headers", ServerMechanics, Map)
        .or(Fallback::Map(&[
            ("X-FORWARDED-PROTOCOL", "ssl"),
            ("X-FORWARDED-PROTO", "https"),
            ("X-FORWARDED-SSL", "on"),
        ]))
        .meaning(
            "headers and the values by which a trusted proxy says that its client used \
             https",
        ),
    Setting::new("forwarded_allow_ips", ServerMechanics, Addresses)
        .long(&["forwarded-allow-ips"])
        .or(Fallback::List(&["127.0.0.1", "::1"]))
        .meaning(
            "peers whose forwarding headers are believed, * for all; FORWARDED_ALLOW_IPS \
             in the environment changes the default",
        ),
    Setting::new("accesslog", Logging, Str)
        .long(&["access-logfile"])
        .meaning("access log file, - for stdout, unset for no access log"),
    Setting::new("disable_redirect_access_to_syslog", Logging, Bool)
        .long(&["disable-redirect-access-to-syslog"])
        .meaning("keep access lines out of syslog"),
    Setting::new("access_log_format", Logging, Str)
        .long(&["access-logformat"])
        .or(Fallback::Str("%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\""))
        .differs("a template that makes no sense ends the start").meaning("template of an access log line"),
    Setting::new("errorlog", Logging, Str)
        .long(&["error-logfile", "log-file"])
        .or(Fallback::Str("-"))
        .meaning("error log file, - for stderr"),
    Setting::new("loglevel", Logging, Str)
        .long(&["log-level"])
        .or(Fallback::Str("info"))
        .meaning("least severe level to log: debug, info, warning, error or critical"),
    Setting::new("capture_output", Logging, Bool)
        .long(&["capture-output"])
        .meaning("send what the application prints to the error log"),
    Setting::new("logger_class", Logging, Class)
        .long(&["logger-class"])
        .or(Fallback::Str("gunicorn.glogging.Logger"))
        .meaning("Python class that does the logging"),
    Setting::new("logconfig", Logging, Str).long(&["log-config"]).meaning("INI file for Python's logging"),
    Setting::new("logconfig_dict", Logging, Map).or(Fallback::Map(&[])).meaning("dict for Python's logging"),
    Setting::new("logconfig_json", Logging, Str)
        .long(&["log-config-json"])
        .meaning("JSON file for Python's logging"),
    Setting::new("syslog_addr", Logging, Str)
        .long(&["log-syslog-to"])
        .or(Fallback::Str("udp://localhost:514"))
        .meaning("where syslog listens"),
    Setting::new("syslog", Logging, Bool).long(&["log-syslog"]).meaning("send the logs to syslog too"),
    Setting::new("syslog_prefix", Logging, Str)
        .long(&["log-syslog-prefix"])
        .meaning("program name in syslog lines"),
    Setting::new("syslog_facility", Logging, Str)
        .long(&["log-syslog-facility"])
        .or(Fallback::Str("user"))
        .meaning("facility of syslog lines"),
    Setting::new("enable_stdio_inheritance", Logging, Bool)
        .short('R')
        .long(&["enable-stdio-inheritance"])
        .meaning("keep redirected stdout and stderr when daemon is on"),
    Setting::new("statsd_host", Logging, StatsdHost)
        .long(&["statsd-host"])
        .meaning("statsd server, host:port or unix://path"),
    Setting::new("dogstatsd_tags", Logging, Str)
        .long(&["dogstatsd-tags"])
        .or(Fallback::Str(""))
        .meaning("tags for all metrics, separated by commas"),
    Setting::new("statsd_prefix", Logging, Str)
        .long(&["statsd-prefix"])
        .or(Fallback::Str(""))
        .meaning("first part of all metric names"),
    Setting::new("enable_backlog_metric", Logging, Bool)
        .long(&["enable-backlog-metric"])
        .meaning("report how many connections wait to be accepted"),
    Setting::new("proc_name", ProcessNaming, Str)
        .short('n')
        .long(&["name"])
        .meaning("name in process titles, the application unless given"),
    Setting::new("default_proc_name", ProcessNaming, Str)
        .or(Fallback::Str("gunicorn"))
        .meaning("name in process titles when proc_name is unset"),
    Setting::new("pythonpath", ServerMechanics, Str)
        .long(&["pythonpath"])
        .meaning("directories to find Python modules in, separated by commas"),
    Setting::new("paste", ServerMechanics, Str)
        .long(&["paste", "paster"])
        .meaning("PasteDeploy file to load the application from"),
    Setting::new("on_starting", ServerHooks, Hook(1))
        .or(Fallback::Hook("OnStarting.on_starting"))
        .differs("runs in the mold, not in the master").meaning("called in the mold before anything listens"),
    Setting::new("on_reload", ServerHooks, Hook(1))
        .or(Fallback::Hook("OnReload.on_reload"))
        .differs("runs in the mold, not in the master").meaning("called in the mold when a reload begins"),
    Setting::new("when_ready", ServerHooks, Hook(1))
        .or(Fallback::Hook("WhenReady.when_ready"))
        .differs("runs in the mold, not in the master").meaning("called in the mold when the server listens"),
    Setting::new("pre_fork", ServerHooks, Hook(2))
        .or(Fallback::Hook("Prefork.pre_fork"))
        .differs("runs in the mold, not in the master").meaning("called in the mold before each worker is forked"),
    Setting::new("post_fork", ServerHooks, Hook(2))
        .or(Fallback::Hook("Postfork.post_fork"))
        .meaning("called in each worker right after the fork"),
    Setting::new("post_worker_init", ServerHooks, Hook(1))
        .or(Fallback::Hook("PostWorkerInit.post_worker_init"))
        .meaning("called in each worker when the application is loaded"),
    Setting::new("worker_int", ServerHooks, Hook(1))
        .or(Fallback::Hook("WorkerInt.worker_int"))
        .meaning("called in a worker on INT or QUIT"),
    Setting::new("worker_abort", ServerHooks, Hook(1))
        .or(Fallback::Hook("WorkerAbort.worker_abort"))
        .meaning("called in a worker that timed out"),
    Setting::new("pre_exec", ServerHooks, Hook(1))
        .or(Fallback::Hook("PreExec.pre_exec"))
        .differs("runs in the mold, not in the master").meaning("called before the program is replaced by a new one on USR2"),
    Setting::new("pre_request", ServerHooks, Hook(2))
        .or(Fallback::Hook("PreRequest.pre_request"))
        .meaning("called in a worker before each request"),
    Setting::new("post_request", ServerHooks, Hook(4))
        .or(Fallback::Hook("PostRequest.post_request"))
        .meaning("called in a worker after each request"),
    Setting::new("child_exit", ServerHooks, Hook(2))
        .or(Fallback::Hook("ChildExit.child_exit"))
        .differs("runs in the mold, not in the master").meaning("called in the mold after a worker is gone"),
    Setting::new("worker_exit", ServerHooks, Hook(2))
        .or(Fallback::Hook("WorkerExit.worker_exit"))
        .meaning("called in a worker on its way out"),
    Setting::new("nworkers_changed", ServerHooks, Hook(3))
        .or(Fallback::Hook("NumWorkersChanged.nworkers_changed"))
        .differs("runs in the mold, not in the master").meaning("called in the mold when the number of workers asked for changes"),
    Setting::new("on_exit", ServerHooks, Hook(1))
        .or(Fallback::Hook("OnExit.on_exit"))
        .differs("runs in the mold, not in the master").meaning("called in the mold when the server ends"),
    Setting::new("ssl_context", ServerHooks, Hook(2))
        .or(Fallback::Hook("NewSSLContext.ssl_context"))
        .differs("called in the mold, once; what it changes of the context it is given is taken over").meaning("called in the mold to make the TLS context"),
    Setting::new("proxy_protocol", ServerMechanics, OptionalChoice(&["off", "v1", "v2", "auto"], "auto"))
        .long(&["proxy-protocol"])
        .or(Fallback::Str("off"))
        .meaning("accept the PROXY protocol: off, v1, v2 or auto"),
    Setting::new("proxy_allow_ips", ServerMechanics, Addresses)
        .long(&["proxy-allow-from"])
        .or(Fallback::List(&["127.0.0.1", "::1"]))
        .meaning("peers that may speak the PROXY protocol, * for all"),
    Setting::new("protocol", ServerMechanics, Str)
        .long(&["protocol"])
        .or(Fallback::Str("http"))
        .refused("ferricorn speaks HTTP only; let the proxy in front pass HTTP (nginx: proxy_pass, not uwsgi_pass)").meaning("what clients speak: http or uwsgi"),
    Setting::new("uwsgi_allow_ips", ServerMechanics, Addresses)
        .long(&["uwsgi-allow-from"])
        .or(Fallback::List(&["127.0.0.1", "::1"]))
        .inert("there is no uwsgi protocol").meaning("peers that may speak uwsgi, * for all"),
    Setting::new("keyfile", Ssl, Str)
        .long(&["keyfile"])
        .differs("read at the start and at each HUP, which is when they are checked").meaning("TLS private key file, PEM; without it the key is in certfile"),
    Setting::new("certfile", Ssl, Str)
        .long(&["certfile"])
        .differs("read at the start and at each HUP, which is when they are checked").meaning("TLS certificate file, PEM, with the chain behind the certificate; turns TLS on"),
    Setting::new("ssl_version", Ssl, Any)
        .long(&["ssl-version"])
        .or(Fallback::Int(2))
        .inert("Gunicorn ignores it too; TLS 1.2 and 1.3 are spoken").meaning("without effect in Gunicorn too"),
    Setting::new("cert_reqs", Ssl, Int)
        .long(&["cert-reqs"])
        .or(Fallback::Int(0))
        .meaning("whether clients need a certificate: 0 no, 1 optional, 2 required"),
    Setting::new("ca_certs", Ssl, Str)
        .long(&["ca-certs"])
        .differs("the certificates of a client's authorities must be X.509 v3").meaning("file of authorities for client certificates"),
    Setting::new("suppress_ragged_eofs", Ssl, Bool)
        .long(&["suppress-ragged-eofs"])
        .or(Fallback::Bool(true))
        .meaning("take a TLS connection cut short for one that was closed"),
    Setting::new("do_handshake_on_connect", Ssl, Bool)
        .long(&["do-handshake-on-connect"])
        .inert("a handshake never waits for the application, nor the application for it").meaning("do the TLS handshake right at accept"),
    Setting::new("ciphers", Ssl, Str)
        .long(&["ciphers"])
        .differs("six suites of TLS 1.2 are there (ECDHE with AES-GCM or ChaCha20), a list that adds others ends the start").meaning("OpenSSL cipher list"),
    Setting::new("http_protocols", Http2, Names)
        .long(&["http-protocols"])
        .or(Fallback::List(&["h1"]))
        .differs("h2 with every worker class").meaning("h1, h2 or both, separated by commas, preferred ones first"),
    Setting::new("http2_cleartext", Http2, Choice(&["off", "prior-knowledge", "upgrade", "both"]))
        .long(&["http2-cleartext"])
        .or(Fallback::Str("off"))
        .differs("upgrade and both end the start, HTTP/2 has given the upgrade up").meaning("HTTP/2 without TLS, from peers in forwarded_allow_ips: off or prior-knowledge"),
    Setting::new("http2_max_concurrent_streams", Http2, Int)
        .long(&["http2-max-concurrent-streams"])
        .or(Fallback::Int(100))
        .meaning("most streams of an HTTP/2 connection at a time"),
    Setting::new("http2_initial_window_size", Http2, Int)
        .long(&["http2-initial-window-size"])
        .or(Fallback::Int(65535))
        .meaning("first flow control window of HTTP/2 in bytes"),
    Setting::new("http2_max_frame_size", Http2, Int)
        .long(&["http2-max-frame-size"])
        .or(Fallback::Int(16384))
        .meaning("longest HTTP/2 frame in bytes"),
    Setting::new("http2_max_header_list_size", Http2, Int)
        .long(&["http2-max-header-list-size"])
        .or(Fallback::Int(65536))
        .meaning("longest HTTP/2 header list in bytes, 0 for no other limit than those of requests"),
    Setting::new("raw_paste_global_conf", ServerMechanics, List)
        .long(&["paste-global"])
        .or(Fallback::List(&[]))
        .meaning("variables for PasteDeploy, KEY=VALUE"),
    Setting::new("permit_obsolete_folding", ServerMechanics, Bool)
        .long(&["permit-obsolete-folding"])
        .meaning("accept header fields that go on in the next line"),
    Setting::new("strip_header_spaces", ServerMechanics, Bool)
        .long(&["strip-header-spaces"])
        .meaning("accept blanks before the colon of a header field"),
    Setting::new("permit_unconventional_http_method", ServerMechanics, Bool)
        .long(&["permit-unconventional-http-method"])
        .meaning("accept methods of any letters and length"),
    Setting::new("permit_unconventional_http_version", ServerMechanics, Bool)
        .long(&["permit-unconventional-http-version"])
        .differs("answers to other versions are HTTP/1.0 or HTTP/1.1").meaning("accept HTTP versions other than 1.0 and 1.1"),
    Setting::new("casefold_http_method", ServerMechanics, Bool)
        .long(&["casefold-http-method"])
        .meaning("turn methods to upper case"),
    Setting::new("forwarder_headers", ServerMechanics, Names)
        .long(&["forwarder-headers"])
        .or(Fallback::List(&["SCRIPT_NAME", "PATH_INFO"]))
        .meaning(
            "headers with an underscore that trusted peers may send, separated by \
             commas",
        ),
    Setting::new("header_map", ServerMechanics, Choice(&["drop", "refuse", "dangerous"]))
        .long(&["header-map"])
        .or(Fallback::Str("drop"))
        .meaning(
            "headers with an underscore: drop them, refuse the request, or let them \
             through (dangerous)",
        ),
    Setting::new("asgi_loop", WorkerProcesses, Choice(&["auto", "asyncio", "uvloop"]))
        .long(&["asgi-loop"])
        .or(Fallback::Str("auto"))
        .inert("there is no asgi worker").meaning("event loop of the asgi worker"),
    Setting::new("asgi_lifespan", WorkerProcesses, Choice(&["auto", "on", "off"]))
        .long(&["asgi-lifespan"])
        .or(Fallback::Str("auto"))
        .inert("there is no asgi worker").meaning("lifespan protocol of the asgi worker"),
    Setting::new("asgi_disconnect_grace_period", WorkerProcesses, Int)
        .long(&["asgi-disconnect-grace-period"])
        .or(Fallback::Int(3))
        .inert("there is no asgi worker").meaning("seconds an ASGI application gets after its client is gone"),
    Setting::new("websocket_max_message_size", WorkerProcesses, Int)
        .long(&["websocket-max-message-size"])
        .or(Fallback::Int(16777216))
        .inert("there is no asgi worker").meaning("longest WebSocket message in bytes, 0 for no limit"),
    Setting::new("http_parser", WorkerProcesses, Choice(&["auto", "fast", "python"]))
        .long(&["http-parser"])
        .or(Fallback::Str("auto"))
        .inert("requests are parsed by hyper").meaning("HTTP/1 parser: auto, fast or python"),
    Setting::new("root_path", ServerMechanics, Str)
        .long(&["root-path"])
        .or(Fallback::Str(""))
        .inert("there is no asgi worker").meaning("path the ASGI application is mounted at"),
    Setting::new("dirty_apps", DirtyArbiters, List)
        .long(&["dirty-app"])
        .or(Fallback::List(&[]))
        .inert("there is no dirty pool").meaning("applications of the dirty pool, module:Class or module:Class:N"),
    Setting::new("dirty_workers", DirtyArbiters, Int)
        .long(&["dirty-workers"])
        .or(Fallback::Int(0))
        .refused("ferricorn has no dirty pool; leave dirty_workers at 0 and give long tasks to a task queue (Celery, RQ, Dramatiq)").meaning("processes of the dirty pool, 0 for none"),
    Setting::new("dirty_timeout", DirtyArbiters, Int)
        .long(&["dirty-timeout"])
        .or(Fallback::Int(300))
        .inert("there is no dirty pool").meaning("seconds a task of the dirty pool may take"),
    Setting::new("dirty_threads", DirtyArbiters, Int)
        .long(&["dirty-threads"])
        .or(Fallback::Int(1))
        .inert("there is no dirty pool").meaning("threads per dirty worker"),
    Setting::new("dirty_graceful_timeout", DirtyArbiters, Int)
        .long(&["dirty-graceful-timeout"])
        .or(Fallback::Int(30))
        .inert("there is no dirty pool").meaning("seconds dirty workers get to finish"),
    Setting::new("on_dirty_starting", DirtyArbiterHooks, Hook(1))
        .or(Fallback::Hook("OnDirtyStarting.on_dirty_starting"))
        .inert("there is no dirty pool").meaning("called when the dirty pool starts"),
    Setting::new("dirty_post_fork", DirtyArbiterHooks, Hook(2))
        .or(Fallback::Hook("DirtyPostFork.dirty_post_fork"))
        .inert("there is no dirty pool").meaning("called in each dirty worker right after the fork"),
    Setting::new("dirty_worker_init", DirtyArbiterHooks, Hook(1))
        .or(Fallback::Hook("DirtyWorkerInit.dirty_worker_init"))
        .inert("there is no dirty pool").meaning("called in each dirty worker when its applications are loaded"),
    Setting::new("dirty_worker_exit", DirtyArbiterHooks, Hook(2))
        .or(Fallback::Hook("DirtyWorkerExit.dirty_worker_exit"))
        .inert("there is no dirty pool").meaning("called when a dirty worker is gone"),
    Setting::new("control_socket", Control, Str)
        .long(&["control-socket"])
        .or(Context("gunicorn.ctl in $XDG_RUNTIME_DIR or ~/.gunicorn"))
        .inert("there is no control socket").meaning("unix socket that takes orders while the server runs"),
    Setting::new("control_socket_mode", Control, AutoInt)
        .long(&["control-socket-mode"])
        .or(Fallback::Int(384))
        .inert("there is no control socket").meaning("mode bits of the control socket"),
    Setting::new("control_socket_disable", Control, Bool)
        .long(&["no-control-socket"])
        .inert("there is no control socket").meaning("do without the control socket"),
];

/// Settings that are not Gunicorn's. Their flags must leave every unambiguous prefix of Gunicorn's flags what it is.
pub static OWN: &[Setting] = &[
    Setting::new("reload_surge", Ferricorn, Int)
        .long(&["reload-surge"])
        .or(Fallback::Int(1))
        .meaning("most workers above the number of workers while some are being replaced, at least 1"),
    Setting::new("boot_timeout", Ferricorn, Int)
        .long(&["boot-timeout"])
        .or(Fallback::Int(300))
        .meaning("seconds a worker may take until it is ready, 0 for ever; one that takes longer makes a reload fail"),
    Setting::new("request_timeout", Ferricorn, Seconds).long(&["request-timeout"]).or(Fallback::Int(0)).meaning(
        "seconds that the application may take for one request, 0 for no limit; then its call is ended and the client \
         gets 504",
    ),
    Setting::new("queue_timeout", Ferricorn, Seconds).long(&["queue-timeout"]).or(Fallback::Int(0)).meaning(
        "seconds that a request which has arrived may wait for its call, 0 for no limit; then it is not called, and the \
         client gets 503",
    ),
    Setting::new("max_worker_memory", Ferricorn, Int)
        .long(&["max-worker-memory"])
        .or(Fallback::Int(0))
        .meaning("resident memory in MiB at which a worker is replaced, 0 for no limit"),
    Setting::new("max_worker_lifetime", Ferricorn, Int)
        .long(&["max-worker-lifetime"])
        .or(Fallback::Int(0))
        .meaning("seconds after which a worker is replaced, 0 for never; each worker lives up to a tenth longer"),
    Setting::new("client_head_timeout", Ferricorn, Int).long(&["client-head-timeout"]).or(Fallback::Int(60)).meaning(
        "seconds a client may take to send the head of a request, its first one from the connection on; 0 for ever",
    ),
    Setting::new("client_stall_timeout", Ferricorn, Int).long(&["client-stall-timeout"]).or(Fallback::Int(60)).meaning(
        "seconds without a byte after which a client that sends a body or takes a response is given up, 0 for never",
    ),
    Setting::new("limit_request_body", Ferricorn, Int)
        .long(&["limit-request-body"])
        .or(Fallback::Int(0))
        .meaning("longest request body in bytes, 0 for any length; longer ones are answered with 413"),
    Setting::new("client_body_buffer_size", Ferricorn, Int)
        .long(&["client-body-buffer-size"])
        .or(Fallback::Int(512 * 1024))
        .meaning(
            "bytes of a request body that are held in memory until the application is called; longer ones wait in a \
             file in tmp_upload_dir",
        ),
    Setting::new("server_header", Ferricorn, Str)
        .long(&["server-header"])
        .or(Fallback::Str("ferricorn"))
        .meaning("value of the response header Server; empty for none"),
    Setting::new("server_software", Ferricorn, Str)
        .long(&["server-software"])
        .meaning("SERVER_SOFTWARE in the environ; unset for gunicorn/27.0.1, a blank, ferricorn/ and the version"),
    Setting::new("db", Ferricorn, Map).or(Fallback::Map(&[])).meaning(
        "settings of the database pool, the table [db] of a TOML file; what the environment says wins: see docs/database.md",
    ),
    Setting::new("db_connections", Ferricorn, Int)
        .long(&["db-connections"])
        .or(Fallback::Int(0))
        .meaning("most connections that all workers together have to a database, 0 for DB_POOL_MAX in each worker"),
    Setting::new("recycle_after_panic", Ferricorn, Bool)
        .long(&["recycle-after-panic"])
        .inert("applications in Python do not panic")
        .meaning("replace a worker in which a handler of a native application has panicked"),
];

/// Flags that are no settings: no file knows them. Their names keep the same rule.
pub static FLAGS: &[Setting] = &[Setting::new("explain_config", Ferricorn, Bool)
    .long(&["explain-config"])
    .meaning("print every setting with its value and where it came from, then do as check_config")];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Section, Support};
    use std::collections::BTreeSet;

    #[test]
    fn every_setting_of_gunicorn_is_there_once() {
        let names: BTreeSet<&str> = TABLE.iter().map(|setting| setting.name).collect();
        assert_eq!((names.len(), TABLE.len()), (120, 120));
    }

    #[test]
    fn a_setting_of_any_section_is_shown_under_it() {
        let shown = rows().filter(|setting| Section::ALL.contains(&setting.section));
        assert_eq!(shown.count(), TABLE.len() + OWN.len());
    }

    #[test]
    fn our_flags_take_no_prefix_from_those_of_gunicorn() {
        let theirs: Vec<&str> = TABLE.iter().flat_map(|setting| setting.long).copied().collect();
        for ours in OWN.iter().chain(FLAGS).flat_map(|setting| setting.long) {
            for prefix in (1..ours.len()).map(|end| &ours[..end]) {
                let meant: BTreeSet<&str> = theirs.iter().copied().filter(|flag| flag.starts_with(prefix)).collect();
                assert!(meant.len() != 1 || theirs.contains(&prefix), "--{prefix} would no longer be {meant:?}");
            }
        }
    }

    #[test]
    fn reasons_and_meanings_are_phrases_that_fit_a_table() {
        for setting in TABLE {
            let phrases = match setting.support {
                Support::Works => vec![setting.meaning],
                Support::Differs(phrase) | Support::Inert(phrase) | Support::Refused(phrase) => {
                    vec![setting.meaning, phrase]
                }
            };
            for phrase in phrases {
                assert!(!phrase.is_empty() && !phrase.ends_with('.') && !phrase.contains('|'), "{}", setting.name);
            }
        }
    }
}
