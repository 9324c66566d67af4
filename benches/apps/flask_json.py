"""What most applications do: a framework, a route, some JSON."""

from __future__ import annotations

from flask import Flask, Response, jsonify

application = Flask(__name__)


@application.get("/")
def index() -> Response:
    """A small object, as an API returns it."""
    return jsonify(message="Hello, world!", items=[1, 2, 3], ok=True)
