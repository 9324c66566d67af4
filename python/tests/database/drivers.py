"""The two drivers under the same tests, and the ways to the database.

What is said about psycopg2 here fails if it is not so: each test runs with both. Where they differ on purpose the test says why,
and docs/database.md has it in its table.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from .services import Service


@dataclass(frozen=True)
class Driver:
    """A DB-API module with psycopg2's submodules, and one place to connect to."""

    name: str
    # "direct", "pgbouncer" (Debian's, 1.18 on Debian 12) or "pgbouncer-new" (1.21 or later).
    route: str
    service: Service

    @property
    def ours(self) -> bool:
        """For the few places where the drivers differ."""
        return self.name != "psycopg2"

    @property
    def module(self) -> ModuleType:
        """What a program imports."""
        return importlib.import_module(self.name)

    def submodule(self, name: str) -> ModuleType:
        """extras, extensions, errors, sql, pool."""
        return importlib.import_module(f"{self.name}.{name}")

    @property
    def extras(self) -> ModuleType:
        return self.submodule("extras")

    @property
    def extensions(self) -> ModuleType:
        return self.submodule("extensions")

    @property
    def errors(self) -> ModuleType:
        return self.submodule("errors")

    @property
    def dsn(self) -> str:
        return self.service.url()

    def connect(self, **arguments: Any) -> Any:
        """A connection along the route."""
        return self.module.connect(self.dsn, **arguments)


WAYS = [
    ("psycopg2", "direct"),
    ("psycopg2", "pgbouncer"),
    ("ferricorn.db", "direct"),
    ("ferricorn.db", "pgbouncer"),
    ("ferricorn.db", "pgbouncer-new"),
]
