"""Logging in gives a token, as a cookie for the page and in the body for everything else."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from flask import Blueprint, Response, current_app, g, jsonify, request
from werkzeug.security import check_password_hash, generate_password_hash

from backend import tokens
from backend.database_pool import get_db_connection
from backend.errors import ApiError
from backend.settings import Settings
from backend.validation import Field, read_body, text

P = ParamSpec("P")
R = TypeVar("R")

COOKIE = "autoshop_token"

_CREDENTIALS = (Field("username", text(100)), Field("password", text(200)))
# Compared against when there is no such user, so that the time of an answer does not tell names apart.
_NOBODY = generate_password_hash("nobody has this password")

blueprint = Blueprint("login", __name__)


@blueprint.post("/login")
def log_in() -> Response:
    """Checks the password and hands out the token."""
    settings, secret = _settings(), _secret()
    given: dict[str, Any] = read_body(_CREDENTIALS)
    with get_db_connection() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT password_hash FROM employees WHERE username = %s", (given["username"],))
        employee = cursor.fetchone()
    correct = check_password_hash(employee["password_hash"] if employee else _NOBODY, given["password"])
    if employee is None or not correct:
        raise ApiError(401, "wrong username or password")
    token = tokens.issue(secret, given["username"], settings.token_lifetime_seconds)
    response = jsonify(username=given["username"], token=token)
    response.set_cookie(
        COOKIE,
        token,
        max_age=settings.token_lifetime_seconds,
        httponly=True,
        samesite="Lax",
        secure=settings.secure_cookies,
    )
    return response


@blueprint.post("/logout")
def log_out() -> Response:
    """Takes the cookie back; a token that somebody copied stays valid until it expires."""
    response = Response(status=204)
    # Flask adds a type to every response; to one without content it may not be added (PEP 3333's validator checks).
    del response.headers["Content-Type"]
    response.delete_cookie(COOKIE)
    return response


@blueprint.get("/me")
def me() -> Response:
    """Who the token says is asking; null when nobody has logged in, which is no error."""
    try:
        return jsonify(username=_authenticate())
    except ApiError:
        return jsonify(username=None)


def require_login(view: Callable[P, R]) -> Callable[P, R]:
    """Decorates a view that only employees may use; `g.username` is who it is."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        g.username = _authenticate()
        return view(*args, **kwargs)

    return guarded


def _authenticate() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        token = request.cookies.get(COOKIE, "")
    if not token:
        raise ApiError(401, "log in first: POST /api/login")
    try:
        return tokens.verify(_secret(), token)
    except tokens.TokenError as error:
        raise ApiError(401, str(error)) from None


def _settings() -> Settings:
    settings: Settings = current_app.config["SHOP"]
    return settings


def _secret() -> str:
    secret = _settings().jwt_secret
    if secret is None:
        raise ApiError(503, "nobody can log in because JWT_SECRET is not set")
    return secret
