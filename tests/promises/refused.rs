//! What Gunicorn has and Ferricorn does not do is refused with what to do instead, or accepted where it only means
//! something together with what is refused. Nothing is silently ignored.

use crate::harness::Launch;

/// Settings that are refused: a flag or none, the line of a conf file, and a word of the advice.
const REFUSED: [(&str, &str, &str); 3] = [
    ("--spew", "spew = True", "python -m trace"),
    ("--protocol uwsgi", "protocol = 'uwsgi'", "proxy_pass"),
    ("--dirty-workers 1", "dirty_workers = 1", "task queue"),
];

/// What is refused is exit 1 with the setting, its value, the flag, and what to do instead.
#[test]
fn a_refused_flag_says_what_to_do_instead() {
    only_ferricorn!("Gunicorn has these settings");
    for (flag, line, advice) in REFUSED {
        let place = format!("Error: `{line}` ({}) from the command line: ", flag.split([' ', '=']).next().unwrap());
        Launch::app("plain").args(flag).run().expect(1, &[&place, advice]);
    }
}

/// What is refused is refused in the configuration file too, which is named.
#[test]
fn a_refused_setting_in_the_file_says_what_to_do_instead() {
    only_ferricorn!("Gunicorn has these settings");
    for (_, line, advice) in REFUSED {
        let finished = Launch::app("plain").conf(&format!("{line}\n")).run();
        finished.expect(1, &[&format!("Error: `{line}` from "), "gunicorn.conf.py", advice]);
    }
}

/// What is refused may stand in the file as long as it asks for nothing.
#[test]
fn defaults_of_refused_settings_are_fine() {
    let file = "spew = False\nprotocol = 'http'\ncertfile = None\nkeyfile = None\n\
                http2_cleartext = 'off'\ndirty_workers = 0\n";
    Launch::app("plain").conf(file).start().get("/").expect(200, "hello");
}

/// Settings that mean nothing without what is refused are accepted, and the server serves.
#[test]
fn settings_without_effect_are_accepted() {
    let file = "ca_certs = None\nciphers = None\nhttp_protocols = 'h1'\nproxy_allow_ips = '*'\nuwsgi_allow_ips = '*'\n\
                asgi_loop = 'asyncio'\nasgi_lifespan = 'off'\nroot_path = '/shop'\nhttp_parser = 'python'\n\
                dirty_timeout = 9\ndirty_threads = 2\nworker_tmp_dir = '/tmp'\nsendfile = False\n\
                control_socket_disable = True\ncontrol_socket_mode = 0o600\n\
                def pre_exec(server): pass\n\
                def dirty_post_fork(arbiter, worker): pass\n";
    Launch::app("plain").conf(file).start().get("/").expect(200, "hello");
}

/// Both workers serve, in their long forms and as classes too.
#[test]
fn worker_classes_are_known_by_all_their_names() {
    for class in ["sync", "gthread", "gunicorn.workers.sync.SyncWorker", "gunicorn.workers.gthread.ThreadWorker"] {
        Launch::app("plain").args("--worker-class").arg(class).start().get("/").expect(200, "hello");
    }
}

/// A worker class that is not served is exit 1 with a sentence that names it and says what to do.
#[test]
fn other_worker_classes_are_refused_with_what_to_do() {
    only_ferricorn!("Gunicorn has worker classes of its own, and takes others");
    for (class, advice) in [
        ("gevent", "use sync or gthread"),
        ("eventlet", "use sync or gthread"),
        ("tornado", "no tornado worker"),
        ("asgi", "ASGI"),
        ("uvicorn.workers.UvicornWorker", "ASGI"),
        ("uvicorn_worker.UvicornWorker", "ASGI"),
        ("nonsense", "the names that work are sync, gthread"),
    ] {
        let finished = Launch::app("plain").args("--worker-class").arg(class).run();
        finished.expect(1, &[&format!("Error: `worker_class = '{class}'` (--worker-class) from "), advice]);
    }
    let file = "class MyWorker: pass\nworker_class = MyWorker\n";
    Launch::app("plain").conf(file).run().expect(1, &["MyWorker is a worker class of your own"]);
}

/// A worker class that nobody knows is exit 1 under both servers.
#[test]
fn an_unknown_worker_class_is_named() {
    for class in ["eventlet", "nonsense"] {
        Launch::app("plain").args("--worker-class").arg(class).run().expect(1, &["Error: ", class]);
    }
}
