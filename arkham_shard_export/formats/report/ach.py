"""An analysis of competing hypotheses as a table: evidence down, hypotheses across, scores below."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arkham_shard_export.formats.grid import LEGEND, SCORES, Grid, grid_of, makes_grid
from arkham_shard_export.formats.readable import scalar
from arkham_shard_export.formats.report.blocks import Block, Cell, Paragraph, Subheading, Table, Tone
from arkham_shard_export.records import Row
from arkham_shard_export.schema import Column

ACROSS = 6
"""Hypotheses that one table has room for; more continue in a table below, with the evidence named again."""

_TONES = {str(tone): tone for tone in Tone if str(tone) in LEGEND}


def grid_blocks(columns: tuple[Column, ...], row: Row, record: Iterator[Block]) -> Iterator[Block]:
    """The blocks of a matrix with its grid before the details of its parts."""
    grid = grid_of(columns, row) if makes_grid(columns) else None
    for block in record:
        if grid is not None and isinstance(block, Subheading):
            yield from _tables(grid)
            grid = None
        yield block
    if grid is not None:
        yield from _tables(grid)


def _tables(grid: Grid) -> Iterator[Block]:
    if not grid.hypotheses or not grid.evidence:
        lacking = "hypotheses" if not grid.hypotheses else "evidence"
        yield Paragraph(f"The matrix has no {lacking} yet, so there is no grid.")
        return
    for start in range(0, len(grid.hypotheses), ACROSS):
        yield _table(grid, start, min(start + ACROSS, len(grid.hypotheses)))
    yield Table(
        (),
        (tuple(Cell(f"{rating}  {meaning}", _TONES[rating]) for rating, meaning in LEGEND.items()),),
        widths=(1.0,) * len(LEGEND),
        centred=tuple(range(len(LEGEND))),
    )


def _table(grid: Grid, start: int, end: int) -> Table:
    hypotheses = grid.hypotheses[start:end]
    rows = [
        (
            Cell(scalar(each.get("description") or each.get("id") or "")),
            Cell(_weights(each)),
            *(_rated(grid.rating(each, hypothesis)) for hypothesis in hypotheses),
        )
        for each in grid.evidence
    ]
    scores = {each.get("hypothesis_id"): each for each in grid.scores}
    for name, label in SCORES.items() if scores else ():
        values = (scores.get(each.get("id"), {}).get(name) for each in hypotheses)
        rows.append(
            (
                Cell(label, Tone.SUMMARY, strong=True),
                Cell("", Tone.SUMMARY),
                *(_score(value) for value in values),
            )
        )
    across = (
        f", hypotheses {start + 1} to {end} of {len(grid.hypotheses)}"
        if len(grid.hypotheses) > ACROSS
        else ""
    )
    return Table(
        ("Evidence", "Weight", *grid.titles[start:end]),
        tuple(rows),
        widths=(3.4, 1.0, *((1.25,) * len(hypotheses))),
        caption=f"Evidence against hypotheses{across}. Weight: credibility × relevance. An empty cell was not rated.",
        centred=tuple(range(1, len(hypotheses) + 2)),
    )


def _weights(evidence: dict[str, Any]) -> str:
    return " × ".join(
        "–" if evidence.get(name) is None else scalar(evidence[name]) for name in ("credibility", "relevance")
    )


def _rated(rating: Any) -> Cell:
    text = "" if rating is None else str(rating)
    return Cell(text, _TONES.get(text, Tone.PLAIN), strong=bool(text))


def _score(value: Any) -> Cell:
    if value is None:
        return Cell("–", Tone.SUMMARY)
    return Cell(
        f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value),
        Tone.SUMMARY,
        strong=True,
    )
