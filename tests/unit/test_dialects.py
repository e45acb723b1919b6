"""Dates compare in SQLite exactly as they are shown in an export."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.models import ExportOptions
from arkham_shard_export.peers import CLAIMS, GRAPHS
from arkham_shard_export.periods import parse_instant
from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.schema import Column, Kind, Table
from arkham_shard_export.sources.dialects import (
    PostgresDialect,
    SqliteDialect,
    catalog_of,
    quoted,
    read_columns,
)
from arkham_shard_export.sources.values import canonical_timestamp


def in_sqlite(stored: object, comparison: str, moment: datetime) -> bool:
    """Whether a stored date compares so with a moment, by the SQL that a source would run."""
    dialect = SqliteDialect()
    instant, params = dialect.instant("day", "TIMESTAMP")
    mark, value = dialect.instant_value(moment)
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (day TEXT)")
        connection.execute("INSERT INTO t VALUES (?)", [stored])
        sql = f"SELECT COUNT(*) FROM t WHERE {instant} {comparison} {mark}"
        return connection.execute(sql, [*params, value]).fetchone() == (1,)


def up_to(end: str) -> datetime:
    before = ExportRequest("json", "claims", {}, ExportOptions(date_range_end=end)).selection().before
    assert before is not None
    return before


@pytest.mark.parametrize(
    "stored",
    [
        "2026-11-22",
        "2026-11-22 00:00",
        "2026-11-22 00:00:00",
        "2026-11-22T23:59:59Z",
        "2026-11-22T23:59:59.999Z",
        "2026-11-22T23:59:59.999999+00:00",
        "2026-11-23T01:59:59+02:00",
    ],
)
def test_a_date_only_end_covers_its_day_to_the_last_microsecond(stored: str) -> None:
    assert in_sqlite(stored, "<", up_to("2026-11-22"))


@pytest.mark.parametrize("stored", ["2026-11-23", "2026-11-23T00:00:00Z", "2026-11-22T23:00:00-01:00"])
def test_a_date_only_end_leaves_the_next_day_out(stored: str) -> None:
    assert not in_sqlite(stored, "<", up_to("2026-11-22"))


def test_a_record_at_the_very_end_of_a_range_is_in_it() -> None:
    assert in_sqlite("2026-11-22T13:00:00Z", "<", up_to("2026-11-22T13:00:00Z"))
    assert not in_sqlite("2026-11-22T13:00:00.000001Z", "<", up_to("2026-11-22T13:00:00Z"))


@pytest.mark.parametrize(
    "stored",
    [
        "2024-01-01",
        "2024-01-01T10:00",
        "2024-01-01 10:00Z",
        "2024-01-01 10:00+02:00",
        "2024-01-01 10:00:00+00",
        "2024-01-01 10:00:00+02",
        "2024-01-01T10:00:00-0330",
        "2024-01-01T10:00:00+0000",
        "2024-01-01T10:00:00+05:30",
        "2024-01-01T10:00:00,5Z",
        "2024-01-01 10:00:00.25-01",
        "2024-01-01 10:00:00 +02:00",
        "2024-01-01T10:00:00.123456789Z",
        "2024-01-01T10:00:00.9999999",
        "2024-01-01T10:00:00.5z",
        "1899-12-31T23:59:59.999999Z",
        "0001-01-01",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_every_form_of_date_that_is_shown_as_one_compares_as_the_moment_it_is_shown_as(stored: str) -> None:
    moment = parse_instant(canonical_timestamp(stored))
    assert moment is not None
    assert in_sqlite(stored, "=", moment)


@pytest.mark.parametrize(
    "stored",
    ["", "2024-02-30", "2023-02-29", "2024-04-31", "now", "12:00", "2460000.5", "soon", "2024", "2024-01-01x",
     "2024-01-01 about noon", "2024-01-01T10:00:00 UTC", "2024-01-01 10:00:00 (approx)", "2024-01-01T10:00:00.5x",
     "2024-01-01T25:00:00Z", "0000-01-01"],
)  # fmt: skip
def test_what_is_shown_as_text_compares_as_no_date(stored: str) -> None:
    assert parse_instant(canonical_timestamp(stored)) is None or canonical_timestamp(stored) == stored
    for comparison in ("<", ">="):
        assert not in_sqlite(stored, comparison, datetime(2020, 1, 1, tzinfo=UTC))


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(
        min_value=datetime(1, 1, 3),
        max_value=datetime(9999, 12, 29),
        timezones=st.none()
        | st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    ),
    st.sampled_from("T "),
    st.sampled_from(["auto", "seconds", "milliseconds", "microseconds"]),
)
def test_any_timestamp_compares_as_the_moment_it_is_shown_as(
    moment: datetime, separator: str, precision: str
) -> None:
    stored = moment.isoformat(separator, precision)
    shown = parse_instant(canonical_timestamp(stored))
    assert shown is not None
    assert in_sqlite(stored, "=", shown)


def test_an_identifier_is_quoted_whatever_it_holds() -> None:
    assert quoted('a"b; DROP') == '"a""b; DROP"'


def test_declared_columns_come_first_and_others_as_the_table_has_them_but_never_the_tenant() -> None:
    table = Table("t", (Column("id"), Column("gone"), Column("meta", Kind.JSON)))
    catalog = {"extra": "BIGINT", "meta": "TEXT", "tenant_id": "TEXT", "id": "TEXT", "day": "TIMESTAMP"}
    assert read_columns(table, catalog, SqliteDialect()) == (
        Column("id"),
        Column("meta", Kind.JSON),
        Column("extra", Kind.INTEGER),
        Column("day", Kind.TIMESTAMP),
    )


@pytest.mark.parametrize(
    ("column_type", "kind"),
    [("BOOLEAN", Kind.BOOLEAN), ("BIGINT", Kind.INTEGER), ("TIMESTAMP", Kind.TIMESTAMP), ("datetime", Kind.TIMESTAMP),
     ("JSON", Kind.JSON), ("JSONB", Kind.JSON), ("REAL", Kind.NUMBER), ("DOUBLE PRECISION", Kind.NUMBER),
     ("NUMERIC(10, 2)", Kind.NUMBER), ("TEXT", Kind.TEXT), ("", Kind.TEXT), ("VARCHAR(40)", Kind.TEXT)],
)  # fmt: skip
def test_an_unknown_column_of_sqlite_has_the_kind_of_its_type(column_type: str, kind: Kind) -> None:
    assert SqliteDialect().kind(column_type) is kind


@pytest.mark.parametrize(
    ("column_type", "kind"),
    [("boolean", Kind.BOOLEAN), ("bigint", Kind.INTEGER), ("timestamp without time zone", Kind.TIMESTAMP),
     ("timestamp(3) with time zone", Kind.TIMESTAMP), ("jsonb", Kind.JSON), ("text[]", Kind.JSON),
     ("numeric(10,2)", Kind.NUMBER), ("uuid", Kind.TEXT), ("character varying(40)", Kind.TEXT), ("bytea", Kind.TEXT)],
)  # fmt: skip
def test_an_unknown_column_of_postgresql_has_the_kind_of_its_type(column_type: str, kind: Kind) -> None:
    assert PostgresDialect().kind(column_type) is kind


@pytest.mark.parametrize(
    "dialect", [SqliteDialect(), PostgresDialect()], ids=lambda each: type(each).__name__
)
def test_every_mark_has_its_value(dialect: SqliteDialect | PostgresDialect) -> None:
    for sql, params in (
        dialect.catalog_query(CLAIMS),
        dialect.instant("day", "text"),
    ):
        assert sql.count("?") == len(params)
    mark, _ = dialect.instant_value(datetime(2026, 1, 1, tzinfo=UTC))
    assert mark.count("?") == 1


def test_a_table_is_named_with_its_schema() -> None:
    assert SqliteDialect().table(GRAPHS) == PostgresDialect().table(GRAPHS) == '"arkham_graph"."graphs"'
    assert SqliteDialect().table(CLAIMS) == '"arkham_claims"'


def test_a_table_without_columns_is_no_table() -> None:
    assert catalog_of([]) is None
    assert catalog_of([("id", "TEXT")]) == {"id": "TEXT"}
