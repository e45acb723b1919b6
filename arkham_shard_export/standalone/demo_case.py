"""The demo case: the loss of the Titanic as an investigation file, loaded once into an empty or a used database."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from arkham_shard_export.peers import PROJECTS, TABLES
from arkham_shard_export.ports import Database
from arkham_shard_export.schema import Kind, Table

ROWS_PER_STATEMENT = 50


def demo_rows(table: Table) -> list[dict[str, Any]]:
    """The rows of the demo case for one table, JSON columns as Python values."""
    resource = files(__package__).joinpath("demo", f"{table.qualified}.json")
    rows: list[dict[str, Any]] = json.loads(resource.read_text("utf-8"))
    return rows


async def load_demo(database: Database) -> bool:
    """Load the case unless it is there; says whether it was loaded. The project's row, written last, is the mark."""
    project = demo_rows(PROJECTS)[0]
    found = await database.fetch_one(f"SELECT id FROM {PROJECTS.qualified} WHERE id = ?", [project["id"]])
    if found is not None:
        return False
    for table in reversed(TABLES):
        await _load(database, table)
    return True


async def _load(database: Database, table: Table) -> None:
    rows = demo_rows(table)
    columns = [column for column in table.columns if column.name in rows[0]]
    names = ", ".join(column.name for column in columns)
    marks = f"({', '.join('?' * len(columns))})"
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        some = rows[start : start + ROWS_PER_STATEMENT]
        values: list[Any] = []
        for row in some:
            for column in columns:
                value = row[column.name]
                is_json = column.kind is Kind.JSON and value is not None
                values.append(json.dumps(value, ensure_ascii=False) if is_json else value)
        await database.execute(
            f"INSERT INTO {table.qualified} ({names}) VALUES {', '.join([marks] * len(some))}"
            " ON CONFLICT (id) DO NOTHING",
            values,
        )
