"""One class for each row of the settings table, as `Config.settings` holds them."""

from __future__ import annotations

import argparse
import copy
from typing import Any, Callable, ClassVar, Iterable

from ferricorn import _ferricorn

KNOWN_SETTINGS: list[type[Setting]] = []

# Tells a setting that nobody has set from one that was set to None.
UNSAID = object()


class Setting:
    """One setting: what it is called, what it takes, what it is.

    A class that is derived from this one is a further setting of every `Config` that is made after it. It has a
    `validator` of its own; what the others take is checked as in a configuration file.
    """

    name: ClassVar[str]
    section: ClassVar[str] = ""
    cli: ClassVar[list[str] | None] = None
    validator: ClassVar[Any] = None
    type: ClassVar[Any] = None
    meta: ClassVar[str | None] = None
    action: ClassVar[str | None] = None
    nargs: ClassVar[str | None] = None
    const: ClassVar[Any] = None
    default: Any = None
    short: ClassVar[str] = ""
    desc: ClassVar[str] = ""
    order: ClassVar[int] = 0

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        validator = cls.__dict__.get("validator")
        if validator is not None and not isinstance(validator, staticmethod):
            cls.validator = staticmethod(validator)
        cls.desc = "\n".join(line.strip() for line in cls.desc.strip().splitlines())
        cls.short = cls.desc.partition("\n")[0]
        cls.order = len(KNOWN_SETTINGS)
        KNOWN_SETTINGS.append(cls)

    def __init__(self) -> None:
        self.value: Any = None
        # What the caller of `set` said, as it was said.
        self.said: Any = UNSAID
        if self.default is not None:
            self.value = self.validator(self.default) if self.validator is not None else copy.copy(self.default)

    def get(self) -> Any:
        """Return the value."""
        return self.value

    def set(self, value: Any) -> None:
        """Set the value. A function may be named by its dotted path; the server finds it when it starts."""
        if self.validator is not None:
            self.value = self.validator(value)
        else:
            self.value = _ferricorn.checked_setting(self.name, _called(value) if self.type is _class else value)
        self.said = value

    def take(self, value: Any) -> None:
        """Take a value that was checked elsewhere and that nobody here has set."""
        self.value = value

    def copy(self) -> Setting:
        """Return a setting of the same value that can be set by itself."""
        return copy.copy(self)

    def add_option(self, parser: argparse.ArgumentParser) -> None:
        """Give a parser the flags of this setting."""
        if not self.cli:
            return
        text = f"{self.short} [{self.default}]".replace("%", "%%")
        options: dict[str, Any] = {"dest": self.name, "action": self.action or "store", "default": None, "help": text}
        if options["action"] == "store":
            options["type"] = self.type if self.type in (int, _auto_int) else str
        for option, value in (("metavar", self.meta), ("nargs", self.nargs), ("const", self.const)):
            if value is not None or (option, self.action) == ("const", "store_const"):
                options[option] = value
        parser.add_argument(*self.cli, **options)

    def __lt__(self, other: Setting) -> bool:
        return (self.section, self.order) < (other.section, other.order)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__qualname__} {self.name} = {self.value!r}>"


def make_settings(ignore: Iterable[str] = ()) -> dict[str, Setting]:
    """Return one new setting of each kind by name, with its default."""
    ignored = frozenset(ignore or ())
    made = {known.name: known() for known in KNOWN_SETTINGS if known.name not in ignored}
    for name, value in _ferricorn.default_settings().items():
        if name in made:
            made[name].take(value)
    return made


def _called(value: Any) -> Any:
    """A function in the place of a class is one that returns it."""
    return value() if callable(value) and not isinstance(value, type) else value


def _class(value: Any) -> Any:
    return value


def _auto_int(text: str) -> int:
    """Read a number in any base; a leading zero means octal."""
    is_octal = len(text) > 1 and text[0] == "0" and text[1].isdigit()
    return int(text, 8 if is_octal else 0)


_TYPES: dict[str, Callable[[Any], Any]] = {
    "int": int,
    "auto_int": _auto_int,
    "class": _class,
    "hook": callable,
}
_ACTIONS = {"bool": "store_true", "bool_off": "store_const", "list": "append", "files": "append"}


def _define(row: _ferricorn._SettingRow) -> None:
    kind, default = row["kind"], row["default"]
    class_name = "".join(word.capitalize() for word in row["name"].split("_"))
    if kind == "hook":
        class_name = default.partition(".")[0]
        default = staticmethod(_hook(row["name"], default, row["arity"] or 0))
    elif kind in ("names", "addresses"):
        default = ",".join(default)
    body = {
        "__module__": __name__,
        "__doc__": row["meaning"],
        "name": row["name"],
        "section": row["section"],
        "cli": row["flags"] or None,
        "type": staticmethod(_TYPES.get(kind, str)),
        "action": _ACTIONS.get(kind),
        "nargs": "?" if row["bare"] is not None else None,
        "const": False if kind == "bool_off" else row["bare"],
        "default": default,
        "desc": row["meaning"],
    }
    type(class_name, (Setting,), body)


def _hook(name: str, qualified_name: str, arity: int) -> Callable[..., Any]:
    """Return what a hook does when there is none: nothing, but for two of them."""
    hook = _PARTICULAR_HOOKS.get(name) or _idle(arity)
    hook.__name__ = name
    hook.__qualname__ = qualified_name
    return hook


def _idle(arity: int) -> Callable[..., Any]:
    """Return a new function that takes so many arguments and does nothing with them."""
    functions: dict[int, Callable[..., Any]] = {
        1: lambda server: None,
        2: lambda server, worker: None,
        3: lambda server, new_value, old_value: None,
        4: lambda worker, req, environ, resp: None,
    }
    return functions[arity]


def _log_request(worker: Any, req: Any) -> None:
    worker.log.debug("%s %s", req.method, req.path)


def _default_context(_config: Any, default_ssl_context_factory: Callable[[], Any]) -> Any:
    return default_ssl_context_factory()


_PARTICULAR_HOOKS: dict[str, Callable[..., Any]] = {"pre_request": _log_request, "ssl_context": _default_context}

for _row in _ferricorn.settings_table():
    _define(_row)
