"""The first sheet: what this workbook is, when it was true, what is not in it, and where to find what."""

from __future__ import annotations

from collections.abc import Sequence

from arkham_shard_export.formats.workbook.cells import Cells, parts_of
from arkham_shard_export.formats.workbook.package import quoted
from arkham_shard_export.formats.workbook.sheets import FreeSheet, row_height
from arkham_shard_export.formats.workbook.styles import Style
from arkham_shard_export.formats.xml import XmlText
from arkham_shard_export.ports import Output

_WIDTHS = (30.0, 100.0)


class About:
    """Rows of labels and values, under headings, with links to the sheets."""

    def __init__(self, output: Output, cells: Cells, xml: XmlText) -> None:
        self._sheet = FreeSheet(output, _WIDTHS)
        self._cells = cells
        self._xml = xml
        self._row = 0
        self._links: list[tuple[str, str]] = []

    def title(self, text: str) -> None:
        self._write((text, Style.TITLE), height=32)

    def subtitle(self, text: str) -> None:
        self._write((text, Style.LABEL))

    def heading(self, text: str) -> None:
        self._row += 1
        self._write((text, Style.HEADING))

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        for label, value in facts:
            # A long list of filters goes on in further rows.
            for number, part in enumerate(parts_of(value)):
                named = label if number == 0 else ""
                self._write((named, Style.LABEL), (part, Style.WRAPPED), height=row_height(part, _WIDTHS[1]))

    def notes(self, notes: Sequence[str]) -> None:
        for note in notes:
            self._write(("", Style.LABEL), (note, Style.WRAPPED), height=row_height(note, _WIDTHS[1]))

    def sheets(self, sheets: Sequence[tuple[str, str]]) -> None:
        """Names of sheets, each a link, and what is on them."""
        for name, content in sheets:
            self._write((name, Style.LINK), (content, Style.WRAPPED))
            self._links.append((f"A{self._row}", self._xml.attribute(f"{quoted(name)}!A1")))

    def end(self) -> None:
        self._sheet.end(self._links)

    def _write(self, *cells: tuple[str, Style], height: int = 0) -> None:
        self._row += 1
        content = "".join(
            f'<c r="{letter}{self._row}{cell}'
            for letter, (text, style) in zip("AB", cells, strict=False)
            if (cell := self._cells.text(text, "About", style))
        )
        sized = f' ht="{height}" customHeight="1"' if height else ""
        self._sheet.write([f'<row r="{self._row}"{sized}>{content}</row>'])
