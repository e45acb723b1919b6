"""Sheets as streams of rows: a frozen header, a filter, widths that fit, and a further sheet where one is full."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from arkham_shard_export.errors import FormatExceeded
from arkham_shard_export.formats.workbook.cells import Cells
from arkham_shard_export.formats.workbook.rows import MARK, SAMPLED, LongText, Rows, letters, width
from arkham_shard_export.formats.workbook.shape import SheetColumn
from arkham_shard_export.formats.workbook.styles import Style
from arkham_shard_export.ports import Output

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
_MARK = MARK.encode()

Cut = Callable[[LongText, str, int], None]
"""Told of a text that is cut in its cell, with the name of the sheet and the number of the row."""


@dataclass(slots=True)
class Sheet:
    """One sheet of the workbook: its name, the rows of data in it, and the range that its filter covers."""

    name: str
    rows: int = 0
    filtered: str = ""


@dataclass
class Table:
    """Rows under a header, on as many sheets as they need. `open_output` gives the stream of a new sheet, `note` says
    what a reader must know of the rows.

    The first rows wait until enough are known to fit the columns to, so that widths do not depend on how rows come.
    """

    title: str
    columns: Sequence[SheetColumn]
    cells: Cells
    open_output: Callable[[str], tuple[Sheet, Output]]
    cut: Cut
    note: str = ""
    sheets: list[Sheet] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not 1 <= len(self.columns) <= MAX_COLUMNS:
            raise FormatExceeded(
                f"{self.title} has {len(self.columns):,} columns, and a sheet holds 1 to {MAX_COLUMNS:,}: take JSON or CSV."
            )
        self._open()
        self._lengths: list[list[int]] = [[] for _ in self.columns]
        self._waiting: list[Rows] = []
        self._begun = False

    def write(self, encoded: Rows) -> None:
        if self._begun:
            self._place(encoded)
            return
        self._waiting.append(encoded)
        for known, more in zip(self._lengths, encoded.lengths, strict=True):
            known += more
        if len(self._lengths[0]) >= SAMPLED:
            self._begin()

    def end(self) -> None:
        """A table without rows still has its sheet, with the header."""
        if not self._begun:
            self._begin()
        self._close()

    def _begin(self) -> None:
        self._begun = True
        self._head()
        for each in self._waiting:
            self._place(each)
        self._waiting.clear()

    def _place(self, encoded: Rows) -> None:
        long_texts = iter(encoded.long_texts)
        long = next(long_texts, None)
        lines: list[bytes] = []
        size = 0
        sheet = self.sheets[-1]
        for place, row in enumerate(encoded.rows):
            if sheet.rows >= MAX_ROWS or self._bytes + size >= MAX_BYTES:
                self._emit(lines)
                size = 0
                self._close()
                self._open()
                self._head()
                sheet = self.sheets[-1]
            sheet.rows += 1
            lines.append(row.replace(_MARK, b"%d" % (sheet.rows + 1)))
            size += len(lines[-1])
            while long is not None and long.row == place:
                self.cut(long, sheet.name, sheet.rows + 1)
                long = next(long_texts, None)
        self._emit(lines)

    def _emit(self, lines: list[bytes]) -> None:
        """Writes the lines and empties the list."""
        data = b"".join(lines)
        lines.clear()
        self._bytes += len(data)
        self._output.write(data)

    def _open(self) -> None:
        sheet, self._output = self.open_output(self.title)
        self.sheets.append(sheet)
        self._bytes = 0

    def _head(self) -> None:
        sheet = self.sheets[-1]
        last = letters(len(self.columns) - 1)
        header = "".join(
            f'<c r="{letters(place)}1{cell}'
            for place, each in enumerate(self.columns)
            if (cell := self.cells.text(each.label, each.label, Style.HEADER))
        )
        columns = "".join(
            f'<col min="{place}" max="{place}" width="{width(column, lengths[:SAMPLED])}" customWidth="1"/>'
            for place, (column, lengths) in enumerate(zip(self.columns, self._lengths, strict=True), 1)
        )
        self._output.write(
            f'{_HEAD}<sheetPr><pageSetUpPr fitToPage="1"/></sheetPr><sheetViews><sheetView workbookViewId="0">{_pane("A2")}'
            f'</sheetView></sheetViews><sheetFormatPr defaultRowHeight="15" customHeight="1"/>'
            f"<cols>{columns}</cols>"
            f'<sheetData><row r="1" ht="30" customHeight="1">{header}</row>'.encode()
        )
        sheet.filtered = f"$A$1:${last}$"

    def _close(self) -> None:
        sheet = self.sheets[-1]
        sheet.filtered += str(sheet.rows + 1)
        reference = sheet.filtered.replace("$", "")
        self._output.write(
            f'</sheetData><autoFilter ref="{reference}"/><pageMargins left="0.5" right="0.5" top="0.6" bottom="0.6"'
            ' header="0.3" footer="0.3"/><pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/>'
            f'<ignoredErrors><ignoredError sqref="{reference}" numberStoredAsText="1"/></ignoredErrors>'
            "</worksheet>".encode()
        )


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
