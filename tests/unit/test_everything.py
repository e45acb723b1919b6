"""Records of everything a source may give, through every writer there is and back by foreign readers."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arkham_shard_export.formats import FORMATS, writer_class
from arkham_shard_export.pipeline.flatten import flattened
from arkham_shard_export.records import Adjustments, Row
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.values import Canonical
from arkham_shard_export.standalone.seed_words import SAMPLES
from tests.readers import docx_text, pdf_text, sheets, squeezed, table
from tests.unit.memory import JSON_VALUES, Written, no_constant, section_of

SCALARS = {
    "text": Kind.TEXT,
    "number": Kind.NUMBER,
    "integer": Kind.INTEGER,
    "boolean": Kind.BOOLEAN,
    "moment": Kind.TIMESTAMP,
    "json": Kind.JSON,
}
INNER = (Column("id"), *(Column(name, kind) for name, kind in SCALARS.items()))
COLUMNS = (
    *INNER,
    Column("value", Kind.VALUE),
    Column("many", Kind.RECORDS, columns=INNER),
    Column("one", Kind.RECORD, columns=INNER),
)
EXAMPLES = {"pdf": 6}
"""Of records; each PDF is set by processes of its own."""

ALPHABETS = (
    "ab \n\r\t",
    "\x00\x01\x0b\x1f\x7f\x85\u2028\ufffe\uffff",
    "\ud800\udc00\udfff",
    "𠮷👩\u200d👧🏽\U0010ffff",
    "שלוםمرحبا\u202e\u2066\u2069\u200f(12)",
    "e\u0301\u0351\u036b\u0334नि\u200bﬁ",
    "=+-@'\"<>&\\#*_`$[]{}/~^",
)
TEXTS = st.one_of(
    st.text(st.characters(codec=None), max_size=40),
    st.sampled_from(SAMPLES),
    st.sampled_from(ALPHABETS).flatmap(lambda alphabet: st.text(alphabet, max_size=60)),
)
LONG_TEXTS = st.builds(lambda text, times: text * (times // len(text)), TEXTS.filter(bool), st.just(40_000))
NUMBERS = st.one_of(
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.decimals(),
    st.sampled_from(
        [5e-324, sys.float_info.max, Decimal("1E-400"), Decimal("1E+400"), 2**63, Decimal("1.10")]
    ),
)
MOMENTS = st.one_of(
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.sampled_from(
        ["about 2024", "2024-02-30", "2024-02-29T25:00:00+00:00", "x" * 10 + "T+00:00", "", "=1"]
    ),
    TEXTS,
)
JSONS = st.one_of(
    JSON_VALUES.map(json.dumps),
    JSON_VALUES,
    st.lists(TEXTS | st.floats(), max_size=3),
    st.sampled_from(["[" * depth + "]" * depth for depth in (50, 200)]),
    st.sampled_from(['{"k":' * depth + "1" + "}" * depth for depth in (50, 200)]),
    TEXTS,
)
BY_KIND = {
    Kind.TEXT: TEXTS | LONG_TEXTS | NUMBERS | st.binary(max_size=20),
    Kind.NUMBER: NUMBERS,
    Kind.INTEGER: st.integers() | TEXTS,
    Kind.BOOLEAN: st.booleans() | st.sampled_from([0, 1, 2, "yes"]),
    Kind.TIMESTAMP: MOMENTS,
    Kind.JSON: JSONS,
}
FLAT = (
    st.none()
    | st.text(max_size=20)
    | NUMBERS.filter(lambda number: Decimal(number).is_finite())
    | st.booleans()
)


@st.composite
def inner_values(draw: st.DrawFn) -> list[Any]:
    return [draw(st.none() | BY_KIND[kind]) for kind in SCALARS.values()]


@st.composite
def records_of_everything(draw: st.DrawFn) -> list[Any]:
    return [
        (
            draw(inner_values()),
            draw(FLAT | st.lists(JSON_VALUES, max_size=3)),
            draw(st.none() | st.lists(inner_values(), max_size=2)),
            draw(st.none() | inner_values()),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]


def canonical(records: list[Any]) -> tuple[list[Row], Adjustments]:
    """The rows as a source would give them, with ids that any reader finds again."""
    adjustments = Adjustments()
    converters = [Canonical(adjustments).converter(Column("c", kind)) for kind in SCALARS.values()]

    def row(id: str, values: list[Any]) -> Row:
        return [id, *(convert(value) for convert, value in zip(converters, values, strict=True))]

    rows: list[Row] = []
    for number, (values, value, many, one) in enumerate(records):
        id = f"Record{number}End"
        rows.append(
            [
                *row(id, values),
                value,
                None
                if many is None
                else [row(f"Record{number}Many{n}End", each) for n, each in enumerate(many)],
                None if one is None else row(f"Record{number}OneEnd", one),
            ]
        )
    return rows, adjustments


def ids_of(rows: list[Row]) -> list[str]:
    """Of all records and those that belong to them."""
    found = []
    for row in rows:
        found.append(row[0])
        found += [each[0] for each in row[-2] or ()]
        found += [row[-1][0]] if row[-1] else []
    return found


# Readers: each fails on a broken file, and gives the ids in it with the number of records that the file tells.


def read_json(data: bytes) -> tuple[list[str], int]:
    document = json.loads(data.decode(), parse_constant=no_constant)
    found = []
    for record in document["records"]:
        one = record["one"]["id"] if record.get("one") else record.get("one.id")
        found += [record["id"], *(each["id"] for each in record["many"]), *([one] if one else [])]
    return found, document["record_count"]


def read_csv(data: bytes) -> tuple[list[str], int]:
    csv.field_size_limit(2**31 - 1)
    header, *lines = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
    assert {len(line) for line in lines} <= {len(header)}
    found = []
    for line in lines:
        record = dict(zip(header, line, strict=True))
        one = json.loads(record["one"])["id"] if record.get("one") else record.get("one.id")
        found += [record["id"], *(each["id"] for each in json.loads(record["many"])), *([one] if one else [])]
    return found, len(lines)


def read_xlsx(data: bytes) -> tuple[list[str], int]:
    found = sheets(data)
    many = table(found["Many"])
    ids = []
    records = table(found["Records"])
    for record in records:
        ids += [record["ID"], *(each["ID"] for each in many if each["Record ID"] == record["ID"])]
        one = record.get("One: ID") or record.get("One.id")
        ids += [one] if one else []
    told = {row[0]: row[-1] for row in found["About"] if row}["Records in this file"]
    assert len(records) == int(told)
    return ids, int(told)


def read_report(text: str) -> tuple[list[str], int]:
    plain = squeezed(text)
    told = re.search(r"Recordsinthisfile:?(\d+)", plain)
    assert told is not None
    found = re.findall(r"Record\d+(?:Many\d+|One)?End", plain)
    # The contents list what has no title by its id, before the records themselves.
    return list(dict.fromkeys(reversed(found)))[::-1], int(told[1])


READERS: dict[str, Callable[[bytes], tuple[list[str], int]]] = {
    "json": read_json,
    "csv": read_csv,
    "xlsx": read_xlsx,
    "pdf": lambda data: read_report(pdf_text(data)),
    "docx": lambda data: read_report(docx_text(data)),
}


def check(format: str, records: list[Any], *, flatten: bool = False) -> None:
    """All ids are in the file, in the order of the records, and the counts are those of the records."""
    rows, adjustments = canonical(records)
    section = section_of(COLUMNS, rows)
    if flatten:
        section = flattened(section, adjustments)
    written = Written(format, section, target="everything")
    found, told = READERS[format](written.data)
    expected = ids_of(rows)
    assert sorted(found) == sorted(expected)
    assert [id for id in found if re.fullmatch(r"Record\d+End", id)] == [row[0] for row in rows]
    assert told == written.writer.written == len(rows)
    assert all(each["count"] > 0 for each in written.adjustments.report())


@pytest.fixture(params=FORMATS)
def format(request: pytest.FixtureRequest) -> str:
    """Each registered format whose libraries are installed."""
    spec = writer_class(request.param).spec
    if spec.missing_library is not None:
        pytest.skip(f"{spec.missing_library} is not installed: {spec.remedy}")
    return spec.format


def test_any_record_is_in_the_file_and_the_file_is_whole(format: str) -> None:
    @settings(
        max_examples=EXAMPLES.get(format, 60),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(records_of_everything())
    def survives(records: list[Any]) -> None:
        check(format, records)

    survives()


@pytest.mark.parametrize("format", [name for name in FORMATS if writer_class(name).spec.supports_flatten])
def test_any_record_is_in_the_file_when_it_is_flattened(format: str) -> None:
    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(records_of_everything())
    def survives(records: list[Any]) -> None:
        check(format, records, flatten=True)

    survives()


NOTHING: list[Any] = [None] * len(SCALARS)
WORST: dict[str, list[Any]] = {
    "nothing": NOTHING,
    "empty": ["", 0, "", False, "", ""],
    "control characters": ["".join(map(chr, range(32))) + "\x7f\x85", 1, 1, True, "\x00", json.dumps("\x00\x1f")],
    "lone surrogates": ["\ud800 and \udfff\ud800", 1, "\udc00", "\ud800", "\ud800", {"\ud800": ["\udfff"]}],
    "noncharacters": ["\ufffe\uffff\ufdd0\U0001ffff", 1, 1, 1, "\uffff", json.dumps(["\ufffe"])],
    "long": ["word " * 8_000, 1, 1, 1, "x" * 1_000, json.dumps("y" * 40_000)],
    "long without spaces": ["x" * 40_000, 1, "x" * 40_000, 1, "x" * 40_000, json.dumps({"k" * 2_000: "v" * 2_000})],
    "long and astral": ["𠮷" * 40_000, 1, 1, 1, None, json.dumps("👩\u200d👧" * 10_000)],
    "many lines": ["line\n" * 8_000, 1, "\r\n" * 300, 1, None, "[]"],
    "bidi": ["\u202eabc\u202c \u2067שלום (12)\u2069 مرحبا\u200f", 1, "שלום", 1, None, '{"مفتاح":"ערך"}'],
    "unclosed bidi": ["\u202e\u202d\u2066\u2067\u2068" * 50, 1, 1, 1, None, None],
    "combining": ["Z" + "\u0351\u036b\u0343\u0334" * 300, 1, "\u0301", 1, None, None],
    "huge": ["1" * 400, sys.float_info.max, 10**300, 1, 10**20, json.dumps(10**400)],
    "tiny": ["0", 5e-324, -(10**40), 0, Decimal("1E-400"), "[1e-999, -0.0, 1E+999]"],
    "exact": [Decimal("1.10"), Decimal("12345678901234567890.123456789"), 2**64, 1, None, "[1.10]"],
    "not finite": [float("nan"), float("-inf"), Decimal("NaN"), float("inf"), None, "[NaN, -Infinity]"],
    "year 1": ["", 1, 1, 1, datetime(1, 1, 1), '"0001-01-01"'],
    "year 9999": ["", 1, 1, 1, "9999-12-31T23:59:59.999999+00:00", None],
    "beyond the calendar": ["", 1, 1, 1, "9999-12-31T23:59:59-23:59", None],
    "1900": ["", 1, 1, 1, date(1900, 2, 28), None],
    "no date": ["", 1, 1, 1, "2024-02-29T25:61:61+00:00", None],
    "nearly a date": ["", 1, 1, 1, "2024-02-29Tnoon+00:00", None],
    "deep list": ["", 1, 1, 1, None, "[" * 200 + "]" * 200],
    "deep object": ["", 1, 1, 1, None, '{"k":' * 200 + "null" + "}" * 200],
    "too deep": ["", 1, 1, 1, None, "[" * 100_000 + "]" * 100_000],
    "many keys": ["", 1, 1, 1, None, json.dumps({f"key {n}": n for n in range(1_200)})],
    "hostile keys": ["", 1, 1, 1, None, json.dumps({"": 1, ".": 2, "\\": 3, "=1+1": 4, "a\nb": 5, "\x00": 6, "id": 7})],
    "no JSON": ["", 1, 1, 1, None, "{not JSON"],
    "formula": ["=HYPERLINK(\"http://x\")", 1, "=1+1", "@x", "-1+1", '"=1"'],
    "escapes": ["_x0041_ &#13; &amp; \\u0000 ]]>", 1, 1, 1, None, '"\\\\"'],
    "Typst": ["#read(\"/etc/passwd\") $x$ *a _b `c <d> @e = f\n+ g\n/ h: i", 1, "#panic()", 1, "#", '{"#k":"$"}'],
    "bytes": [b"\x00\xff", 1, 1, 1, None, [b"\xff"]],
}  # fmt: skip


def test_the_worst_that_is_known_is_in_the_file(format: str) -> None:
    check(format, [(values, ["=1", None], [values, NOTHING], values) for values in WORST.values()])


@pytest.mark.parametrize("name", WORST)
@pytest.mark.parametrize("format", [name for name in FORMATS if writer_class(name).spec.supports_flatten])
def test_the_worst_that_is_known_is_in_the_file_when_it_is_flattened(format: str, name: str) -> None:
    check(format, [(WORST[name], None, [WORST[name]], WORST[name])], flatten=True)
