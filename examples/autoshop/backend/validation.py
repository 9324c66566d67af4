"""Turns what a client sent into values for the database, or into a sentence for each bad field.

A converter takes the raw value and returns the clean one; ValueError carries the sentence's
second half ("must be ..."), the field's name is its first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import request

from backend.errors import ApiError

Converter = Callable[[Any], Any]


@dataclass(frozen=True)
class Field:
    """One column that clients may write, or may filter a list by."""

    name: str
    convert: Converter
    # A field that is not required falls back to the column's default.
    required: bool = True


def text(longest: int = 200) -> Converter:
    """A string with something in it. NUL and lone surrogates are refused, for Postgres has no way to keep them."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or not value.strip():
            raise ValueError("must be a text that is not empty")
        if len(value) > longest:
            raise ValueError(f"must have at most {longest} characters")
        if "\x00" in value or not _is_unicode(value):
            raise ValueError("contains characters that cannot be stored")
        return value.strip()

    return convert


def email(value: Any) -> str:
    """Only the shape is checked; whether it arrives, only a letter to it would show."""
    address = text(254)(value).lower()
    user, _, host = address.partition("@")
    if not user or "." not in host or "@" in host or " " in address:
        raise ValueError("must be an address like edgar@shop.example")
    return address


def integer(low: int, high: int = 2_147_483_647) -> Converter:
    """A whole number; digits in a string count, because that is what forms and query strings send."""

    def convert(value: Any) -> int:
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number between {low} and {high}")
        return value

    return convert


def decimal(high: int) -> Converter:
    """An amount from 0 to `high`, kept exact: money is never a float on its way to the database."""

    def convert(value: Any) -> Decimal:
        try:
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise InvalidOperation
            amount = Decimal(str(value))
            if not amount.is_finite() or not 0 <= amount <= high:
                raise InvalidOperation
            return amount.quantize(Decimal("0.01"))
        except InvalidOperation:
            raise ValueError(f"must be an amount between 0 and {high}") from None

    return convert


def choice(*allowed: str) -> Converter:
    """One of a few words."""

    def convert(value: Any) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return str(value)

    return convert


def moment(value: Any) -> datetime:
    """An ISO 8601 time. One without an offset is taken as UTC, so that it means the same on every machine."""
    try:
        when = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise ValueError("must be a time like 2026-09-07T14:30:00Z") from None
    return when if when.tzinfo else when.replace(tzinfo=timezone.utc)


def read_body(fields: Iterable[Field], *, partial: bool = False) -> dict[str, Any]:
    """The request's JSON object, checked. `partial` (PATCH) asks only for what is to change.

    None stands for a column's default: what a client leaves out, or sets to null.
    """
    body = _json_object()
    known = {field.name: field for field in fields}
    problems = {name: "is not a field that can be written" for name in body if name not in known}
    values: dict[str, Any] = {}
    for field in known.values():
        if partial and field.name not in body:
            continue
        if body.get(field.name) is not None:
            _convert_into(values, problems, field, body[field.name])
        elif field.required:
            problems[field.name] = "is required"
        else:
            values[field.name] = None
    if problems:
        raise ApiError(400, "some fields are not valid", fields=problems)
    if not values:
        raise ApiError(400, "the body names no field to change")
    return values


def read_query(fields: Iterable[Field], arguments: Mapping[str, str]) -> dict[str, Any]:
    """Those of `fields` that the query string gives a value for; an empty one counts as not given."""
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in fields:
        raw = arguments.get(field.name)
        if raw:
            _convert_into(values, problems, field, raw)
    if problems:
        raise ApiError(400, "some parameters are not valid", fields=problems)
    return values


def _convert_into(values: dict[str, Any], problems: dict[str, str], field: Field, raw: Any) -> None:
    try:
        values[field.name] = field.convert(raw)
    except ValueError as error:
        problems[field.name] = str(error)


def _json_object() -> dict[str, Any]:
    try:
        body = request.get_json()
    except RecursionError:
        raise ApiError(400, "the body is nested too deeply") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object")
    return body


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
