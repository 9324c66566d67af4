"""The database driver, named in one place: ferricorn.db, whose pool is that of the server's worker, and works under any server.

The shop uses it as it would use psycopg2, and SHOP_DRIVER=psycopg2 is all it takes to run on that. An application of yours does
without this file: `import psycopg2` becomes `from ferricorn import db as psycopg2`, and `psycopg2.extras` `ferricorn.db.extras`.
"""

from __future__ import annotations

import os
from importlib import import_module

NAME = os.environ.get("SHOP_DRIVER") or "ferricorn.db"
if NAME not in ("ferricorn.db", "psycopg2"):
    raise ImportError(f"SHOP_DRIVER is {NAME!r}, but it must be ferricorn.db or psycopg2.")

driver = import_module(NAME)
errors, extensions, extras, pool, sql = (
    import_module(f"{NAME}.{part}") for part in ("errors", "extensions", "extras", "pool", "sql")
)
