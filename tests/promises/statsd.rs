//! statsd: which datagrams are sent for requests, workers and log lines, and what hooks can send.

use nix::sys::signal::Signal;

use crate::harness::{Datagrams, Launch, Server};

/// Starts `plain` with statsd at `sink`.
#[track_caller]
fn measured(sink: &Datagrams, args: &str, conf: &str) -> Server {
    let launch = Launch::app("plain").args("--statsd-host").arg(&sink.address()).args(args);
    launch.conf(conf).start()
}

/// The value of a metric of the form `name:value|kind`, taken from the first datagram of that name.
#[track_caller]
fn value(sink: &Datagrams, name: &str, kind: &str) -> f64 {
    let datagram = sink.wait(&format!("{name}:"));
    let value = datagram.strip_prefix(&format!("{name}:")).and_then(|rest| rest.strip_suffix(&format!("|{kind}")));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("`{datagram}` is no {name} of kind {kind}"))
}

/// Each request is counted, timed, and counted by its status, with or without an access log.
#[test]
fn requests_are_counted() {
    let sink = Datagrams::udp();
    let server = measured(&sink, "", "");
    server.get("/").expect(200, "hello");
    sink.wait("gunicorn.request.status.200:1|c|@1.0");
    server.get("/nowhere");
    sink.wait("gunicorn.request.status.404:1|c|@1.0");
    assert_eq!(sink.count("gunicorn.requests:1|c|@1.0"), 2);
    assert_eq!(sink.all().iter().filter(|datagram| datagram.starts_with("gunicorn.request.duration:")).count(), 2);
    assert!((0.0..20_000.0).contains(&value(&sink, "gunicorn.request.duration", "ms")));
}

/// The number of workers is a gauge, sent when it changes.
#[test]
fn workers_are_a_gauge() {
    let sink = Datagrams::udp();
    let server = measured(&sink, "--workers 2", "");
    sink.wait("gunicorn.workers:2|g");
    server.wait_workers(2);
    server.signal(Signal::SIGTTIN);
    sink.wait("gunicorn.workers:3|g");
}

/// An application that fails is a log line, a request and a status 500.
#[test]
fn failures_are_counted() {
    let sink = Datagrams::udp();
    let server = measured(&sink, "", "");
    assert_eq!(server.get("/error").status(), 500);
    sink.wait("gunicorn.request.status.500:1|c|@1.0");
    sink.wait("gunicorn.log.exception:1|c|@1.0");
}

/// Log lines of hooks are counted by level from warning up.
#[test]
fn log_lines_are_counted() {
    let sink = Datagrams::udp();
    let conf = "def post_fork(server, worker):
    for level in ('debug', 'info', 'warning', 'error', 'critical'):
        getattr(worker.log, level)('said at %s', level)
";
    let server = measured(&sink, "", conf);
    server.wait_line("said at critical");
    for level in ["warning", "error", "critical"] {
        sink.wait(&format!("gunicorn.log.{level}:1|c|@1.0"));
    }
    assert!(sink.all().iter().all(|datagram| !datagram.contains("log.info") && !datagram.contains("log.debug")));
}

/// `--statsd-prefix` stands before every name, with one dot, and `--dogstatsd-tags` after every value.
#[test]
fn prefix_and_tags_are_added() {
    for prefix in ["shop", "shop."] {
        let sink = Datagrams::udp();
        let server = measured(&sink, &format!("--dogstatsd-tags town:bonn,tyres --statsd-prefix {prefix}"), "");
        server.get("/").expect(200, "hello");
        sink.wait("shop.gunicorn.request.status.200:1|c|@1.0|#town:bonn,tyres");
        assert_eq!(sink.count("shop.gunicorn.requests:1|c|@1.0|#town:bonn,tyres"), 1);
        sink.wait("shop.gunicorn.workers:1|g|#town:bonn,tyres");
        assert!(sink.all().iter().all(|datagram| datagram.starts_with("shop.gunicorn.")), "{:?}", sink.all());
    }
}

/// The metrics can go to a unix datagram socket.
#[test]
fn a_unix_socket_will_do() {
    let launch = Launch::app("plain");
    let sink = Datagrams::unix(&launch.workdir().join("statsd.socket"));
    let server = launch.args("--statsd-host").arg(&sink.address()).start();
    server.get("/").expect(200, "hello");
    sink.wait("gunicorn.request.status.200:1|c|@1.0");
}

/// Hooks send metrics of their own with `extra`; a message that is empty is not logged.
#[test]
fn hooks_can_send_metrics() {
    let sink = Datagrams::udp();
    let conf = "def post_fork(server, worker):
    for mtype in ('counter', 'gauge', 'histogram', 'timer'):
        worker.log.info('', extra={'metric': 'shop.' + mtype, 'value': 3, 'mtype': mtype})
    worker.log.info('counted and said', extra={'metric': 'shop.both', 'value': 1.5, 'mtype': 'gauge'})
";
    let server = measured(&sink, "", conf);
    server.wait_line("counted and said");
    for datagram in
        ["shop.counter:3|c|@1.0", "shop.gauge:3|g", "shop.histogram:3|h", "shop.timer:3|ms", "shop.both:1.5|g"]
    {
        sink.wait(datagram);
        assert_eq!(sink.count(datagram), 1);
    }
    assert!(server.lines().iter().all(|line| !line.message.is_empty()), "{}", server.log());
}

/// Master hooks send metrics too.
#[test]
fn master_hooks_can_send_metrics() {
    let sink = Datagrams::udp();
    let conf = "def when_ready(server):\n    server.log.info('', extra={'metric': 'shop.open', 'value': 1, 'mtype': 'gauge'})\n";
    let _server = measured(&sink, "", conf);
    sink.wait("shop.open:1|g");
}

/// `--enable-backlog-metric` sends the length of the queue of connections, about each second.
#[test]
fn the_backlog_can_be_measured() {
    let sink = Datagrams::udp();
    let _server = measured(&sink, "--enable-backlog-metric", "");
    assert!(value(&sink, "gunicorn.backlog", "h") >= 0.0);
}

/// A statsd that nobody serves costs a server nothing.
#[test]
fn an_absent_statsd_is_no_matter() {
    let nobody = Datagrams::udp().address();
    let server = Launch::app("plain").args("--statsd-host").arg(&nobody).start();
    for _ in 0..3 {
        server.get("/").expect(200, "hello");
    }
}

/// An address that is none is exit 1.
#[test]
fn a_bad_address_is_refused() {
    Launch::app("plain").args("--statsd-host localhost:x").run().expect(1, &["Error: ", "host:port"]);
    Launch::app("plain").conf("statsd_host = 'localhost:x'\n").run().expect(1, &["statsd_host", "localhost:x"]);
}
