"""The overview before the records: how many of what, and a drawing where one can be read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from arkham_shard_export.formats.report.blocks import Block, Cell, Heading, Table
from arkham_shard_export.formats.report.chart import events_over_time
from arkham_shard_export.formats.report.network import NEEDED, Network
from arkham_shard_export.layouts import Drawing, RecordLayout, TargetLayout
from arkham_shard_export.records import Batch, Section

SHOWN_VALUES = 20
COUNTED_VALUES = 5_000
"""Different values of a column that are told apart; what is beyond is counted together."""

_BEYOND = object()


class Overview:
    """Sees every record on its way and keeps counts only; the network keeps its nodes as well."""

    def __init__(self, layout: TargetLayout, charts: bool = True) -> None:
        self._charts = charts
        self._tallies: list[tuple[RecordLayout, str, str, Counter[Any]]] = []
        self._days: Counter[str] | None = Counter() if layout.drawing is Drawing.EVENTS else None
        self._network = Network() if layout.drawing is Drawing.NETWORK else None

    def begin_section(self, section: Section, layout: RecordLayout) -> None:
        places = {column.name: place for place, column in enumerate(section.columns)}
        self._section = section
        self._counters: list[tuple[int, Counter[Any]]] = []
        self._dated = places.get(layout.dated) if section.counted else None
        if not section.counted:
            return
        for name in layout.tallied:
            if name in places:
                counter: Counter[Any] = Counter()
                self._counters.append((places[name], counter))
                label = layout.heading(section.columns[places[name]])
                self._tallies.append((layout, name, label, counter))
        if self._network is not None and not NEEDED.get(section.name, frozenset()).isdisjoint(
            section.left_out
        ):
            # Of nodes without ids, or edges without ends, nothing true could be told.
            self._network = None
        if self._network is not None:
            self._network.begin_section(section)

    def records(self, batch: Batch) -> None:
        for place, counter in self._counters:
            for row in batch:
                value = row[place]
                counter[value if value in counter or len(counter) < COUNTED_VALUES else _BEYOND] += 1
        if self._days is not None and self._dated is not None:
            self._days.update(str(row[self._dated])[:10] for row in batch if row[self._dated] is not None)
        if self._network is not None and self._section.counted:
            self._network.records(batch)

    def blocks(self) -> list[Block]:
        """The chapter, or nothing where there is nothing to tell."""
        blocks: list[Block] = []
        if self._days and self._charts:
            blocks += events_over_time(self._days)
        if self._network is not None:
            blocks += self._network.blocks(self._charts)
        blocks += [
            _table(layout, name, label, counter) for layout, name, label, counter in self._tallies if counter
        ]
        return [Heading(1, "Overview"), *blocks] if blocks else []


def _table(layout: RecordLayout, name: str, label: str, counter: Counter[Any]) -> Table:
    total = counter.total()
    beyond = counter.pop(_BEYOND, 0)
    common = counter.most_common()
    common.sort(key=lambda each: (-each[1], str(each[0])))
    rows = [(_shown(layout, name, value), count) for value, count in common[:SHOWN_VALUES]]
    rest = sum(count for _, count in common[SHOWN_VALUES:]) + beyond
    if rest:
        others = f"{len(common) - SHOWN_VALUES:,} other values" if not beyond else "other values"
        rows.append((others, rest))
    return Table(
        (label, "Number", "Share"),
        tuple((Cell(text), Cell(f"{count:,}"), Cell(f"{count / total:.1%}")) for text, count in rows),
        widths=(4.0, 1.0, 1.0),
        caption=f"{layout.name} by {label.lower()}",
        centred=(1, 2),
    )


def _shown(layout: RecordLayout, name: str, value: Any) -> str:
    if value is None or value == "":
        return "(none)"
    grouping = layout.grouping
    return grouping.title(value) if grouping is not None and grouping.column == name else str(value)
