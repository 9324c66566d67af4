"""Ferricorn: a prefork application server in Rust for WSGI applications."""

from ferricorn._ferricorn import RequestTimeout
from ferricorn._ferricorn import VERSION as __version__

__all__ = ["RequestTimeout", "__version__"]
