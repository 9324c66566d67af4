"""`Logger`: the logger of the server in Python, and the base of those that deployments write.

It is `server.log` and `worker.log`, and it gives the loggers `gunicorn.error` and `gunicorn.access` of `logging` their
handlers. A class named by `logger_class` writes the server's own lines, too.
"""

from __future__ import annotations

import base64
import binascii
import logging
import os
import sys
import threading
import time
import traceback
from datetime import timedelta
from typing import IO, Any, Iterable, Mapping

from ferricorn import util
from ferricorn._logging_config import CONFIG_DEFAULTS, configure_logging
from ferricorn._syslog import SYSLOG_FACILITIES, parse_syslog_address, syslog_handler

__all__ = ["CONFIG_DEFAULTS", "SYSLOG_FACILITIES", "Logger", "SafeAtoms", "loggers", "parse_syslog_address"]

# The attribute that marks handlers as the server's own: a new set-up takes them away again.
OWN_MARK = "_gunicorn"


def loggers() -> list[logging.Logger]:
    """Return every logger that has a name."""
    return [logging.getLogger(name) for name in list(logging.root.manager.loggerDict)]


class SafeAtoms(dict[str, Any]):
    """The atoms of an access line: quotes are escaped, and what is missing is a dash."""

    def __init__(self, atoms: Mapping[str, Any]) -> None:
        super().__init__()
        for name, value in atoms.items():
            self[name] = value.replace('"', '\\"') if isinstance(value, str) else value

    def __getitem__(self, name: str) -> Any:
        # Names of headers and variables are known in lower case.
        return self.get(name.lower() if name.startswith("{") else name, "-")


class Logger:
    """Error log and access log. Subclasses override class attributes, `setup`, `atoms`, `access` or `now`."""

    LOG_LEVELS = {
        "critical": logging.CRITICAL,
        "error": logging.ERROR,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
    }
    loglevel = logging.INFO

    error_fmt = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
    datefmt = "[%Y-%m-%d %H:%M:%S %z]"
    access_fmt = "%(message)s"
    syslog_fmt = "[%(process)d] %(message)s"

    atoms_wrapper_class: type[Any] = SafeAtoms

    def __init__(self, cfg: Any) -> None:
        self.error_log = logging.getLogger("gunicorn.error")
        self.error_log.propagate = False
        self.access_log = logging.getLogger("gunicorn.access")
        self.access_log.propagate = False
        self.error_handlers: list[logging.Handler] = []
        self.access_handlers: list[logging.Handler] = []
        self.logfile: IO[str] | None = None
        self.lock = threading.Lock()
        self.cfg = cfg
        self.setup(cfg)

    def setup(self, cfg: Any) -> None:
        """Give the loggers levels and handlers; RuntimeError says in a sentence why that is not possible."""
        self.cfg = cfg
        self.loglevel = self.LOG_LEVELS.get(cfg.loglevel.lower(), logging.INFO)
        self.error_log.setLevel(self.loglevel)
        self.access_log.setLevel(logging.INFO)
        for log in (self.error_log, self.access_log):
            for handler in [handler for handler in log.handlers if getattr(handler, OWN_MARK, False)]:
                log.removeHandler(handler)
        if cfg.capture_output and cfg.errorlog != "-":
            self._capture(os.path.abspath(cfg.errorlog))
        self._set_handler(self.error_log, cfg.errorlog, logging.Formatter(self.error_fmt, self.datefmt))
        if cfg.accesslog is not None:
            self._set_handler(self.access_log, cfg.accesslog, logging.Formatter(self.access_fmt), sys.stdout)
        if cfg.syslog:
            self._set_syslog_handler(self.error_log, cfg, self.syslog_fmt, "error")
            if not cfg.disable_redirect_access_to_syslog:
                self._set_syslog_handler(self.access_log, cfg, self.syslog_fmt, "access")
        passed_over = configure_logging(cfg)
        if passed_over is not None:
            self.error_log.warning(passed_over)

    # Lines of the error log.

    def critical(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at this level."""
        self.error_log.critical(msg, *args, **kwargs)

    def error(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at this level."""
        self.error_log.error(msg, *args, **kwargs)

    def warning(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at this level."""
        self.error_log.warning(msg, *args, **kwargs)

    def info(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at this level."""
        self.error_log.info(msg, *args, **kwargs)

    def debug(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at this level."""
        self.error_log.debug(msg, *args, **kwargs)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log an error, with the traceback of the exception that is being handled."""
        self.error_log.exception(msg, *args, **kwargs)

    def log(self, lvl: int | str, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Log at a level, by its number or name."""
        level = self.LOG_LEVELS.get(lvl.lower(), logging.INFO) if isinstance(lvl, str) else lvl
        self.error_log.log(level, msg, *args, **kwargs)

    # Lines of the access log.

    @property
    def access_log_enabled(self) -> bool:
        """Whether anything is to become of access lines."""
        cfg = self.cfg
        configured = cfg.accesslog or cfg.logconfig or cfg.logconfig_dict or cfg.logconfig_json
        return bool(configured or (cfg.syslog and not cfg.disable_redirect_access_to_syslog))

    def access(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> None:
        """Write the access line of a request."""
        if not self.access_log_enabled:
            return
        atoms = self.atoms_wrapper_class(self.atoms(resp, req, environ, request_time))
        try:
            self.access_log.info(self.cfg.access_log_format, atoms)
        except Exception:
            self.error(traceback.format_exc())

    def atoms(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: timedelta) -> dict[str, Any]:
        """Return what may stand in an access line, by the name in the template."""
        status = resp.status.split(None, 1)[0] if isinstance(resp.status, str) else resp.status
        sent = getattr(resp, "sent", None)
        seconds, microseconds = request_time.seconds, request_time.microseconds
        atoms = {
            "h": environ.get("REMOTE_ADDR", "-"),
            "l": "-",
            "u": self._get_user(environ) or "-",
            "t": self.now(),
            "r": f"{environ['REQUEST_METHOD']} {environ['RAW_URI']} {environ['SERVER_PROTOCOL']}",
            "s": status,
            "m": environ.get("REQUEST_METHOD"),
            "U": environ.get("PATH_INFO"),
            "q": environ.get("QUERY_STRING"),
            "H": environ.get("SERVER_PROTOCOL"),
            "b": "-" if sent is None else str(sent),
            "B": sent,
            "f": environ.get("HTTP_REFERER", "-"),
            "a": environ.get("HTTP_USER_AGENT", "-"),
            "T": seconds,
            "D": seconds * 1_000_000 + microseconds,
            "M": seconds * 1000 + microseconds // 1000,
            "L": f"{seconds}.{microseconds:06}",
            "p": f"<{os.getpid()}>",
        }
        for letter, pairs in (("i", getattr(req, "headers", req)), ("o", resp.headers), ("e", environ)):
            atoms.update({f"{{{name.lower()}}}{letter}": value for name, value in _pairs(pairs)})
        return atoms

    def now(self) -> str:
        """Return the time as access lines have it."""
        return time.strftime("[%d/%b/%Y:%H:%M:%S %z]")

    def _get_user(self, environ: Mapping[str, Any]) -> str | None:
        """Return the name that was given for basic authentication."""
        scheme, _, credentials = (environ.get("HTTP_AUTHORIZATION") or "").partition(" ")
        if not scheme.lower().startswith("basic") or not credentials:
            return None
        try:
            return base64.b64decode(credentials.strip().encode("utf-8")).split(b":", 1)[0].decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            self.debug("Couldn't get username: %s", error)
            return None

    # Files and handlers.

    def reopen_files(self) -> None:
        """Open every log file anew by its name, those of all named loggers."""
        if self.logfile is not None and self.cfg.capture_output and self.cfg.errorlog != "-":
            self._capture(self.logfile.name)
        for handler in _file_handlers():
            handler.acquire()
            try:
                if handler.stream is not None:
                    stale, handler.stream = handler.stream, handler._open()
                    stale.close()
            finally:
                handler.release()

    def close_on_exec(self) -> None:
        """Let no program that is started inherit a log file."""
        for handler in _file_handlers():
            if handler.stream is not None:
                util.close_on_exec(handler.stream.fileno())

    def _capture(self, path: str) -> None:
        """Send what is printed to this file."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        with self.lock:
            fresh = _open_log(path)
            for descriptor in (1, 2):
                os.dup2(fresh.fileno(), descriptor)
            if self.logfile is not None:
                self.logfile.close()
            self.logfile = fresh

    def _get_gunicorn_handler(self, log: logging.Logger) -> logging.Handler | None:
        return next((handler for handler in log.handlers if getattr(handler, OWN_MARK, False)), None)

    def _set_handler(
        self, log: logging.Logger, output: str | None, fmt: logging.Formatter, stream: IO[str] | None = None
    ) -> None:
        """Let the lines of a log go to a file, or to a stream for `-`, and no longer where they went before."""
        before = self._get_gunicorn_handler(log)
        if before is not None:
            log.removeHandler(before)
        if output is None:
            return
        handler = logging.StreamHandler(stream) if output == "-" else self._file_handler(output)
        handler.setFormatter(fmt)
        _adopt(log, handler)

    def _file_handler(self, path: str) -> logging.FileHandler:
        util.check_is_writable(path)
        handler = logging.FileHandler(path)
        try:
            os.chown(handler.baseFilename, self.cfg.user, self.cfg.group)
        except OSError:
            # A device, or somebody else's file: workers write to what is open here, and may not be able to reopen it.
            return handler
        return handler

    def _set_syslog_handler(self, log: logging.Logger, cfg: Any, fmt: str, name: str) -> None:
        """Let the lines of a log go to syslog, too."""
        _adopt(log, syslog_handler(cfg, fmt, name))


def _adopt(log: logging.Logger, handler: logging.Handler) -> None:
    setattr(handler, OWN_MARK, True)
    log.addHandler(handler)


def _open_log(path: str) -> IO[str]:
    util.check_is_writable(path)
    return open(path, "a+")


def _file_handlers() -> list[logging.FileHandler]:
    return [handler for log in loggers() for handler in log.handlers if isinstance(handler, logging.FileHandler)]


def _pairs(headers: Any) -> Iterable[tuple[str, Any]]:
    return headers.items() if hasattr(headers, "items") else headers
