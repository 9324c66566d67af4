//! Which kind of worker is meant: one that makes its calls one at a time, or one whose threads make them. Every other is
//! refused with what to do instead.

use crate::Value;

/// Modules that the names of worker classes may stand in.
const HOMES: [&str; 2] = ["gunicorn.workers.", "ferricorn.workers."];

/// A worker class that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkerClass {
    /// One call at a time.
    Sync,
    /// As many at a time as it has threads.
    Gthread,
}

impl WorkerClass {
    /// The class of a checked value; the error is what is wrong and what to do.
    pub(crate) fn of(value: &Value) -> Result<WorkerClass, String> {
        match value {
            Value::Callable(name) if name == "SyncWorker" => Ok(WorkerClass::Sync),
            Value::Callable(name) if name == "ThreadWorker" => Ok(WorkerClass::Gthread),
            Value::Callable(name) => Err(format!(
                "{name} is a worker class of your own, and ferricorn serves with its own worker; use sync or gthread, \
                 and move what the class does to the hooks (post_fork, post_worker_init)"
            )),
            Value::None => Err(unknown("None")),
            name => by_name(&name.shown()),
        }
    }
}

fn by_name(name: &str) -> Result<WorkerClass, String> {
    match local(name) {
        "sync" | "sync.SyncWorker" => Ok(WorkerClass::Sync),
        "gthread" | "gthread.ThreadWorker" => Ok(WorkerClass::Gthread),
        local => Err(refusal(name, local.split('.').next().unwrap_or_default())),
    }
}

/// The name without the package it is in: `gunicorn.workers.sync.SyncWorker` and `egg:gunicorn#sync` too.
fn local(name: &str) -> &str {
    let egg = name.strip_prefix("egg:gunicorn#");
    egg.or_else(|| HOMES.iter().find_map(|home| name.strip_prefix(home))).unwrap_or(name)
}

fn refusal(name: &str, family: &str) -> String {
    match family {
        "gevent" | "gevent_wsgi" | "gevent_pywsgi" | "ggevent" | "eventlet" | "geventlet" => format!(
            "ferricorn has no worker for green threads ({family}); use sync or gthread, which serve every WSGI \
             application, and raise `workers` where many calls wait at a time"
        ),
        "tornado" | "gtornado" => "ferricorn has no tornado worker; a WSGI application is served by sync or gthread, \
             a Tornado application needs gunicorn or Tornado's own server"
            .to_owned(),
        "asgi" | "gasgi" | "uvicorn" | "uvicorn_worker" => "ferricorn serves WSGI applications only, native ASGI \
             comes with a later version; keep gunicorn or uvicorn for an ASGI application until then"
            .to_owned(),
        _ => unknown(name),
    }
}

fn unknown(name: &str) -> String {
    format!(
        "there is no worker class {name}; the names that work are sync, gthread, gunicorn.workers.sync.SyncWorker and \
         gunicorn.workers.gthread.ThreadWorker"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_two_workers_by_all_their_names() {
        use WorkerClass::{Gthread, Sync};
        let text = |name| Value::text(name);
        let names = [
            (text("sync"), Sync),
            (text("gthread"), Gthread),
            (text("gunicorn.workers.sync.SyncWorker"), Sync),
            (text("ferricorn.workers.gthread.ThreadWorker"), Gthread),
            (text("egg:gunicorn#gthread"), Gthread),
            (Value::Callable("SyncWorker".into()), Sync),
            (Value::Callable("ThreadWorker".into()), Gthread),
        ];
        for (value, class) in names {
            assert_eq!(WorkerClass::of(&value), Ok(class), "{value}");
        }
    }

    #[test]
    fn every_other_class_is_refused_with_what_to_do() {
        let cases = [
            ("gevent", "no worker for green threads (gevent); use sync or gthread"),
            ("gevent_wsgi", "no worker for green threads"),
            ("gevent_pywsgi", "no worker for green threads"),
            ("eventlet", "no worker for green threads (eventlet)"),
            ("gunicorn.workers.ggevent.GeventWorker", "no worker for green threads"),
            ("tornado", "no tornado worker"),
            ("asgi", "native ASGI comes with a later version"),
            ("uvicorn.workers.UvicornWorker", "native ASGI comes with a later version"),
            ("uvicorn.workers.UvicornH11Worker", "keep gunicorn or uvicorn"),
            ("uvicorn_worker.UvicornWorker", "keep gunicorn or uvicorn"),
            ("synk", "there is no worker class synk; the names that work are sync, gthread,"),
        ];
        for (name, words) in cases {
            let sentence = WorkerClass::of(&Value::text(name)).unwrap_err();
            assert!(sentence.contains(words), "{name}: {sentence}");
        }
        let own = WorkerClass::of(&Value::Callable("MyWorker".into())).unwrap_err();
        assert!(own.contains("MyWorker is a worker class of your own"), "{own}");
    }
}
