"""What load balancers and people on call ask."""

from __future__ import annotations

import os

from flask import Blueprint, Response, jsonify

from backend.database_pool import get_db_connection

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> Response:
    """Whether this process answers at all; a database that is away must not get the worker restarted."""
    return jsonify(status="ok", pid=os.getpid())


@blueprint.get("/health/database")
def database_health() -> Response:
    """Whether this process reaches the database; 503 when it does not."""
    with get_db_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version') AS version")
        return jsonify(status="ok", pid=os.getpid(), postgres=cursor.fetchone()["version"])
