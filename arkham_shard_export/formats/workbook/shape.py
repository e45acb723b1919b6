"""Records as rows of sheets: single related records spread beside the record, lists of them on sheets of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from arkham_shard_export.layouts import RecordLayout
from arkham_shard_export.records import Batch, Columns, Row, columns_of
from arkham_shard_export.schema import Column, Kind


@dataclass(frozen=True, slots=True)
class SheetColumn:
    label: str
    kind: Kind


class Shape:
    """The sheets of one section: `columns` and `rows` of the main one, `relations` for the others."""

    def __init__(self, layout: RecordLayout, columns: tuple[Column, ...]) -> None:
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
                    RelationShape(inner, column.columns, place, places.get("id"), layout.one)
                )
            elif column.kind is Kind.RECORD:
                inner = layout.relation(column)
                for number, each in enumerate(column.columns):
                    self.columns.append(_sheet_column(f"{inner.name}: {inner.label(each.name)}", each))
                    picks.append(_inner(place, number))
            else:
                self.columns.append(_sheet_column(layout.label(column.name), column))
                picks.append(itemgetter(place))
        self._picks = picks
        self.columns = _told_apart(self.columns)
        self.id_place = next((n for n, each in enumerate(layout.ordered(columns)) if each.name == "id"), None)

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
    ) -> None:
        self.title = layout.name
        self.note = layout.note
        self._place = place
        ordered = layout.ordered(columns)
        ordered.sort(key=lambda each: 0 if each.name == "id" else 1 if each.name in layout.implied else 2)
        names = [each.name for each in columns]
        self._order = [names.index(each.name) for each in ordered]
        self.columns = [_sheet_column(layout.label(each.name), each) for each in ordered]
        linked = any(each.name in layout.implied for each in columns)
        self._parent_id = None if linked else parent_id
        if self._parent_id is not None:
            self.columns.insert(0, SheetColumn(f"{parent} ID", Kind.TEXT))
        self.columns = _told_apart(self.columns)
        first = ordered[0].name if ordered else ""
        self.id_place = (0 if linked or parent_id is None else 1) if first == "id" else None

    def rows(self, record: Row) -> Iterator[Row]:
        for related in record[self._place] or ():
            row = [related[place] for place in self._order]
            yield row if self._parent_id is None else [record[self._parent_id], *row]


def _sheet_column(label: str, column: Column) -> SheetColumn:
    return SheetColumn(f"{label} (UTC)" if column.kind is Kind.TIMESTAMP else label, column.kind)


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
