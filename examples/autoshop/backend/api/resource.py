"""The five routes that every kind of record has: list and search, get, create, replace, change."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for

from backend.api.login import require_login
from backend.database_pool import get_db_connection
from backend.records import Table
from backend.validation import Field, integer, read_body, read_query, text

_PAGING = (Field("page", integer(1, 1_000_000)), Field("per_page", integer(1, 100)), Field("q", text(100)))


def resource_blueprint(table: Table) -> Blueprint:
    """Reading is open to everybody; writing asks for a login before it looks at the body."""
    blueprint = Blueprint(table.name, __name__)
    path = f"/{table.name.replace('_', '-')}"

    @blueprint.get(path)
    def list_records() -> Response:
        paging = read_query(_PAGING, request.args)
        filters = read_query(table.filters, request.args)
        with get_db_connection() as connection:
            return jsonify(
                table.fetch_page(
                    connection,
                    search=paging.get("q"),
                    filters=filters,
                    page=paging.get("page", 1),
                    per_page=paging.get("per_page", 25),
                )
            )

    @blueprint.get(f"{path}/<int:record_id>")
    def get_record(record_id: int) -> Response:
        with get_db_connection() as connection:
            return jsonify(table.fetch(connection, record_id))

    @blueprint.post(path)
    @require_login
    def create_record() -> tuple[Response, int, dict[str, Any]]:
        values = read_body(table.fields)
        with get_db_connection() as connection:
            row = table.create(connection, values)
            connection.commit()
        return jsonify(row), 201, {"Location": url_for(".get_record", record_id=row["id"])}

    @blueprint.route(f"{path}/<int:record_id>", methods=["PUT", "PATCH"])
    @require_login
    def update_record(record_id: int) -> Response:
        values = read_body(table.fields, partial=request.method == "PATCH")
        with get_db_connection() as connection:
            row = table.update(connection, record_id, values)
            connection.commit()
        return jsonify(row)

    return blueprint
