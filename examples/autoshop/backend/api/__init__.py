"""The JSON API, one blueprint for each kind of record."""

from __future__ import annotations

from flask import Flask

from backend.api import appointments, customers, health, login, vehicles, work_orders


def register_api(app: Flask) -> None:
    """Everything below /api."""
    for module in (health, login, customers, vehicles, appointments, work_orders):
        app.register_blueprint(module.blueprint, url_prefix="/api")
