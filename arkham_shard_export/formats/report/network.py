"""A network in summary: degrees, communities, and a drawing where it is small enough to read."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from typing import Any

from arkham_shard_export.formats.readable import shortened
from arkham_shard_export.formats.report.blocks import (
    Block,
    Cell,
    Circle,
    Figure,
    Label,
    Line,
    Paragraph,
    Shape,
    Table,
)
from arkham_shard_export.records import Batch, Section

DRAWN_NODES, DRAWN_EDGES = 100, 200
NEEDED = {"nodes": frozenset({"id"}), "edges": frozenset({"source_id", "target_id"})}
"""Columns without which there is no network."""
SHOWN_ROWS = 20
NAME_LENGTH = 60
WIDTH, HEIGHT = 470.0, 560.0
_MARGIN = 34.0
_COLOURS = ("3B6EA5", "C8553D", "4F8A5B", "8A5BA6", "B8862B", "3A8F96", "A34B73", "6B7580")


class Network:
    """Keeps id, label, type and community of each node and counts the edges at it."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[str, str, Any]] = {}
        self._degrees: Counter[str] = Counter()
        self._edges = 0
        self._drawn: list[tuple[str, str]] = []

    def begin_section(self, section: Section) -> None:
        self._places = {column.name: place for place, column in enumerate(section.columns)}
        self._is_edges = section.name == "edges"

    def records(self, batch: Batch) -> None:
        if self._is_edges:
            source, target = (self._places.get(name) for name in ("source_id", "target_id"))
            if source is None or target is None:
                return
            for row in batch:
                self._edges += 1
                ends = str(row[source]), str(row[target])
                self._degrees.update(set(ends))
                if self._edges <= DRAWN_EDGES:
                    self._drawn.append(ends)
        else:
            key, label, kind, community = (
                self._places.get(name) for name in ("id", "label", "entity_type", "community_id")
            )
            for row in batch:
                named = _cell(row, key)
                self._nodes[str(named)] = (
                    str(_cell(row, label) or named),
                    str(_cell(row, kind) or ""),
                    _cell(row, community),
                )

    def blocks(self, drawn: bool = True) -> list[Block]:
        if not self._nodes:
            return []
        blocks: list[Block] = [
            Paragraph(f"The network has {len(self._nodes):,} nodes and {self._edges:,} edges.")
        ]
        if drawn and len(self._nodes) <= DRAWN_NODES and self._edges <= DRAWN_EDGES:
            blocks.append(self._figure())
        elif drawn:
            blocks.append(
                Paragraph(
                    f"It is not drawn: only networks of up to {DRAWN_NODES} nodes and {DRAWN_EDGES} edges can be read "
                    "on a page."
                )
            )
        blocks.append(self._degree_table())
        if any(community is not None for _, _, community in self._nodes.values()):
            blocks.append(self._community_table())
        return blocks

    def _degree_table(self) -> Table:
        ranked = sorted(self._nodes, key=lambda key: (-self._degrees[key], self._nodes[key][0], key))
        shown = ranked[:SHOWN_ROWS]
        which = f", the first {SHOWN_ROWS} of {len(ranked):,} nodes" if len(ranked) > SHOWN_ROWS else ""
        return Table(
            ("Node", "Type", "Edges"),
            tuple(
                (Cell(self._nodes[key][0]), Cell(self._nodes[key][1]), Cell(f"{self._degrees[key]:,}"))
                for key in shown
            ),
            widths=(4.0, 2.0, 1.0),
            caption=f"Nodes by the number of their edges{which}",
            centred=(2,),
        )

    def _community_table(self) -> Table:
        members: dict[Any, list[str]] = {}
        for key, (_, _, community) in self._nodes.items():
            members.setdefault(community, []).append(key)
        ranked = sorted(members.items(), key=lambda each: (-len(each[1]), str(each[0])))
        which = f", the first {SHOWN_ROWS} of {len(ranked):,}" if len(ranked) > SHOWN_ROWS else ""
        rows = []
        for community, keys in ranked[:SHOWN_ROWS]:
            best = sorted(keys, key=lambda key: (-self._degrees[key], self._nodes[key][0]))[:5]
            named = ", ".join(shortened(self._nodes[key][0], NAME_LENGTH) for key in best)
            more = f" and {len(keys) - 5:,} more" if len(keys) > 5 else ""
            title = "(none)" if community is None else str(community)
            rows.append((Cell(title), Cell(f"{len(keys):,}"), Cell(named + more)))
        return Table(
            ("Community", "Nodes", "Its best connected members"),
            tuple(rows),
            widths=(1.0, 1.0, 5.0),
            caption=f"Communities by size{which}",
            centred=(1,),
        )

    def _figure(self) -> Figure:
        places = self._positions()
        communities = sorted({str(community) for _, _, community in self._nodes.values()})
        shapes: list[Shape] = []
        for source, target in self._drawn:
            if source in places and target in places:
                shapes.append(Line(*places[source], *places[target], "B4BDC7", 0.7))
        most = max(self._degrees.values(), default=1)
        for key, (label, _, community) in self._nodes.items():
            x, y = places[key]
            radius = 3.0 + 6.0 * sqrt(self._degrees[key] / most)
            colour = _COLOURS[communities.index(str(community)) % len(_COLOURS)]
            shapes.append(Circle(x, y, radius, colour))
            shapes.append(Label(x, y + radius + 1.0, shortened(label, 26), 6.5, "222222"))
        caption = f"The network: {len(self._nodes)} nodes, {self._edges} edges; neighbours of one colour belong to one community"
        best = sorted(self._nodes, key=lambda key: (-self._degrees[key], self._nodes[key][0]))[:3]
        alternative = f"{caption}. Best connected: {', '.join(shortened(self._nodes[key][0], NAME_LENGTH) for key in best)}."
        return Figure(WIDTH, HEIGHT, tuple(shapes), caption, alternative)

    def _positions(self) -> dict[str, tuple[float, float]]:
        """In points; the same network is always drawn alike."""
        import networkx

        graph: networkx.Graph[str] = networkx.Graph()
        graph.add_nodes_from(self._nodes)
        graph.add_edges_from(ends for ends in self._drawn if set(ends) <= self._nodes.keys())
        found = networkx.spring_layout(graph, seed=1, k=2.2 / sqrt(len(self._nodes)), iterations=200)
        across = _spread([point[0] for point in found.values()], _MARGIN, WIDTH - _MARGIN)
        down = _spread([point[1] for point in found.values()], 12.0, HEIGHT - 24.0)
        return dict(zip(found, zip(across, down, strict=True), strict=True))


def _cell(row: list[Any], place: int | None) -> Any:
    return None if place is None else row[place]


def _spread(values: list[float], low: float, high: float) -> list[float]:
    """The values over the room there is, three quarters by rank: a part that stands apart would leave the rest no room."""
    least, span = min(values), max(values) - min(values)
    if span == 0:
        return [(low + high) / 2 for _ in values]
    ranks = {place: rank for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__))}
    last = len(values) - 1
    shares = (
        0.25 * (value - least) / span + 0.75 * ranks[place] / last for place, value in enumerate(values)
    )
    return [round(low + share * (high - low), 1) for share in shares]
