"""Records as rows of sheets: single related records spread beside the record, lists of them on sheets of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from arkham_shard_export.layouts import RecordLayout
from arkham_shard_export.presentation.times import UTC_NAME
from arkham_shard_export.records import Batch, Columns, Row, columns_of
from arkham_shard_export.schema import Column, Kind


@dataclass(frozen=True, slots=True)
class SheetColumn:
    label: str
    kind: Kind


class Shape:
    """The sheets of one section: `columns` and `rows` of the main one, `relations` for the others. `zone` is that of the
    times, which headings say."""

    def __init__(self, layout: RecordLayout, columns: tuple[Column, ...], zone: str = UTC_NAME) -> None:
        places = {column.name: place for place, column in enumerate(columns)}
        self.title = layout.name
        self.note = layout.note
        self.columns: list[SheetColumn] = []
        self.relations: list[RelationShape] = []
        picks: list[Callable[[Sequence[Sequence[Any]]], Sequence[Any]]] = []
        for column in layout.ordered(columns):
            place = places[column.name]
            if column.kind is Kind.RECORDS:
                inner = layout.relation(column)
                self.relations.append(
                    RelationShape(inner, column.columns, place, places.get("id"), layout.one, zone)
                )
            elif column.kind is Kind.RECORD:
                inner = layout.relation(column)
                for number, each in enumerate(column.columns):
                    self.columns.append(_sheet_column(f"{inner.name}: {inner.heading(each)}", each, zone))
                    picks.append(_inner(place, number))
            else:
                self.columns.append(_sheet_column(layout.heading(column), column, zone))
                picks.append(itemgetter(place))
        self._picks = picks
        self.columns = _told_apart(self.columns)
        self.id_place = self._id_place(layout.ordered(columns))

    @staticmethod
    def _id_place(ordered: Sequence[Column]) -> int | None:
        """Where the id stands on the sheet, on which a related record takes as many columns as it has."""
        place = 0
        for each in ordered:
            if each.name == "id":
                return place
            place += {Kind.RECORDS: 0, Kind.RECORD: len(each.columns)}.get(each.kind, 1)
        return None

    def rows(self, batch: Batch) -> Columns:
        columns = columns_of(batch)
        return Columns([pick(columns) for pick in self._picks], len(batch))


class RelationShape:
    """Related rows of all records, each with the id of the record that it belongs to."""

    def __init__(
        self,
        layout: RecordLayout,
        columns: tuple[Column, ...],
        place: int,
        parent_id: int | None,
        parent: str,
        zone: str = UTC_NAME,
    ) -> None:
        self.title = layout.name
        self.note = layout.note
        self._place = place
        ordered = layout.ordered(columns)
        if not any(each.chosen for each in columns):
            ordered.sort(key=lambda each: 0 if each.name == "id" else 1 if each.name in layout.implied else 2)
        names = [each.name for each in columns]
        self._order = [names.index(each.name) for each in ordered]
        self.columns = [_sheet_column(layout.heading(each), each, zone) for each in ordered]
        linked = any(each.name in layout.implied for each in columns)
        self._parent_id = None if linked else parent_id
        if self._parent_id is not None:
            self.columns.insert(0, SheetColumn(f"{parent} ID", Kind.TEXT))
        self.columns = _told_apart(self.columns)
        own = next((number for number, each in enumerate(ordered) if each.name == "id"), None)
        self.id_place = None if own is None else own + (self._parent_id is not None)

    def rows(self, record: Row) -> Iterator[Row]:
        for related in record[self._place] or ():
            row = [related[place] for place in self._order]
            yield row if self._parent_id is None else [record[self._parent_id], *row]


def _sheet_column(label: str, column: Column, zone: str) -> SheetColumn:
    return SheetColumn(f"{label} ({zone})" if column.kind is Kind.TIMESTAMP else label, column.kind)


def _inner(place: int, number: int) -> Callable[[Sequence[Sequence[Any]]], Sequence[Any]]:
    return lambda columns: [None if row is None else row[number] for row in columns[place]]


def _told_apart(columns: list[SheetColumn]) -> list[SheetColumn]:
    """Columns of one label are numbered from the second on."""
    taken: set[str] = set()
    apart = []
    for column in columns:
        label, number = column.label, 2
        while label in taken:
            label, number = f"{column.label} ({number})", number + 1
        taken.add(label)
        apart.append(SheetColumn(label, column.kind))
    return apart
