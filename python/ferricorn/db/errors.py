"""One exception for each of the server's error codes: `except errors.UniqueViolation:`."""

from __future__ import annotations

from ferricorn.db._errors import BY_CODE, DatabaseError

globals().update({error.__name__: error for error in BY_CODE.values()})


def lookup(code: str) -> type[DatabaseError]:
    """Return the exception for an error code; KeyError if there is none."""
    return BY_CODE[code]


def __getattr__(name: str) -> type[DatabaseError]:
    raise AttributeError(f"module {__name__!r} has no exception {name!r}")
