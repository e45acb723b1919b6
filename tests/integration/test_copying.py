"""CSV that PostgreSQL writes itself: the bytes and counts of what is encoded here, and doubts where it cannot tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import sql

from arkham_shard_export.formats.csv import CsvWriter
from arkham_shard_export.pipeline.portions import parts_of
from arkham_shard_export.ports import system_clock
from arkham_shard_export.records import Adjustments, Delimited, Part, Portion
from arkham_shard_export.schema import Column, Kind, RecordSet, Table, Target
from arkham_shard_export.sources.location import PostgresLocation
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.selection import Extent, Selection
from arkham_shard_export.sources.tables import TableSource

EVERYWHERE: Portion = (0, 10_000)


@pytest.fixture
def url(postgres_url: str) -> str:
    with psycopg.connect(postgres_url) as connection:
        if connection.info.server_version < 160000:
            pytest.skip("before PostgreSQL 16 nothing is copied")
    return postgres_url


def table(url: str, columns: dict[str, str], rows: list[tuple[Any, ...]]) -> None:
    with psycopg.connect(url) as connection:
        defined = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()
        )
        connection.execute(sql.SQL("CREATE TABLE things ({})").format(defined))
        marks = sql.SQL(", ").join([sql.Placeholder()] * len(columns))
        connection.cursor().executemany(sql.SQL("INSERT INTO things VALUES ({})").format(marks), rows)


class Read:
    """The table as copied, as encoded here, and as an export has it, each with what was guarded."""

    def __init__(self, url: str, columns: tuple[Column, ...], **options: Any) -> None:
        target = Target("things", "", "", (RecordSet("records", Table("things", columns)),))
        adjustments = Adjustments()
        with closing(open_snapshot(PostgresLocation(url), system_clock)) as snapshot:
            source = TableSource(snapshot, target, Selection(), Extent(), adjustments)
            section, portions = source.apart("records")
            encode = CsvWriter.encoder(section, "things", options, adjustments)
            rules = CsvWriter.delimited(options)
            self.copied: list[Part | None] = (
                list(portions.copy(rules, EVERYWHERE)) if portions.copy else [None]
            )
            adjustments.counts.clear()
            self.encoded = joined(parts_of(portions, EVERYWHERE, encode, None))
            self.encoded_counts = dict(adjustments.counts)
            adjustments.counts.clear()
            self.exported = joined(parts_of(portions, EVERYWHERE, encode, rules))
            self.exported_counts = dict(adjustments.counts)

    @property
    def copied_rows(self) -> int:
        return sum(part[1] for part in self.copied if part is not None)

    @property
    def doubted(self) -> bool:
        return self.copied[-1] is None

    def agrees(self) -> bool:
        return (self.exported, self.exported_counts) == (self.encoded, self.encoded_counts)


def joined(parts: Iterator[Part]) -> bytes:
    return b"".join(data for data, _ in parts)


TEXTS = [
    None, "", " ", "plain", 'a "quote"', "a,b", "a\nb", "a\r\nb", "a\rb", "=1+1", "+49 30 123456", "+49", "-5", "-5.5e3",
    "-", "@x", "\ttab", "\rcr", "=", "--", "+1-2", ".5", "-.5", "1.", "'=quoted", "\\.", "\\N", "é", "日本語", "👩‍👩‍👧‍👦",
    "x" * 40_000, ",", '"', '""', "\x01", "٣", "-٣", "a?b%c", "=?", "%s",
]  # fmt: skip


def test_text_is_copied_guarded_and_counted_as_it_is_encoded(url: str) -> None:
    table(url, {"id": "text", "text": "varchar"}, [(str(n), text) for n, text in enumerate(TEXTS)])
    read = Read(url, (Column("id"), Column("text")))
    assert not read.doubted
    assert read.copied_rows == len(TEXTS)
    assert joined(part for part in read.copied if part is not None) == read.encoded
    assert read.encoded_counts == {"formula_guard": 11}
    assert read.agrees()


def test_text_is_copied_as_it_is_where_no_guard_is_wanted(url: str) -> None:
    table(url, {"id": "text", "text": "text"}, [(str(n), text) for n, text in enumerate(TEXTS)])
    read = Read(url, (Column("id"), Column("text")), spreadsheet_safe=False)
    assert not read.doubted
    assert read.encoded_counts == {}
    assert read.agrees()


VALUES: list[tuple[str, Kind, str, list[Any], list[Any]]] = [
    ("double precision", Kind.NUMBER, "float", [None, 0.0, -0.0, 1.0, 0.1, -2.5, 1e-4, 1e-5, 1e-320, 123456789.125, 99999999999999.0], [1e15, 1e16, 1e300, float("nan"), float("inf")]),
    ("real", Kind.NUMBER, "real", [None, 0.0, 0.499, 1.0, 99999.0, 1e-5, -0.1], [1e5, 1e10, float("nan")]),
    ("numeric", Kind.NUMBER, "numeric", [None, 0, 1, "1.10", "-0.000001", "123456789012.345"], ["0.0000001", "0.00000000", "1e20", "NaN", "-0.0000009"]),
    ("bigint", Kind.INTEGER, "whole", [None, 0, -1, 2**62], []),
    ("boolean", Kind.BOOLEAN, "boolean", [None, True, False], []),
    ("boolean", Kind.TEXT, "boolean as text", [None, True, False], []),
    ("bigint", Kind.TEXT, "whole as text", [None, -5, 7], []),
    ("uuid", Kind.TEXT, "uuid", [None, "6F9619FF-8B86-D011-B42D-00CF4FC964FF"], []),
    ("text", Kind.TIMESTAMP, "moment", [None, "2024-02-29T12:00:00+00:00", "2024-02-29T12:00:00.120000+00:00", "2024-13-45T99:00:00+00:00", "9999-99-99T,,:\"\":  +00:00"],
     ["2024-02-29T12:00:00.000000+00:00", "2024-02-29 12:00:00", "2024-02-29T12:00:00Z", "2024-02-29T14:00:00+02:00", "about 2024", "", "=024-02-29T12:00:00+00:00", "2024-02-29"]),
    ("text", Kind.JSON, "json", [None, "{}", "[1, 2]", ' {"a" : "b, c"} ', '"text"', "-5", "null", '{"a":"\\u00e9"}', '{"a":1,"a":2}', "1e400", '"=1"'],
     ["", "{", "{'a':1}", "[1,]", '{\n"a":1}', '"\\ud800"', '"\\uD83D\\uDE00"', "NaN", "01", "[" * 9_000 + "]" * 9_000, '["' + "x" * 20_000 + '"]']),
]  # fmt: skip


@pytest.mark.parametrize(
    ("column_type", "kind", "plain", "doubtful"),
    [pytest.param(kind, what, plain, doubtful, id=name) for kind, what, name, plain, doubtful in VALUES],
)
def test_values_are_copied_as_they_are_encoded_or_doubted(
    url: str, column_type: str, kind: Kind, plain: list[Any], doubtful: list[Any]
) -> None:
    columns = (Column("id"), Column("value", kind, in_text=True))
    table(url, {"id": "text", "value": column_type}, [(str(n), value) for n, value in enumerate(plain)])
    read = Read(url, columns)
    assert not read.doubted
    assert read.copied_rows == len(plain)
    assert joined(part for part in read.copied if part is not None) == read.encoded
    assert read.agrees()
    for value in doubtful:
        with psycopg.connect(url) as connection:
            connection.execute("DELETE FROM things WHERE id = 'doubtful'")
            connection.execute("INSERT INTO things VALUES ('doubtful', %s), ('after', NULL)", [value])
        read = Read(url, columns)
        assert read.doubted, value
        assert read.agrees(), value


def test_rows_before_a_doubtful_one_are_copied_and_those_from_it_on_are_read(url: str) -> None:
    rows = [(str(n), "{" if n == 1_700 else '{"n": 1}') for n in range(3_000)]
    table(url, {"id": "text", "value": "text"}, rows)
    read = Read(url, (Column("id"), Column("value", Kind.JSON, in_text=True)))
    assert read.doubted
    assert read.copied_rows == 1_700
    assert read.encoded_counts == {"invalid_json": 1}
    assert read.agrees()


@pytest.mark.parametrize("column_type", ["jsonb", "json", "text[]", "timestamp", "bytea", "date", "inet"])
def test_what_has_no_expression_is_read(url: str, column_type: str) -> None:
    table(url, {"id": "text", "value": column_type}, [("1", None)])
    kind = {"jsonb": Kind.JSON, "json": Kind.JSON, "timestamp": Kind.TIMESTAMP}.get(column_type, Kind.TEXT)
    read = Read(url, (Column("id"), Column("value", kind)))
    assert read.copied == [None]
    assert read.agrees()


def test_a_single_column_is_read_because_a_line_of_one_null_would_be_empty(url: str) -> None:
    table(url, {"id": "text"}, [(None,), ("a",)])
    read = Read(url, (Column("id"),))
    assert read.copied == [None]
    assert read.encoded == b'""\r\na\r\n'


def test_leaving_a_copy_early_keeps_the_snapshot(url: str) -> None:
    table(url, {"id": "text", "text": "text"}, [(str(n), "x" * 1_000) for n in range(5_000)])
    target = Target(
        "things", "", "", (RecordSet("records", Table("things", (Column("id"), Column("text")))),)
    )
    with closing(open_snapshot(PostgresLocation(url), system_clock)) as snapshot:
        source = TableSource(snapshot, target, Selection(), Extent(), Adjustments())
        _, portions = source.apart("records")
        assert portions.copy is not None
        parts = portions.copy(Delimited("", ""), EVERYWHERE)
        assert next(parts) is not None
        parts.close()  # type: ignore[attr-defined]
        with psycopg.connect(url) as other:
            other.execute("DELETE FROM things")
        assert sum(len(batch) for batch in portions.read(EVERYWHERE)) == 5_000
