"""The application factory. It opens no connection, so that a server may import it before it forks."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Flask, Response, current_app, render_template, request
from flask.json.provider import DefaultJSONProvider

from backend import database_pool
from backend.api import register_api
from backend.errors import register_error_handlers
from backend.settings import Settings


class ShopJSONProvider(DefaultJSONProvider):
    """Times as ISO 8601; Flask's default is the format of HTTP headers. Amounts stay exact, as strings."""

    @staticmethod
    def default(value: Any) -> Any:
        """Called for what the json module does not know."""
        if isinstance(value, date):
            return value.isoformat()
        return DefaultJSONProvider.default(value)


def create_app(settings: Settings | None = None) -> Flask:
    """The shop, with the environment's settings unless a test brings its own."""
    settings = settings or Settings.from_environment()
    app = Flask(__name__)
    app.json = ShopJSONProvider(app)
    app.config["SHOP"] = settings
    app.config["MAX_CONTENT_LENGTH"] = 1024 * 1024
    database_pool.configure(settings)
    register_error_handlers(app)
    register_api(app)
    app.add_url_rule("/", view_func=index)
    if settings.cors_origins:
        app.after_request(add_cors_headers)
    return app


def index() -> str:
    """The one page; it gets everything it shows from the API."""
    return render_template("index.html")


def add_cors_headers(response: Response) -> Response:
    """Lets the listed origins call the API from a browser, preflight requests included."""
    allowed = current_app.config["SHOP"].cors_origins
    origin = request.headers.get("Origin")
    # The answer differs by origin, so a cache must not give one origin's answer to another.
    response.vary.add("Origin")
    if origin is None or not {origin, "*"} & allowed:
        return response
    if origin in allowed:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Allow-Credentials"] = "true"
    else:
        response.headers["Access-Control-Allow-Origin"] = "*"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Max-Age"] = "600"
    return response
