"""docs/database.md has every setting as it is."""

from __future__ import annotations

from ferricorn._ferricorn import db

from .services import REPOSITORY


def test_table_of_settings() -> None:
    text = (REPOSITORY / "docs" / "database.md").read_text(encoding="utf-8")
    rows = [
        f"| `{name}` | `{variable}` | {default} | {meaning} |" for name, variable, default, meaning in db.settings()
    ]
    table = "\n".join(["| `[db]` | variable | default | meaning |", "|---|---|---|---|", *rows])
    assert table in text, f"docs/database.md is stale; it should have:\n{table}"
