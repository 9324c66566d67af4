"""What a mold and its workers do with the hooks and the logger of a configuration.

The extension module makes one `Host` in each mold, and every worker has the copy it was forked with. Exceptions of hooks
pass through; what becomes of them is decided by whoever calls.
"""

from __future__ import annotations

import inspect
import importlib
import logging
import os
import signal
import traceback
from contextlib import contextmanager
from types import FrameType
from typing import Any, Callable, Iterator, Mapping

from ferricorn import _ferricorn, util
from ferricorn._loading import BadConfiguration
from ferricorn._requests import RequestHooks
from ferricorn._server import HostedWorker, Listener, Server
from ferricorn.config import Config

# How many arguments each hook is called with; `post_request` also takes the shorter forms of older days.
HOOKS: dict[str, tuple[int, ...]] = {
    "on_starting": (1,),
    "on_reload": (1,),
    "when_ready": (1,),
    "pre_fork": (2,),
    "post_fork": (2,),
    "post_worker_init": (1,),
    "worker_int": (1,),
    "worker_abort": (1,),
    "pre_exec": (1,),
    "pre_request": (2,),
    "post_request": (4, 3, 2),
    "child_exit": (2,),
    "worker_exit": (2,),
    "nworkers_changed": (3,),
    "on_exit": (1,),
    "ssl_context": (2,),
    "on_dirty_starting": (1,),
    "dirty_post_fork": (2,),
    "dirty_worker_init": (1,),
    "dirty_worker_exit": (2,),
}


# Settings that a logger's failure to start may be about.
LOGGING = ("logger_class", "logconfig", "logconfig_dict", "logconfig_json", "syslog_addr", "syslog_facility")


class Host:
    """The hooks of one configuration, and the objects they are called with."""

    def __init__(self, values: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> None:
        """Check every hook.

        `values` are the settings that were resolved, functions and classes as they are; `origins` say where those were
        set that are not at their defaults, for the sentences about them.
        """
        self._origins = origins or {}
        ready = dict(values)
        self._defined: set[str] = set()
        for name, arities in HOOKS.items():
            if name in ready:
                ready[name] = _usable(self._called(name, ready[name]), ready[name], arities)
                self._defined.add(name)
        try:
            self.cfg = Config.of(ready)
        except (ImportError, AttributeError, TypeError, ValueError, RuntimeError) as error:
            raise BadConfiguration(str(error)) from error
        self.server = Server(self.cfg)
        self.worker: HostedWorker | None = None

    def start_logging(self) -> Any:
        """Make the logger; it writes from here on."""
        named = self.cfg.settings["logger_class"].get()
        try:
            logger_class = self.cfg.logger_class
        except (ImportError, AttributeError, RuntimeError) as error:
            raise BadConfiguration(f"{self._called('logger_class', named)}: {error}") from error
        if not callable(logger_class):
            raise BadConfiguration(f"{self._called('logger_class', named)}: its module has no class of that name")
        try:
            log = logger_class(self.cfg)
        except (OSError, RuntimeError, ValueError) as error:
            sources = [f"{name} from {self._origins[name]}" for name in LOGGING if name in self._origins]
            places = f" ({', '.join(sources)})" if sources else ""
            raise BadConfiguration(f"{error}{places}") from error
        self.server.log = log
        return log

    def revised_tls(self) -> Any:
        """Return what `ssl_context` makes of TLS; None if there is no such hook."""
        if "ssl_context" not in self._defined:
            return None
        # OpenSSL is not loaded for those who have no use for it.
        from ferricorn import _tls

        return _tls.revised(self.cfg)

    def _called(self, name: str, value: Any) -> str:
        """Name a setting, its value and where it was set."""
        shown = repr(value) if isinstance(value, (str, int)) or value is None else f"<{_qualified(value)}()>"
        origin = f" from {self._origins[name]}" if name in self._origins else ""
        return f"`{name} = {shown}`{origin}"

    def log_for_master(self, level: str, message: str) -> None:
        """Log a line of the master's under the master's pid."""
        with _records_of(self.server.pid):
            getattr(self.server.log, level.lower())(message)

    def measure(self, name: str, value: int, kind: str) -> None:
        """Give a metric of the master's to the logger."""
        self.server.log.debug(f"{name} {value}", extra={"metric": name, "value": value, "mtype": kind})

    def log_exception(self, words: str, error: tuple[Any, Any, Any]) -> None:
        """Log an exception with its traceback, as the logger formats one."""
        self.server.log.exception(words, exc_info=error)

    # Hooks of the server, called in the mold.

    def on_starting(self) -> None:
        self.cfg.on_starting(self.server)

    def when_ready(self) -> None:
        self.cfg.when_ready(self.server)

    def on_reload(self) -> None:
        self.cfg.on_reload(self.server)

    def pre_exec(self) -> None:
        self.cfg.pre_exec(self.server)

    def on_exit(self) -> None:
        self.cfg.on_exit(self.server)

    def workers_changed(self, new: int, old: int | None) -> None:
        """Another number of workers is wanted, by the operator or the settings."""
        self.server.note_num_workers(new)
        self.cfg.nworkers_changed(self.server, new, old)

    def take_wanted(self) -> int | None:
        """Return the number of workers that a hook has asked for since the last call."""
        return self.server.take_wanted()

    def show_listeners(self, numbers: list[int]) -> None:
        """Take the numbers of the listening sockets."""
        self.server.LISTENERS[:] = [Listener(number) for number in numbers]

    def preloaded(self, application: Callable[..., Any]) -> None:
        """Take the application that workers are to inherit."""
        self.server.app.callable = application

    def before_fork(self, age: int) -> None:
        self.worker = self.server.make_worker(age)
        self.server.worker_age = age
        self.cfg.pre_fork(self.server, self.worker)

    def forked(self, pid: int) -> None:
        """Enter the worker that `before_fork` announced."""
        if self.worker is not None:
            self.worker.pid = pid
            self.server.WORKERS[pid] = self.worker
            self.worker = None

    def born(self, pid: int, age: int) -> None:
        """Enter a worker that another mold has forked."""
        if pid not in self.server.WORKERS:
            worker = self.server.make_worker(age)
            worker.pid = pid
            worker.booted = True
            self.server.WORKERS[pid] = worker

    def ended(self, pid: int, age: int, call_hook: bool) -> None:
        self.born(pid, age)
        worker = self.server.WORKERS.pop(pid)
        if call_hook:
            self.cfg.child_exit(self.server, worker)

    # In a worker.

    def worker_is_born(self) -> None:
        """Become a worker: the copy of the process that `before_fork` prepared."""
        if self.worker is None:
            raise RuntimeError("a worker was forked that nobody had announced")
        self.worker.pid = os.getpid()
        self.cfg.post_fork(self.server, self.worker)

    def begin_worker(self) -> None:
        """Install the handlers of signals that end a call."""
        signal.signal(signal.SIGABRT, self._abort)
        signal.signal(signal.SIGINT, self._quit)
        signal.signal(signal.SIGQUIT, self._quit)

    def loaded(self, application: Callable[..., Any]) -> None:
        worker = self._own_worker()
        self.server.app.callable = application
        worker.wsgi = application
        self.cfg.post_worker_init(worker)
        worker.booted = True

    def worker_exits(self) -> None:
        """Call `worker_exit`; nothing in a process that is no worker."""
        if self.worker is not None:
            self.worker.leaves()
            try:
                self.cfg.worker_exit(self.server, self.worker)
            except Exception:
                self.server.log.warning("Exception during worker exit:", exc_info=True)

    def request_hooks(self, logs: bool) -> RequestHooks | None:
        """Return what is to see requests, if anything is; `logs`: the logger's access method is."""
        return RequestHooks.of(self.cfg, self._own_worker(), self._defined, logs)

    def _own_worker(self) -> HostedWorker:
        if self.worker is None:
            raise RuntimeError("this process is no worker")
        return self.worker

    def _quit(self, _signal: int, _frame: FrameType | None) -> None:
        self._end("worker_int", 0)

    def _abort(self, _signal: int, frame: FrameType | None) -> None:
        worker = self._own_worker()
        worker.aborted = True
        if not worker.booted:
            stack = "".join(traceback.format_stack(frame)).rstrip()
            self.server.log.error(f"Worker was told to abort while it loaded the application, which was here:\n{stack}")
        self._end("worker_abort", 1)

    def _end(self, hook: str, status: int) -> None:
        worker = self._own_worker()
        worker.leaves()
        try:
            getattr(self.cfg, hook)(worker)
        except Exception:
            self.server.log.exception("Exception in %s hook", hook)
        if _ferricorn.is_interruptible():
            raise SystemExit(status)


def _usable(called: str, hook: Any, arities: tuple[int, ...]) -> Callable[..., Any]:
    """Return the function that a hook names or is, if it can be called as it will be; `called`: how to name the setting."""
    if isinstance(hook, str):
        hook = _imported(called, hook)
    if not callable(hook):
        raise BadConfiguration(f"{called}: must be a function")
    try:
        arity = util.get_arity(hook)
    except (TypeError, ValueError):
        # Some built-in callables do not say what they take.
        return hook
    if arity in arities:
        return hook if arity == arities[0] else lambda *arguments: hook(*arguments[:arity])
    wanted = " or ".join(str(arity) for arity in arities)
    words = "argument" if arities == (1,) else "arguments"
    raise BadConfiguration(f"{called}: is called with {wanted} {words}, it takes {inspect.signature(hook)}")


def _imported(called: str, path: str) -> Any:
    module_name, _, attribute = path.rpartition(".")
    if not module_name:
        raise BadConfiguration(f"{called}: a function is named as package.module.function")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise BadConfiguration(f"{called}: cannot be imported: {error}") from error


def _qualified(value: Any) -> str:
    return str(getattr(value, "__qualname__", repr(value)))


@contextmanager
def _records_of(pid: int) -> Iterator[None]:
    """Give log records that are made meanwhile another process number than this one's."""
    usual = logging.getLogRecordFactory()

    def of_process(*arguments: Any, **keywords: Any) -> logging.LogRecord:
        record = usual(*arguments, **keywords)
        record.process = pid
        return record

    logging.setLogRecordFactory(of_process)
    try:
        yield
    finally:
        logging.setLogRecordFactory(usual)
