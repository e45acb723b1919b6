"""A case in real SQLite files, filled row by row and exported by the real pipeline."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from arkham_shard_export.pipeline import Outcome
from arkham_shard_export.pipeline.direct import export_directly
from arkham_shard_export.schema import Table
from arkham_shard_export.sinks.stream import StreamSink
from arkham_shard_export.sources.location import SqliteLocation
from arkham_shard_export.standalone.tables import create_statements, open_sqlite, sqlite_paths
from tests.unit.memory import fixed_clock


class Case:
    """The peers' tables, empty at first. `last` is the outcome of the last export."""

    def __init__(self, folder: Path) -> None:
        self.connection = open_sqlite(folder)
        for statement in create_statements("sqlite"):
            self.connection.execute(statement)
        main, attached = sqlite_paths(folder)
        self.location = SqliteLocation(str(main), {name: str(path) for name, path in attached.items()})
        self.last: Outcome | None = None

    def add(self, table: Table, **values: Any) -> None:
        marks = ", ".join("?" * len(values))
        self.connection.execute(
            f"INSERT INTO {table.qualified} ({', '.join(values)}) VALUES ({marks})", list(values.values())
        )

    def export(
        self, format: str, target: str, filters: dict[str, Any] | None = None, **options: Any
    ) -> bytes:
        return self.laid_out(None, format, target, filters, **options)

    def laid_out(
        self,
        file: bytes | None,
        /,
        format: str,
        target: str,
        filters: dict[str, Any] | None = None,
        **options: Any,
    ) -> bytes:
        stream = io.BytesIO()
        self.last = export_directly(
            format,
            target,
            filters or {},
            options,
            self.location,
            StreamSink(stream),
            fixed_clock,
            layouts={} if file is None else {options["layout"]: file},
        )
        return stream.getvalue()


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Case]:
    case = Case(folder)
    try:
        yield case
    finally:
        case.connection.close()
