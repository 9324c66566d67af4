"""Requests and responses under the names of `gunicorn.http`, for annotations and `except` clauses."""

from ferricorn.http.message import Message, Request

__all__ = ["Message", "Request"]
