"""A report from sections of records: chapters, headings and blocks in reading order, in constant memory.

What a reader should see first, the overview and the title page, is known last; a writer puts it in front.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC
from typing import Any

from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.moments import times_as_read
from arkham_shard_export.formats.report.ach import grid_blocks
from arkham_shard_export.formats.report.blocking import RecordBlocks
from arkham_shard_export.formats.report.blocks import Block, Cell, Heading, Paragraph, Table, TitlePage
from arkham_shard_export.formats.report.overview import Overview
from arkham_shard_export.formats.report.title import title_page
from arkham_shard_export.layouts import Display, Grouping, layout_of
from arkham_shard_export.periods import PERIODS, parse_instant, period_key
from arkham_shard_export.presentation.reports import front_of
from arkham_shard_export.records import Adjustments, Batch, Row, Section
from arkham_shard_export.schema import Layout

LISTED_RECORDS = 250
"""Up to so many records, each is listed in the contents; beyond, ranges of records are."""
LISTED_RANGES = 200
_NONE_YET = object()
_HeadingOf = Callable[[Row], tuple[Any, str | None]]


class Report:
    """Blocks in the order in which they come. `wide` asks for landscape pages.

    Call `begin_section`, `records` and `end_section` for each section, then `overview`, then `title_page`.
    """

    def __init__(self, document: Document, adjustments: Adjustments) -> None:
        self._document = document
        self._adjustments = adjustments
        self._layout = layout_of(document.target)
        self.front = front_of(document.options)
        self._times = times_as_read(document.options, adjustments)
        self._overview = Overview(self._layout, self.front.charts)
        expected = sum(each.expected or 0 for each in document.sections if each.counted)
        self._step = _range_step(expected)
        self.contents_depth = 2 if self._step else 3
        self.subject = self._layout.title
        self.title = self.front.title or self._layout.title
        self.wide = self._layout.wide

    def begin_section(self, section: Section) -> list[Block]:
        layout = self._layout.section(section.name, section.columns)
        self._section = section
        self._blocks = RecordBlocks(layout, section.columns, self._times)
        self._heading_of_row = self._heading_of(section)
        self._heading: Any = _NONE_YET
        self._number = 0
        self._table_begun = False
        self._overview.begin_section(section, layout)
        return [Heading(1, layout.name)]

    def records(self, batch: Batch) -> Iterator[Block]:
        """The blocks of a batch; they must be used up before the next batch is given."""
        self._overview.records(batch)
        if self._blocks.layout.display is Display.TABLE:
            yield self._table(batch)
            return
        for row in batch:
            self._number += 1
            key, heading = self._heading_of_row(row)
            if heading is not None and key != self._heading:
                self._heading = key
                yield Heading(2, heading)
            if self._blocks.layout.display is Display.ITEMS:
                yield self._blocks.item(row)
            elif self._section.layout is Layout.GRID:
                yield from grid_blocks(self._section.columns, row, self._blocks.block(row, self._number))
            else:
                yield from self._blocks.block(row, self._number)

    def end_section(self) -> list[Block]:
        if self._number or self._table_begun:
            return []
        return [Paragraph("There are none.")]

    def overview(self) -> list[Block]:
        return self._overview.blocks() if self.front.overview else []

    def title_page(self, written: int) -> TitlePage:
        return title_page(self._document, self.title, written, self._adjustments)

    def _table(self, batch: Batch) -> Table:
        caption = "" if self._table_begun else self._blocks.layout.name
        self._table_begun = True
        rows = tuple(tuple(Cell(text) for text in self._blocks.cells(row)) for row in batch)
        labels = self._blocks.labels
        return Table(labels, rows, tuple(self._blocks.widths), caption)

    def _heading_of(self, section: Section) -> _HeadingOf:
        """Gives what a row stands under: a key that changes with it, and its heading; None for no heading."""
        places = {column.name: place for place, column in enumerate(section.columns)}
        options = self._document.options
        grouping = self._blocks.layout.grouping
        period = str(options.get("group_by"))
        dated = places.get(self._blocks.layout.dated)
        sorted_by_user = options.get("sort_by") is not None and section.counted
        if section.counted and period in PERIODS and dated is not None and not sorted_by_user:

            def in_period(row: Row) -> tuple[Any, str | None]:
                moment = parse_instant(row[dated])
                key = period_key(period, None if moment is None else moment.astimezone(UTC))
                return key, key or "Without a date"

            return in_period
        if grouping is not None and grouping.column in places and not sorted_by_user:
            return _in_group(grouping, places[grouping.column], places.get(grouping.named_by))
        if not self._step or not section.counted:
            return lambda _row: (None, None)
        noun, step, last = self._blocks.layout.name, self._step, section.expected or 0

        def in_range(_row: Row) -> tuple[Any, str | None]:
            first = (self._number - 1) // step * step + 1
            return first, f"{noun} {first:,} to {min(first + step - 1, last):,}"

        return in_range


def _in_group(grouping: Grouping, place: int, name: int | None) -> _HeadingOf:
    """Groups of one name are told apart by their keys."""

    def heading(row: Row) -> tuple[Any, str | None]:
        key = row[place]
        named = None if name is None else row[name]
        title = grouping.title(key)
        return key, title if named in (None, "", key) else f"{named}  ({title})"

    return heading


def _range_step(expected: int) -> int:
    """How many records stand in one range of the contents; 0 where each record is listed."""
    if expected <= LISTED_RECORDS:
        return 0
    return next(step for step in (100, 200, 500, 1000, 2000, 5000, 10**9) if expected / step <= LISTED_RANGES)
