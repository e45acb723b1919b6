"""The columns of a section as somebody has chosen them: which, in which order, of related rows too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from arkham_shard_export.presentation.columns import Chosen, ChosenColumn
from arkham_shard_export.records import Batch, Columns, Section, columns_of
from arkham_shard_export.schema import Column, Kind

_Narrow = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """`columns` as they are to come; `places` are those that they have in what is read, `narrows` what is done to a column
    of related rows of which some columns are left out. `whole`: nothing was chosen."""

    columns: tuple[Column, ...]
    places: tuple[int, ...]
    narrows: tuple[_Narrow | None, ...]
    left_out: tuple[str, ...]
    whole: bool

    def values(
        self, read: Sequence[Sequence[Any]] | Mapping[int, Sequence[Any]], names: Sequence[str] | None = None
    ) -> list[Sequence[Any]]:
        """Of a batch read by column; with `names` only the columns of these names."""
        return [
            read[place] if narrow is None else narrow(read[place])
            for column, place, narrow in zip(self.columns, self.places, self.narrows, strict=True)
            if names is None or column.name in names
        ]


def arranged(section: str, columns: Sequence[Column], chosen: Chosen) -> Arrangement:
    """The columns of `section` by the choice; one that is chosen and is not there is left away, as checked before."""
    inner = [_inner(each, chosen) for each in columns]
    asked = chosen.get(section)
    if asked is None:
        kept = list(range(len(columns)))
    else:
        places = {each.name: place for place, each in enumerate(columns)}
        kept = [places[each.name] for each in asked if each.name in places]
    result = [inner[place][0] for place in kept]
    if asked is not None:
        labels = {each.name: each.label for each in asked}
        result = [replace(each, label=labels[each.name], chosen=True) for each in result]
    left_out = [each.name for place, each in enumerate(columns) if place not in kept]
    for place in kept:
        left_out += [f"{columns[place].name}.{name}" for name in inner[place][2]]
    return Arrangement(
        tuple(result),
        tuple(kept),
        tuple(inner[place][1] for place in kept),
        tuple(left_out),
        whole=asked is None and all(narrow is None for _, narrow, _ in inner),
    )


def rearranged(section: Section, chosen: Chosen) -> Section:
    """A section without portions, by the choice."""
    if not chosen:
        return section
    arrangement = arranged(section.name, section.columns, chosen)
    if arrangement.whole:
        return section

    def read(names: Sequence[str] | None = None) -> Iterator[Batch]:
        for batch in section.read(None):
            yield Columns(arrangement.values(columns_of(batch), names), len(batch)) if batch else batch

    return replace(section, columns=arrangement.columns, read=read, left_out=arrangement.left_out)


def wanted(relation: str, chosen: Chosen) -> frozenset[str] | None:
    """The names of the columns of related rows that are to be read; None for all."""
    asked = chosen.get(relation)
    return None if asked is None else frozenset(each.name for each in asked)


def _inner(column: Column, chosen: Chosen) -> tuple[Column, _Narrow | None, list[str]]:
    """A column of related rows by the choice, what narrows it, and the names of what is left out of it."""
    asked: tuple[ChosenColumn, ...] | None = chosen.get(column.name) if column.columns else None
    if asked is None:
        return column, None, []
    arrangement = arranged("", column.columns, {"": asked})
    places = arrangement.places
    if column.kind is Kind.RECORD:

        def narrow(values: Sequence[Any]) -> Sequence[Any]:
            return [None if row is None else [row[place] for place in places] for row in values]

    else:

        def narrow(values: Sequence[Any]) -> Sequence[Any]:
            return [
                None if rows is None else [[row[place] for place in places] for row in rows]
                for rows in values
            ]

    return replace(column, columns=arrangement.columns), narrow, list(arrangement.left_out)
