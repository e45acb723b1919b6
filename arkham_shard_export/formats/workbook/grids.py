"""ACH grids on sheets: hypotheses across, evidence down, ratings in colour, scores and a legend below."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from arkham_shard_export.formats.grid import LEGEND, SCORES, Grid
from arkham_shard_export.formats.workbook.cells import Cells
from arkham_shard_export.formats.workbook.rows import letters
from arkham_shard_export.formats.workbook.sheets import MAX_ROWS, FreeSheet, Sheet, row_height
from arkham_shard_export.formats.workbook.styles import RATING_STYLES, Style
from arkham_shard_export.ports import Output

FIXED = ("Evidence", "Evidence ID", "Type", "Source", "Credibility", "Relevance")
_FIELDS = ("description", "id", "evidence_type", "source", "credibility", "relevance")
WIDTHS = (60.0, 24.0, 14.0, 24.0, 12.0, 12.0)
HYPOTHESIS_WIDTH = 18.0
_ROWS_BESIDES = 20
"""Of a grid, besides its evidence."""
_DECIMAL = ("weighted_score", "normalised_score")


class GridRows:
    """Rows of one or several grids on one sheet."""

    def __init__(self, cells: Cells, first: int = 1) -> None:
        self._cells = cells
        self.next = first

    def rows(self, grid: Grid) -> Iterator[str]:
        """Title, header (the third row of a grid), evidence, scores, legend, and an empty row."""
        yield self._row([self._text(grid.title or grid.matrix_id, "Matrix", Style.TITLE)], height=26)
        yield self._row([self._text(f"Matrix {grid.matrix_id}", "Matrix", Style.LABEL)])
        header = [*FIXED, *grid.titles]
        yield self._row([self._text(each, "Hypothesis", Style.HEADER) for each in header], height=48)
        for each in grid.evidence:
            rated = [grid.rating(each, hypothesis) for hypothesis in grid.hypotheses]
            fixed = [self._value(each.get(name), label) for name, label in zip(_FIELDS, FIXED, strict=True)]
            height = row_height(str(each.get("description") or ""), WIDTHS[0])
            yield self._row([*fixed, *map(self._rating, rated)], height)
        scores = {each.get("hypothesis_id"): each for each in grid.scores}
        for name, label in SCORES.items() if scores else ():
            style = Style.SUMMARY_DECIMAL if name in _DECIMAL else Style.SUMMARY
            fixed = [
                self._text(label, label, Style.SUMMARY_LABEL),
                *[_empty(Style.SUMMARY)] * (len(FIXED) - 1),
            ]
            values = [scores.get(each.get("id"), {}).get(name) for each in grid.hypotheses]
            yield self._row([*fixed, *(self._score(value, label, style) for value in values)])
        self.next += 1
        for rating, meaning in LEGEND.items():
            yield self._row(
                [
                    self._text(meaning, "Legend", Style.LABEL),
                    self._text(rating, "Legend", RATING_STYLES[rating]),
                ]
            )
        yield self._row([self._text("not rated", "Legend", Style.LABEL), _empty(Style.UNRATED)])
        self.next += 2

    def _row(self, cells: list[str], height: int = 0) -> str:
        number, self.next = self.next, self.next + 1
        content = "".join(f'<c r="{letters(place)}{number}{cell}' for place, cell in enumerate(cells) if cell)
        sized = f' ht="{height}" customHeight="1"' if height else ""
        return f'<row r="{number}"{sized}>{content}</row>'

    def _text(self, text: str, column: str, style: Style) -> str:
        return self._cells.text(text, column, style)

    def _value(self, value: Any, column: str) -> str:
        if value is None or value == "":
            return _empty(Style.GRID_TEXT)
        if isinstance(value, str | bool | list | dict):
            return self._text(str(value), column, Style.GRID_TEXT)
        return self._cells.number(value, column, Style.GRID_TEXT)

    def _rating(self, rating: Any) -> str:
        if rating is None or rating == "":
            return _empty(Style.UNRATED)
        return self._text(str(rating), "Rating", RATING_STYLES.get(str(rating), Style.UNRATED))

    def _score(self, value: Any, label: str, style: Style) -> str:
        return _empty(style) if value is None else self._cells.number(value, label, style)


def _empty(style: Style) -> str:
    return f'" s="{style:d}"/>'


class GridSheets:
    """Each matrix on a sheet of its own while they are few; else one below another on sheets called Grids."""

    def __init__(self, cells: Cells, opened: Callable[[str], tuple[Sheet, Output]], alone: bool) -> None:
        self._cells = cells
        self._open = opened
        self._alone = alone
        self._current: FreeSheet | None = None
        self._rows = GridRows(cells)
        self.sheets: list[Sheet] = []

    def write(self, grid: Grid) -> None:
        full = self._rows.next + len(grid.evidence) + _ROWS_BESIDES > MAX_ROWS
        if self._alone or full or self._current is None:
            self.end()
            sheet, output = self._open(grid.title or grid.matrix_id if self._alone else "Grids")
            widths = (*WIDTHS, *[HYPOTHESIS_WIDTH] * (len(grid.titles) if self._alone else 40))
            self._current = FreeSheet(output, widths, frozen="B4" if self._alone else "B1")
            self._rows = GridRows(self._cells)
            self.sheets.append(sheet)
        self._current.write(self._rows.rows(grid))

    def end(self) -> None:
        if self._current is not None:
            self._current.end()
            self._current = None
