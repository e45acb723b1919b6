"""The peers' tables in our own standalone host: their DDL, derived from `peers`, and the SQLite files that hold them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from arkham_shard_export.peers import GRAPHS, RATINGS, TABLES
from arkham_shard_export.schema import Column, Kind, Table

Dialect = Literal["sqlite", "postgresql"]

SCHEMAS = tuple(dict.fromkeys(table.schema for table in TABLES if table.schema))
UNIQUE = {GRAPHS: ("project_id",), RATINGS: ("matrix_id", "hypothesis_id", "evidence_id")}
BUSY_TIMEOUT_MS = 5000

_TYPES: dict[Dialect, dict[Kind, str]] = {
    "sqlite": {
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "INTEGER",
        Kind.NUMBER: "REAL",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.TIMESTAMP: "TIMESTAMP",
        Kind.JSON: "JSON",
    },
    "postgresql": {
        Kind.TEXT: "TEXT",
        Kind.INTEGER: "BIGINT",
        Kind.NUMBER: "DOUBLE PRECISION",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.TIMESTAMP: "TIMESTAMP",
        Kind.JSON: "JSONB",
    },
}
_TENANT_TYPES: dict[Dialect, str] = {"sqlite": "TEXT", "postgresql": "UUID"}


def create_statements(dialect: Dialect) -> list[str]:
    """Statements that make whatever is missing of schemas, tables and indexes; running them again changes nothing.

    In SQLite the schemas are attached databases, as `open_sqlite` gives them.
    """
    statements = create_schemas(dialect)
    for table in TABLES:
        statements.append(create_table(table, dialect))
        statements += create_indexes(table, dialect).values()
    return statements


def create_schemas(dialect: Dialect) -> list[str]:
    return [f"CREATE SCHEMA IF NOT EXISTS {schema}" for schema in SCHEMAS] if dialect == "postgresql" else []


def create_table(table: Table, dialect: Dialect) -> str:
    lines = [f"{column.name} {_type(column, dialect)}" for column in table.columns]
    lines.append(f"tenant_id {_TENANT_TYPES[dialect]}")
    return f"CREATE TABLE IF NOT EXISTS {table.qualified} (\n    " + ",\n    ".join(lines) + "\n)"


def create_indexes(table: Table, dialect: Dialect) -> dict[str, str]:
    """The statement for each index by the name, with its schema, that DROP INDEX takes."""
    indexes: list[tuple[bool, tuple[str, ...]]] = [(False, (column,)) for column in table.indexes]
    if table in UNIQUE:
        indexes.append((True, UNIQUE[table]))
    statements = {}
    for unique, columns in indexes:
        name = "_".join((table.qualified.replace(".", "_"), *columns, "key" if unique else "idx"))
        qualified = f"{table.schema}.{name}" if table.schema else name
        # SQLite wants the schema before the index, PostgreSQL before the table.
        created, on = (qualified, table.name) if dialect == "sqlite" else (name, table.qualified)
        kind = "UNIQUE INDEX" if unique else "INDEX"
        statements[qualified] = f"CREATE {kind} IF NOT EXISTS {created} ON {on} ({', '.join(columns)})"
    return statements


def sqlite_paths(data_dir: Path) -> tuple[Path, dict[str, Path]]:
    """The main file and the file of each schema."""
    return data_dir / "arkham.db", {schema: data_dir / f"{schema}.db" for schema in SCHEMAS}


def open_sqlite(data_dir: Path) -> sqlite3.Connection:
    """A connection to the main file with the schemas attached, without implicit transactions; the caller closes it.

    A missing folder is made for its owner only. Every file is in WAL mode: readers do not wait for the writer, and
    a crash loses at most the last transactions, never consistency.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    main, attached = sqlite_paths(data_dir)
    connection = sqlite3.connect(main, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = OFF")
        for schema, path in attached.items():
            connection.execute(f"ATTACH DATABASE ? AS {schema}", (str(path),))
        for schema in ("main", *attached):
            connection.execute(f"PRAGMA {schema}.journal_mode = WAL")
            connection.execute(f"PRAGMA {schema}.synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def _type(column: Column, dialect: Dialect) -> str:
    if column.name == "id":
        return "TEXT PRIMARY KEY"
    return _TYPES[dialect][Kind.TEXT if column.in_text else column.kind]
