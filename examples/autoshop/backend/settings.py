"""The shop's settings, all of them from the environment.

Reading them opens no connection and no file: the application is imported in a server's
parent process, before the workers exist.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from backend.driver import driver, extensions


class SettingsError(ValueError):
    """A variable has a value the shop cannot run with; the message is one sentence for the operator."""


@dataclass(frozen=True)
class Settings:
    """Everything the shop can be told from outside."""

    # Arguments of libpq, either parsed from DATABASE_URL or put together from POSTGRES_*.
    connection: Mapping[str, str | int]
    # Connections that each worker process opens at its first query and keeps.
    pool_min: int
    # Connections that one worker process may have at once; its threads share them.
    pool_max: int
    # Signs the login tokens. None: nobody can log in, so nobody can write.
    jwt_secret: str | None
    token_lifetime_seconds: int
    # Browser origins that may call the API from elsewhere; "*" allows each, without cookies.
    cors_origins: frozenset[str]
    # Whether the login cookie travels over HTTPS only.
    secure_cookies: bool

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Reads and checks every variable; raises SettingsError for the first bad one."""
        pool_min = _integer(environ, "DB_POOL_MIN", default=1, low=1, high=1000)
        pool_max = _integer(environ, "DB_POOL_MAX", default=max(10, pool_min), low=1, high=1000)
        if pool_max < pool_min:
            raise SettingsError(f"DB_POOL_MAX ({pool_max}) is smaller than DB_POOL_MIN ({pool_min}).")
        return cls(
            connection=_connection(environ),
            pool_min=pool_min,
            pool_max=pool_max,
            jwt_secret=_jwt_secret(environ),
            token_lifetime_seconds=_integer(environ, "JWT_LIFETIME_SECONDS", default=8 * 3600, low=1, high=365 * 86400),
            cors_origins=_cors_origins(environ),
            secure_cookies=_boolean(environ, "SECURE_COOKIES", default=False),
        )


def _connection(environ: Mapping[str, str]) -> dict[str, str | int]:
    """Where the database is, and how patient the client is with it."""
    return {
        **_address(environ),
        "connect_timeout": _integer(environ, "DB_CONNECT_TIMEOUT", default=5, low=1, high=600),
        "keepalives": 1,
        "keepalives_idle": _integer(environ, "DB_KEEPALIVES_IDLE", default=30, low=1, high=86400),
        "keepalives_interval": _integer(environ, "DB_KEEPALIVES_INTERVAL", default=10, low=1, high=86400),
        "keepalives_count": _integer(environ, "DB_KEEPALIVES_COUNT", default=3, low=1, high=100),
        "application_name": "autoshop",
    }


def _address(environ: Mapping[str, str]) -> dict[str, str | int]:
    """DATABASE_URL when it is set, otherwise POSTGRES_*, with PgBouncer's port before Postgres' own."""
    url = environ.get("DATABASE_URL")
    if url:
        try:
            return dict(extensions.parse_dsn(url))
        except driver.Error:
            # The value may hold a password, so the sentence shows the shape instead.
            raise SettingsError(
                "DATABASE_URL is not a Postgres URL like postgresql://user:password@host:5432/name."
            ) from None
    address: dict[str, str | int] = {
        "host": environ.get("POSTGRES_HOST") or "localhost",
        "port": _port(environ),
        "dbname": environ.get("POSTGRES_DB") or "autoshop",
        "user": environ.get("POSTGRES_USER") or "postgres",
    }
    password = environ.get("POSTGRES_PASSWORD")
    if password:
        address["password"] = password
    return address


def _port(environ: Mapping[str, str]) -> int:
    """Both are checked, so that a typing error in the one that loses does not wait for its day."""
    postgres = _integer(environ, "POSTGRES_PORT", default=5432, low=1, high=65535)
    return _integer(environ, "PGBOUNCER_PORT", default=postgres, low=1, high=65535)


def _jwt_secret(environ: Mapping[str, str]) -> str | None:
    """There is no default: a secret that stands in a public repository protects nothing."""
    secret = environ.get("JWT_SECRET") or None
    if secret is not None and len(secret) < 16:
        raise SettingsError("JWT_SECRET is too short: it needs at least 16 characters.")
    return secret


def _cors_origins(environ: Mapping[str, str]) -> frozenset[str]:
    """A list with commas of what browsers send as Origin: scheme and host, no path."""
    origins = frozenset(part.strip() for part in environ.get("CORS_ORIGINS", "").split(",") if part.strip())
    for origin in sorted(origins - {"*"}):
        scheme, separator, host = origin.partition("://")
        if not (scheme in ("http", "https") and separator and host and "/" not in host):
            raise SettingsError(f"CORS_ORIGINS has {origin!r}, which is not an origin like https://shop.example.")
    return origins


def _integer(environ: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    """A variable that is empty counts as not set, as docker compose files leave it."""
    text = environ.get(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}, which is not a whole number.") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} is {value}, but it must be between {low} and {high}.")
    return value


def _boolean(environ: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Accepts the usual spellings and refuses the rest: "SECURE_COOKIES=ture" must not mean no."""
    text = environ.get(name, "").strip().lower()
    if not text:
        return default
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise SettingsError(f"{name} is {text!r}, but it must be true or false.")
