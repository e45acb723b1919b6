"""The grid of an ACH matrix: evidence down, hypotheses across, ratings in the cells, scores below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arkham_shard_export.records import Row
from arkham_shard_export.schema import Column

EVIDENCE_COLUMNS = ("evidence_id", "evidence", "evidence_type", "source", "credibility", "relevance")
LEGEND = {
    "++": "strongly consistent",
    "+": "consistent",
    "N": "neutral",
    "-": "inconsistent",
    "--": "strongly inconsistent",
    "N/A": "not applicable",
}
"""The ratings, best first, and what they mean."""
SCORES = {
    "inconsistency_count": "Inconsistencies (number of - and --)",
    "weighted_score": "Weighted score (-2 to 2)",
    "normalised_score": "Normalised score (0 to 100)",
    "rank": "Rank (1: least inconsistent)",
}
"""What stands below each hypothesis, and its label."""

GRID_PARTS: dict[str, tuple[str, ...]] = {
    "hypotheses": ("id", "title"),
    "evidence": ("id", "description", "evidence_type", "source", "credibility", "relevance"),
    "ratings": ("hypothesis_id", "evidence_id", "rating"),
    "scores": ("hypothesis_id", *SCORES),
}
"""The relations of a matrix, and what of each the grid shows or is put together by; without scores it does too."""


def makes_grid(columns: tuple[Column, ...]) -> bool:
    """Whether records of these columns have all that a grid is put together from."""
    names = {each.name for each in columns if each.columns}
    return {"hypotheses", "evidence", "ratings"} <= names


@dataclass(frozen=True, slots=True)
class Grid:
    """One matrix. `titles` are those of the hypotheses, told apart by their ids where two are equal."""

    matrix_id: str
    title: str
    hypotheses: list[dict[str, Any]]
    titles: list[str]
    evidence: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    ratings: dict[tuple[Any, Any], Any]
    left_out: int
    """Texts of the matrix that a grid has no place for."""

    def rating(self, evidence: dict[str, Any], hypothesis: dict[str, Any]) -> Any:
        """None where this evidence was not rated against this hypothesis."""
        return self.ratings.get((evidence.get("id"), hypothesis.get("id")))

    @property
    def header(self) -> list[str]:
        return [*EVIDENCE_COLUMNS, *self.titles]

    @property
    def rows(self) -> list[list[Any]]:
        """As long as the header; an unrated cell is None."""
        return [
            [
                each.get("id"),
                each.get("description"),
                *(each.get(name) for name in EVIDENCE_COLUMNS[2:]),
                *(self.rating(each, hypothesis) for hypothesis in self.hypotheses),
            ]
            for each in self.evidence
        ]


def grid_of(columns: tuple[Column, ...], row: Row) -> Grid:
    """The grid of a record of the target `matrix`."""
    record = dict(zip((column.name for column in columns), row, strict=True))
    nested = {column.name: [each.name for each in column.columns] for column in columns}

    def rows_of(name: str) -> list[dict[str, Any]]:
        return [dict(zip(nested[name], each, strict=True)) for each in record.get(name) or []]

    hypotheses, evidence, ratings = rows_of("hypotheses"), rows_of("evidence"), rows_of("ratings")
    cells = {(each.get("evidence_id"), each.get("hypothesis_id")): each.get("rating") for each in ratings}
    placed = {(each.get("id"), hypothesis.get("id")) for each in evidence for hypothesis in hypotheses}
    left_out = sum(1 for name in ("description", "question") if record.get(name))
    left_out += sum(1 for each in hypotheses for name in ("description", "notes") if each.get(name))
    left_out += sum(1 for each in [*evidence, *ratings] if each.get("notes"))
    left_out += sum(1 for cell in cells if cell not in placed)
    return Grid(
        matrix_id=str(record.get("id")),
        title=str(record.get("title") or ""),
        hypotheses=hypotheses,
        titles=_distinct_titles(hypotheses),
        evidence=evidence,
        scores=rows_of("scores"),
        ratings=cells,
        left_out=left_out,
    )


def _distinct_titles(hypotheses: list[dict[str, Any]]) -> list[str]:
    plain = [str(each.get("title") or each.get("id")) for each in hypotheses]
    taken = list(EVIDENCE_COLUMNS)
    for title, each in zip(plain, hypotheses, strict=True):
        name = title
        while name in taken or (name == title and plain.count(title) > 1):
            name = f"{name} ({each.get('id')})"
        taken.append(name)
    return taken[len(EVIDENCE_COLUMNS) :]
