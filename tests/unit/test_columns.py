"""Working by columns gives what working by values gives, value for value and count for count."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arkham_shard_export.formats.delimited import Cells
from arkham_shard_export.formats.workbook import rows
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.columns import ColumnConverters
from arkham_shard_export.sources.values import Canonical
from tests.unit.memory import Written, section_of

TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", "=1", "+1", "a,b", 'a"b', "a\nb", "\x00", "\ud800", "é", "2024-02-29T12:00:00+00:00", "2024-02-29 12:00:00",
     "2024-02-29T12:00:00.000000+00:00", "2024-02-29T12:00:00.120000+00:00", "2024-13-01T00:00:00+00:00",
     "0001-01-01T00:00:00+00:00", "_x0041_", "<&>"]
)  # fmt: skip
NUMBERS = st.integers() | st.floats() | st.booleans() | st.decimals(allow_nan=False)
COLUMN = st.one_of(
    st.lists(TEXTS, max_size=6),
    st.lists(TEXTS | st.none(), max_size=6),
    st.lists(st.integers(-9, 9) | st.none(), max_size=6),
    st.lists(st.floats() | st.none(), max_size=6),
    st.lists(NUMBERS | TEXTS | st.none(), max_size=6),
)
KINDS = [Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP, Kind.JSON]


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or repr(one) == repr(other))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None)
@given(values=COLUMN)
@example(values=["2024-02-29T12:00:00+00:00", None, "2024-02-29T12:00:00.123456+00:00"])
@example(values=["\ud800", "\udc00"])
@example(values=[float("nan"), 1.0])
@example(values=[10**400, 1.5])
def test_a_column_is_converted_as_its_values_are(kind: Kind, values: list[Any]) -> None:
    one, other = Adjustments(), Adjustments()
    converted = ColumnConverters(Canonical(one)).converter(Column("c", kind))(values)
    convert = Canonical(other).converter(Column("c", kind))
    expected = [convert(value) for value in values]
    assert len(converted) == len(expected)
    assert all(map(same, converted, expected))
    assert one.counts == other.counts


@pytest.mark.parametrize("guard", [True, False])
@settings(max_examples=150, deadline=None)
@given(values=COLUMN)
@example(values=["", None, "a"])
@example(values=["a,b", "c"])
def test_a_column_of_csv_is_encoded_as_its_cells_are(guard: bool, values: list[Any]) -> None:
    one, other = Adjustments(), Adjustments()
    encoded = Cells(one, guard).encoder(Column("c"))(values)
    cells = Cells(other, guard)
    assert list(encoded) == [cells.scalar(value) for value in values]
    assert one.counts == other.counts


def by_rows(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Written]) -> Written:
    with monkeypatch.context() as patched:
        patched.setattr(rows, "long_rows", lambda columns: range(len(columns[0])))
        return make()


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.NUMBER, Kind.TIMESTAMP, Kind.VALUE])
@pytest.mark.parametrize(
    "values",
    [
        ["a", None, "", "é", "_x0041_", "=1", "<&>\x00\ud800"],
        ["a", "b"],
        [1, None, 0, 10**15, -(10**15) + 1],
        [1.5, None, 0.0, 1e-320, 1e308],
        [True, False, 2, 2.5, Decimal("1.10"), "x", None],
        [
            "2024-02-29T12:00:00+00:00",
            "2024-02-29T12:00:00.123456+00:00",
            "0001-01-01T00:00:00+00:00",
            "about",
            None,
        ],
        [None, None],
        ["x" * 40_000, "\x00" * 3, 10**20],
        [["a", 1], {"b": 2}],
    ],
)
def test_a_sheet_written_by_columns_is_the_sheet_written_by_rows(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, values: list[Any]
) -> None:
    if kind is Kind.TIMESTAMP:
        values = [None if value is None else str(value) for value in values]

    def make() -> Written:
        records = [[str(number), value, "\x00"] for number, value in enumerate(values)]
        columns = (Column("id"), Column("value", kind), Column("other"))
        return Written("xlsx", section_of(columns, records, batch=50), target="custom")

    one, other = make(), by_rows(monkeypatch, make)
    assert one.data == other.data
    assert one.counts == other.counts
