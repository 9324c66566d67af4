"""How values of the application's become SQL, and SQL's become values: what can be registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from ferricorn._ferricorn import db as _db

adapters: Final[dict[type, Callable[[Any], Any]]] = {}
"""From types to callables that return an object with `getquoted()`."""
casters: Final[dict[int, Any]] = {}
"""From numbers of types to callables of text and cursor."""

_db.set_adapter(adapters)
_db.set_caster(casters)


class TypeObject:
    """The types that a caster is for. It equals the number of each of them."""

    def __init__(
        self, values: Iterable[int], name: str, cast: Callable[[str | None, Any], Any] | None = None
    ) -> None:
        self.values = tuple(values)
        self.name = name
        self._cast = cast

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeObject):
            return self.values == other.values
        return other in self.values

    def __hash__(self) -> int:
        return hash(self.values)

    def __call__(self, value: str | None, cursor: Any = None) -> Any:
        return value if self._cast is None or value is None and self._cast is str else self._cast(value, cursor)

    def __repr__(self) -> str:
        return f"<type {self.name} {self.values}>"


STRING: Final = TypeObject((19, 18, 25, 1042, 1043), "STRING")
NUMBER: Final = TypeObject((20, 23, 21, 701, 700, 1700), "NUMBER")
DATETIME: Final = TypeObject((1114, 1184, 704, 1186, 1082, 1083, 1266), "DATETIME")
BINARY: Final = TypeObject((17,), "BINARY")
ROWID: Final = TypeObject((26,), "ROWID")


def register_type(type_object: TypeObject, scope: Any = None) -> None:
    """Have values of these types made by this caster: everywhere, or on one connection or cursor."""
    where = casters
    if scope is not None:
        if scope._casters is None:
            scope._casters = {}
        where = scope._casters
    where.update(dict.fromkeys(type_object.values, type_object))


def new_type(values: Iterable[int], name: str, cast: Callable[[str | None, Any], Any]) -> TypeObject:
    """Return a caster for the types with these numbers."""
    return TypeObject(values, name, cast)


def new_array_type(values: Iterable[int], name: str, base: TypeObject) -> TypeObject:
    """Return a caster for arrays, whose elements `base` makes."""

    def cast(text: str | None, cursor: Any) -> Any:
        return None if text is None else _read_array(text, base, cursor)

    return TypeObject(values, name, cast)


def _read_array(text: str, base: TypeObject, cursor: Any) -> list[Any]:
    if text.startswith("["):
        text = text[text.index("=") + 1 :]
    stack: list[list[Any]] = [[]]
    at = 0
    while at < len(text):
        mark = text[at]
        if mark == "{":
            stack.append([])
        elif mark == "}":
            done = stack.pop()
            stack[-1].append(done)
        elif mark != ",":
            item, at = _read_item(text, at)
            stack[-1].append(base(item, cursor))
            continue
        at += 1
    return stack[0][0]


def _read_item(text: str, at: int) -> tuple[str | None, int]:
    """Return an element, and where what follows it begins."""
    if text[at] != '"':
        end = min(place for place in (text.find(",", at), text.find("}", at), len(text)) if place >= 0)
        item = text[at:end]
        return (None if item == "NULL" else item), end
    characters = []
    at += 1
    while text[at] != '"':
        at += text[at] == "\\"
        characters.append(text[at])
        at += 1
    return "".join(characters), at + 1


def register_adapter(type_: type, adapter: Callable[[Any], Any]) -> None:
    """Have values of this type, and of those that derive from it, adapted this way."""
    adapters[type_] = adapter


class AsIs:
    """Text that is SQL already."""

    def __init__(self, value: Any) -> None:
        self.adapted = value

    def getquoted(self) -> bytes:
        """Return the SQL."""
        return str(self.adapted).encode()

    def __conform__(self, protocol: object) -> AsIs:
        return self


class Adapted:
    """Any value that can be adapted."""

    def __init__(self, value: Any) -> None:
        self.adapted = value

    def getquoted(self) -> bytes:
        """Return the SQL."""
        return _db.literal(self.adapted).encode()

    def prepare(self, connection: Any) -> None:
        """Do nothing: a literal is the same on every connection."""

    def __conform__(self, protocol: object) -> Adapted:
        return self

    def __str__(self) -> str:
        return self.getquoted().decode()


class Binary(Adapted):
    """Binary data: bytes, bytearray, memoryview, or whatever has a buffer."""

    def getquoted(self) -> bytes:
        """Return the SQL."""
        return _db.literal(None if self.adapted is None else bytes(memoryview(self.adapted))).encode()


def adapt(value: Any, protocol: object = None, alternative: object = None) -> Any:
    """Return an object that says a value's SQL."""
    adapter = adapters.get(type(value))
    if adapter is not None:
        return adapter(value)
    if hasattr(value, "getquoted"):
        return value
    adapted = Adapted(value)
    adapted.getquoted()
    return adapted


class Json:
    """A value that is sent as JSON."""

    def __init__(self, adapted: Any, dumps: Callable[[Any], str] | None = None) -> None:
        self.adapted = adapted
        self._dumps = dumps

    def dumps(self, obj: Any) -> str:
        """Return the value's JSON; for subclasses to do otherwise."""
        import json

        return (self._dumps or json.dumps)(obj)

    def getquoted(self) -> bytes:
        """Return the SQL."""
        return _db.literal(self.dumps(self.adapted)).encode()

    def __conform__(self, protocol: object) -> Json:
        return self

    def __str__(self) -> str:
        return self.getquoted().decode()
