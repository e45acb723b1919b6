"""Which part of a file a request asks for, and the name it is given."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from arkham_shard_export.api.downloads import Span, Unsatisfiable, disposition, span_of


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=0-", 0, 100),
        ("bytes=10-19", 10, 20),
        ("bytes=99-", 99, 100),
        ("bytes=90-1000", 90, 100),
        ("bytes=-1", 99, 100),
        ("bytes=-100", 0, 100),
        ("bytes=-500", 0, 100),
        ("BYTES= 10-19 ", 10, 20),
    ],
)
def test_a_range_is_the_bytes_it_names(text: str, start: int, stop: int) -> None:
    assert span_of(text, 100) == Span(start, stop)


@pytest.mark.parametrize(
    "text",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5", "bytes=5-4", "bytes=--5", "bytes=0-1,5-6", "bytes=0-1,",
     "lines=0-5", "bytes=0x1-0x2", "bytes=１-２", "bytes=+1-2", "bytes 0-1", "bytes=0-" + "9" * 5000, "bytes=1.5-2"],
)  # fmt: skip
def test_several_ranges_other_units_and_nonsense_are_not_heeded(text: str | None) -> None:
    assert span_of(text, 100) == Span(0, 100, asked=False)


@pytest.mark.parametrize(
    "text",
    [
        "bytes=" + "0-0," * 3_000_000,
        "bytes=" + ",".join(f"{place}-{place + 1}" for place in range(0, 2_000_000, 2)),
        "bytes=" + "0" * 10_000_000,
        "bytes=" + " " * 10_000_000 + "0-1",
        "bytes=0-1" + " \t" * 5_000_000 + "x",
    ],
    ids=["overlapping", "apart", "digits", "blanks before", "blanks after"],
)
def test_a_header_of_megabytes_costs_as_many_steps_as_it_is_long(text: str) -> None:
    """With the square of them this would not end within the time limit of tests."""
    span = span_of(text, 100)
    assert span == Span(0, 2) if text.endswith("0-1") else not span.asked


@given(st.text(alphabet="bytes=-0123456789, \tx\u0661", max_size=60), st.integers(0, 10**19))
def test_whatever_is_asked_the_answer_lies_within_the_file(text: str, size: int) -> None:
    try:
        span = span_of(text, size)
    except Unsatisfiable:
        return
    assert 0 <= span.start <= span.stop <= size
    assert span.asked or (span.start, span.stop) == (0, size)


def test_starlette_has_the_floor_below_which_ranges_cost_the_square_of_their_number() -> None:
    """CVE-2025-62727. Our files do not go that way; those that the hosts serve themselves do."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    (floor,) = [Requirement(each) for each in project["dependencies"] if each.startswith("starlette")]
    assert not floor.specifier.contains("0.49.0")
    assert floor.specifier.contains(version("starlette"))


@pytest.mark.parametrize(
    ("text", "size"),
    [("bytes=100-", 100), ("bytes=100-200", 100), ("bytes=-0", 100), ("bytes=0-", 0), ("bytes=-5", 0)],
)
def test_a_range_behind_the_end_cannot_be_satisfied(text: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        span_of(text, size)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("claims-2026.csv", 'attachment; filename="claims-2026.csv"'),
        ("a b;c=d.csv", 'attachment; filename="a b;c=d.csv"'),
        ("é-案件.csv", "attachment; filename=\"é-案件.csv\"; filename*=UTF-8''%C3%A9-%E6%A1%88%E4%BB%B6.csv"),
        ("a\u202egpj.csv\ud800", 'attachment; filename="a_gpj.csv_"'),
        ('a"b\\c/d\r\nX: y\0.csv', 'attachment; filename="a_b_c_d__X: y_.csv"'),
    ],
)
def test_a_name_can_hold_anything_and_stays_one_header(name: str, told: str) -> None:
    assert disposition(name).encode("latin-1") == told.encode()
