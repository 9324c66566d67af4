"""What a setting of a program's own may be checked with: `ferricorn.config.validate_...`.

Settings of the table are not checked here but by the same rules as in a configuration file.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any, Callable

from ferricorn import util


def validate_bool(value: Any) -> bool | None:
    """Take a truth value, or the word for one."""
    if value is None or isinstance(value, bool):
        return value
    word = _text(value).lower()
    if word not in ("true", "false"):
        raise ValueError(f"must be True or False, not {value!r}")
    return word == "true"


def validate_dict(value: Any) -> dict[Any, Any]:
    """Take a dict."""
    if not isinstance(value, dict):
        raise TypeError(f"must be a dict, not {value!r}")
    return value


def validate_pos_int(value: Any) -> int:
    """Take a whole number, zero or more, also as text with Python's prefixes."""
    number = int(value) if isinstance(value, int) else int(_text(value), 0)
    if number < 0:
        raise ValueError(f"must not be negative: {number}")
    return number


def validate_string(value: Any) -> str | None:
    """Take a text, without the blanks around it."""
    return None if value is None else _text(value)


def validate_list_string(value: Any) -> list[str]:
    """Take a list of texts; a single text is a list of one."""
    if not value:
        return []
    return [_text(item) for item in ([value] if isinstance(value, str) else value)]


def validate_string_to_list(value: Any) -> list[str]:
    """Take texts that are separated by commas."""
    return [part.strip() for part in (validate_string(value) or "").split(",") if part]


def validate_class(value: Any) -> Any:
    """Take a class, a function that returns one, or the dotted path of one."""
    if inspect.isfunction(value) or inspect.ismethod(value):
        value = value()
    return value if inspect.isclass(value) else validate_string(value)


def validate_callable(arity: int) -> Callable[[Any], Callable[..., Any]]:
    """Return what takes a function of so many arguments, or the dotted path of one; -1 is any number."""

    def validate(value: Any) -> Callable[..., Any]:
        function = _imported(value) if isinstance(value, str) else value
        if not callable(function):
            raise TypeError(f"must be a function, not {value!r}")
        if arity != -1 and util.get_arity(function) != arity:
            raise TypeError(f"must take {arity} arguments, {value!r} does not")
        return function

    return validate


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"must be a text, not {value!r}")
    return value.strip()


def _imported(path: str) -> Any:
    module, _, name = path.rpartition(".")
    if not module:
        raise TypeError(f"a function is named as package.module.function, not {path!r}")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise TypeError(f"{path!r} cannot be imported: {error}") from error
