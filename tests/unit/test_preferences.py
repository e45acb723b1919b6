"""`Prefer` as RFC 7240 has it: what is malformed is as if it were not there."""

from __future__ import annotations

import pytest
from starlette.requests import Request

from arkham_shard_export.api.waiting import MOST_HEADER, seconds_preferred


def preferred(*headers: str) -> int | None:
    raw = [(b"prefer", each.encode("latin-1")) for each in headers]
    return seconds_preferred(Request({"type": "http", "headers": raw}))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=0", 0),
        ("wait=1", 1),
        ("wait=60", 60),
        ("wait=61", 60),
        ("wait=100", 60),
        ("wait=" + "9" * 400, 60),
        ("wait=0000000000007", 7),
        ("WAIT=5", 5),
        ("wait = 5", 5),
        ('wait="5"', 5),
        ("respond-async, wait=5", 5),
        ("respond-async,wait=5;foo=bar", 5),
        ('a="x, wait=9"; b="wait=8", wait=5', 5),
        ('a="\\", wait=9", wait=5', 5),
        ("wait=5, wait=9", 5),
        (",,wait=5,,", 5),
    ],
)
def test_what_is_well_formed_is_heeded(header: str, seconds: int) -> None:
    assert preferred(header) == seconds


@pytest.mark.parametrize(
    "header",
    [
        "", "wait", "wait=", 'wait=""', "wait=-1", "wait=+1", "wait=1.5", "wait=1e1", "wait=0x5", "wait=ten",
        "wait=5 6", "wait=\xb2", 'wait="5', "waiting=5", "x-wait=5", "foo; wait=5", '"wait=5"', "wait=x, wait=5",
        "respond-async" + " " * MOST_HEADER + ", wait=5", '"' * 60_000, '"\\' * 30_000,
    ],
)  # fmt: skip
def test_what_is_malformed_is_ignored(header: str) -> None:
    assert preferred(header) is None


def test_several_headers_are_one() -> None:
    assert preferred("respond-async", "wait=5", "wait=6") == 5
    assert preferred() is None
