"""The claims that the peers read, plainly, from either database."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator

from benchmarks.queries import CLAIMS_AS_THEY_ARE

BATCH_ROWS = 5_000


def arguments() -> tuple[str, str]:
    database, output = sys.argv[1:3]
    return database, output


def is_postgres(database: str) -> bool:
    return database.startswith("postgres")


def claims(database: str) -> tuple[list[str], Iterator[tuple[object, ...]]]:
    """Names of the columns, and the rows."""
    if not is_postgres(database):
        rows = sqlite3.connect(database).execute(CLAIMS_AS_THEY_ARE)
        return [each[0] for each in rows.description], rows
    import psycopg

    cursor = psycopg.connect(database).cursor("claims")
    cursor.itersize = BATCH_ROWS
    cursor.execute(CLAIMS_AS_THEY_ARE.encode())
    return [each.name for each in cursor.description or ()], iter(cursor)
