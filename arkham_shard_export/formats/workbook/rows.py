"""Rows of a table as XML, ready but for their numbers: they can be made before it is known where they will stand."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from arkham_shard_export.formats.moments import Moments
from arkham_shard_export.formats.workbook.cells import Cells, cut
from arkham_shard_export.formats.workbook.columns import column_encoder, long_rows
from arkham_shard_export.formats.workbook.shape import SheetColumn
from arkham_shard_export.records import Adjustments, Batch, columns_of
from arkham_shard_export.schema import Kind

MARK = "\0"
"""Where the number of the row belongs: no XML holds this character."""
SAMPLED = 200
"""Rows of a table, its first, that its columns' widths are made for."""
_WIDTHS = {Kind.TIMESTAMP: 24.0, Kind.BOOLEAN: 10.0}
_NARROWEST, _WIDEST = 9.0, 60.0


class LongText(msgspec.Struct, frozen=True, array_like=True):
    """A text that is cut in its cell: of the `row`th row here, whose id is `key`."""

    row: int
    key: Any
    column: str
    text: str
    decimal: bool = False
    """Whether the key is a Decimal, which is told from a text no more once it has been sent."""


class Rows(msgspec.Struct, frozen=True, array_like=True):
    """Rows with marks, and for each column the lengths of its values in those of them that are sampled."""

    rows: list[bytes] = []
    lengths: list[list[int]] = []
    long_texts: list[LongText] = []


class RowEncoder:
    """Encodes the rows of one table. What cannot be carried as it is, is counted."""

    def __init__(
        self,
        columns: Sequence[SheetColumn],
        adjustments: Adjustments,
        id_place: int | None = None,
        moments: Moments | None = None,
    ) -> None:
        self._id_place = id_place
        self._adjustments = adjustments
        self._long_texts: list[LongText] = []
        self._row: tuple[int, Any] = (0, None)
        cells = Cells(adjustments, self, moments)
        self._sampled = 0
        self._encoders = [cells.encoder(each.kind, each.label) for each in columns]
        self._prefixes = [f'<c r="{letters(place)}{MARK}' for place in range(len(columns))]
        self._column_encoders = [
            column_encoder(
                each.kind, encode, partial(cells.moment, column=each.label) if cells.in_utc else None, prefix
            )
            for each, encode, prefix in zip(columns, self._encoders, self._prefixes, strict=True)
        ]

    def encode(self, batch: Batch) -> Rows:
        columns = columns_of(batch)
        left = max(0, SAMPLED - self._sampled)
        lengths = [list(map(_length, values[:left])) for values in columns]
        self._sampled += len(batch)
        self._long_texts = []
        rows: list[bytes] = []
        begin = 0
        for row in [*sorted(long_rows(columns)), len(batch)]:
            if begin < row:
                rows += self._by_columns([values[begin:row] for values in columns])
            if row < len(batch):
                rows.append(self._one(row, batch[row]))
            begin = row + 1
        return Rows(rows, lengths, self._long_texts)

    def keep(self, column: str, text: str) -> str:
        """Sets a text aside that is too long for its cell, and gives what the cell says instead."""
        self._adjustments.add("long_text")
        row, key = self._row
        self._long_texts.append(LongText(row, key, column, text, isinstance(key, Decimal)))
        return cut(text)

    def _by_columns(self, columns: Sequence[Sequence[Any]]) -> list[bytes]:
        """Rows of which no text is too long for its cell."""
        encoded = [encode(values) for encode, values in zip(self._column_encoders, columns, strict=True)]
        return [f'<row r="{MARK}">{"".join(cells)}</row>'.encode() for cells in zip(*encoded, strict=True)]

    def _one(self, number: int, row: Sequence[Any]) -> bytes:
        self._row = number, None if self._id_place is None else row[self._id_place]
        cells = [
            f"{prefix}{cell}"
            for prefix, encode, value in zip(self._prefixes, self._encoders, row, strict=True)
            if (cell := encode(value))
        ]
        return f'<row r="{MARK}">{"".join(cells)}</row>'.encode()


def letters(number: int) -> str:
    """The name of a column: 0 is A, 26 is AA."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(65 + rest) + name
    return name


def width(column: SheetColumn, lengths: Sequence[int]) -> float:
    """In characters: what nine of ten values need, within bounds."""
    common = sorted(lengths)[len(lengths) * 9 // 10] if lengths else 0
    wanted = _WIDTHS.get(column.kind, common + 2.0)
    return min(max(wanted, _NARROWEST, min(len(column.label) + 4.0, 24.0)), _WIDEST)


def _length(value: Any) -> int:
    if value is None:
        return 0
    text = str(value)
    return max(len(line) for line in text.splitlines()) if "\n" in text else len(text)
