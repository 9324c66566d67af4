"""The `server` and `worker` that hooks are called with.

Hooks that Gunicorn runs in its master run in the mold here. Their `server` stands for the master: its `pid` is the master's,
what it is asked to do it asks of the master by a signal, and setting `num_workers` tells the master how many are wanted.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Any, Callable

from ferricorn.arbiter import Arbiter
from ferricorn.config import Config
from ferricorn.workers.base import Worker


class Listener:
    """A listening socket of the server's, which stays the server's: `sock` is a copy."""

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def sock(self) -> socket.socket:
        """A copy of the socket, to be closed by whoever asked for it."""
        return socket.socket(fileno=os.dup(self._number))

    def fileno(self) -> int:
        """Return the number of the server's own descriptor."""
        return self._number

    def getsockname(self) -> Any:
        """Return the address it is bound to."""
        with self.sock as copy:
            return copy.getsockname()

    def __str__(self) -> str:
        with self.sock as copy:
            name = copy.getsockname()
            if copy.family == socket.AF_UNIX:
                return f"unix:{name}"
            host = f"[{name[0]}]" if copy.family == socket.AF_INET6 else name[0]
            return f"http://{host}:{name[1]}"


class HostedApplication:
    """The `app` of `server` and `worker`."""

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.callable: Callable[..., Any] | None = None

    def wsgi(self) -> Callable[..., Any] | None:
        """Return the application, once it is loaded."""
        return self.callable


class HostedWorker(Worker):
    """A worker as hooks see it: in its own process, and as the mold remembers it."""

    def retire(self) -> None:
        """Leave after the current request: `alive` was set to False."""
        if self.pid == os.getpid():
            os.kill(self.pid, signal.SIGTERM)

    def leaves(self) -> None:
        """Note that the worker is on its way out already."""
        self.retire = lambda: None  # type: ignore[method-assign]
        self.alive = False


class Server(Arbiter):
    """The master, as its hooks see it."""

    def __init__(self, cfg: Config) -> None:
        self.cfg = cfg
        self.app = HostedApplication(cfg)
        self.log: Any = None
        self.pid = os.getppid()
        self.worker_age = 0
        # Those of a binary upgrade, of which there is none yet.
        self.master_pid = 0
        self.reexec_pid = 0
        self.master_name = "Master"
        self.systemd = False
        self.pidfile = cfg.pidfile
        self.LISTENERS: list[Listener] = []
        self.SIG_QUEUE: list[int] = []
        self.START_CTX: dict[Any, Any] = {"args": list(sys.orig_argv), "cwd": os.getcwd(), 0: sys.executable}
        self._num_workers: int = cfg.workers
        self._wanted: int | None = None
        # Who looks at the class sees the workers too, as with the original.
        original = sys.modules.get("gunicorn.arbiter")
        if original is not None:
            original.Arbiter.WORKERS = self.WORKERS

    @property
    def num_workers(self) -> int:
        """How many workers are wanted. Setting it asks the master for as many."""
        return self._num_workers

    @num_workers.setter
    def num_workers(self, value: int) -> None:
        old, self._num_workers = self._num_workers, value
        self._wanted = value
        self.cfg.nworkers_changed(self, value, old)

    def note_num_workers(self, value: int) -> None:
        """Take over what the master wants by itself."""
        self._num_workers = value

    def take_wanted(self) -> int | None:
        """Return what a hook has set `num_workers` to since the last call."""
        wanted, self._wanted = self._wanted, None
        return wanted

    @property
    def address(self) -> Any:
        """The addresses of the `bind` setting."""
        return self.cfg.address

    @property
    def timeout(self) -> int:
        """The `timeout` setting."""
        return self.cfg.timeout

    @property
    def proc_name(self) -> str:
        """The name in process titles."""
        return self.cfg.proc_name

    @property
    def worker_class(self) -> Any:
        """The class of the workers."""
        return self.cfg.worker_class

    def make_worker(self, age: int) -> HostedWorker:
        """Return a worker that has not been forked yet."""
        return HostedWorker(age, self.pid, self.LISTENERS, self.app, self.timeout / 2.0, self.cfg, self.log)

    def reload(self) -> None:
        """Ask the master to reload, as HUP does."""
        os.kill(self.pid, signal.SIGHUP)

    def stop(self, graceful: bool = True) -> None:
        """Ask the master to stop, as TERM or QUIT do."""
        os.kill(self.pid, signal.SIGTERM if graceful else signal.SIGQUIT)

    def kill_worker(self, pid: int, sig: int) -> None:
        """Send a signal to a worker; nothing if it is gone."""
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            self.WORKERS.pop(pid, None)

    def kill_workers(self, sig: int) -> None:
        """Send a signal to all workers."""
        for pid in list(self.WORKERS):
            self.kill_worker(pid, sig)

    def spawn_worker(self) -> None:
        """Ask the master for one worker more, as TTIN does."""
        os.kill(self.pid, signal.SIGTTIN)

    def wakeup(self) -> None:
        """Do nothing: the master needs no waking."""
