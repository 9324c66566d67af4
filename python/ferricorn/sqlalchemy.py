"""SQLAlchemy's dialect for ferricorn.db: `create_engine("postgresql+ferricorn://")`, `SQLALCHEMY_DATABASE_URI` in Flask-SQLAlchemy.

It is the dialect of psycopg2, whose interface ferricorn.db has. An URL that names no host leaves the connection to the settings of
ferricorn.db (DATABASE_URL and so on). The engine keeps no connections: each checkout takes one from the worker's own pool.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

from sqlalchemy import URL, pool, util
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2


class FerricornDialect(PGDialect_psycopg2):
    """Found as `postgresql+ferricorn` by its entry point."""

    driver = "ferricorn"
    supports_statement_cache = True
    # Our versions are not psycopg2's.
    minimum_dbapi_version = None  # type: ignore[assignment]

    def __init__(self, use_native_hstore: bool = False, **options: Any) -> None:
        # hstore is turned into dictionaries by SQLAlchemy itself.
        super().__init__(use_native_hstore=use_native_hstore, **options)

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The module that SQLAlchemy calls the DB-API."""
        from ferricorn import db

        return db

    def create_connect_args(self, url: URL) -> Any:
        """What an URL says; one that says nothing means what the environment says."""
        arguments, options = super().create_connect_args(url)
        return [argument for argument in arguments if argument], options

    @classmethod
    def get_pool_class(cls, url: URL) -> type[pool.Pool]:
        """Two pools on top of each other would keep connections that others wait for."""
        return pool.NullPool

    @util.memoized_property
    def _psycopg2_extensions(self) -> ModuleType:
        from ferricorn.db import extensions

        return extensions

    @util.memoized_property
    def _psycopg2_extras(self) -> ModuleType:
        from ferricorn.db import extras

        return extras
