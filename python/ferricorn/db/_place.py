"""Where in the application something happens."""

from __future__ import annotations

import sys
from typing import Final

# Whoever stands between the application and us is not meant.
_BETWEEN: Final = ("ferricorn.db", "ferricorn.sqlalchemy", "contextlib", "sqlalchemy", "flask_sqlalchemy")


def caller() -> tuple[str, int]:
    """Return file and line of the innermost frame that is the application's own."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_BETWEEN):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
