"""`ferricorn._loading`: application specs, configuration files, the state an application is loaded in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ferricorn import _loading
from ferricorn._loading import (
    BadConfiguration,
    NotAnApplication,
    evaluate_file,
    evaluate_module,
    exit_status,
    line_numbers,
    load,
)

SHOP = """
def application(environ, start_response):
    return ["application"]


def other(environ, start_response):
    return ["other"]


def make(*args, **kwargs):
    def app(environ, start_response):
        return [args, kwargs]

    return app


def make_nothing():
    return None


def picky(name):
    return application


def raising():
    return None + 1


nothing = None
number = 3
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current directory that is searched first, and modules that nobody remembers afterwards."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "shop.py").write_text(SHOP)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def answer(specification: str) -> object:
    return load(specification)({}, None)


def refusal(specification: str) -> str:
    with pytest.raises(NotAnApplication) as caught:
        load(specification)
    return str(caught.value)


@pytest.mark.parametrize(
    ("specification", "answered"),
    [
        ("shop", ["application"]),
        ("shop:", ["application"]),
        ("shop:other", ["other"]),
        ("shop:make()", [(), {}]),
        ("shop:make('a', 2, k=[1, {'b': None}])", [("a", 2), {"k": [1, {"b": None}]}]),
        ("shop:make(-1, (True, b'x'))", [(-1, (True, b"x")), {}]),
    ],
)
def test_specs(specification: str, answered: list[object]) -> None:
    assert answer(specification) == answered


def test_modules_of_packages(workplace: Path) -> None:
    (workplace / "storefront").mkdir()
    (workplace / "storefront" / "wsgi.py").write_text(SHOP)
    assert answer("storefront.wsgi:other") == ["other"]


@pytest.mark.parametrize(
    ("specification", "sentence"),
    [
        ("shop:missing", "Failed to find attribute 'missing' in 'shop'."),
        ("shop:missing()", "Failed to find attribute 'missing' in 'shop'."),
        ("shop:nothing", "Failed to find application object: 'nothing' in 'shop' is None."),
        ("shop:make_nothing()", "Failed to find application object: 'make_nothing()' in 'shop' is None."),
        ("shop:number", "Application object must be callable. 'number' in 'shop' is not."),
        ("shop:a.b", "Failed to parse 'a.b' as an attribute name or function call."),
        ("shop:1 +", "Failed to parse '1 +' as an attribute name or function call."),
        ("shop:make()()", "Failed to parse 'make()()' as an attribute name or function call."),
        ("shop:make(name)", "Failed to parse arguments as literal values: 'make(name)'."),
        ("shop:make(k=open('x'))", "Failed to parse arguments as literal values: \"make(k=open('x'))\"."),
    ],
)
def test_each_failure_says_what_is_missing(specification: str, sentence: str) -> None:
    assert refusal(specification) == sentence


def test_keywords_must_be_written_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "starred.py").write_text("def make(**options): return lambda environ, start_response: []\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(_loading.NotAnApplication, match="literal values"):
        _loading.load("starred:make(**{'a': 1})")


def test_a_factory_that_does_not_take_the_arguments() -> None:
    sentence = refusal("shop:picky()")
    assert sentence.startswith("Factory 'picky' does not take these arguments: ")
    assert "missing 1 required positional argument: 'name'" in sentence


def test_a_factory_that_fails_inside_is_not_taken_for_one_that_was_called_wrongly() -> None:
    with pytest.raises(TypeError) as caught:
        load("shop:raising()")
    assert "NoneType" in str(caught.value)


def test_a_file_name_is_answered_with_the_module() -> None:
    assert refusal("shop.py") == "Failed to find application, did you mean 'shop:application'?"
    assert refusal("shop.py:other") == "Failed to find application, did you mean 'shop:other'?"


def test_import_errors_are_left_as_they_are(workplace: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        load("no_such_module:app")
    (workplace / "failing.py").write_text("import no_such_thing\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
        load("failing")


def test_a_configuration_file_gives_its_lower_case_globals(workplace: Path) -> None:
    file = workplace / "gunicorn.conf.py"
    file.write_text("import os\nworkers = 1 + 1\nBIG = 1\n_private = 1\nfolder = os.path.dirname(__file__)\n")
    found = evaluate_file(str(file))
    assert found["workers"] == 2
    assert found["folder"] == str(workplace)
    assert not {"BIG", "_private", "__name__", "__builtins__"} & set(found)


def test_a_configuration_file_is_the_module_config(workplace: Path) -> None:
    (workplace / "helper.py").write_text("WORKERS = 5\n")
    file = workplace / "conf.py"
    file.write_text("from helper import WORKERS\nworkers = WORKERS\nname = __name__\n")
    found = evaluate_file(str(file))
    assert (found["workers"], found["name"]) == (5, "__config__")
    assert sys.modules["__config__"].__file__ == str(file)


def test_a_syntax_error_is_one_line_that_says_where(workplace: Path) -> None:
    file = workplace / "gunicorn.conf.py"
    file.write_text("workers = 2\nbind = (\n")
    with pytest.raises(BadConfiguration) as caught:
        evaluate_file(str(file))
    sentence = str(caught.value)
    assert sentence.startswith(f"Failed to read config file: {file}, line 2: SyntaxError: ")
    assert "\n" not in sentence


def test_a_file_that_cannot_be_read_is_named(workplace: Path) -> None:
    missing = str(workplace / "none.py")
    with pytest.raises(BadConfiguration, match="cannot be read") as caught:
        evaluate_file(missing)
    assert missing in str(caught.value)
    (workplace / "null.py").write_bytes(b"workers = 1\0\n")
    with pytest.raises(BadConfiguration, match="null.py"):
        evaluate_file(str(workplace / "null.py"))


@pytest.mark.parametrize("statement", ["raise LookupError('on purpose')", "raise SystemExit(7)"])
def test_an_exception_in_the_file_goes_on_and_the_file_is_named(
    workplace: Path, statement: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = workplace / "conf.py"
    file.write_text(statement + "\n")
    with pytest.raises((LookupError, SystemExit)):
        evaluate_file(str(file))
    assert capsys.readouterr().err == f"Failed to read config file: {file}\n"


def test_another_extension_is_remarked_on(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = workplace / "settings.conf"
    file.write_text("workers = 2\n")
    assert evaluate_file(str(file))["workers"] == 2
    assert f"{file} does not end in .py" in capsys.readouterr().err


def test_a_configuration_module(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "deployment.py").write_text("workers = 7\nBIG = 1\n")
    assert evaluate_module("deployment") == {"workers": 7}
    with pytest.raises(ModuleNotFoundError):
        evaluate_module("no_such_deployment")
    assert capsys.readouterr().err == "Failed to read config file: no_such_deployment\n"


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [(None, 0, ""), (0, 0, ""), (3, 3, ""), (256, 0, ""), (-1, 255, ""), (True, 1, ""), ("out of shop", 1, "out of shop\n")],
)
def test_exit_status(code: object, status: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status(SystemExit(code)) == status
    assert capsys.readouterr().err == said


def test_exit_status_is_the_interpreters(tmp_path: Path) -> None:
    for code in ("None", "7", "300", "-2", "'words'", "(1, 2)"):
        program = f"import sys; sys.exit({code})"
        interpreter = subprocess.run([sys.executable, "-c", program], capture_output=True).returncode
        assert exit_status(SystemExit(eval(code))) == interpreter, code


PREPARE = """
import json, os, sys
from ferricorn import _loading
_loading.prepare(sys.argv[1], sys.argv[2:], [("SHOP", "Edgar's"), ("PATH", "/nowhere")])
names = ("SHOP", "PATH", "SERVER_SOFTWARE")
print(json.dumps([os.getcwd(), sys.path[:3], {name: os.environ[name] for name in names}]))
"""


def test_prepare(workplace: Path) -> None:
    for name in ("home", "one", "two"):
        (workplace / name).mkdir()
    home, one, two = (str(workplace / name) for name in ("home", "one", "two"))
    finished = subprocess.run(
        [sys.executable, "-c", PREPARE, home, one, two], capture_output=True, text=True, check=True, env={**os.environ}
    )
    directory, path, environ = json.loads(finished.stdout)
    assert directory == home
    assert path == [home, two, one]
    assert environ == {"SHOP": "Edgar's", "PATH": "/nowhere", "SERVER_SOFTWARE": "gunicorn/27.0.1"}


def test_prepare_names_a_directory_that_is_missing(workplace: Path) -> None:
    missing = str(workplace / "none")
    finished = subprocess.run([sys.executable, "-c", PREPARE, missing], capture_output=True, text=True)
    assert finished.returncode == 1
    assert f"No such file or directory: '{missing}'" in finished.stderr


def test_source_files_grow_with_what_is_imported(workplace: Path) -> None:
    shop = str(workplace / "shop.py")
    assert shop not in _loading.source_files()
    load("shop")
    assert shop in _loading.source_files()


FINISH = """
import atexit, sys, threading, time
from ferricorn import _loading
def slowly():
    time.sleep(0.2)
    print("thread")
threading.Thread(target=slowly).start()
atexit.register(print, "atexit")
_loading.finish()
print("after")
sys.stdout.flush()
"""


def test_finish_waits_for_threads_then_runs_exit_handlers_once() -> None:
    finished = subprocess.run([sys.executable, "-c", FINISH], capture_output=True, text=True)
    assert (finished.stdout, finished.stderr) == ("thread\natexit\nafter\n", "")


def test_line_numbers_of_module_level_names(tmp_path: Path) -> None:
    """Each name has the last line that sets it, in branches too, and no name of a function's own."""
    file = tmp_path / "conf.py"
    file.write_text("workers = 1\nif workers:\n    workers = 2\nelse:\n    bind = 'a'\n\n\ndef pre_fork(server, worker):\n    timeout = 3\n")
    assert line_numbers(str(file)) == {"workers": 3, "bind": 5, "pre_fork": 8}
    assert line_numbers(str(tmp_path / "missing.py")) == {}
