"""The claims that every peer reads, plainly."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator


def arguments() -> tuple[str, str, int]:
    database, output, records = sys.argv[1:4]
    return database, output, int(records)


def claims(database: str, records: int) -> tuple[list[str], Iterator[tuple[object, ...]]]:
    """Names of the columns, and the rows."""
    rows = sqlite3.connect(database).execute("SELECT * FROM arkham_claims LIMIT ?", [records])
    return [each[0] for each in rows.description], rows
