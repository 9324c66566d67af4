"""Every failure of the API as JSON: {"error": sentence, "fields": {...} when single fields are to blame}."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, Response, current_app, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from backend.driver import driver, pool
from backend.driver import errors as database_errors


class ApiError(Exception):
    """A request that cannot be served, with the sentence its client gets to read."""

    def __init__(self, status: int, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.fields = fields


def register_error_handlers(app: Flask) -> None:
    """Called once by the factory. What has no handler here is a bug and becomes a 500 with a traceback in the log."""
    app.register_error_handler(ApiError, _api_error)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(database_errors.UniqueViolation, _unique_violation)
    app.register_error_handler(database_errors.ForeignKeyViolation, _foreign_key_violation)
    for unreachable in (driver.OperationalError, driver.InterfaceError, pool.PoolError):
        app.register_error_handler(unreachable, _database_unavailable)


def _answer(status: int, message: str, fields: Mapping[str, str] | None = None) -> Response:
    response = jsonify({"error": message, **({"fields": fields} if fields else {})})
    response.status_code = status
    return response


def _api_error(error: ApiError) -> Response:
    return _answer(error.status, error.message, error.fields)


def _http_exception(error: HTTPException) -> Response | BaseResponse | HTTPException:
    """Routing and parsing errors of Flask's own; a page outside the API keeps its HTML."""
    if not request.path.startswith("/api/") or error.code is None:
        return error
    response = error.get_response()
    body = _answer(error.code, (error.description or error.name).split(". ")[0].rstrip("."))
    # Headers such as Allow (405) belong to the answer whatever its body looks like.
    response.set_data(body.get_data())
    response.content_type = "application/json"
    return response


def _unique_violation(error: database_errors.UniqueViolation) -> Response:
    column = _column(error, "_key")
    return _answer(409, "some fields are already taken", {column: "belongs to another record"})


def _foreign_key_violation(error: database_errors.ForeignKeyViolation) -> Response:
    column = _column(error, "_fkey")
    return _answer(400, "some fields are not valid", {column: "names a record that does not exist"})


def _column(error: driver.Error, suffix: str) -> str:
    """Postgres names a constraint after its table and column unless told otherwise, and schema.sql does not."""
    constraint, table = error.diag.constraint_name or "", error.diag.table_name or ""
    return constraint.removeprefix(f"{table}_").removesuffix(suffix)


def _database_unavailable(error: Exception) -> Response:
    """Away, restarting, or every connection lent: all of it passes, so the client is told to come back."""
    current_app.logger.error("database unavailable: %s", str(error).strip())
    response = _answer(503, "the database is not available")
    response.headers["Retry-After"] = "1"
    return response
