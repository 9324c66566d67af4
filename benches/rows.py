"""The auto shop's rows, for the benches that ask them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench import BenchError
from database.services import DATABASE, Cluster

SHOP = Path(__file__).resolve().parents[1] / "examples" / "autoshop"


def seed(cluster: Cluster) -> None:
    """The shop's own rows, analyzed and vacuumed, as they are in a database that has been in use for a while.

    Autovacuum would do the former after a minute, in the middle of a bench, and leave out the latter: in between the same statements
    take Postgres half as long again.
    """
    environment = {**os.environ, "DATABASE_URL": cluster.url(), "SHOP_DRIVER": "psycopg2"}
    seeded = subprocess.run([sys.executable, str(SHOP / "seed.py")], env=environment, capture_output=True, text=True)
    if seeded.returncode != 0:
        raise BenchError(f"The shop cannot be seeded: {seeded.stderr.strip()}")
    # What was committed must be on disk before it is marked as visible to all.
    cluster.superuser("CHECKPOINT")
    cluster.superuser("VACUUM (ANALYZE)", DATABASE)
