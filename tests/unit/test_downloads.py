"""Which part of a file a request asks for, and the name it is given."""

from __future__ import annotations

import pytest

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
        ("é-案件.csv", "attachment; filename=\"_-__.csv\"; filename*=UTF-8''%C3%A9-%E6%A1%88%E4%BB%B6.csv"),
        ('a"b\\c/d\r\nX: y\0.csv', 'attachment; filename="a_b_c_d__X: y_.csv"'),
    ],
)
def test_a_name_can_hold_anything_and_stays_one_header(name: str, told: str) -> None:
    assert disposition(name) == told
    disposition(name).encode("latin-1")
