//! What Gunicorn has and Ferricorn does not have yet is refused by name, never silently ignored.
//! When a setting arrives, its line here goes and a promise of its own comes.

use crate::harness::Launch;

/// Flags of settings that we do not have are exit 1 with a sentence that names the setting.
#[test]
fn missing_settings_are_named() {
    only_ferricorn!("Gunicorn has these settings");
    for (args, name) in [("--threads 2", "threads"), ("--certfile server.pem", "certfile"), ("--spew", "spew")] {
        Launch::app("plain").args(args).run().expect(1, &[name]);
    }
}

/// A worker class that we do not have is exit 1 with a sentence that names it.
#[test]
fn missing_worker_classes_are_named() {
    for class in ["gevent", "tornado", "eventlet", "nonsense"] {
        Launch::app("plain").args("--worker-class").arg(class).run().expect(1, &["Error: ", class]);
    }
}

/// A missing setting is refused in the configuration file too.
#[test]
fn missing_settings_in_the_file_are_named() {
    only_ferricorn!("Gunicorn has these settings");
    Launch::app("plain").conf("threads = 4\n").run().expect(1, &["threads"]);
}

/// A setting that we do not have may stand in the file as long as it holds the default.
#[test]
fn defaults_of_missing_settings_are_fine() {
    let server = Launch::app("plain").conf("threads = 1\ncertfile = None\n").start();
    server.get("/").expect(200, "hello");
}
