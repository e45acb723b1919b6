"""Rows as nested objects, for writers that can nest and for cells that hold JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from arkham_shard_export.records import Row
from arkham_shard_export.schema import Column, Kind


class Nesting:
    """Turns rows into what the encoder takes: JSON text is embedded as it is, relations become objects."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._names = [column.name for column in columns]
        self._raw = [place for place, column in enumerate(columns) if column.kind is Kind.JSON]
        self._nested = [
            (place, column.kind, Nesting(column.columns))
            for place, column in enumerate(columns)
            if column.kind in (Kind.RECORDS, Kind.RECORD)
        ]

    def record(self, row: Row) -> dict[str, Any]:
        row = list(row)
        for place in self._raw:
            if row[place] is not None:
                row[place] = msgspec.Raw(row[place])
        for place, kind, shape in self._nested:
            if kind is Kind.RECORDS:
                row[place] = [shape.record(each) for each in row[place] or ()]
            elif row[place] is not None:
                row[place] = shape.record(row[place])
        return dict(zip(self._names, row, strict=True))
