"""CSV (RFC 4180): UTF-8, CR LF, a header always; null is an empty cell, an empty text a quoted one.

Another dialect (delimiter, quote, encoding, mark, line end) is written by the same rules. Several tables, or several
matrices, become a ZIP of CSV files. An ACH matrix is written as its grid.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from arkham_shard_export.archive import several_files
from arkham_shard_export.formats.base import Document, Encode, FormatSpec
from arkham_shard_export.formats.delimited import FORMULA_STARTS, NUMBER, Cells
from arkham_shard_export.formats.grid import EVIDENCE_COLUMNS, grid_of
from arkham_shard_export.formats.moments import Moments
from arkham_shard_export.ports import Members, Output, Sink
from arkham_shard_export.presentation.delimiting import PLAIN, dialect_of
from arkham_shard_export.presentation.times import times_of
from arkham_shard_export.records import Adjustments, Batch, Delimited, Row, Section, columns_of
from arkham_shard_export.schema import Column, Layout

_UNSAFE_IN_NAME = re.compile(r"[^A-Za-z0-9]+")


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
        options=("spreadsheet_safe", "date_format", "csv"),
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
        self._dialect = dialect_of(document.options.get("csv"))
        self._moments = Moments(document.options, adjustments)
        self._cells = Cells(adjustments, _is_guarded(document.options), self._dialect)
        self._sink: Output = sink
        grids = sum(each.expected or 0 for each in document.sections if each.layout is Layout.GRID)
        if len(document.sections) > 1 or grids > 1:
            self._archive, self.file_extension = several_files(sink)
        else:
            sink.write(self._dialect.mark)

    def begin_section(self, section: Section) -> None:
        self._section = section
        if section.layout is Layout.GRID:
            if not section.expected:
                self._sink.write(self._cells.line(EVIDENCE_COLUMNS))
            return
        if self._archive is not None:
            name = self._target if section.name == "records" else section.name
            self._open(f"{name}.csv")
        self._encode = self.encoder(section, self._target, self._options, self._adjustments)
        self._sink.write(self._cells.line([self._heading(column) for column in section.columns]))

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
        dialect = dialect_of(options.get("csv"))
        cells = Cells(adjustments, _is_guarded(options), dialect, Moments(options, adjustments))
        encoders = [cells.encoder(column) for column in section.columns]
        join, to_bytes = dialect.delimiter.join, cells.to_bytes
        every = dialect.encoding == PLAIN.encoding
        # A line of a single null would be empty, and readers skip empty lines.
        nothing, end = dialect.quote * 2, dialect.end.encode(dialect.codec)

        def encode(batch: Batch) -> bytes:
            columns = [each(values) for each, values in zip(encoders, columns_of(batch), strict=True)]
            rows = zip(*columns, strict=True)
            if every:
                lines = [(join(line) or nothing).encode() for line in rows]
            else:
                lines = [to_bytes(join(line) or nothing) for line in rows]
            lines.append(b"")
            return end.join(lines)

        return encode

    @staticmethod
    def delimited(options: Mapping[str, Any]) -> Delimited | None:
        """None for a dialect or a form of times that no database writes as we do; a mark stands before all rows."""
        dialect = dialect_of(options.get("csv"))
        if replace(dialect, bom=False) != PLAIN or times_of(options).pattern:
            return None
        return Delimited("".join(sorted(FORMULA_STARTS)) if _is_guarded(options) else "", NUMBER.pattern)

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
            self._open(self._member_name(grid.title, grid.matrix_id))
        self._sink.write(b"".join(self._cells.line(each) for each in [grid.header, *grid.rows]))

    def _heading(self, column: Column) -> str:
        """Where times are written without their zone, the heading says it."""
        pattern = self._moments.times.pattern and not self._moments.times.tells_zone
        return column.heading + (self._moments.zone_note(column) if pattern else "")

    def _open(self, name: str) -> None:
        assert self._archive is not None
        self._sink = self._archive.open(name)
        self._sink.write(self._dialect.mark)

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
