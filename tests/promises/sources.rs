//! Where settings come from, and which source wins: defaults, environment, file, GUNICORN_CMD_ARGS, command line.

use crate::harness::Launch;

/// What `--print-config` says about `setting`.
#[track_caller]
fn shown(launch: Launch, setting: &str) -> String {
    let finished = launch.args("--print-config").run();
    finished.expect(0, &[]);
    let line = finished.stdout.lines().find(|line| line.split(" = ").next().is_some_and(|name| name.trim() == setting));
    let value = line.and_then(|line| line.split_once(" = ")).map(|(_, value)| value.to_owned());
    value.unwrap_or_else(|| panic!("no {setting} in\n{}", finished.stdout))
}

/// A command line without `--bind`.
fn plain() -> Launch {
    Launch::app("plain").no_bind()
}

/// Each source beats those before it: default, environment, file, GUNICORN_CMD_ARGS, command line.
#[test]
fn each_source_beats_the_one_before() {
    let environment = || plain().env("WEB_CONCURRENCY", "2");
    let file = || environment().conf("workers = 3\n");
    let arguments = || file().env("GUNICORN_CMD_ARGS", "--workers 4");
    for (launch, value) in [
        (plain(), "1"),
        (environment(), "2"),
        (file(), "3"),
        (arguments(), "4"),
        (arguments().args("-w 5"), "5"),
        (arguments().args("-w 5 --workers 6"), "6"),
    ] {
        assert_eq!(shown(launch, "workers"), value);
    }
}

/// A list from a source that wins replaces the list, and within one source its flags add up.
#[test]
fn lists_are_replaced() {
    let environment = || plain().env("PORT", "5001");
    let file = || environment().conf("bind = ['127.0.0.1:1', '127.0.0.1:2']\n");
    let arguments = || file().env("GUNICORN_CMD_ARGS", "-b 127.0.0.1:3 -b 127.0.0.1:4");
    for (launch, value) in [
        (plain(), "['127.0.0.1:8000']"),
        (environment(), "['0.0.0.0:5001']"),
        (file(), "['127.0.0.1:1', '127.0.0.1:2']"),
        (arguments(), "['127.0.0.1:3', '127.0.0.1:4']"),
        (arguments().args("-b unix:x -b 127.0.0.1:5"), "['unix:x', '127.0.0.1:5']"),
    ] {
        assert_eq!(shown(launch, "bind"), value);
    }
    let file = || plain().conf("raw_env = ['A=1']\n");
    assert_eq!(shown(file(), "raw_env"), "['A=1']");
    assert_eq!(shown(file().args("-e B=2 --env C=3"), "raw_env"), "['B=2', 'C=3']");
}

/// A switch that a file turns on stays on, since flags can only turn on.
#[test]
fn switches_only_turn_on() {
    assert_eq!(shown(plain().conf("preload_app = True\n"), "preload_app"), "True");
    assert_eq!(shown(plain().conf("preload_app = False\n").args("--preload"), "preload_app"), "True");
    assert_eq!(
        shown(plain().conf("preload_app = False\n").env("GUNICORN_CMD_ARGS", "--preload"), "preload_app"),
        "True"
    );
    assert_eq!(shown(plain().conf("preload_app = 'true'\n"), "preload_app"), "True");
}

/// `-c` on the command line beats `-c` in GUNICORN_CMD_ARGS, which beats the file that is read unasked.
#[test]
fn the_file_is_chosen() {
    let files = || plain().conf("timeout = 1\n").file("two.py", "timeout = 2\n").file("three.py", "timeout = 3\n");
    assert_eq!(shown(files(), "timeout"), "1");
    assert_eq!(shown(files().env("GUNICORN_CMD_ARGS", "-c two.py"), "timeout"), "2");
    assert_eq!(shown(files().env("GUNICORN_CMD_ARGS", "--config=two.py").args("-cthree.py"), "timeout"), "3");
    assert_eq!(shown(files().args("-c python:two"), "timeout"), "2");
    assert_eq!(shown(files().args("-c file:two.py"), "timeout"), "2");
    // Only one file is read: what it does not say is the default.
    assert_eq!(shown(plain().conf("workers = 9\n").file("two.py", "timeout = 2\n").args("-c two.py"), "workers"), "1");
}

/// A file that exists under another ending than `.py` is Python all the same.
#[test]
fn any_ending_is_python() {
    assert_eq!(shown(plain().file("production.conf", "timeout = 2\n").args("-c production.conf"), "timeout"), "2");
}

/// `config` in a file leads nowhere: files name no files.
#[test]
fn a_file_names_no_file() {
    assert_eq!(shown(plain().conf("config = 'two.py'\n").file("two.py", "timeout = 2\n"), "timeout"), "30");
}

/// FORWARDED_ALLOW_IPS is the default of `forwarded_allow_ips`, SENDFILE that of `sendfile`.
#[test]
fn further_defaults_come_from_the_environment() {
    let trusting = || plain().env("FORWARDED_ALLOW_IPS", "10.0.0.0/8,::1");
    assert_eq!(shown(trusting(), "forwarded_allow_ips"), "['10.0.0.0/8', '::1']");
    assert_eq!(shown(trusting().args("--forwarded-allow-ips *"), "forwarded_allow_ips"), "['*']");
    for value in ["0", "yes"] {
        Launch::app("plain").env("SENDFILE", value).start().get("/").expect(200, "hello");
    }
}

/// GUNICORN_CMD_ARGS is split as a shell would, and an application named there is nobody's.
#[test]
fn the_variable_is_split_like_a_shell() {
    let launch = || plain().env("GUNICORN_CMD_ARGS", "--name 'my shop' --env \"A=b c\" other:app");
    assert_eq!(shown(launch(), "proc_name"), "my shop");
    assert_eq!(shown(launch(), "raw_env"), "['A=b c']");
    assert_eq!(shown(launch(), "default_proc_name"), "plain");
}

/// `WORKERS` is a second name of WEB_CONCURRENCY, which wins over it.
#[test]
fn workers_has_a_second_name() {
    only_ferricorn!("Gunicorn reads WEB_CONCURRENCY alone");
    assert_eq!(shown(plain().env("WORKERS", "3"), "workers"), "3");
    assert_eq!(shown(plain().env("WORKERS", "3").env("WEB_CONCURRENCY", "2"), "workers"), "2");
    Launch::app("plain").env("WORKERS", "x").run().expect(1, &["WORKERS", "'x'"]);
}

/// `auto` as the number of workers is a number that fits the machine, wherever it is said.
#[test]
fn workers_can_be_automatic() {
    only_ferricorn!("Gunicorn wants a number");
    let number = |launch: Launch| shown(launch, "workers").parse::<u32>().expect("auto ends up as a number");
    let by_flag = number(plain().args("-w auto"));
    assert!(by_flag >= 1);
    assert_eq!(number(plain().conf("workers = 'auto'\n")), by_flag);
    assert_eq!(number(plain().file("ferricorn.toml", "workers = 'auto'\n")), by_flag);
    assert_eq!(number(plain().env("WEB_CONCURRENCY", "auto")), by_flag);
    assert_eq!(number(plain().env("GUNICORN_CMD_ARGS", "--workers=auto")), by_flag);
}

/// `ferricorn.toml` is read where there is no `gunicorn.conf.py`, and `-c` names TOML by its ending.
#[test]
fn toml_is_a_file_too() {
    only_ferricorn!("Gunicorn reads Python alone");
    let toml = "timeout = 4\nbind = ['127.0.0.1:1']\npreload_app = true\n";
    let launch = || plain().file("ferricorn.toml", toml);
    assert_eq!(shown(launch(), "timeout"), "4");
    assert_eq!(shown(launch(), "preload_app"), "True");
    assert_eq!(shown(launch().env("GUNICORN_CMD_ARGS", "-t 5"), "timeout"), "5");
    assert_eq!(shown(launch().conf("timeout = 6\n"), "timeout"), "6");
    assert_eq!(shown(launch().conf("timeout = 6\n").args("-c ferricorn.toml"), "timeout"), "4");
    Launch::app("plain").file("ferricorn.toml", "wrokers = 2\n").run().expect(1, &["`wrokers`", "`workers`", "line 1"]);
}

/// `--explain-config` prints what `--print-config` prints, and where each value comes from.
#[test]
fn origins_can_be_shown() {
    only_ferricorn!("Gunicorn does not tell");
    let launch = plain().conf("timeout = 3\n").env("GUNICORN_CMD_ARGS", "--backlog 9").env("WEB_CONCURRENCY", "2");
    let finished = launch.args("--name shop --explain-config").run();
    finished.expect(0, &[]);
    for (setting, value, origin) in [
        ("timeout", "3", "gunicorn.conf.py"),
        ("backlog", "9", "GUNICORN_CMD_ARGS"),
        ("workers", "2", "WEB_CONCURRENCY"),
        ("proc_name", "shop", "command line"),
        ("keepalive", "2", "default"),
    ] {
        let line = finished.stdout.lines().find(|line| line.starts_with(&format!("{setting} "))).unwrap_or_default();
        assert!(line.contains(&format!("= {value}")) && line.contains(origin), "{line}");
    }
}
