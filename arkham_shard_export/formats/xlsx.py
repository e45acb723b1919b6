"""XLSX (SpreadsheetML, ECMA-376): a sheet a table, relations on sheets of their own linked by id, an About sheet first.

Everything is streamed; sheets that are written beside another wait in scratch files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec

from arkham_shard_export.formats.account import NOTES_TITLE, account, how_times_read
from arkham_shard_export.formats.base import Document, Encode, FormatSpec
from arkham_shard_export.formats.grid import grid_of, makes_grid
from arkham_shard_export.formats.moments import Moments
from arkham_shard_export.formats.workbook.about import About
from arkham_shard_export.formats.workbook.book import Book, Chapter
from arkham_shard_export.formats.workbook.cells import Cells, Shortened, cut, parts_of, short
from arkham_shard_export.formats.workbook.grids import GridSheets
from arkham_shard_export.formats.workbook.package import Package
from arkham_shard_export.formats.workbook.rows import LongText, RowEncoder, Rows
from arkham_shard_export.formats.workbook.shape import RelationShape, Shape, SheetColumn
from arkham_shard_export.formats.workbook.sheets import Sheet, Table
from arkham_shard_export.formats.xml import XmlText
from arkham_shard_export.layouts import layout_of
from arkham_shard_export.ports import Output, Sink
from arkham_shard_export.presentation.reports import front_of
from arkham_shard_export.presentation.times import UTC_NAME
from arkham_shard_export.records import Adjustments, Batch, Section
from arkham_shard_export.schema import Kind, Layout

IN_UTC = "Dates and times are in UTC."
LINKED = "Records and what belongs to them are linked by their ids."
HOW_TO_READ = f"{IN_UTC} {LINKED}"
GRID_SHEETS = 50
"""Up to so many matrices each have a sheet of their own; more follow each other on sheets called Grids."""
_LONG_TEXT = (
    SheetColumn("Sheet", Kind.TEXT),
    SheetColumn("Row", Kind.INTEGER),
    SheetColumn("ID", Kind.TEXT),
    SheetColumn("Column", Kind.TEXT),
    SheetColumn("Part", Kind.INTEGER),
    SheetColumn("Text", Kind.TEXT),
)

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Rows]).decode


class XlsxWriter:
    spec: ClassVar[FormatSpec] = FormatSpec(
        format="xlsx",
        name="Excel workbook",
        description="A workbook for people: a sheet a table with filters and real dates, relations linked by id.",
        file_extension=".xlsx",
        mime_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        supports_flatten=True,
        tabular=True,
        laid_out=True,
        compressed=True,
        options=("date_format", "report"),
        front=("title", "subtitle"),
        typed_dates=True,
        cannot_carry=(
            "JSON columns are JSON in a cell; a text over 32,767 characters is cut in its cell and whole on the sheet "
            "Long text; numbers of more than 15 digits and dates before March 1900 are text; characters XML cannot "
            "carry become U+FFFD; fractions of a second end at the millisecond. Each of these is counted."
        ),
    )

    def __init__(self, book: Book | None = None) -> None:
        """With a `book` the sheets come into it, and it tells of them."""
        self._book = book
        self.written = 0
        self.file_extension = self.spec.file_extension
        self._abandon: Callable[[], None] = lambda: None

    def begin(self, document: Document, sink: Sink, adjustments: Adjustments) -> None:
        self._document = document
        self._adjustments = adjustments
        self._layout = layout_of(document.target)
        self._front = front_of(document.options)
        self._moments = Moments(document.options, adjustments)
        self._title = self._front.title or self._layout.title
        self._xml = XmlText(adjustments)
        self._package = (
            Package(sink, self._xml, self._moments.times) if self._book is None else self._book.package
        )
        self._opened = (self._book or self._package).open
        if self._book is None:
            self._abandon = self._package.abandon
        self._cells = Cells(adjustments, self)
        # What is seen again on a grid or on the sheet About was counted, and kept, where it stands.
        self._repeating = Cells(Adjustments(), Shortened())
        self._tables: list[Table] = []
        self._grids: GridSheets | None = None
        self._grid_sheets: list[Sheet] = []
        self._long: Table | None = None

    def begin_section(self, section: Section) -> None:
        self._section = section
        layout = self._layout.section(section.name, section.columns)
        self._shape = Shape(layout, section.columns, self._moments.times.zone)
        self._encode = _Encoder(self._shape, self._adjustments, self._moments)
        self._grids = None
        opened = self._opened
        if section.layout is Layout.GRID and makes_grid(section.columns):
            self._grids = GridSheets(self._repeating, opened, alone=(section.expected or 0) <= GRID_SHEETS)
            opened = self._package.open_aside
        self._main = self._table(self._shape, opened)
        self._related = [self._table(each, self._package.open_aside) for each in self._shape.relations]

    def write(self, batch: Batch) -> None:
        if not batch:
            return
        self._place(self._encode.tables(batch), len(batch))
        if self._grids is not None:
            for record in batch:
                self._grids.write(grid_of(self._section.columns, record))

    @staticmethod
    def encoder(
        section: Section, target: str, options: Mapping[str, Any], adjustments: Adjustments
    ) -> Encode:
        layout = layout_of(target).section(section.name, section.columns)
        moments = Moments(options, adjustments)
        shape = Shape(layout, section.columns, moments.times.zone)
        encode = _Encoder(shape, adjustments, moments).tables
        return lambda batch: _pack(encode(batch))

    def splice(self, part: bytes, rows: int) -> None:
        self._place(_unpack(part), rows)

    def _place(self, tables: Sequence[Rows], rows: int) -> None:
        for table, encoded in zip((self._main, *self._related), tables, strict=True):
            if encoded.rows:
                table.write(encoded)
        if self._section.counted:
            self.written += rows

    def end_section(self) -> None:
        if self._grids is not None:
            self._grids.end()
            self._grid_sheets += self._grids.sheets
        for table in (self._main, *self._related):
            table.end()

    def end(self) -> None:
        if self._long is not None:
            self._long.end()
            self._tables.append(self._long)
        if self._book is None:
            self._package.flush()
        contents = [(sheet, "grid: evidence against hypotheses") for sheet in self._grid_sheets]
        contents += [(sheet, _rows(sheet, table)) for table in self._tables for sheet in table.sheets]
        if self._book is not None:
            facts, notes = account(self._document, self.written, self._adjustments)
            self._book.add(Chapter([("Records", f"{self.written:,}"), *facts[1:]], notes, contents))
            return
        sheets = [sheet for sheet, _ in contents]
        if self._document.include_metadata:
            sheets.insert(0, self._about([(sheet.name, content) for sheet, content in contents]))
        self._package.close(
            sheets, self._title, self._document.exported_at if self._document.include_metadata else ""
        )

    def close(self) -> None:
        self._abandon()

    def keep(self, column: str, text: str) -> str:
        """Puts the whole of a label that is too long for its header on the sheet Long text."""
        self._adjustments.add("long_text")
        self._cut(LongText(0, None, column, text), "", None)
        return cut(text)

    def _cut(self, long: LongText, sheet: str, number: int | None) -> None:
        """Puts the whole text on the sheet Long text, in as many rows as it needs."""
        if self._long is None:
            self._long = Table("Long text", _LONG_TEXT, self._cells, self._package.open_aside, self._cut)
            self._long_rows = RowEncoder(_LONG_TEXT, self._adjustments)
        key = Decimal(long.key) if long.decimal else long.key
        if isinstance(key, str):
            key = short(key)
        rows: Batch = [
            [sheet, number, key, short(long.column), part_number, part]
            for part_number, part in enumerate(parts_of(long.text), 1)
        ]
        self._long.write(self._long_rows.encode(rows))

    def _table(self, shape: Shape | RelationShape, opened: Callable[[str], tuple[Sheet, Output]]) -> Table:
        table = Table(shape.title, shape.columns, self._cells, opened, self._cut, shape.note)
        self._tables.append(table)
        return table

    def _about(self, sheets: list[tuple[str, str]]) -> Sheet:
        facts, notes = account(self._document, self.written, self._adjustments)
        sheet, output = self._package.open("About")
        about = About(output, self._repeating, self._xml)
        about.title(self._title)
        if self._front.subtitle:
            about.subtitle(self._front.subtitle)
        about.facts([*facts, ("How to read it", self._how_to_read())])
        if notes:
            about.heading(NOTES_TITLE)
            about.notes(notes)
        about.heading("Sheets")
        about.sheets(sheets)
        about.end()
        return sheet

    def _how_to_read(self) -> str:
        in_utc = self._moments.times.zone == UTC_NAME
        sentences = [IN_UTC if in_utc else how_times_read(self._document.options)]
        if not any("id" in each.left_out for each in self._document.sections):
            sentences.append(LINKED)
        return " ".join(sentences)


class _Encoder:
    """Encodes a batch as rows of the section's tables: the records themselves, then each relation."""

    def __init__(self, shape: Shape, adjustments: Adjustments, moments: Moments) -> None:
        self._shape = shape
        self._main = RowEncoder(shape.columns, adjustments, shape.id_place, moments)
        self._related = [
            RowEncoder(each.columns, adjustments, each.id_place, moments) for each in shape.relations
        ]

    def tables(self, batch: Batch) -> list[Rows]:
        encoded = [self._main.encode(self._shape.rows(batch))]
        for shape, encoder in zip(self._shape.relations, self._related, strict=True):
            rows = [row for record in batch for row in shape.rows(record)]
            encoded.append(encoder.encode(rows) if rows else Rows())
        return encoded


def _rows(sheet: Sheet, table: Table) -> str:
    return f"{sheet.rows:,} rows{f'; {table.note}' if table.note else ''}"
