"""Modules of this server for `import gunicorn`, where gunicorn itself is not installed.

Configuration files and programs import gunicorn for its logger, its base application and a few functions. With
`install`, `gunicorn.X` is the module `ferricorn.X` itself, under a second name.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Any

ORIGINAL = "gunicorn"
OURS = "ferricorn"

# What `gunicorn` itself is then.
STANDIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_gunicorn.py")

# The modules that have a counterpart here, by what follows the dot.
MODULES = frozenset(
    [
        "app",
        "app.base",
        "app.wsgiapp",
        "arbiter",
        "config",
        "errors",
        "glogging",
        "http",
        "http.errors",
        "http.message",
        "http.wsgi",
        "instrument",
        "instrument.statsd",
        "util",
        "workers",
        "workers.base",
        "workers.gthread",
        "workers.sync",
        "workers.workertmp",
    ]
)
_PACKAGES = frozenset(module.rpartition(".")[0] for module in MODULES)


def counterpart(name: str) -> str | None:
    """Return the name of the module here that stands for one of gunicorn's."""
    top, _, rest = name.partition(".")
    return f"{OURS}.{rest}" if top == ORIGINAL and rest in MODULES else None


class _Alias(Loader):
    """Loads a module by importing another one."""

    def __init__(self, target: str) -> None:
        self._target = target

    def exec_module(self, module: ModuleType) -> None:
        # Whoever imports gets what is in sys.modules when this returns.
        sys.modules[module.__name__] = importlib.import_module(self._target)


class _Package(MetaPathFinder):
    """Finds `gunicorn` itself. The last to be asked, so that an installed gunicorn comes first."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != ORIGINAL:
            return None
        # The first to be asked: our packages have a path, along which others would find their modules a second time.
        _insert_once(0, _Submodules)
        # A module of its own under that name: `from gunicorn import X` looks for gunicorn.X by the package's name.
        return spec_from_file_location(name, STANDIN, submodule_search_locations=[])


class _Submodules(MetaPathFinder):
    """Finds the modules of a `gunicorn` that is a stand-in."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(f"{ORIGINAL}.") or not _is_standin(sys.modules.get(ORIGINAL)):
            return None
        ours = counterpart(name)
        if ours is None:
            # Without its name the error passes through `from gunicorn import X`, too.
            raise ModuleNotFoundError(
                f"ferricorn has no stand-in for {name!r}; installing gunicorn beside ferricorn provides it"
            )
        return ModuleSpec(name, _Alias(ours), is_package=name.partition(".")[2] in _PACKAGES)


def _is_standin(module: ModuleType | None) -> bool:
    return module is not None and getattr(module, "__file__", None) == STANDIN


def _insert_once(position: int, kind: type[MetaPathFinder]) -> None:
    if not any(isinstance(finder, kind) for finder in sys.meta_path):
        sys.meta_path.insert(position, kind())


def install() -> None:
    """Let `import gunicorn` find the stand-ins from here on, unless gunicorn is installed."""
    _insert_once(len(sys.meta_path), _Package)
