"""What molds and workers do in Python: configuration files, application objects, the end.

Never imported by the master, which runs no code of the user's.
"""

from __future__ import annotations

import ast
import atexit
import configparser
import importlib
import importlib.util
import io
import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

from ferricorn import _standins

CONFIGURATION_MODULE = "__config__"

# What is run and imported here may import gunicorn.
_standins.install()

# Files to watch with `reload` that belong to no module, because they could not be compiled.
_extra_sources: list[str] = []


class NotAnApplication(Exception):
    """The application is missing in its module, or is not one."""


class BadConfiguration(Exception):
    """A configuration file that cannot be used, in one sentence."""


def evaluate_file(path: str) -> dict[str, Any]:
    """Run a configuration file and return its globals."""
    if not path.endswith(".py"):
        print(f"The configuration file {path} does not end in .py; it is read as Python all the same.", file=sys.stderr)
    _start_searching_in(os.getcwd())
    module = ModuleType(CONFIGURATION_MODULE)
    module.__file__ = path
    sys.modules[CONFIGURATION_MODULE] = module
    try:
        with io.open_code(os.path.abspath(path)) as file:
            code = compile(file.read(), path, "exec")
    except SyntaxError as error:
        raise BadConfiguration(
            f"Failed to read config file: {path}, line {error.lineno}: {type(error).__name__}: {error.msg}"
        ) from None
    except (OSError, ValueError) as error:
        raise BadConfiguration(f"the configuration file {path} cannot be read: {error}") from None

    def execute() -> ModuleType:
        exec(code, module.__dict__)
        return module

    return _run(path, execute)


def evaluate_module(name: str) -> dict[str, Any]:
    """Import a configuration module and return its globals."""
    _start_searching_in(os.getcwd())
    return _run(name, lambda: importlib.import_module(name))


def line_numbers(path: str) -> dict[str, int]:
    """Return where in a file its module-level names are set, the last place of each; empty if that cannot be told."""
    try:
        with io.open_code(os.path.abspath(path)) as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return {}
    lines: dict[str, int] = {}
    waiting: list[ast.stmt | ast.excepthandler] = list(reversed(tree.body))
    while waiting:
        statement = waiting.pop()
        lines.update((name, statement.lineno) for name in _names_set_by(statement))
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = [child for child in ast.iter_child_nodes(statement) if isinstance(child, (ast.stmt, ast.excepthandler))]
            waiting.extend(reversed(inner))
    return lines


def _names_set_by(statement: ast.stmt | ast.excepthandler) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _run(what: str, run: Callable[[], ModuleType]) -> dict[str, Any]:
    try:
        module = run()
    except BaseException:
        print(f"Failed to read config file: {what}", file=sys.stderr)
        raise
    return {key: value for key, value in vars(module).items() if key.islower() and not key.startswith("_")}


def prepare(chdir: str, pythonpath: list[str], raw_env: list[tuple[str, str]]) -> None:
    """Bring this process into the state in which applications expect to be loaded."""
    os.environ.update(raw_env)
    os.environ["SERVER_SOFTWARE"] = "gunicorn/27.0.1"
    os.chdir(chdir)
    for folder in pythonpath:
        _start_searching_in(folder)
    _start_searching_in(os.fspath(chdir))


def _start_searching_in(folder: str) -> None:
    folder = os.fspath(folder)
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path.insert(0, folder)


def load(specification: str, reload: bool = False) -> Callable[..., Any]:
    """Import ``module``, ``module:name`` or ``module:factory(literal, ...)``.

    With `reload`, an application that does not compile is one that says so to each request, until it is mended.
    """
    try:
        return _load(specification)
    except SyntaxError as error:
        if not reload:
            raise
        logging.getLogger("gunicorn.error").exception(error)
        if error.filename is not None:
            _extra_sources.append(error.filename)
        return _explain(traceback.format_exc())


def _explain(text: str) -> Callable[..., Any]:
    body = text.encode("utf-8")

    def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
        start_response("500 Internal Server Error", headers)
        return [body]

    return application


def load_from_program(program: Any) -> Callable[..., Any]:
    """Ask a program that embeds the server for its application."""
    application = program.wsgi()
    if not callable(application):
        raise NotAnApplication(f"{type(program).__name__}.load() must return a WSGI application, not {application!r}.")
    return application


def check_paste(uri: str) -> None:
    """Say what is wrong with a PasteDeploy file, or with there being nothing to read it with, before anything is started."""
    if importlib.util.find_spec("paste") is None or importlib.util.find_spec("paste.deploy") is None:
        raise BadConfiguration("The setting paste needs the package PasteDeploy, which is not installed: pip install PasteDeploy")
    file = uri.partition("#")[0]
    try:
        configparser.RawConfigParser(strict=False).read_string(Path(file).read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise BadConfiguration(f"the PasteDeploy file {file} cannot be read: {' '.join(str(error).split())}") from None


def load_from_paste(uri: str, variables: dict[str, str]) -> Callable[..., Any]:
    """Make the application that a PasteDeploy file describes."""
    from paste.deploy import loadapp

    return loadapp(uri if ":" in uri else f"config:{uri}", relative_to=os.getcwd(), global_conf=variables)


def describe_program(program: Any) -> tuple[str, bool, dict[str, Any]]:
    """Return a program's name, whether it reads command lines and files, and what it says of settings."""
    return program.name(), program.reads_arguments, program.cfg.said()


def _load(specification: str) -> Callable[..., Any]:
    module_name, _, expression = specification.partition(":")
    expression = expression or "application"
    module = _import(module_name, expression)
    name, arguments, keywords = _parse(expression)
    try:
        found = getattr(module, name)
    except AttributeError:
        raise NotAnApplication(f"Failed to find attribute {name!r} in {module_name!r}.") from None
    if arguments is not None:
        found = _make(found, name, arguments, keywords)
    if found is None:
        raise NotAnApplication(f"Failed to find application object: {expression!r} in {module_name!r} is None.")
    if not callable(found):
        raise NotAnApplication(f"Application object must be callable. {expression!r} in {module_name!r} is not.")
    return found


def _import(name: str, expression: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError:
        if name.endswith(".py") and os.path.exists(name):
            stem = name.rpartition(".")[0]
            raise NotAnApplication(f"Failed to find application, did you mean '{stem}:{expression}'?") from None
        raise


def _parse(expression: str) -> tuple[str, list[Any] | None, dict[str, Any]]:
    """Take a name, or a call of a name with literal arguments, apart; arguments are None for a name."""
    try:
        tree = ast.parse(expression, mode="eval").body
    except SyntaxError:
        tree = None
    if isinstance(tree, ast.Name):
        return tree.id, None, {}
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        try:
            arguments = [ast.literal_eval(argument) for argument in tree.args]
            keywords = {_keyword(keyword): ast.literal_eval(keyword.value) for keyword in tree.keywords}
        except ValueError:
            raise NotAnApplication(f"Failed to parse arguments as literal values: {expression!r}.") from None
        return tree.func.id, arguments, keywords
    raise NotAnApplication(f"Failed to parse {expression!r} as an attribute name or function call.")


def _keyword(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError("** is not a literal argument")
    return keyword.arg


def _make(factory: Any, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    try:
        return factory(*arguments, **keywords)
    except TypeError as error:
        # A call that never got into the factory has no frame of it in the traceback.
        if error.__traceback__ is not None and error.__traceback__.tb_next is None:
            raise NotAnApplication(f"Factory {name!r} does not take these arguments: {error}.") from error
        raise


def exit_status(error: SystemExit) -> int:
    """Return the status with which the interpreter would have exited."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def source_files() -> list[str]:
    """Return the source files of everything imported so far."""
    files = list(_extra_sources)
    for module in tuple(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py"):
            files.append(file)
    return files


def finish() -> None:
    """Do what the interpreter does at its end: wait for threads, run exit handlers, flush."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            traceback.print_exc()
