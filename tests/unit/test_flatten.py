"""Objects as dotted columns, with nothing lost on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.pipeline import flatten
from arkham_shard_export.pipeline.flatten import MAX_COLUMNS, flattened
from arkham_shard_export.records import Adjustments, Row, Section
from arkham_shard_export.schema import Column, Kind, Layout
from tests.unit.memory import TEXTS, Written, section_of

META = Column("meta", Kind.JSON)


def dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def flat(*values: Any, others: tuple[Column, ...] = ()) -> tuple[Section, list[Row], Adjustments]:
    """The flattened section of one JSON column, its rows, and what was counted; a value None is a null cell."""
    adjustments = Adjustments()
    rows: list[Row] = [[None if value is None else dumps(value), *("x" for _ in others)] for value in values]
    section = flattened(section_of((META, *others), rows), adjustments)
    return section, [row for batch in section.read(None) for row in batch], adjustments


def names(section: Section) -> list[str]:
    return [column.name for column in section.columns]


def test_an_object_becomes_dotted_columns() -> None:
    section, rows, adjustments = flat({"a": {"b": 1, "c": "x"}}, {"d": True}, None)
    assert names(section) == ["meta.a.b", "meta.a.c", "meta.d"]
    assert rows == [[1, "x", None], [None, None, True], [None, None, None]]
    assert dict(adjustments.counts) == {}


def test_dots_and_backslashes_in_keys_are_escaped_so_that_every_column_has_one_meaning() -> None:
    value = {"a.b": 1, "a": {"b": 2}, "a\\": {"b": 3}, "": 4, "=k": 5}
    section, rows, _ = flat(value)
    assert dict(zip(names(section), rows[0], strict=True)) == {
        "meta.a\\.b": 1,
        "meta.a.b": 2,
        "meta.a\\\\.b": 3,
        "meta.": 4,
        "meta.=k": 5,
    }


def test_lists_and_empty_objects_stay_what_they_are() -> None:
    section, rows, _ = flat({"l": [1, {"x": None}], "e": {}}, {"l": []})
    assert [(each.name, each.kind) for each in section.columns] == [
        ("meta.e", Kind.VALUE),
        ("meta.l", Kind.VALUE),
    ]
    assert rows == [[{}, [1, {"x": None}]], [None, []]]
    assert b'{},"[1,{""x"":null}]"' in Written("csv", section).data


@pytest.mark.parametrize("values", [(None, [1]), ([1], None), (None, [1], None), (None, None, [1])])
def test_a_null_makes_no_text_of_a_column_of_lists_wherever_it_comes(values: tuple[Any, ...]) -> None:
    section, _, _ = flat(*({"l": value} for value in values))
    written = Written("json", section)
    records = json.loads(written.data)["records"]
    assert [record["meta.l"] for record in records] == list(values)


def test_a_column_of_scalars_and_lists_holds_both() -> None:
    section, rows, _ = flat({"m": "x"}, {"m": [1, 2]}, {"m": 5})
    assert names(section) == ["meta.m"]
    assert rows == [["x"], [[1, 2]], [5]]
    assert b'x\r\n"[1,2]"\r\n5\r\n' in Written("csv", section).data
    records = json.loads(Written("json", section).data)["records"]
    assert [each["meta.m"] for each in records] == ["x", [1, 2], 5]


def test_a_column_of_scalars_and_objects_has_the_dotted_columns_besides() -> None:
    section, rows, _ = flat({"m": 5}, {"m": {"a": 1}})
    assert names(section) == ["meta.m", "meta.m.a"]
    assert rows == [[5, None], [None, 1]]


@pytest.mark.parametrize("value", [[1, 2], "text", 5, True, {}, [], "null"])
def test_a_cell_without_an_object_keeps_the_base_column(value: Any) -> None:
    section, rows, adjustments = flat(value, {"a": 1})
    assert names(section) == ["meta", "meta.a"]
    assert section.columns[0].kind is Kind.JSON
    assert rows == [[dumps(value), None], [None, 1]]
    assert dict(adjustments.counts) == {}


def test_a_json_null_keeps_the_base_column() -> None:
    section = flattened(section_of((META,), [["null"], ['{"a":1}']]), Adjustments())
    assert names(section) == ["meta", "meta.a"]
    assert [row for batch in section.read(None) for row in batch] == [["null", None], [None, 1]]


def test_a_json_column_of_nulls_leaves_no_column() -> None:
    section, rows, _ = flat(None, None, others=(Column("b"),))
    assert names(section) == ["b"]
    assert rows == [["x"], ["x"]]


def test_numbers_keep_every_digit() -> None:
    text = '{"big":123456789012345678901234567890,"exact":1.10,"list":[1.10,123456789012345678901234567890]}'
    section = flattened(section_of((META,), [[text]]), Adjustments())
    assert Written("csv", section).data.split(b"\r\n")[1] == (
        b'123456789012345678901234567890,1.10,"[1.10,123456789012345678901234567890]"'
    )


def test_a_key_that_would_take_the_name_of_another_column_stays_in_the_base_column() -> None:
    section, rows, adjustments = flat({"a": 1, "b": 2}, others=(Column("meta.a"),))
    assert names(section) == ["meta", "meta.b", "meta.a"]
    assert rows == [['{"a":1}', 2, "x"]]
    assert dict(adjustments.counts) == {"flatten_overflow": 1}


def test_a_single_related_record_is_spread_over_dotted_columns() -> None:
    inner = (Column("id"), Column("n", Kind.INTEGER), Column("m", Kind.JSON))
    columns = (Column("a"), Column("project", Kind.RECORD, columns=inner), Column("z"))
    section = flattened(section_of(columns, [["1", ["p", 5, "{}"], "z"], ["2", None, "z"]]), Adjustments())
    assert [(each.name, each.kind) for each in section.columns] == [
        ("a", Kind.TEXT),
        ("project.id", Kind.TEXT),
        ("project.n", Kind.INTEGER),
        ("project.m", Kind.JSON),
        ("z", Kind.TEXT),
    ]
    assert [row for batch in section.read(None) for row in batch] == [
        ["1", "p", 5, "{}", "z"],
        ["2", None, None, None, "z"],
    ]


def test_a_spread_record_and_a_dotted_key_never_share_a_column_name() -> None:
    """Another shard may name its columns as it likes."""
    columns = (
        Column("a", Kind.JSON),
        Column("a.b", Kind.JSON),
        Column("p", Kind.RECORD, columns=(Column("x"),)),
        Column("p.x"),
    )
    rows: list[Row] = [['{"b":{"c":1}}', '{"c":2}', ["in"], "out"]]
    found = names(flattened(section_of(columns, rows), Adjustments()))
    assert len(set(found)) == len(found)


def test_several_related_records_stay_together() -> None:
    columns = (Column("pages", Kind.RECORDS, columns=(Column("id"),)),)
    section = flattened(section_of(columns, [[[["1"]]]]), Adjustments())
    assert section.columns == columns


def test_a_lookup_is_left_alone() -> None:
    section = section_of((META,), [['{"a":1}']], layout=Layout.INDEX)
    assert flattened(section, Adjustments()) is section


def test_keys_beyond_the_limit_stay_together_in_the_base_column_and_are_counted_a_record() -> None:
    many = {f"k{number:04}": number for number in range(MAX_COLUMNS + 10)}
    section, rows, adjustments = flat({"k0000": 0}, many, {"k1005": "x", "k0001": 1})
    assert len(section.columns) == MAX_COLUMNS + 1
    assert names(section)[:2] == ["meta", "meta.k0000"]
    assert rows[0][0] is None
    assert json.loads(rows[1][0]) == {f"k{n:04}": n for n in range(MAX_COLUMNS, MAX_COLUMNS + 10)}
    assert json.loads(rows[2][0]) == {"k1005": "x"}
    assert dict(adjustments.counts) == {"flatten_overflow": 2}


def test_the_limit_holds_for_a_section_and_not_for_each_column() -> None:
    columns = (Column("a", Kind.JSON), Column("b", Kind.JSON))
    half = {f"k{number}": 1 for number in range(MAX_COLUMNS // 2 + 5)}
    section = flattened(section_of(columns, [[dumps(half), dumps(half)]]), Adjustments())
    assert sum("." in name for name in names(section)) == MAX_COLUMNS


def test_reading_twice_gives_the_same_rows() -> None:
    section, rows, _ = flat({"a": 1}, {"b": [2]})
    assert [row for batch in section.read(None) for row in batch] == rows


def test_the_first_reading_asks_only_for_json_columns_and_tells_its_rows() -> None:
    asked: list[Any] = []
    seen: list[int] = []
    inner = section_of((Column("a"), META), [["x", '{"k":1}']] * 3)

    def read(columns: Any) -> Iterator[Any]:
        asked.append(columns)
        return inner.read(columns)

    observed = Section("records", inner.columns, read, 3)
    flattened(observed, Adjustments(), seen.append)
    assert asked == [["meta"]]
    assert seen == [2, 1]


# Anything at all


LEAVES = (
    st.booleans()
    | st.integers(-(10**25), 10**25)
    | TEXTS.filter(lambda text: text[:1] not in "[{")
    | st.floats(allow_nan=False, allow_infinity=False)
)
KEYS = st.text(alphabet="ab.\\= é\n", max_size=3)
OBJECTS = st.recursive(
    st.dictionaries(KEYS, LEAVES | st.lists(LEAVES, max_size=3), max_size=4),
    lambda inner: st.dictionaries(KEYS, inner | LEAVES, max_size=4),
    max_leaves=8,
)


def split_name(name: str) -> list[str]:
    keys = [""]
    escaped = False
    for char in name:
        if escaped:
            keys[-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ".":
            keys.append("")
        else:
            keys[-1] += char
    return keys


def put(into: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        into = into.setdefault(key, {})
    into[path[-1]] = value


def unflattened(columns: tuple[Column, ...], row: Row) -> Any:
    """The original of a flattened row with one JSON column; a null and an absent key are one here."""
    value: Any = None
    for column, cell in zip(columns, row, strict=True):
        if cell is None:
            continue
        keys = split_name(column.name)[1:]
        if not keys:
            value = json.loads(cell, parse_float=Decimal)
            continue
        value = {} if value is None else value
        put(value, keys, cell)
    return value


def exact(value: Any) -> Any:
    """The value with every number as a Decimal, so that 1e2 is 100 but true is not 1."""
    if isinstance(value, dict):
        return {key: exact(each) for key, each in value.items()}
    if isinstance(value, list):
        return [exact(each) for each in value]
    if isinstance(value, bool):
        return ("bool", value)
    return Decimal(str(value)) if isinstance(value, int | float | Decimal) else value


@pytest.mark.parametrize("limit", [MAX_COLUMNS, 2, 0])
def test_any_objects_can_be_put_together_again_whatever_the_limit(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flatten, "MAX_COLUMNS", limit)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(OBJECTS, max_size=3))
    def check(values: list[Any]) -> None:
        section, rows, adjustments = flat(*values)
        found = names(section)
        assert len(set(found)) == len(found)
        assert sum("." in name for name in found) <= limit
        for value, row in zip(values, rows, strict=True):
            assert exact(unflattened(section.columns, row)) == exact(value)
        overflowing = sum(
            1 for row in rows if row and section.columns[0] == META and row[0] not in (None, "{}")
        )
        assert adjustments.counts["flatten_overflow"] == overflowing

    check()
