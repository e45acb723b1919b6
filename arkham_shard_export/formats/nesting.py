"""Rows as JSON objects, for writers that can nest and for cells that hold JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec

from arkham_shard_export.records import Batch, Row, columns_of
from arkham_shard_export.schema import Column, Kind

_encoder = msgspec.json.Encoder(decimal_format="number")


class Nesting:
    """Encodes rows as objects: JSON text is embedded as it is, related rows are objects in turn."""

    def __init__(self, columns: tuple[Column, ...]) -> None:
        self._columns = [_embedded(column) for column in columns]
        self._record = _record(tuple(column.name for column in columns))

    def lines(self, batch: Batch) -> bytes:
        """The rows as objects, each on a line that ends with LF; LF stands nowhere else."""
        if not batch:
            return b""
        columns = [
            values if embed is None else embed(values)
            for embed, values in zip(self._columns, columns_of(batch), strict=True)
        ]
        # msgspec 0.22 never lets go of what it takes from an iterator; of a list it does.
        return _encoder.encode_lines(list(map(self._record, *columns)))

    def records(self, rows: Sequence[Row | None]) -> list[bytes | None]:
        """Each row as an object; None stays None."""
        present = [row for row in rows if row is not None]
        lines = iter(self._split(present))
        return [None if row is None else next(lines) for row in rows]

    def lists(self, lists: Sequence[Sequence[Row] | None]) -> list[bytes]:
        """Each list of rows as an array of objects; None is an empty one."""
        lines = self._split(list(chain.from_iterable(filter(None, lists))))
        arrays, start = [], 0
        for rows in lists:
            end = start + len(rows or ())
            arrays.append(b"[%b]" % b",".join(lines[start:end]))
            start = end
        return arrays

    def _split(self, rows: Sequence[Row]) -> list[bytes]:
        return self.lines(rows).split(b"\n")[:-1] if rows else []


@lru_cache(maxsize=64)
def _record(names: tuple[str, ...]) -> Callable[..., Any]:
    """What takes the values of a row and is encoded as an object. A struct is several times faster than a dict."""
    fields = [(f"f{place}", Any) for place in range(len(names))]
    renamed = {field: name for (field, _), name in zip(fields, names, strict=True)}
    try:
        return msgspec.defstruct("Record", fields, rename=renamed, gc=False)
    except ValueError:
        # Structs take no names that JSON must escape.
        return lambda *values: dict(zip(names, values, strict=True))


def _embedded(column: Column) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    """What brings the values of a column into the form in which they are encoded; None where they have it."""
    if column.kind is Kind.JSON:
        return lambda values: [None if value is None else msgspec.Raw(value) for value in values]
    if column.kind not in (Kind.RECORD, Kind.RECORDS):
        return None
    nesting = Nesting(column.columns)
    if column.kind is Kind.RECORDS:
        return lambda values: [msgspec.Raw(each) for each in nesting.lists(values)]
    return lambda values: [each and msgspec.Raw(each) for each in nesting.records(values)]
