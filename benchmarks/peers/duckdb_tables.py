"""DuckDB with a database attached through its scanner extension, which comes from PyPI rather than from its server."""

from __future__ import annotations

import importlib
from pathlib import Path

import duckdb

from benchmarks.peers.claims import is_postgres


def attached(database: str) -> duckdb.DuckDBPyConnection:
    """A connection whose schema `case_data` is the database."""
    kind = "postgres" if is_postgres(database) else "sqlite"
    package = importlib.import_module(f"duckdb_extension_{kind}_scanner")
    (extension,) = Path(package.__path__[0]).rglob("*.duckdb_extension")
    connection = duckdb.connect()
    connection.load_extension(str(extension))
    connection.execute(f"ATTACH '{database}' AS case_data (TYPE {kind}, READ_ONLY)")
    connection.execute("USE case_data")
    return connection
