"""Ranges, as psycopg2 has them."""

from __future__ import annotations

from typing import Any

from ferricorn._ferricorn import db as _db


class Range:
    """What lies between two bounds; a bound of None is no bound."""

    __slots__ = ("_bounds", "_lower", "_upper")

    _function: str | None = None
    """What makes such a range in SQL."""

    def __init__(self, lower: Any = None, upper: Any = None, bounds: str = "[)", empty: bool = False) -> None:
        if empty:
            self._lower = self._upper = self._bounds = None
            return
        if bounds not in ("[)", "(]", "()", "[]"):
            raise ValueError(f"bound flags not valid: {bounds!r}")
        self._lower = lower
        self._upper = upper
        self._bounds = bounds

    lower = property(lambda self: self._lower, doc="The lower bound; None if there is none, or nothing in between.")
    upper = property(lambda self: self._upper, doc="The upper bound; None if there is none, or nothing in between.")
    isempty = property(lambda self: self._bounds is None, doc="Whether there is nothing in between.")

    @property
    def lower_inf(self) -> bool:
        """Whether there is no lower bound."""
        return self._bounds is not None and self._lower is None

    @property
    def upper_inf(self) -> bool:
        """Whether there is no upper bound."""
        return self._bounds is not None and self._upper is None

    @property
    def lower_inc(self) -> bool:
        """Whether the lower bound belongs to it."""
        return self._bounds is not None and self._lower is not None and self._bounds[0] == "["

    @property
    def upper_inc(self) -> bool:
        """Whether the upper bound belongs to it."""
        return self._bounds is not None and self._upper is not None and self._bounds[1] == "]"

    def __contains__(self, item: Any) -> bool:
        if self._bounds is None:
            return False
        if self._lower is not None and not (item >= self._lower if self.lower_inc else item > self._lower):
            return False
        return self._upper is None or bool(item <= self._upper if self.upper_inc else item < self._upper)

    def __bool__(self) -> bool:
        return self._bounds is not None

    def __repr__(self) -> str:
        name = type(self).__name__
        if self._bounds is None:
            return f"{name}(empty=True)"
        return f"{name}({self._lower!r}, {self._upper!r}, {self._bounds!r})"

    def __str__(self) -> str:
        if self._bounds is None:
            return "empty"
        return f"{self._bounds[0]}{self._lower}, {self._upper}{self._bounds[1]}"

    def _key(self) -> tuple[Any, ...]:
        return self._lower, self._upper, self._bounds

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Range) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __lt__(self, other: Any) -> Any:
        if not isinstance(other, Range):
            return NotImplemented
        for mine, others in zip(self._key(), other._key()):
            if mine != others:
                if mine is None or others is None:
                    return mine is None
                return mine < others
        return False

    def __le__(self, other: Any) -> Any:
        return self == other or self < other

    def __gt__(self, other: Any) -> Any:
        return other < self if isinstance(other, Range) else NotImplemented

    def __ge__(self, other: Any) -> Any:
        return self == other or self > other

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Range.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def getquoted(self) -> bytes:
        """Return the SQL."""
        if self._function is None:
            raise NotImplementedError(f"{type(self).__name__} has no type in SQL")
        if self._bounds is None:
            return f"'empty'::{self._function}".encode()
        lower, upper = _db.literal(self._lower), _db.literal(self._upper)
        return f"{self._function}({lower}, {upper}, '{self._bounds}')".encode()


class NumericRange(Range):
    """A range of numbers: int4range, int8range, numrange, as the server understands it."""

    __slots__ = ()

    def getquoted(self) -> bytes:
        """Return the SQL."""
        if self._bounds is None:
            return b"'empty'"
        whole = f"{self._bounds[0]}{_bound(self._lower)},{_bound(self._upper)}{self._bounds[1]}"
        return _db.literal(whole).encode()


def _bound(value: Any) -> str:
    """Return a bound as the text of a range has it; nothing for none. What is no number stays one bound, too."""
    if value is None:
        return ""
    literal = _db.literal(value).strip()
    if "'" not in literal:
        return literal
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


class DateRange(Range):
    """A range of dates: daterange."""

    __slots__ = ()
    _function = "daterange"


class DateTimeRange(Range):
    """A range of times without a zone: tsrange."""

    __slots__ = ()
    _function = "tsrange"


class DateTimeTZRange(Range):
    """A range of times with a zone: tstzrange."""

    __slots__ = ()
    _function = "tstzrange"
