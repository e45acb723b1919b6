"""Records of one section as blocks, by its layout."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arkham_shard_export.formats.readable import Readable, is_short, readable, shortened
from arkham_shard_export.formats.report.blocks import Block, Facts, Heading, Item, Paragraph, Subheading
from arkham_shard_export.layouts import RecordLayout
from arkham_shard_export.records import Row
from arkham_shard_export.schema import Column, Kind

HEADING_LENGTH = 110
DATE_LENGTH = 40


class RecordBlocks:
    """Turns rows of given columns into blocks. Columns that stand elsewhere are left out of the facts."""

    def __init__(
        self, layout: RecordLayout, columns: tuple[Column, ...], times: Readable, *, related: bool = False
    ) -> None:
        self.layout = layout
        self._times = times
        places = {column.name: place for place, column in enumerate(columns)}
        self._places = places
        self._id_place = places.get("id")
        self._titles = [places[name] for name in layout.title if name in places]
        self._dated = places.get(layout.dated)
        self._fields: list[tuple[int, str, Readable, bool]] = []
        self.widths: list[float] = []
        """Shares of a table's width: ids need the most of it."""
        self._relations: list[tuple[int, RecordLayout, RecordBlocks, bool]] = []
        left_out = {*layout.implied} if related or layout.grouping is not None else set()
        if related and layout.grouping is not None:
            left_out.add(layout.grouping.column)
        for column in layout.ordered(columns):
            place = places[column.name]
            if column.kind in (Kind.RECORDS, Kind.RECORD):
                inner = layout.relation(column)
                blocks = RecordBlocks(inner, column.columns, times, related=True)
                self._relations.append((place, inner, blocks, column.kind is Kind.RECORD))
            elif column.chosen or column.name not in left_out:
                long = column.name in layout.prose
                self._fields.append((place, layout.heading(column), readable(column, times), long))
                wide = 2.0 if column.name.endswith("_id") else 1.5 if column.kind is Kind.TIMESTAMP else 1.0
                self.widths.append(wide)

    def _title(self, row: Row) -> tuple[str, int | None]:
        """The first filled title column and its place; the id where there is none."""
        for place in self._titles:
            if row[place] is not None and (text := str(row[place])).strip():
                return text, place
        if self._id_place is None or row[self._id_place] is None:
            return "", None
        return str(row[self._id_place]), self._id_place

    def block(self, row: Row, number: int) -> Iterator[Block]:
        """A record under a heading of its own."""
        title, place = self._title(row)
        heading = shortened(title, HEADING_LENGTH)
        text = "  ".join(filter(None, (f"{number}.", self._date(row), heading)))
        yield Heading(3, text, repeated=heading != title)
        if heading != title:
            yield Paragraph(title, lead=True)
        facts, paragraphs = self._values(row, place)
        if facts:
            yield Facts(facts)
        yield from paragraphs
        yield from self.relations(row)

    def item(self, row: Row) -> Item:
        """A record in short; its relations, if there are any, are not in it."""
        title, place = self._title(row)
        title = "  ".join(filter(None, (self._date(row), title)))
        facts, paragraphs = self._values(row, place)
        if not is_short(title):
            return Item("", facts, (Paragraph(title), *paragraphs))
        return Item(title, facts, paragraphs)

    def cells(self, row: Row) -> tuple[str, ...]:
        """The texts of all fields, in the order of `labels`."""
        return tuple(
            "" if row[place] is None else text_of(row[place]) for place, _, text_of, _ in self._fields
        )

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for _, label, _, _ in self._fields)

    def relations(self, row: Row) -> Iterator[Block]:
        for place, layout, blocks, single in self._relations:
            value = row[place]
            if not value:
                continue
            rows = [value] if single else value
            for title, members in blocks.grouped(rows):
                heading = title or layout.name
                yield Subheading(heading if single else f"{heading} ({len(members)})")
                yield from (blocks.item(each) for each in members)

    def grouped(self, rows: list[Row]) -> list[tuple[str, list[Row]]]:
        """The rows under the titles of their groups, in the groups' order; one group without a title where there are none."""
        grouping = self.layout.grouping
        place = self._places.get(grouping.column) if grouping else None
        if grouping is None or place is None:
            return [("", rows)]
        groups: dict[Any, list[Row]] = {}
        for row in rows:
            groups.setdefault(row[place], []).append(row)
        return [(grouping.title(value), groups[value]) for value in sorted(groups, key=grouping.rank)]

    def _date(self, row: Row) -> str:
        """What stands before the title; a text that is no date may be of any length, and is a field like others."""
        value = None if self._dated is None else row[self._dated]
        return text if value is not None and len(text := self._times(value)) <= DATE_LENGTH else ""

    def _values(
        self, row: Row, title: int | None
    ) -> tuple[tuple[tuple[str, str], ...], tuple[Paragraph, ...]]:
        facts: list[tuple[str, str]] = []
        paragraphs: list[Paragraph] = []
        shown = (title, self._dated if self._date(row) else None)
        for place, label, text_of, long in self._fields:
            value = row[place]
            if value is None or value == "" or place in shown:
                continue
            text = text_of(value)
            if not text:
                continue
            if long or not is_short(text):
                paragraphs.append(Paragraph(text, label))
            else:
                facts.append((label, text))
        return tuple(facts), tuple(paragraphs)
