"""`Config`: the settings as hooks, loggers and programs that embed the server see them.

Every setting of the table is an attribute. Assigning to one is an error, `set` is the way to change it.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import shlex
import sys
from typing import Any, Mapping

from ferricorn import util
from ferricorn._setting import KNOWN_SETTINGS, UNSAID, Setting, make_settings
from ferricorn._validators import (
    validate_bool,
    validate_callable,
    validate_class,
    validate_dict,
    validate_list_string,
    validate_pos_int,
    validate_string,
    validate_string_to_list,
)

__all__ = [
    "KNOWN_SETTINGS",
    "Config",
    "Setting",
    "get_default_config_file",
    "make_settings",
    "validate_bool",
    "validate_callable",
    "validate_class",
    "validate_dict",
    "validate_list_string",
    "validate_pos_int",
    "validate_string",
    "validate_string_to_list",
]

PLATFORM = sys.platform
OWN_SECTION = "Ferricorn"
ARGUMENTS_VARIABLE = "GUNICORN_CMD_ARGS"
DEFAULT_LOGGER = "gunicorn.glogging.Logger"
STATSD_LOGGER = "gunicorn.instrument.statsd.Statsd"
SENDFILE_WORDS = ("y", "1", "yes", "true")

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Config:
    """All settings of a server."""

    settings: dict[str, Setting]

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        """Make the defaults, as this process and its environment have them."""
        self.settings = make_settings()
        self.usage = usage
        self.prog = prog or os.path.basename(sys.argv[0])
        self.env_orig = os.environ.copy()

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Config:
        """Make a configuration of values that are checked already, over the defaults."""
        made = cls()
        for name, value in values.items():
            made.settings[name].take(value)
        return made

    def __str__(self) -> str:
        # Those that gunicorn has, as `--print-config` prints them.
        names = sorted(name for name, setting in self.settings.items() if setting.section != OWN_SECTION)
        width = max(map(len, names))
        return "\n".join(f"{name:{width}} = {_shown(self.settings[name].get())}" for name in names)

    def __getattr__(self, name: str) -> Any:
        # Asked of an object that is being copied, which has no settings yet.
        if name == "settings":
            raise AttributeError(name)
        if name not in self.settings:
            raise AttributeError(f"No configuration setting for: {name}")
        return self.settings[name].get()

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "settings" and name in self.settings:
            raise AttributeError(f"Invalid access! A setting is changed with cfg.set({name!r}, ...).")
        super().__setattr__(name, value)

    def set(self, name: str, value: Any) -> None:
        """Set a setting; ValueError says in a sentence why it does not take this value."""
        if name not in self.settings:
            raise AttributeError(f"No configuration setting for: {name}")
        self.settings[name].set(value)

    def said(self) -> dict[str, Any]:
        """Return what was set since this was made, as it was given."""
        return {name: setting.said for name, setting in self.settings.items() if setting.said is not UNSAID}

    def validate(self) -> None:
        """Check settings against each other: the server does that when it starts."""

    def get_cmd_args_from_env(self) -> list[str]:
        """Return the arguments in the environment variable for them."""
        return shlex.split(self.env_orig.get(ARGUMENTS_VARIABLE, ""))

    def parser(self) -> argparse.ArgumentParser:
        """Return a parser of the server's command line."""
        from ferricorn import __version__

        parser = argparse.ArgumentParser(usage=self.usage, prog=self.prog)
        version = f"%(prog)s (version {__version__})"
        parser.add_argument("-v", "--version", action="version", default=argparse.SUPPRESS, version=version)
        parser.add_argument("args", nargs="*", help=argparse.SUPPRESS)
        for setting in sorted(self.settings.values()):
            setting.add_option(parser)
        return parser

    @property
    def worker_class_str(self) -> str:
        """The worker class as it was named; gthread for a sync worker with threads."""
        named = self.settings["worker_class"].get()
        if not isinstance(named, str):
            return named.__name__
        return "gthread" if self._is_threaded(named) else named

    @property
    def worker_class(self) -> type:
        """The worker class itself."""
        named = self.settings["worker_class"].get()
        found = util.load_class("gthread" if self._is_threaded(named) else named)
        if hasattr(found, "setup"):
            found.setup()
        return found

    def _is_threaded(self, named: Any) -> bool:
        return isinstance(named, str) and (named == "sync" or named.endswith("SyncWorker")) and self.threads > 1

    @property
    def logger_class(self) -> type:
        """The logger's class; with a statsd host the default is the one that sends metrics."""
        named = self.settings["logger_class"].get()
        if named in (DEFAULT_LOGGER, "simple", None):
            named = DEFAULT_LOGGER if self.statsd_host is None else STATSD_LOGGER
        found = util.load_class(named, default=DEFAULT_LOGGER, section="gunicorn.loggers")
        if hasattr(found, "install"):
            found.install()
        return found

    @property
    def address(self) -> list[Any]:
        """Where to listen: pairs of host and port, paths, descriptors."""
        return [util.parse_address(util.bytes_to_str(bind)) for bind in self.settings["bind"].get()]

    @property
    def uid(self) -> int:
        """The number of the workers' user."""
        return self.settings["user"].get()

    @property
    def gid(self) -> int:
        """The number of the workers' group."""
        return self.settings["group"].get()

    @property
    def proc_name(self) -> str:
        """The name in process titles."""
        named = self.settings["proc_name"].get()
        return self.settings["default_proc_name"].get() if named is None else named

    @property
    def is_ssl(self) -> Any:
        """Whether there is a certificate or a key."""
        return self.certfile or self.keyfile

    def forwarded_allow_networks(self) -> list[_Network]:
        """Return the networks of `forwarded_allow_ips`."""
        return _networks(self.forwarded_allow_ips)

    def proxy_allow_networks(self) -> list[_Network]:
        """Return the networks of `proxy_allow_ips`."""
        return _networks(self.proxy_allow_ips)

    @property
    def ssl_options(self) -> dict[str, Any]:
        """The settings of the section SSL."""
        return {name: setting.get() for name, setting in self.settings.items() if setting.section == "SSL"}

    @property
    def env(self) -> dict[str, str]:
        """The variables of `raw_env`."""
        return dict(_pair(raw, "=") for raw in self.settings["raw_env"].get() or ())

    @property
    def sendfile(self) -> bool:
        """Whether files may be sent by the kernel, as the setting and SENDFILE in the environment say."""
        if self.settings["sendfile"].get() is not None:
            return False
        return os.environ.get("SENDFILE", "yes").lower() in SENDFILE_WORDS

    @property
    def reuse_port(self) -> bool:
        """Whether SO_REUSEPORT is asked for."""
        return self.settings["reuse_port"].get()

    @property
    def paste_global_conf(self) -> dict[str, str] | None:
        """The variables of `raw_paste_global_conf`, in which a backslash keeps an equals sign."""
        raw_pairs = self.settings["raw_paste_global_conf"].get()
        if raw_pairs is None:
            return None
        pairs = (_pair(raw, r"(?<!\\)=") for raw in raw_pairs)
        return {key.replace("\\=", "="): value.replace("\\=", "=") for key, value in pairs}


def get_default_config_file() -> str | None:
    """Return the path of the configuration file that is read when none is named, if it exists."""
    path = os.path.join(os.path.abspath(os.getcwd()), "gunicorn.conf.py")
    return path if os.path.exists(path) else None


def _shown(value: Any) -> str:
    return f"<{getattr(value, '__qualname__', value)}()>" if callable(value) else str(value)


def _networks(entries: list[str]) -> list[_Network]:
    return [ipaddress.ip_network(entry) for entry in entries if entry != "*"]


def _pair(raw: str | bytes, separator: str) -> tuple[str, str]:
    text = util.bytes_to_str(raw)
    key, found, value = (*re.split(f"({separator})", text, maxsplit=1), "", "")[:3]
    if not found:
        raise RuntimeError(f"environment setting {text!r} invalid: it is not of the form KEY=VALUE")
    return key, value
