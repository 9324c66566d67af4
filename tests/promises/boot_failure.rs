//! An application that cannot be loaded ends the server: a traceback or a sentence, exit 3 or 4, nothing left running.

use crate::harness::Launch;

/// Why four workers are only promised by us.
const RACE: &str = "with several workers Gunicorn ends by a race in exit 3, 4 or a raw traceback and 1";

/// Panics unless the application `spec` fails to boot with `code`, saying `words`.
#[track_caller]
fn assert_boot_failure(spec: &str, workers: usize, code: i32, words: &[&str]) {
    let module = "raise LookupError('failed on purpose')\n";
    let launch = Launch::app(spec).file("failing.py", module).file("exits.py", "import os\nos._exit(3)\n");
    let finished = launch.args(&format!("--workers {workers} --pid server.pid")).run();
    let reason = if code == 3 { "Reason: Worker failed to boot." } else { "Reason: App failed to load." };
    finished.expect(code, words).expect(code, &["Shutting down: Master", reason]);
    assert!(!finished.workdir.has("server.pid"), "the pid file is left behind");
}

/// A module that is missing is exit 3 with the ImportError.
#[test]
fn a_missing_module_is_exit_3() {
    let words = ["Exception in worker process", "ModuleNotFoundError: No module named 'no_such_module'"];
    assert_boot_failure("no_such_module", 1, 3, &words);
}

/// An exception at import is exit 3 with its traceback.
#[test]
fn an_exception_at_import_is_exit_3() {
    let words = ["Exception in worker process", "Traceback", "failing.py\", line 1", "LookupError: failed on purpose"];
    assert_boot_failure("failing", 1, 3, &words);
}

/// A worker that ends with status 3 by itself ends the server with 3.
#[test]
fn a_worker_that_exits_3_is_a_boot_failure() {
    assert_boot_failure("exits", 1, 3, &[]);
}

/// An attribute that is missing is exit 4 with a sentence that names both.
#[test]
fn a_missing_attribute_is_exit_4() {
    assert_boot_failure("specs:nothing", 1, 4, &["Failed to find attribute 'nothing' in 'specs'."]);
}

/// Something that cannot be called is exit 4.
#[test]
fn an_application_that_is_not_callable_is_exit_4() {
    assert_boot_failure("specs:not_callable", 1, 4, &["Application object must be callable."]);
}

/// A factory that returns None is exit 4.
#[test]
fn a_factory_without_a_result_is_exit_4() {
    assert_boot_failure("specs:make_none()", 1, 4, &["Failed to find application object: 'make_none()'"]);
}

/// A spec that is neither a name nor a call of a name is exit 4.
#[test]
fn a_spec_that_cannot_be_parsed_is_exit_4() {
    assert_boot_failure("specs:a.b", 1, 4, &["Failed to parse 'a.b' as an attribute name or function call."]);
}

/// Four workers that cannot import the application are one exit 3 as well.
#[test]
fn four_workers_without_a_module_are_exit_3() {
    only_ferricorn!(RACE);
    assert_boot_failure("no_such_module", 4, 3, &["ModuleNotFoundError"]);
    assert_boot_failure("failing", 4, 3, &["LookupError: failed on purpose"]);
}

/// Four workers without the attribute are one exit 4 as well.
#[test]
fn four_workers_without_an_attribute_are_exit_4() {
    only_ferricorn!(RACE);
    assert_boot_failure("specs:nothing", 4, 4, &["Failed to find attribute 'nothing' in 'specs'."]);
}

/// With `--preload` an application that cannot be loaded ends the start before anything is bound: exit 1.
#[test]
fn a_preload_failure_binds_nothing() {
    for (spec, word) in
        [("no_such_module", "no_such_module"), ("failing", "failed on purpose"), ("specs:nothing", "nothing")]
    {
        let launch = Launch::app(spec).file("failing.py", "raise LookupError('failed on purpose')\n");
        let finished = launch.bind("unix:socket").args("--preload --workers 4").run();
        finished.expect(1, &[word]);
        assert!(!finished.workdir.has("socket") && !finished.stderr.contains("Listening at"), "{}", finished.stderr);
    }
}
