"""CSV (RFC 4180): UTF-8, CR LF, a header always; null is an empty cell, an empty text a quoted one.

Several tables, or several matrices, become a ZIP of CSV files. An ACH matrix is written as its grid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from arkham_shard_export.archive import several_files
from arkham_shard_export.formats.base import Document, Encode, FormatSpec
from arkham_shard_export.formats.grid import EVIDENCE_COLUMNS, grid_of
from arkham_shard_export.formats.nesting import Nesting
from arkham_shard_export.ports import Members, Output, Sink
from arkham_shard_export.records import Adjustments, Batch, Delimited, Row, Section, columns_of
from arkham_shard_export.schema import Column, Kind, Layout

_QUOTE, _QUOTES = '"', '""'
_TEXTS = frozenset({str, type(None)})
_NUMBERS = frozenset({int, float, type(None)})
_FORMULA_STARTS = frozenset("=+-@\t\r")
_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""As PostgreSQL reads it too."""


class CsvWriter:
    spec: ClassVar[FormatSpec] = FormatSpec(
        format="csv",
        name="CSV",
        description="One row a record, for spreadsheets and data tools; several tables come as a ZIP of CSV files.",
        file_extension=".csv",
        mime_type="text/csv",
        supports_flatten=True,
        supports_metadata=False,
        tabular=True,
        file_per_table=True,
        options=("spreadsheet_safe",),
        cannot_carry=(
            "Relations and JSON columns are JSON in a cell, an ACH matrix is its grid without notes, the "
            "export's own metadata stays in the job, and text that a spreadsheet would run as a formula gets a "
            "leading apostrophe (counted; spreadsheet_safe: false leaves it as it is)."
        ),
    )

    def __init__(self) -> None:
        self.written = 0
        self.file_extension = self.spec.file_extension
        self._archive: Members | None = None
        self._member_names: set[str] = set()

    def begin(self, document: Document, sink: Sink, adjustments: Adjustments) -> None:
        self._target = document.target
        self._adjustments = adjustments
        self._options = document.options
        self._cells = Cells(adjustments, _is_guarded(document.options))
        self._sink: Output = sink
        grids = sum(each.expected or 0 for each in document.sections if each.layout is Layout.GRID)
        if len(document.sections) > 1 or grids > 1:
            self._archive, self.file_extension = several_files(sink)

    def begin_section(self, section: Section) -> None:
        self._section = section
        if section.layout is Layout.GRID:
            if not section.expected:
                self._sink.write(self._cells.line(EVIDENCE_COLUMNS))
            return
        if self._archive is not None:
            name = self._target if section.name == "records" else section.name
            self._sink = self._archive.open(f"{name}.csv")
        self._encode = self.encoder(section, self._target, self._options, self._adjustments)
        self._sink.write(self._cells.line([column.name for column in section.columns]))

    def write(self, batch: Batch) -> None:
        if not batch:
            return
        if self._section.layout is Layout.GRID:
            for row in batch:
                self._write_grid(row)
            self._count(len(batch))
        else:
            self.splice(self._encode(batch), len(batch))

    @staticmethod
    def encoder(
        section: Section, target: str, options: Mapping[str, Any], adjustments: Adjustments
    ) -> Encode:
        cells = Cells(adjustments, _is_guarded(options))
        encoders = [cells.encoder(column) for column in section.columns]

        def encode(batch: Batch) -> bytes:
            columns = [each(values) for each, values in zip(encoders, columns_of(batch), strict=True)]
            # A line of a single null would be empty, and readers skip empty lines.
            lines = [(",".join(line) or '""').encode() for line in zip(*columns, strict=True)]
            lines.append(b"")
            return b"\r\n".join(lines)

        return encode

    @staticmethod
    def delimited(options: Mapping[str, Any]) -> Delimited:
        return Delimited("".join(sorted(_FORMULA_STARTS)) if _is_guarded(options) else "", _NUMBER.pattern)

    def splice(self, part: bytes, rows: int) -> None:
        self._sink.write(part)
        self._count(rows)

    def _count(self, rows: int) -> None:
        if self._section.counted:
            self.written += rows

    def end_section(self) -> None:
        """A table ends where the next begins."""

    def end(self) -> None:
        if self._archive is not None:
            self._archive.close()

    def close(self) -> None:
        if self._archive is not None:
            self._archive.abandon()

    def _write_grid(self, row: Row) -> None:
        grid = grid_of(self._section.columns, row)
        if grid.left_out:
            self._adjustments.add("not_in_grid", grid.left_out)
        if self._archive is not None:
            self._sink = self._archive.open(self._member_name(grid.title, grid.matrix_id))
        self._sink.write(b"".join(self._cells.line(each) for each in [grid.header, *grid.rows]))

    def _member_name(self, title: str, matrix_id: str) -> str:
        name = "-".join(filter(None, (_slug(title)[:40].strip("-"), _slug(matrix_id)[:80]))) or "matrix"
        base, number = name, 2
        while name.lower() in self._member_names:
            name, number = f"{base}-{number}", number + 1
        self._member_names.add(name.lower())
        return f"{name}.csv"


def _slug(text: str) -> str:
    return _UNSAFE_IN_NAME.sub("-", text).strip("-")


def _is_guarded(options: Mapping[str, Any]) -> bool:
    return bool(options.get("spreadsheet_safe", True))


class Cells:
    """Encodes cells; `guard` defuses text that a spreadsheet would run; numbers, typed or written, are spared."""

    def __init__(self, adjustments: Adjustments, guard: bool) -> None:
        self._adjustments = adjustments
        self._guard = guard
        self._json = msgspec.json.Encoder(decimal_format="number")

    def line(self, cells: Iterable[Any]) -> bytes:
        return (",".join([self.scalar(cell) for cell in cells]) + "\r\n").encode()

    def encoder(self, column: Column) -> Callable[[Sequence[Any]], Iterable[str]]:
        """Encodes a column of a batch at a time."""
        if column.kind is Kind.JSON:
            return _quoted_all
        nesting = Nesting(column.columns)
        if column.kind is Kind.RECORDS:
            return lambda values: [_quoted(text.decode()) for text in nesting.lists(values)]
        if column.kind is Kind.RECORD:
            return lambda values: [
                "" if text is None else _quoted(text.decode()) for text in nesting.records(values)
            ]
        return self._scalars

    def _scalars(self, values: Sequence[Any]) -> Iterable[str]:
        kinds = set(map(type, values))
        if kinds <= _TEXTS:
            if self._guard and _may_be_formulas(values):
                values = [
                    self._guarded(value) if value and value[0] in _FORMULA_STARTS else value
                    for value in values
                ]
            return _quoted_all(values)
        if kinds <= _NUMBERS:
            return ["" if value is None else str(value) for value in values]
        return list(map(self.scalar, values))

    def _guarded(self, text: str) -> str:
        if text[0] in _FORMULA_STARTS and not _NUMBER.fullmatch(text):
            self._adjustments.add("formula_guard")
            return f"'{text}"
        return text

    def scalar(self, value: Any) -> str:
        if value is None:
            return ""
        if type(value) is not str:
            return self._other(value)
        if value == "":
            return '""'
        return _quoted(self._guarded(value) if self._guard else value)

    def _other(self, value: Any) -> str:
        if type(value) is bool:
            return "true" if value else "false"
        if isinstance(value, list | dict):
            return _quoted(self._json.encode(value).decode())
        return str(value)


def _may_be_formulas(values: Sequence[str | None]) -> bool:
    """Whether one of them might start as a formula does: two comparisons tell for most columns that none can."""
    filled = list(filter(None, values))
    if not filled:
        return False
    first = min(filled)
    if first >= "A" or (first >= "0" and max(filled) < ":"):
        return False
    return not _FORMULA_STARTS.isdisjoint({text[0] for text in filled})


def _quoted(text: str) -> str:
    if "," in text or '"' in text or "\n" in text or "\r" in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _quoted_all(values: Sequence[str | None]) -> Sequence[str]:
    """Null as an empty cell, an empty text as a quoted one; the rule of `_quoted` for the others."""
    filled = list(filter(None, values))
    joined = "".join(filled)
    if not ("," in joined or '"' in joined or "\n" in joined or "\r" in joined):
        if len(filled) == len(values):
            return filled
        return [value or ("" if value is None else '""') for value in values]
    quoted = '"' in joined
    return [
        ""
        if text is None
        else (f'"{text.replace(_QUOTE, _QUOTES)}"' if quoted else f'"{text}"')
        if "," in text or '"' in text or "\n" in text or "\r" in text or not text
        else text
        for text in values
    ]
