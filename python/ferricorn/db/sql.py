"""Statements put together of parts: names, values and SQL, each as what it is."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ferricorn.db._types import adapt
from ferricorn.db.extensions import quote_ident


class Composable:
    """A part of a statement."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped

    def as_string(self, context: object = None) -> str:
        """Return the SQL."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._wrapped!r})"

    def __add__(self, other: object) -> Composed:
        if isinstance(other, Composed):
            return Composed([self]) + other
        if isinstance(other, Composable):
            return Composed([self]) + Composed([other])
        return NotImplemented

    def __mul__(self, count: int) -> Composed:
        return Composed([self] * count)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._wrapped == other._wrapped

    def __hash__(self) -> int:
        return hash(repr(self))


class Composed(Composable):
    """Parts, one after the other."""

    def __init__(self, seq: Iterable[Composable]) -> None:
        parts = list(seq)
        for part in parts:
            if not isinstance(part, Composable):
                raise TypeError(f"Composed elements must be Composable, got {part!r} instead")
        super().__init__(parts)

    @property
    def seq(self) -> list[Composable]:
        """The parts."""
        return list(self._wrapped)

    def as_string(self, context: object = None) -> str:
        """Return the SQL."""
        return "".join(part.as_string(context) for part in self._wrapped)

    def __iter__(self) -> Iterator[Composable]:
        return iter(self._wrapped)

    def __add__(self, other: object) -> Composed:
        if isinstance(other, Composed):
            return Composed(self._wrapped + other._wrapped)
        if isinstance(other, Composable):
            return Composed([*self._wrapped, other])
        return NotImplemented

    def join(self, joiner: str | SQL) -> Composed:
        """Return the parts with this between them."""
        return (SQL(joiner) if isinstance(joiner, str) else joiner).join(self)


class SQL(Composable):
    """A piece of SQL as it is; `{}` and `{name}` are places for parts."""

    _formatter: Final = string.Formatter()

    def __init__(self, string: str) -> None:  # noqa: A002 - psycopg2's name
        if not isinstance(string, str):
            raise TypeError("SQL values must be strings")
        super().__init__(string)

    @property
    def string(self) -> str:
        """The text."""
        return str(self._wrapped)

    def as_string(self, context: object = None) -> str:
        """Return the SQL."""
        return str(self._wrapped)

    def format(self, *args: Any, **kwargs: Any) -> Composed:
        """Return the text with parts in its places."""
        parts: list[Composable] = []
        number: int | None = 0
        for before, name, spec, conversion in self._formatter.parse(self._wrapped):
            if spec:
                raise ValueError("no format specification supported by SQL")
            if conversion:
                raise ValueError("no format conversion supported by SQL")
            if before:
                parts.append(SQL(before))
            if name is None:
                continue
            if name.isdigit():
                if number:
                    raise ValueError("cannot switch from automatic field numbering to manual")
                parts.append(args[int(name)])
                number = None
            elif not name:
                if number is None:
                    raise ValueError("cannot switch from manual field numbering to automatic")
                parts.append(args[number])
                number += 1
            else:
                parts.append(kwargs[name])
        return Composed(parts)

    def join(self, seq: Iterable[Composable]) -> Composed:
        """Return these parts with this text between them."""
        parts: list[Composable] = []
        for part in seq:
            if parts:
                parts.append(self)
            parts.append(part)
        return Composed(parts)


class Identifier(Composable):
    """A name, or names with dots between them."""

    def __init__(self, *strings: str) -> None:
        if not strings:
            raise TypeError("Identifier cannot be empty")
        for name in strings:
            if not isinstance(name, str):
                raise TypeError("SQL identifier parts must be strings")
        super().__init__(strings)

    @property
    def strings(self) -> tuple[str, ...]:
        """The names."""
        return tuple(self._wrapped)

    @property
    def string(self) -> str:
        """The name, if there is one."""
        if len(self._wrapped) != 1:
            raise AttributeError("the Identifier wraps more than one than one string")
        return str(self._wrapped[0])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._wrapped))})"

    def as_string(self, context: object = None) -> str:
        """Return the SQL."""
        return ".".join(quote_ident(name) for name in self._wrapped)


class Literal(Composable):
    """A value."""

    @property
    def wrapped(self) -> Any:
        """The value."""
        return self._wrapped

    def as_string(self, context: object = None) -> str:
        """Return the SQL."""
        adapted = adapt(self._wrapped).getquoted()
        return adapted.decode() if isinstance(adapted, bytes) else str(adapted)


class Placeholder(Composable):
    """A place for a value that is given when the statement runs: `%s`, or `%(name)s`."""

    def __init__(self, name: str | None = None) -> None:
        if isinstance(name, str) and ")" in name:
            raise ValueError(f"invalid name: {name!r}")
        super().__init__(name)

    @property
    def name(self) -> str | None:
        """The name."""
        return self._wrapped

    def __repr__(self) -> str:
        return f"Placeholder({'' if self._wrapped is None else repr(self._wrapped)})"

    def as_string(self, context: object = None) -> str:
        """Return the placeholder."""
        return "%s" if self._wrapped is None else f"%({self._wrapped})s"


NULL: Final = SQL("NULL")
DEFAULT: Final = SQL("DEFAULT")

__all__ = ["DEFAULT", "NULL", "SQL", "Composable", "Composed", "Identifier", "Literal", "Placeholder"]
