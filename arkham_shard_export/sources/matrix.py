"""Scores of an analysis of competing hypotheses (Heuer, Psychology of Intelligence Analysis, chapter 8)."""

from __future__ import annotations

from decimal import Decimal
from math import fsum
from typing import Any

from arkham_shard_export.schema import Column, Kind

RATING_VALUES = {"++": 2, "+": 1, "N": 0, "-": -1, "--": -2}
"""`N/A` is left out: evidence that does not apply says nothing of a hypothesis."""

SCORES = Column(
    "scores",
    Kind.RECORDS,
    columns=(
        Column("hypothesis_id"),
        Column("title"),
        Column("inconsistency_count", Kind.INTEGER),
        Column("weighted_score", Kind.NUMBER),
        Column("normalised_score", Kind.NUMBER),
        Column("rank", Kind.INTEGER),
    ),
)


def matrix_scores(record: dict[str, Any]) -> list[list[Any]]:
    """One row of SCORES a hypothesis, in the order of the columns of the grid.

    Inconsistency is the number of `-` and `--`. The weighted score is the mean rating (−2 to 2), weighted by
    credibility · relevance, and null where no weight was rated; normalised it runs from 0 to 100. Ranks: fewest
    inconsistencies first, then the higher weighted score; equals share a rank.
    """
    evidence = {each.get("id"): each for each in record.get("evidence") or []}
    ratings: dict[Any, list[tuple[str, dict[str, Any]]]] = {}
    for each in record.get("ratings") or []:
        rated = evidence.get(each.get("evidence_id"))
        if rated is not None and each.get("rating") in RATING_VALUES:
            ratings.setdefault(each.get("hypothesis_id"), []).append((each["rating"], rated))
    rows: list[list[Any]] = []
    for hypothesis in record.get("hypotheses") or []:
        rated_cells = ratings.get(hypothesis.get("id"), [])
        inconsistent = sum(1 for rating, _ in rated_cells if RATING_VALUES[rating] < 0)
        weights = [_weight(each) for _, each in rated_cells]
        total = fsum(weights)
        score = (
            fsum(
                RATING_VALUES[rating] * weight
                for (rating, _), weight in zip(rated_cells, weights, strict=True)
            )
            / total
            if total > 0
            else None
        )
        normalised = None if score is None else (score + 2) / 4 * 100
        rows.append([hypothesis.get("id"), hypothesis.get("title"), inconsistent, score, normalised, None])
    keys = [(row[2], -(row[3] if row[3] is not None else -3.0)) for row in rows]
    for row, key in zip(rows, keys, strict=True):
        row[5] = 1 + sum(other < key for other in keys)
    return rows


def _weight(evidence: dict[str, Any]) -> float:
    """Credibility · relevance; what the analyst left open counts in full."""
    weight = 1.0
    for name in ("credibility", "relevance"):
        value = evidence.get(name)
        weight *= float(value) if isinstance(value, int | float | Decimal) else 1.0
    return weight
