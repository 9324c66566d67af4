"""`ferricorn._standins`: what `import gunicorn` finds, with gunicorn and without.

Each case is a Python of its own, since what is imported stays imported.
"""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest
from ferricorn import _standins

# Modules of gunicorn are not found by what finds installed packages.
HIDING = """
import sys
from importlib.machinery import PathFinder

class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "gunicorn" else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
"""

INSTALLING = "from ferricorn import _standins\n_standins.install()\n"


def run(script: str) -> None:
    """Run a script that asserts what it has to."""
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def without_gunicorn(script: str) -> None:
    run(HIDING + INSTALLING + textwrap.dedent(script))


def test_gunicorn_is_hidden() -> None:
    """Else the others would show nothing."""
    run(HIDING + "import importlib.util\nassert importlib.util.find_spec('gunicorn') is None")
    assert find_spec("gunicorn") is not None


def test_every_counterpart_is_the_module_itself() -> None:
    """Under both names, whichever is imported first, and never a second time."""
    without_gunicorn(
        """
        import importlib
        for number, name in enumerate(sorted(_standins.MODULES)):
            names = [f"gunicorn.{name}", f"ferricorn.{name}"]
            first, second = names if number % 2 else reversed(names)
            assert importlib.import_module(first) is importlib.import_module(second), name
        import gunicorn.app.base, ferricorn.app.base, ferricorn.glogging, gunicorn.workers.sync
        from gunicorn import glogging, util
        from gunicorn.workers import base
        assert gunicorn.app.base is ferricorn.app.base
        assert gunicorn.glogging is glogging is ferricorn.glogging
        assert issubclass(gunicorn.workers.sync.SyncWorker, base.Worker)
        assert glogging.__name__ == glogging.__spec__.name == "ferricorn.glogging"
        """
    )


def test_gunicorn_says_which_version_it_stands_in_for() -> None:
    """As those ask it who support several."""
    without_gunicorn(
        """
        import gunicorn
        assert gunicorn.__version__ == "27.0.1"
        assert gunicorn.version_info == (27, 0, 1)
        assert gunicorn.SERVER == "gunicorn"
        assert gunicorn.SERVER_SOFTWARE == "gunicorn/27.0.1"
        """
    )
    import gunicorn
    from ferricorn import _gunicorn

    for name in ("__version__", "version_info", "SERVER", "SERVER_SOFTWARE"):
        assert getattr(_gunicorn, name) == getattr(gunicorn, name)


def test_modules_are_found_without_being_imported() -> None:
    """By `find_spec`, before the first import and after it."""
    without_gunicorn(
        """
        import sys
        from importlib.util import find_spec
        assert find_spec("gunicorn") is not None
        assert find_spec("gunicorn.glogging") is not None
        assert "gunicorn.glogging" not in sys.modules
        import gunicorn.glogging
        assert find_spec("gunicorn.glogging") is not None
        assert find_spec("gunicorn_nothing") is None
        """
    )


def test_what_has_no_stand_in_is_named() -> None:
    """In every form of import, with what to do."""
    without_gunicorn(
        """
        for statement in (
            "import gunicorn.pidfile", "from gunicorn.pidfile import Pidfile", "from gunicorn import pidfile"
        ):
            try:
                exec(statement)
            except ModuleNotFoundError as error:
                assert str(error) == (
                    "ferricorn has no stand-in for 'gunicorn.pidfile'; installing gunicorn beside ferricorn provides it"
                ), error
            else:
                raise AssertionError(statement)
        """
    )


def test_install_does_nothing_the_second_time() -> None:
    """Also after an import has put the other finder in place."""
    without_gunicorn(
        """
        import sys
        import gunicorn.util
        before = list(sys.meta_path)
        _standins.install()
        assert sys.meta_path == before
        """
    )


def test_an_installed_gunicorn_comes_first() -> None:
    """All of it, also what has a counterpart."""
    run(
        INSTALLING
        + """
import gunicorn.glogging, gunicorn.pidfile, ferricorn.glogging
assert gunicorn.glogging is not ferricorn.glogging
assert gunicorn.__spec__.origin != _standins.STANDIN
"""
    )


def test_the_names_that_people_import_are_there() -> None:
    """Each of them exists in gunicorn, too."""
    names = """
        from gunicorn.app.base import Application, BaseApplication
        from gunicorn.app.wsgiapp import WSGIApplication, run
        from gunicorn.arbiter import Arbiter
        from gunicorn.config import KNOWN_SETTINGS, Config, Setting, get_default_config_file, make_settings
        from gunicorn.config import validate_bool, validate_callable, validate_class, validate_dict, validate_pos_int
        from gunicorn.config import validate_list_string, validate_string, validate_string_to_list
        from gunicorn.errors import AppImportError, ConfigError, HaltServer
        from gunicorn.glogging import CONFIG_DEFAULTS, SYSLOG_FACILITIES, Logger
        from gunicorn.glogging import SafeAtoms, loggers, parse_syslog_address
        from gunicorn.http import Message, Request
        from gunicorn.http.errors import InvalidHeader, NoMoreData, ParseException
        from gunicorn.http.message import Request
        from gunicorn.http.wsgi import FileWrapper, Response
        from gunicorn.instrument.statsd import Statsd
        from gunicorn.util import close_on_exec, daemonize, getcwd, http_date, import_app, load_class
        from gunicorn.util import parse_address, warn
        from gunicorn.workers import SUPPORTED_WORKERS
        from gunicorn.workers.base import Worker
        from gunicorn.workers.gthread import ThreadWorker
        from gunicorn.workers.sync import SyncWorker
        from gunicorn.workers.workertmp import WorkerTmp
        assert str(HaltServer("why", 3)) == "<HaltServer 'why' 3>" and not issubclass(HaltServer, Exception)
        assert Arbiter.SIG_NAMES[15] == "term" and Arbiter.WORKER_BOOT_ERROR == 3 and Arbiter.WORKERS == {}
        assert {"sync", "gthread"} <= set(SUPPORTED_WORKERS) and len(KNOWN_SETTINGS) >= 120
    """
    run(names)
    without_gunicorn(names)


def test_the_exceptions_of_requests_are_all_there() -> None:
    """With the same bases."""
    import gunicorn.http.errors
    from ferricorn.http import errors

    for name, kind in vars(gunicorn.http.errors).items():
        if isinstance(kind, type):
            assert [base.__name__ for base in getattr(errors, name).__mro__] == [base.__name__ for base in kind.__mro__]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("gunicorn.glogging", "ferricorn.glogging"),
        ("gunicorn.pidfile", None),
        ("gunicorn", None),
        ("gunicorns.glogging", None),
        ("ferricorn.glogging", None),
    ],
)
def test_counterparts(name: str, ours: str | None) -> None:
    """By name."""
    assert _standins.counterpart(name) == ours
