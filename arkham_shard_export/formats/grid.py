"""The grid of an ACH matrix: evidence down, hypotheses across, ratings in the cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arkham_shard_export.records import Row
from arkham_shard_export.schema import Column

EVIDENCE_COLUMNS = ("evidence_id", "evidence", "evidence_type", "source", "credibility", "relevance")


@dataclass(frozen=True, slots=True)
class Grid:
    """One matrix. `header` and every row are equally long; an unrated cell is None."""

    matrix_id: str
    title: str
    header: list[str]
    rows: list[list[Any]]
    left_out: int
    """Texts of the matrix that a grid has no place for."""


def grid_of(columns: tuple[Column, ...], row: Row) -> Grid:
    """The grid of a record of the target `matrix`. Hypotheses of one title are told apart by their ids."""
    record = dict(zip((column.name for column in columns), row, strict=True))
    nested = {column.name: [each.name for each in column.columns] for column in columns}

    def rows_of(name: str) -> list[dict[str, Any]]:
        return [dict(zip(nested[name], each, strict=True)) for each in record.get(name) or []]

    hypotheses, evidence, ratings = rows_of("hypotheses"), rows_of("evidence"), rows_of("ratings")
    cells = {(each.get("evidence_id"), each.get("hypothesis_id")): each.get("rating") for each in ratings}
    titles = [str(each.get("title") or each.get("id")) for each in hypotheses]
    header = list(EVIDENCE_COLUMNS)
    for title, each in zip(titles, hypotheses, strict=True):
        name = title
        while name in header or (name == title and titles.count(title) > 1):
            name = f"{name} ({each.get('id')})"
        header.append(name)
    rows = [
        [
            each.get("id"),
            each.get("description"),
            *(each.get(name) for name in EVIDENCE_COLUMNS[2:]),
            *(cells.get((each.get("id"), hypothesis.get("id"))) for hypothesis in hypotheses),
        ]
        for each in evidence
    ]
    placed = {(each.get("id"), hypothesis.get("id")) for each in evidence for hypothesis in hypotheses}
    left_out = sum(1 for name in ("description", "question") if record.get(name))
    left_out += sum(1 for each in hypotheses for name in ("description", "notes") if each.get(name))
    left_out += sum(1 for each in [*evidence, *ratings] if each.get("notes"))
    left_out += sum(1 for cell in cells if cell not in placed)
    return Grid(str(record.get("id")), str(record.get("title") or ""), header, rows, left_out)
