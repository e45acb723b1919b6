"""The scores of competing hypotheses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.sources.matrix import RATING_VALUES, SCORES, matrix_scores

Ratings = dict[str, dict[str, str]]


def scored(ratings: Ratings, weights: dict[str, tuple[Any, Any]] | None = None) -> dict[str, dict[str, Any]]:
    """Scores by hypothesis, from ratings by hypothesis and evidence, and credibility and relevance by evidence."""
    weights = weights or {}
    evidence = dict.fromkeys([*weights, *(each for some in ratings.values() for each in some)])
    record = {
        "hypotheses": [{"id": each, "title": f"Title {each}"} for each in ratings],
        "evidence": [
            {
                "id": each,
                "credibility": weights.get(each, (1, 1))[0],
                "relevance": weights.get(each, (1, 1))[1],
            }
            for each in evidence
        ],
        "ratings": [
            {"hypothesis_id": hypothesis, "evidence_id": each, "rating": rating}
            for hypothesis, some in ratings.items()
            for each, rating in some.items()
        ],
    }
    names = [column.name for column in SCORES.columns]
    rows = [dict(zip(names, row, strict=True)) for row in matrix_scores(record)]
    assert [row["hypothesis_id"] for row in rows] == list(ratings)
    return {row["hypothesis_id"]: row for row in rows}


@pytest.mark.parametrize(
    ("rating", "value", "normalised"),
    [("++", 2, 100), ("+", 1, 75), ("N", 0, 50), ("-", -1, 25), ("--", -2, 0)],
)
def test_a_single_rating_is_the_score(rating: str, value: int, normalised: int) -> None:
    score = scored({"h": {"e": rating}})["h"]
    assert score["weighted_score"] == value
    assert score["normalised_score"] == normalised
    assert score["inconsistency_count"] == (value < 0)
    assert (score["rank"], score["title"]) == (1, "Title h")


def test_the_weighted_score_is_the_mean_rating_by_credibility_and_relevance() -> None:
    score = scored({"h": {"a": "++", "b": "-"}}, {"a": (0.5, 0.5), "b": (1, 0.75)})["h"]
    assert score["weighted_score"] == pytest.approx((2 * 0.25 - 0.75) / 1.0)
    assert score["normalised_score"] == pytest.approx((-0.25 + 2) / 4 * 100)
    assert score["inconsistency_count"] == 1


def test_decimals_weigh_as_numbers_do() -> None:
    one = scored({"h": {"a": "++", "b": "-"}}, {"a": (Decimal("0.5"), Decimal("0.5")), "b": (1, 1)})
    assert one == scored({"h": {"a": "++", "b": "-"}}, {"a": (0.5, 0.5), "b": (1, 1)})


def test_evidence_that_does_not_apply_is_left_out() -> None:
    assert scored({"h": {"a": "+", "b": "N/A"}})["h"]["weighted_score"] == 1
    only = scored({"h": {"a": "N/A"}})["h"]
    assert (only["weighted_score"], only["normalised_score"], only["inconsistency_count"]) == (None, None, 0)


@pytest.mark.parametrize("rating", [None, "", "+++", "n/a", "yes"])
def test_an_unknown_rating_is_left_out(rating: Any) -> None:
    assert scored({"h": {"a": "+", "b": rating}})["h"]["weighted_score"] == 1


def test_a_hypothesis_without_ratings_has_no_score_and_ranks_below_those_with_as_few_inconsistencies() -> (
    None
):
    scores = scored({"none": {}, "worst": {"a": "--"}, "neutral": {"a": "N"}})
    assert scores["none"]["weighted_score"] is None
    assert {name: each["rank"] for name, each in scores.items()} == {"neutral": 1, "none": 2, "worst": 3}


def test_without_any_weight_there_is_no_score_but_inconsistencies_count() -> None:
    score = scored({"h": {"a": "--", "b": "++"}}, {"a": (0, 1), "b": (1, 0)})["h"]
    assert score["weighted_score"] is None
    assert score["normalised_score"] is None
    assert score["inconsistency_count"] == 1


def test_what_the_analyst_left_open_counts_in_full() -> None:
    score = scored({"h": {"a": "++", "b": "-"}}, {"a": (None, None), "b": (0.5, None)})["h"]
    assert score["weighted_score"] == (2 - 0.5) / 1.5


def test_fewer_inconsistencies_rank_before_a_higher_score() -> None:
    scores = scored(
        {"high": {"a": "-", "b": "++", "c": "++"}, "low": {"a": "N"}, "two": {"a": "-", "b": "--", "c": "++"}}
    )
    assert {name: each["rank"] for name, each in scores.items()} == {"low": 1, "high": 2, "two": 3}


def test_equals_share_a_rank_and_the_next_rank_is_left_out() -> None:
    scores = scored({"b": {"x": "+"}, "a": {"x": "++"}, "c": {"y": "+"}, "d": {"x": "N"}})
    assert {name: each["rank"] for name, each in scores.items()} == {"a": 1, "b": 2, "c": 2, "d": 4}


def test_the_same_ratings_in_another_order_are_equals() -> None:
    weights = {"a": (0.1, 1), "b": (0.2, 1), "c": (0.3, 1), "d": (0.7, 1)}
    forth = {"a": "++", "b": "+", "c": "++", "d": "+"}
    back = dict(reversed(forth.items()))
    scores = scored({"forth": forth, "back": back}, weights)
    assert scores["forth"]["weighted_score"] == scores["back"]["weighted_score"]
    assert scores["forth"]["rank"] == scores["back"]["rank"] == 1


def test_ratings_of_what_is_not_in_the_matrix_are_ignored() -> None:
    record = {
        "hypotheses": [{"id": "h", "title": None}],
        "evidence": [{"id": "e"}],
        "ratings": [
            {"hypothesis_id": "h", "evidence_id": "elsewhere", "rating": "--"},
            {"hypothesis_id": "elsewhere", "evidence_id": "e", "rating": "--"},
        ],
    }
    assert matrix_scores(record) == [["h", None, 0, None, None, 1]]


@pytest.mark.parametrize("record", [{}, {"hypotheses": None, "evidence": None, "ratings": None}])
def test_a_matrix_without_anything_has_no_scores(record: dict[str, Any]) -> None:
    assert matrix_scores(record) == []


RATINGS = st.sampled_from([*RATING_VALUES, "N/A"])
WEIGHTS = st.floats(0, 1)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("hijk"), st.dictionaries(st.sampled_from("abcdef"), RATINGS, max_size=6), max_size=4
    ),
    st.fixed_dictionaries({each: st.tuples(WEIGHTS, WEIGHTS) for each in "abcdef"}),
)
def test_scores_keep_their_bounds_and_ranks_are_those_of_a_sorted_list(
    ratings: Ratings, weights: dict[str, tuple[float, float]]
) -> None:
    scores = scored(ratings, weights).values()
    for each in scores:
        if each["weighted_score"] is not None:
            assert -2.000001 <= each["weighted_score"] <= 2.000001
            assert each["normalised_score"] == pytest.approx((each["weighted_score"] + 2) * 25)
    lowest = -3.0
    keys = sorted(
        (each["inconsistency_count"], -(lowest if each["weighted_score"] is None else each["weighted_score"]))
        for each in scores
    )
    for each in scores:
        score = lowest if each["weighted_score"] is None else each["weighted_score"]
        assert each["rank"] == keys.index((each["inconsistency_count"], -score)) + 1


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), RATINGS, min_size=2, max_size=6).flatmap(
        lambda some: st.tuples(st.just(some), st.permutations(list(some)))
    ),
    st.fixed_dictionaries({each: st.tuples(WEIGHTS, WEIGHTS) for each in "abcdef"}),
)
def test_the_order_of_ratings_changes_no_score(
    drawn: tuple[dict[str, str], list[str]], weights: dict[str, tuple[float, float]]
) -> None:
    ratings, order = drawn
    again = {each: ratings[each] for each in order}
    assert scored({"h": ratings}, weights) == scored({"h": again}, weights)
