"""`Response`, the class of the `resp` that hooks and loggers are called with, and `wsgi.file_wrapper`."""

from ferricorn._ferricorn import FileWrapper
from ferricorn._requests import Response

__all__ = ["FileWrapper", "Response"]
