"""The SQL that the four kinds of record share: a page of a list, one record, create, update.

Text that becomes part of a statement comes from the constants in `backend/api`; whatever a client
sent is only ever a parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.driver import extensions, sql
from backend.errors import ApiError
from backend.validation import Field

Connection = extensions.connection
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """How one table is read, searched and written through the API."""

    name: str
    # What one row is called in a message: "no such customer".
    singular: str
    # SELECT with its joins; a WHERE is appended to it.
    select: str
    # SQL expressions that ?q= is looked for in.
    searched: tuple[str, ...]
    # Order of the list. It ends in the id, so that no row moves between two pages.
    order: str
    # What POST, PUT and PATCH accept.
    fields: tuple[Field, ...]
    # What ?name=value narrows the list by; the same-named column of the table must be equal.
    filters: tuple[Field, ...] = ()

    def fetch_page(
        self, connection: Connection, *, search: str | None, filters: Row, page: int, per_page: int
    ) -> dict[str, Any]:
        """One page of what matches, with the figures a pager needs."""
        condition = self._condition(search, filters)
        parameters = {**filters, "search": _pattern(search), "limit": per_page, "offset": (page - 1) * per_page}
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) AS total FROM ({self.select}{condition}) AS matching", parameters)
            total = cursor.fetchone()["total"]
            cursor.execute(
                f"{self.select}{condition} ORDER BY {self.order} LIMIT %(limit)s OFFSET %(offset)s", parameters
            )
            items = cursor.fetchall()
        return {"items": items, "total": total, "page": page, "per_page": per_page, "pages": -(-total // per_page)}

    def fetch(self, connection: Connection, record_id: int) -> Row:
        """The record, or the 404 that says what is missing."""
        with connection.cursor() as cursor:
            cursor.execute(f"{self.select} WHERE {self.name}.id = %s", (record_id,))
            row: Row | None = cursor.fetchone()
        if row is None:
            raise self._missing()
        return row

    def create(self, connection: Connection, values: Row) -> Row:
        """Inserts and reads back in one transaction, which the caller commits."""
        statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id").format(
            sql.Identifier(self.name),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(map(_placeholder, values.values())),
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, _given(values))
            created: int = cursor.fetchone()["id"]
        return self.fetch(connection, created)

    def update(self, connection: Connection, record_id: int, values: Row) -> Row:
        """Changes the named columns and reads back in one transaction, which the caller commits."""
        assignments = [
            sql.SQL("{} = {}").format(sql.Identifier(name), _placeholder(value)) for name, value in values.items()
        ]
        statement = sql.SQL("UPDATE {} SET {} WHERE id = %s").format(
            sql.Identifier(self.name), sql.SQL(", ").join(assignments)
        )
        with connection.cursor() as cursor:
            cursor.execute(statement, [*_given(values), record_id])
            if cursor.rowcount == 0:
                raise self._missing()
        return self.fetch(connection, record_id)

    def _condition(self, search: str | None, filters: Row) -> str:
        conditions = [f"{self.name}.{name} = %({name})s" for name in filters]
        if search:
            conditions.append("(" + " OR ".join(f"{column} ILIKE %(search)s" for column in self.searched) + ")")
        return " WHERE " + " AND ".join(conditions) if conditions else ""

    def _missing(self) -> ApiError:
        return ApiError(404, f"no such {self.singular}")


def _pattern(search: str | None) -> str | None:
    """A client's % and _ are characters to find, not wildcards."""
    if search is None:
        return None
    for special in ("\\", "%", "_"):
        search = search.replace(special, "\\" + special)
    return f"%{search}%"


def _placeholder(value: Any) -> sql.Composable:
    """None is the column's default, which only SQL knows."""
    return sql.SQL("DEFAULT") if value is None else sql.Placeholder()


def _given(values: Row) -> list[Any]:
    return [value for value in values.values() if value is not None]
