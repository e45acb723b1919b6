"""JSON documents that any reader gives back as they were."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.records import Row
from arkham_shard_export.schema import Column, Kind, Layout
from arkham_shard_export.standalone.seed_words import SAMPLES
from tests.unit.memory import EXPORTED_AT, JSON_VALUES, TEXTS, Written, no_constant, section_of


def loads(data: bytes, **options: Any) -> Any:
    return json.loads(data.decode(), parse_constant=no_constant, **options)


SCALARS = (
    st.none()
    | TEXTS
    | st.sampled_from(SAMPLES)
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
)
COLUMNS = (
    Column("id"),
    Column("value"),
    Column("meta", Kind.JSON),
    Column("many", Kind.RECORDS, columns=(Column("a"), Column("b", Kind.JSON))),
    Column("one", Kind.RECORD, columns=(Column("c"),)),
)


@st.composite
def rows_and_records(draw: st.DrawFn) -> tuple[list[Row], list[dict[str, Any]]]:
    rows: list[Row] = []
    records = []
    for _ in range(draw(st.integers(0, 4))):
        id, value, one = draw(TEXTS), draw(SCALARS), draw(SCALARS)
        meta = draw(st.none() | JSON_VALUES)
        many = draw(st.lists(st.tuples(SCALARS, JSON_VALUES), max_size=2))
        has_one = draw(st.booleans())
        rows.append(
            [
                id,
                value,
                None if meta is None else json.dumps(meta, ensure_ascii=False, separators=(",", ":")),
                [[a, json.dumps(b, separators=(",", ":"))] for a, b in many],
                [one] if has_one else None,
            ]
        )
        records.append(
            {
                "id": id,
                "value": value,
                "meta": meta,
                "many": [{"a": a, "b": b} for a, b in many],
                "one": {"c": one} if has_one else None,
            }
        )
    return rows, records


@settings(max_examples=150, deadline=None)
@given(rows_and_records())
def test_any_records_are_read_back_to_the_same_values(
    drawn: tuple[list[Row], list[dict[str, Any]]],
) -> None:
    rows, records = drawn
    document = loads(Written("json", section_of(COLUMNS, rows)).data)
    assert document["records"] == records
    assert [list(record) for record in document["records"]] == [[each.name for each in COLUMNS]] * len(rows)
    assert document["record_count"] == len(rows)


def test_the_envelope_has_its_fields_in_the_order_of_the_contract() -> None:
    written = Written("json", section_of(COLUMNS, []), filters={"status": ["disputed"]}, target="claims")
    document = loads(written.data)
    assert list(document) == [
        "target",
        "exported_at",
        "snapshot_at",
        "filters",
        "options",
        "records",
        "record_count",
    ]
    assert document["target"] == "claims"
    assert document["exported_at"] == document["snapshot_at"] == EXPORTED_AT
    assert document["filters"] == {"status": ["disputed"]}
    assert document["options"]["include_metadata"] is True
    assert document["records"] == []
    assert document["record_count"] == 0


def test_without_metadata_there_are_only_target_records_and_count() -> None:
    written = Written("json", section_of(COLUMNS, []), include_metadata=False)
    assert list(loads(written.data)) == ["target", "records", "record_count"]


def test_a_lookup_is_an_object_of_ids_and_names() -> None:
    rows: list[Row] = [["e1", "Ann"], ["e2", None], ['"', "=x\n"]]
    columns = (Column("id"), Column("name"))
    index = section_of(columns, rows, "entities", layout=Layout.INDEX, counted=False)
    empty = section_of(columns, [], "others", layout=Layout.INDEX, counted=False)
    written = Written("json", section_of(COLUMNS, []), index, empty, target="timeline")
    document = loads(written.data)
    assert document["entities"] == {"e1": "Ann", "e2": None, '"': "=x\n"}
    assert document["others"] == {}
    assert document["record_count"] == written.writer.written == 0
    assert list(document)[-1] == "record_count"


def test_the_sections_come_in_order_and_only_records_are_counted() -> None:
    sections = [
        section_of((Column("id"),), [[str(n)] for n in range(5)], "nodes"),
        section_of((Column("id"),), [["x"]], "edges"),
        section_of((Column("id"),), [["g"]], "graphs", counted=False),
    ]
    document = loads(Written("json", *sections, target="graph", include_metadata=False).data)
    assert list(document) == ["target", "nodes", "edges", "graphs", "record_count"]
    assert [row["id"] for row in document["nodes"]] == list("01234")
    assert document["record_count"] == 6


def test_relations_are_nested_however_deep() -> None:
    inner = Column("tags", Kind.RECORDS, columns=(Column("t", Kind.JSON),))
    columns = (Column("pages", Kind.RECORDS, columns=(Column("n", Kind.INTEGER), inner)),)
    rows: list[Row] = [[[[1, [["[1,2]"], [None]]], [2, []]]], [None]]
    assert loads(Written("json", section_of(columns, rows)).data)["records"] == [
        {"pages": [{"n": 1, "tags": [{"t": [1, 2]}, {"t": None}]}, {"n": 2, "tags": []}]},
        {"pages": []},
    ]


@pytest.mark.parametrize(
    "number", ["1.10", "-0.000000000000000000001", "1E+400", "12345678901234567890.123", "0"]
)
def test_decimals_are_numbers_with_every_digit(number: str) -> None:
    written = Written("json", section_of((Column("n", Kind.NUMBER),), [[Decimal(number)]]))
    record = loads(written.data, parse_float=Decimal, parse_int=Decimal)["records"][0]
    assert str(record["n"]) == str(Decimal(number))


def test_numbers_in_embedded_json_keep_their_text() -> None:
    text = '{"big":123456789012345678901234567890,"exact":1.10,"far":1e400}'
    assert text.encode() in Written("json", section_of((Column("m", Kind.JSON),), [[text]])).data


def test_a_writer_does_not_change_the_rows_it_is_given() -> None:
    rows: list[Row] = [["1", "x", '{"a":1}', [["y", "[]"]], ["z"]]]
    Written("json", section_of(COLUMNS, rows))
    assert rows == [["1", "x", '{"a":1}', [["y", "[]"]], ["z"]]]
