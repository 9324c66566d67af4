"""`BaseApplication` and `Application`: programs that embed the server derive their own from these.

Such a program is a script that makes an application and calls `run`. The script is started anew for every mold: in the
process that the operator started, `run` makes room for the master, which runs no code of the script's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any, Callable, Mapping, NoReturn

from ferricorn import _ferricorn, _loading
from ferricorn.config import Config, get_default_config_file

MOLD_VARIABLE = "FERRICORN_MOLD"
AGAIN_VARIABLE = "FERRICORN_AGAIN"
PROGRAM = "ferricorn"
ANEW = "run() starts the program anew by its command"


class BaseApplication:
    """A program that serves an application and sets the settings itself: see `load_config` and `load`."""

    # Whether command line, environment and configuration file count.
    reads_arguments = False

    cfg: Config

    def __init__(self, usage: str | None = None, prog: str | None = None) -> None:
        self.usage = usage
        self.prog = prog
        self.callable: Callable[..., Any] | None = None
        self.logger: Any = None
        self.do_load_config()

    def do_load_config(self) -> None:
        """Make the settings; what is wrong with them ends the program with status 1."""
        try:
            self.load_default_config()
            self.load_config()
            self.cfg.validate()
        except Exception as error:
            _end(error)

    def load_default_config(self) -> None:
        """Begin with the defaults."""
        self.cfg = Config(self.usage, prog=self.prog)

    def init(
        self, parser: argparse.ArgumentParser, opts: argparse.Namespace, args: list[str]
    ) -> Mapping[str, Any] | None:
        """Return settings that count less than flags; for an `Application`."""
        raise NotImplementedError(f"{type(self).__name__} must override init(parser, opts, args)")

    def load(self) -> Callable[..., Any]:
        """Return the WSGI application."""
        raise NotImplementedError(f"{type(self).__name__} must override load()")

    def load_config(self) -> None:
        """Set settings by `self.cfg.set`."""
        raise NotImplementedError(f"{type(self).__name__} must override load_config()")

    def reload(self) -> None:
        """Make the settings anew."""
        self.do_load_config()

    def adopt(self, cfg: Config) -> None:
        """Take the settings that came of all sources."""
        self.cfg = cfg

    def wsgi(self) -> Callable[..., Any]:
        """Return the WSGI application, which is loaded once."""
        if self.callable is None:
            self.callable = self.load()
        return self.callable

    def name(self) -> str:
        """Return the name in process titles."""
        return self.cfg.settings["default_proc_name"].get()

    def run(self) -> NoReturn:
        """Serve until the end; does not return."""
        if MOLD_VARIABLE in os.environ:
            arguments = sys.argv[1:] if self.reads_arguments else []
            sys.exit(_ferricorn.main(PROGRAM, arguments, [], self))
        try:
            command = _command_of_this_program()
        except RuntimeError as error:
            _end(error)
        os.environ[AGAIN_VARIABLE] = json.dumps(command)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os.execv(sys.executable, [sys.executable, "-m", PROGRAM])


class Application(BaseApplication):
    """A program that takes the server's command line, environment and configuration file, too."""

    def load_config(self) -> None:
        """Read the command line, and let `init` have it. What the configuration file says, molds find out."""
        parser = self.cfg.parser()
        # What is unknown is refused by the server, which knows more flags than settings.
        opts, _ = parser.parse_known_args()
        environment, _ = parser.parse_known_args(self.cfg.get_cmd_args_from_env())
        self.reads_arguments = True
        flags = _said_by(environment) | _said_by(opts)
        for name, value in (self.init(parser, opts, opts.args) or {}).items():
            if name.lower() not in flags:
                self.cfg.set(name.lower(), value)
        for name, value in flags.items():
            self.cfg.settings[name].take(_ferricorn.checked_setting(name, value))

    def chdir(self) -> None:
        """Change to the directory of the setting `chdir`, and import from it."""
        os.chdir(self.cfg.chdir)
        if self.cfg.chdir not in sys.path:
            sys.path.insert(0, self.cfg.chdir)

    def get_config_from_filename(self, filename: str) -> dict[str, Any]:
        """Evaluate a configuration file."""
        if not os.path.exists(filename):
            raise RuntimeError(f"{filename!r} doesn't exist")
        return _loading.evaluate_file(filename)

    def get_config_from_module_name(self, module_name: str) -> dict[str, Any]:
        """Import a configuration module."""
        return _loading.evaluate_module(module_name)

    def load_config_from_module_name_or_filename(self, location: str) -> dict[str, Any]:
        """Set what PATH, file:PATH or python:MODULE says; what is no setting is passed over."""
        if location.startswith("python:"):
            found = self.get_config_from_module_name(location.removeprefix("python:"))
        else:
            found = self.get_config_from_filename(location.removeprefix("file:"))
        for name, value in found.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)
        return found

    def load_config_from_file(self, filename: str) -> dict[str, Any]:
        """Set what a configuration file says."""
        return self.load_config_from_module_name_or_filename(filename)


def _said_by(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name, value in vars(options).items() if value is not None and name != "args"}


def _end(error: Exception) -> NoReturn:
    print(f"\nError: {error}\n", file=sys.stderr, flush=True)
    sys.exit(1)


def _command_of_this_program() -> list[str]:
    """Return what starts the script anew, also after a change of directory."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        raise RuntimeError(f"{ANEW}, which a process of multiprocessing has not; use subprocess")
    script = getattr(sys.modules["__main__"], "__file__", None)
    arguments = sys.orig_argv[1:]
    if script is None and "-c" not in arguments:
        raise RuntimeError(f"{ANEW}, which an interactive interpreter has not; use a script")
    for position, argument in enumerate(arguments):
        if script is not None and os.path.basename(argument) == os.path.basename(script):
            arguments[position] = script
            break
    return [sys.executable, *arguments]


__all__ = ["Application", "BaseApplication", "get_default_config_file"]
