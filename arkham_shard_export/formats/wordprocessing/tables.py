"""Tables of the style "Report Table", given row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from arkham_shard_export.formats.report.blocks import FILLS, Cell, Table
from arkham_shard_export.formats.wordprocessing.page import Page
from arkham_shard_export.formats.wordprocessing.runs import BOLD, Runs, paragraph

TABLE_END = '<w:p><w:pPr><w:pStyle w:val="TableEnd"/></w:pPr></w:p>'
"""Without a paragraph between them Word would join two tables."""

_UNBROKEN_CHARACTERS = 600
_IN_THE_MIDDLE = '<w:vAlign w:val="center"/>'
_CENTRED = '<w:jc w:val="center"/>'


class Tables:
    def __init__(self, runs: Runs, page: Page) -> None:
        self._runs = runs
        self._page = page

    def __call__(self, table: Table) -> Iterator[str]:
        widths = column_widths(table.widths, self._page.text_width)
        alignments = [_CENTRED if number in table.centred else "" for number in range(len(widths))]
        yield table_start("ReportTable", widths, 'w:firstRow="1" w:noHBand="0" w:noVBand="1"')
        if table.header:
            yield self._header(table.header, widths, alignments)
        for row in table.rows:
            yield self._row(row, widths, alignments)
        yield f"</w:tbl>{TABLE_END}"

    def _header(self, header: Sequence[str], widths: Sequence[int], alignments: Sequence[str]) -> str:
        cells = [
            f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/><w:vAlign w:val="bottom"/></w:tcPr>'
            f"{paragraph('TableHeading', self._runs(text), text=text, after_bidi=alignment)}</w:tc>"
            for text, width, alignment in zip(header, widths, alignments, strict=True)
        ]
        return f"<w:tr><w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>{''.join(cells)}</w:tr>"

    def _row(self, row: Sequence[Cell], widths: Sequence[int], alignments: Sequence[str]) -> str:
        cells = []
        for cell, width, alignment in zip(row, widths, alignments, strict=True):
            fill = FILLS.get(cell.tone)
            shading = f'<w:shd w:val="clear" w:color="auto" w:fill="{fill}"/>' if fill else ""
            placing = _IN_THE_MIDDLE if alignment else ""
            runs = self._runs(cell.text, BOLD if cell.strong else "")
            cells.append(
                f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{shading}{placing}</w:tcPr>'
                f"{paragraph('TableText', runs, text=cell.text, after_bidi=alignment)}</w:tc>"
            )
        whole = sum(len(cell.text) for cell in row) <= _UNBROKEN_CHARACTERS
        return f"<w:tr>{'<w:trPr><w:cantSplit/></w:trPr>' if whole else ''}{''.join(cells)}</w:tr>"


def table_start(style: str, widths: Sequence[int], look: str) -> str:
    columns = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return (
        f'<w:tbl><w:tblPr><w:tblStyle w:val="{style}"/><w:tblW w:w="{sum(widths)}" w:type="dxa"/>'
        f'<w:tblLayout w:type="fixed"/><w:tblLook {look}/></w:tblPr><w:tblGrid>{columns}</w:tblGrid>'
    )


def column_widths(shares: Sequence[float], whole: int) -> list[int]:
    """Twips that add up to the whole."""
    total = sum(shares)
    edges = [0, *(round(whole * each / total) for each in accumulate(shares))]
    return [right - left for left, right in pairwise(edges)]
