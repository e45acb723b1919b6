"""Preconditions of a download, by RFC 9110, section 13."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from arkham_shard_export.api.conditions import Version, unchanged
from arkham_shard_export.errors import PreconditionFailed

TAG = '"5d41"'
FILE = Version(TAG, datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=UTC))
UNTAGGED = Version(None, FILE.modified_at)
BEFORE, AT, AFTER = (f"Sun, 22 Nov 2026 {time} GMT" for time in ("11:59:59", "12:00:00", "12:00:01"))


def asked(*headers: tuple[str, str]) -> Request:
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
    return Request({"type": "http", "headers": raw})


def answered(*headers: tuple[str, str], version: Version = FILE) -> int:
    try:
        return 304 if unchanged(asked(*headers), version) else 200
    except PreconditionFailed:
        return 412


@pytest.mark.parametrize(
    ("given", "if_none_match", "if_match"),
    [
        (TAG, 304, 200),
        (f"W/{TAG}", 304, 412),
        ("*", 304, 200),
        (" * ", 304, 200),
        (f'"a", {TAG}', 304, 200),
        (f'"a,b",W/"c" , {TAG}  ,', 304, 200),
        (f",, {TAG}", 304, 200),
        (f'W/"c", W/{TAG}', 304, 412),
        ('"other"', 200, 412),
        ("5d41", 200, 412),
        (f"w/{TAG}", 200, 412),
        (f'"a" {TAG}', 200, 412),
        (f"{TAG}, x", 200, 412),
        (f"{TAG}, *", 200, 412),
        ('"5d41', 200, 412),
        ("", 200, 412),
        ('"5d41"' * 3, 200, 412),
    ],
)
def test_tags_are_compared_weakly_for_a_copy_and_strongly_for_a_part(
    given: str, if_none_match: int, if_match: int
) -> None:
    assert answered(("if-none-match", given)) == if_none_match
    assert answered(("if-match", given)) == if_match


def test_several_lines_are_one_list() -> None:
    assert answered(("if-none-match", '"a"'), ("if-none-match", TAG)) == 304
    assert answered(("if-match", '"a"'), ("if-match", TAG)) == 200


@pytest.mark.parametrize("given", [TAG, '""', '"None"', "None", ""])
def test_a_file_without_a_tag_is_named_by_nothing_but_the_star(given: str) -> None:
    assert answered(("if-none-match", given), version=UNTAGGED) == 200
    assert answered(("if-match", given), version=UNTAGGED) == 412
    assert answered(("if-none-match", "*"), version=UNTAGGED) == 304
    assert answered(("if-match", "*"), version=UNTAGGED) == 200


@pytest.mark.parametrize(
    ("date", "if_modified_since", "if_unmodified_since"),
    [
        (BEFORE, 200, 412),
        (AT, 304, 200),
        (AFTER, 304, 200),
        ("Sunday, 22-Nov-26 12:00:01 GMT", 304, 200),
        ("Sun Nov 22 12:00:01 2026", 304, 200),
        ("yesterday", 200, 200),
        ("", 200, 200),
        ("Sun, 99 Nov 2026 12:00:00 GMT", 200, 200),
        ("Sun, 22 Nov 99999999999999999999 12:00:00 GMT", 200, 200),
    ],
)
def test_dates_are_compared_to_the_second_and_nonsense_is_not_heeded(
    date: str, if_modified_since: int, if_unmodified_since: int
) -> None:
    assert answered(("if-modified-since", date)) == if_modified_since
    assert answered(("if-unmodified-since", date)) == if_unmodified_since


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        # A tag says more than a date, whatever the date says.
        ([("if-none-match", '"other"'), ("if-modified-since", AFTER)], 200),
        ([("if-none-match", TAG), ("if-modified-since", BEFORE)], 304),
        ([("if-match", TAG), ("if-unmodified-since", BEFORE)], 200),
        ([("if-match", '"other"'), ("if-unmodified-since", AFTER)], 412),
        # What must be the case comes before what need not be sent.
        ([("if-match", '"other"'), ("if-none-match", TAG)], 412),
        ([("if-match", TAG), ("if-none-match", TAG)], 304),
        ([("if-unmodified-since", BEFORE), ("if-none-match", TAG)], 412),
        ([], 200),
        ([("if-modified-since", AFTER), ("if-modified-since", AFTER)], 200),
    ],
)
def test_conditions_are_heeded_in_the_order_of_the_standard(
    headers: list[tuple[str, str]], status: int
) -> None:
    assert answered(*headers) == status


@given(
    st.sampled_from(["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"]),
    st.text(alphabet=st.characters(max_codepoint=255), max_size=60)
    | st.text(alphabet='W/"*, 5d41', max_size=60)
    | st.text(alphabet="SunNov ,:0123456789GMT+-", max_size=40),
)
def test_no_text_breaks_a_condition(name: str, text: str) -> None:
    assert answered((name, text)) in (200, 304, 412)


def test_a_list_of_a_million_tags_is_read_once() -> None:
    assert answered(("if-none-match", '"a", ' * 1_000_000 + TAG)) == 304
    assert answered(("if-none-match", '"a" ' * 1_000_000 + TAG)) == 200
