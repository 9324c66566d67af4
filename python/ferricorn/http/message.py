"""`Request`: the class of the `req` that hooks and loggers are called with."""

from ferricorn._requests import Request

Message = Request

__all__ = ["Message", "Request"]
