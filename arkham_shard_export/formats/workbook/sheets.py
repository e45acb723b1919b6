"""Sheets as streams of rows: a frozen header, a filter, widths that fit, and a further sheet where one is full."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from arkham_shard_export.errors import StoreFailed
from arkham_shard_export.formats.workbook.cells import Cells, Encode
from arkham_shard_export.formats.workbook.columns import column_encoder, long_rows
from arkham_shard_export.formats.workbook.styles import Style
from arkham_shard_export.ports import Output
from arkham_shard_export.records import BATCH_ROWS, Batch, Row, columns_of
from arkham_shard_export.schema import Kind

MAX_ROWS = 1_048_575
"""Rows of data that a sheet has room for below its header."""
MAX_COLUMNS = 16_384
MAX_BYTES = 1_900_000_000
"""Of a sheet's XML: Excel reads no ZIP64 members, whose limit is 2 GiB."""

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
)
_WIDTHS = {Kind.TIMESTAMP: 24.0, Kind.BOOLEAN: 10.0}
_NARROWEST, _WIDEST = 9.0, 60.0
_EMIT_CHARACTERS = 1 << 20
"""Rows are gathered up to this, so that a sheet is never much larger than MAX_BYTES, however long its texts are."""


@dataclass(frozen=True, slots=True)
class SheetColumn:
    label: str
    kind: Kind


@dataclass(slots=True)
class Sheet:
    """One sheet of the workbook: its name, the rows of data in it, and the range that its filter covers."""

    name: str
    rows: int = 0
    filtered: str = ""


@dataclass
class Table:
    """Rows under a header, on as many sheets as they need. `open_output` gives the stream of a new sheet, `id_place`
    says where in a row its id is, `note` what a reader must know of the rows."""

    title: str
    columns: Sequence[SheetColumn]
    cells: Cells
    open_output: Callable[[str], tuple[Sheet, Output]]
    id_place: int | None = None
    note: str = ""
    sheets: list[Sheet] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not 1 <= len(self.columns) <= MAX_COLUMNS:
            raise StoreFailed(
                f"{self.title} has {len(self.columns):,} columns, and a sheet holds 1 to {MAX_COLUMNS:,}: take JSON or CSV."
            )
        self._output: Output | None = None
        self._encoders: list[Encode] = [self.cells.encoder(each.kind, each.label) for each in self.columns]
        self._column_encoders = [
            column_encoder(each.kind, encode, partial(self.cells.moment, column=each.label))
            for each, encode in zip(self.columns, self._encoders, strict=True)
        ]
        self._letters = [f'<c r="{letters(number)}' for number in range(len(self.columns))]

    def write(self, batch: Batch, row_begins: Callable[[Row], None]) -> None:
        """`row_begins` is called before the cells of a row are made, if a text of the batch may be too long for one."""
        if self._output is None:
            self._open(batch)
        for start in range(0, len(batch), BATCH_ROWS):
            some = batch[start : start + BATCH_ROWS]
            columns = columns_of(some)
            long = long_rows(columns)
            if long is None or len(some) > MAX_ROWS - self.sheets[-1].rows or self._bytes >= MAX_BYTES:
                self._write_rows(some, row_begins)
                continue
            begin = 0
            for row in [*sorted(long), len(some)]:
                if begin < row:
                    self._write_columns([values[begin:row] for values in columns])
                if row < len(some):
                    self._write_rows([some[row]], row_begins)
                begin = row + 1

    def _write_columns(self, columns: Sequence[Sequence[Any]]) -> None:
        """Rows that surely fit on their sheet, and of which no text is too long for its cell."""
        sheet = self.sheets[-1]
        encoded = [encode(values) for encode, values in zip(self._column_encoders, columns, strict=True)]
        lines = []
        for number, cells in enumerate(zip(*encoded, strict=True), sheet.rows + 2):
            content = [
                f"{letter}{number}{cell}" for letter, cell in zip(self._letters, cells, strict=True) if cell
            ]
            lines.append(f'<row r="{number}">{"".join(content)}</row>')
        sheet.rows += len(lines)
        self._emit(lines)

    def _write_rows(self, batch: Batch, row_begins: Callable[[Row], None]) -> None:
        lines: list[str] = []
        gathered = 0
        sheet = self.sheets[-1]
        for row in batch:
            if sheet.rows >= MAX_ROWS or self._bytes >= MAX_BYTES:
                self._emit(lines)
                gathered = 0
                self._close()
                self._open(batch)
                sheet = self.sheets[-1]
            sheet.rows += 1
            number = sheet.rows + 1
            row_begins(row)
            cells = [
                f"{letter}{number}{cell}"
                for letter, encode, value in zip(self._letters, self._encoders, row, strict=True)
                if (cell := encode(value))
            ]
            lines.append(f'<row r="{number}">{"".join(cells)}</row>')
            gathered += len(lines[-1])
            if gathered >= _EMIT_CHARACTERS:
                self._emit(lines)
                gathered = 0
        self._emit(lines)

    def end(self) -> None:
        """A table without rows still has its sheet, with the header."""
        if self._output is None and not self.sheets:
            self._open([])
        self._close()

    def _emit(self, lines: list[str]) -> None:
        """Writes the lines and empties the list."""
        assert self._output is not None
        data = "".join(lines).encode()
        lines.clear()
        self._bytes += len(data)
        self._output.write(data)

    def _open(self, sample: Batch) -> None:
        sheet, self._output = self.open_output(self.title)
        self.sheets.append(sheet)
        self._bytes = 0
        last = letters(len(self.columns) - 1)
        header = "".join(
            f"{letter}1{cell}"
            for letter, each in zip(self._letters, self.columns, strict=True)
            if (cell := self.cells.text(each.label, each.label, Style.HEADER))
        )
        self._output.write(
            f'{_HEAD}<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView workbookViewId="0">{_pane("A2")}'
            f'</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15" customHeight="1"/>'
            f"<cols>{self._widths(sample)}</cols>"
            f'<sheetData><row r="1" ht="30" customHeight="1">{header}</row>'.encode()
        )
        sheet.filtered = f"$A$1:${last}$"

    def _close(self) -> None:
        if self._output is None:
            return
        sheet = self.sheets[-1]
        sheet.filtered += str(sheet.rows + 1)
        reference = sheet.filtered.replace("$", "")
        self._output.write(
            f'</sheetData><autoFilter ref="{reference}"/><pageMargins left="0.5" right="0.5" top="0.6" bottom="0.6"'
            ' header="0.3" footer="0.3"/><pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/>'
            f'<ignoredErrors><ignoredError sqref="{reference}" numberStoredAsText="1"/></ignoredErrors>'
            "</worksheet>".encode()
        )
        self._output = None

    def _widths(self, sample: Batch) -> str:
        widths = []
        for place, column in enumerate(self.columns):
            lengths = sorted(_length(row[place]) for row in sample)
            common = lengths[len(lengths) * 9 // 10] if lengths else 0
            width = _WIDTHS.get(column.kind, common + 2.0)
            width = min(max(width, _NARROWEST, min(len(column.label) + 4.0, 24.0)), _WIDEST)
            widths.append(f'<col min="{place + 1}" max="{place + 1}" width="{width}" customWidth="1"/>')
        return "".join(widths)


def letters(number: int) -> str:
    """The name of a column: 0 is A, 26 is AA."""
    name = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(65 + rest) + name
    return name


class FreeSheet:
    """A sheet that is no table, streamed: rows as ready XML. `frozen` is the first cell that scrolls."""

    def __init__(self, output: Output, widths: Sequence[float], frozen: str = "") -> None:
        self._output = output
        columns = "".join(
            f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>'
            for place, width in enumerate(widths, 1)
        )
        output.write(
            f'{_HEAD}<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews>'
            f'<sheetView showGridLines="0" workbookViewId="0">{_pane(frozen) if frozen else ""}</sheetView></sheetViews>'
            f'<sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols><sheetData>'.encode()
        )

    def write(self, rows: Iterable[str]) -> None:
        for row in rows:
            self._output.write(row.encode())

    def end(self, links: Sequence[tuple[str, str]] = ()) -> None:
        """`links`: cells and the places in the workbook that they lead to, as attributes ready to be written."""
        listed = "".join(f'<hyperlink ref="{cell}" location="{place}"/>' for cell, place in links)
        self._output.write(
            f"</sheetData>{f'<hyperlinks>{listed}</hyperlinks>' if listed else ''}"
            '<pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/></worksheet>'.encode()
        )


def row_height(text: str, width: float) -> int:
    """Points that a wrapped text needs in a column of `width` characters, by estimate; at most a third of a page."""
    lines = sum(max(1, -(-len(line) // int(width))) for line in text.split("\n"))
    return 15 * min(lines, 16)


def _pane(corner: str) -> str:
    column = 0
    for character in corner.rstrip("0123456789"):
        column = column * 26 + ord(character) - 64
    row = int(corner.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
    across = f' xSplit="{column - 1}"' if column > 1 else ""
    down = f' ySplit="{row - 1}"' if row > 1 else ""
    pane = {(True, True): "bottomRight", (True, False): "topRight"}.get((column > 1, row > 1), "bottomLeft")
    return (
        f'<pane{across}{down} topLeftCell="{corner}" activePane="{pane}" state="frozen"/>'
        f'<selection pane="{pane}" activeCell="{corner}" sqref="{corner}"/>'
    )


def _length(value: Any) -> int:
    if value is None:
        return 0
    text = str(value)
    return max(len(line) for line in text.splitlines()) if "\n" in text else len(text)
