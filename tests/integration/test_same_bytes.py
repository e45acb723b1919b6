"""The fast path, by columns and in portions by a crew, gives the bytes that one process gives value by value."""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import psycopg
import pytest

from arkham_shard_export.formats import delimited, nesting
from arkham_shard_export.formats.workbook import rows as workbook_rows
from arkham_shard_export.pipeline import Outcome
from arkham_shard_export.pipeline.crew import Crew
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.columns import ColumnConverters, ConvertColumn
from arkham_shard_export.sources.location import Location, PostgresLocation
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.seed_words import SAMPLES
from arkham_shard_export.standalone.tables import create_statements
from arkham_shard_export.targets import TARGETS
from tests.conftest import new_database
from tests.golden.hostile import fill
from tests.integration.crews import exported, in_portions
from tests.readers import sheets
from tests.unit.case import Case, opened

export_module = sys.modules["arkham_shard_export.pipeline.export"]
SEEDED = 260
PORTION_ROWS = 30
FORMATS = ("csv", "json", "xlsx")
CREWED = ("documents", "entities", "claims", "graph")
EXTRA = ('we"ird', "back\\slash", "100%", "what?", "a,b", "=1", "東京", "%s{}", "line\nend", "_x0041_", "<&>")
MOMENTS = (
    "2024-02-29",
    "2024-02-29 12:00:00.120",
    "2024-02-29T12:00:00Z",
    "2024-02-29T12:00:00.000000+00:00",
    "2024-02-29T12:00:00.123456+00:00",
    "2024-02-29T23:59:59-11:30",
    "2023-02-29T12:00:00+00:00",
    "0001-01-01T00:00:00+14:00",
    "1899-12-31T00:00:00+00:00",
    "9999-12-31T23:59:59.999999",
    "soon",
    "",
)
JSONS = (
    '{"a": "\\ud800", "b": NaN}',
    '{"pair": "\\ud83d\\ude00", "n": 1e400, "big": 12345678901234567890123}',
    "{broken",
    '  [ 1 , "x\\ny" ]  ',
    "-Infinity",
    "1.0",
    '"=cmd"',
    '{"a": 1, "a": 2}',
    "",
)
LONG = (
    "=" + 'long text, "quoted" ' * 2000,
    "ü" * 32_768,
    "😀" * 16_384,
    "x" * 32_767,
    "<" * 20_000,
    "y\r\n" * 11_000,
)


def spoil_sqlite(case: Case) -> None:
    """What SQLite holds where nothing of the kind was meant, in rows between those of the seed."""
    execute = case.connection.execute
    for name in EXTRA:
        quoted = name.replace('"', '""')
        execute(f'ALTER TABLE arkham_claims ADD COLUMN "{quoted}"')
        execute(f'UPDATE arkham_claims SET "{quoted}" = rowid % 7 WHERE rowid % 3 = 0')
    execute(
        """UPDATE arkham_claims SET "100%" = '-' || rowid, "what?" = CAST(rowid AS TEXT) WHERE rowid % 5 = 1"""
    )
    for number, (text, moment, json_text) in enumerate(
        zip(LONG * 4, cycle(MOMENTS), cycle(JSONS), strict=False)
    ):
        values = (text, moment, json_text, number * 9 + 40)
        execute("UPDATE arkham_claims SET text = ?, created_at = ?, metadata = ? WHERE rowid = ?", values)
    for number, moment in enumerate(MOMENTS * 3):
        execute("UPDATE arkham_claims SET updated_at = ? WHERE rowid = ?", (moment, number + 100))
    for statement in (
        "UPDATE arkham_claims SET text = CAST(x'61ff62c3' AS TEXT) WHERE rowid IN (77, 200, 201)",
        "UPDATE arkham_claims SET source_context = x'00ff10' WHERE rowid % 11 = 3",
        "UPDATE arkham_claims SET confidence = 9e999 WHERE rowid % 13 = 5",
        "UPDATE arkham_claims SET confidence = -9e999 WHERE rowid % 17 = 5",
        "UPDATE arkham_claims SET confidence = 'high' WHERE rowid % 19 = 5",
        "UPDATE arkham_claims SET confidence = 12345678901234567 WHERE rowid % 23 = 5",
        "UPDATE arkham_claims SET status = NULL WHERE rowid % 29 = 0",
        "UPDATE arkham_claims SET status = 7 WHERE rowid % 31 = 0",
        "UPDATE arkham_claims SET metadata = x'7b7d' WHERE rowid % 37 = 0",
        "UPDATE arkham_claims SET metadata = 12 WHERE rowid % 41 = 0",
        "DELETE FROM arkham_claims WHERE rowid BETWEEN 140 AND 190",
        "UPDATE arkham_claims SET rowid = -rowid WHERE rowid BETWEEN 5 AND 30",
        "UPDATE arkham_claim_evidence SET excerpt = CAST(x'ff' AS TEXT) WHERE rowid % 50 = 1",
        "UPDATE arkham_claim_evidence SET metadata = '{bad' WHERE rowid % 40 = 1",
        "UPDATE arkham_entities SET rowid = -9223372036854775807 - 1 WHERE rowid = 60",
        "UPDATE arkham_entities SET rowid = 9223372036854775807 WHERE rowid = 61",
        "UPDATE arkham_entities SET rowid = rowid * 1000000000000000 WHERE rowid > 61 AND rowid < 9000",
        "UPDATE arkham_frame.documents SET file_size = 'large', filename = CAST(x'e9' AS TEXT) WHERE rowid % 15 = 2",
        "UPDATE arkham_frame.pages SET text = ' ' || substr(text || text || text, 1, 40000) WHERE rowid % 9 = 0",
    ):
        execute(statement)
    for number in range(80):
        execute(
            "INSERT INTO arkham_graph.graphs (id, project_id) VALUES (?, ?)", (f"g{number}", f"=p{number}")
        )


def spoil_postgres(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        execute = connection.execute
        kinds = (
            "text",
            "numeric",
            "json",
            "bytea",
            "text[]",
            "timestamptz",
            "date",
            "uuid",
            "real",
            "interval",
            "bigint",
        )
        for name, kind in zip(EXTRA, kinds, strict=True):
            quoted = name.replace('"', '""')
            execute(f'ALTER TABLE arkham_claims ADD COLUMN "{quoted}" {kind}'.encode())
        ids = [row[0] for row in execute("SELECT id FROM arkham_claims ORDER BY ctid")]
        texts = [text.replace("\0", "") for text in (*SAMPLES, *LONG)]
        jsons = ['{"half": "\\ud800"}', '{"n": 1e400, "a": 1, "a": 2}', " [ 1.10 ] ", "null", None]
        numerics = ["NaN", "Infinity", "1.10", "12345678901234567890.5", "-7", "1E-20", None]
        moments = ["-infinity", "0001-01-01 BC", "2024-02-29 12:00:00.5+02", "2024-02-29", "infinity", None]
        for place, (key, text) in enumerate(zip(ids, texts + texts, strict=False)):
            execute(
                'UPDATE arkham_claims SET text = %s, source_context = %s, "we""ird" = %s, "back\\slash" = %s,'
                ' "100%%" = %s, "what?" = %s, "a,b" = %s, "=1" = %s, "東京" = %s, "%%s{}" = %s, "line\nend" = %s,'
                ' "_x0041_" = %s, "<&>" = %s, confidence = %s WHERE id = %s',
                [
                    text,
                    texts[-1 - place % len(texts)],
                    text[:50],
                    numerics[place % 7],
                    jsons[place % 5],
                    text.encode()[:90],
                    [text[:9], None],
                    moments[place % 6],
                    ["0044-03-15 BC", "2024-02-29", None][place % 3],
                    "6ccd780c-baba-1026-9564-5b8c656024db" if place % 2 else None,
                    ["NaN", "Infinity", "0.1", None][place % 4],
                    ["1 day", None][place % 2],
                    2**62 + place,
                    ["NaN", "-Infinity", "0.125"][place % 3],
                    key,
                ],
            )
        execute("DELETE FROM arkham_claims WHERE id = ANY(%s)", [ids[-90:-40]])
        keys = [row[0] for row in execute("SELECT id FROM arkham_frame.documents ORDER BY ctid")]
        for place, (key, text) in enumerate(zip(keys, texts + texts, strict=False)):
            values = [
                text,
                texts[(place + 7) % len(texts)],
                moments[place % 6],
                json.dumps([text, numerics[place % 7]]),
                key,
            ]
            execute(
                "UPDATE arkham_frame.documents SET filename = %s, error = %s, created_at = %s, metadata = %s"
                " WHERE id = %s",
                values,
            )
        for number in range(80):
            execute(
                "INSERT INTO arkham_graph.graphs (id, project_id) VALUES (%s, %s)",
                [f"g{number}", f"=p{number}"],
            )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Location]:
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("same")
        with opened(folder) as case:
            fill(case)
            seed_sqlite(folder, SEEDED)
            spoil_sqlite(case)
            yield case.location
        return
    url = new_database(request.getfixturevalue("postgres_server"))
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in create_statements("postgresql"):
            connection.execute(statement.encode())
    seed_postgres(url, SEEDED)
    spoil_postgres(url)
    yield PostgresLocation(url)


def by_values(patch: pytest.MonkeyPatch) -> None:
    """Every value, cell and row by its own rule."""

    def converter(self: ColumnConverters, kind: Kind) -> ConvertColumn:
        convert = self._canonical.converter(kind)
        return lambda values: [convert(value) for value in values]

    encoder = delimited.Cells.encoder

    def cells(self: delimited.Cells, column: Column) -> Any:
        if column.kind is Kind.JSON:
            return lambda values: ["" if value is None else self._quoting.one(value) for value in values]
        if column.kind in (Kind.RECORD, Kind.RECORDS):
            return encoder(self, column)
        if column.kind is Kind.TIMESTAMP and self._moments is not None:
            moments = self._moments
            return lambda values: [self.scalar(moments.cell(value)) for value in values]
        return lambda values: [self.scalar(value) for value in values]

    def record(names: Any) -> Any:
        return lambda *values: dict(zip(names, values, strict=True))

    patch.setattr(export_module, "rules_of", lambda _writer, _options: None)
    patch.setattr(ColumnConverters, "converter", converter)
    patch.setattr(delimited.Cells, "encoder", cells)
    patch.setattr(nesting, "_record", record)
    patch.setattr(workbook_rows, "long_rows", lambda columns: range(len(columns[0])))


def account(outcome: Outcome) -> tuple[Any, ...]:
    return outcome.record_count, outcome.completeness, outcome.adjustments, outcome.file_extension


def contents(format: str, data: bytes, ordered: bool) -> Any:
    """What does not depend on the size of batches: widths of columns and the order of the sheet Long text do.

    `ordered` false leaves out the order of records, which is that of an index where a whole table is read by one.
    """
    if format == "xlsx":
        found = {name: list(map(repr, rows)) for name, rows in sheets(data).items()}
        return {
            name: rows if ordered and name != "Long text" else sorted(rows) for name, rows in found.items()
        }
    if ordered:
        return data
    parts = [data]
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [archive.read(name) for name in archive.namelist()]
    return [sorted(re.split(rb",?\r?\n", part)) for part in parts]


def compare(
    location: Location,
    format: str,
    target: str,
    members: tuple[int, ...],
    filters: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    """By values and whole; by columns and whole; in portions by values; in portions by columns, alone and by crews."""
    hired: list[int] = []
    hire = Crew.__init__

    def counting(self: Crew, *given: Any) -> None:
        hired.append(given[-1])
        hire(self, *given)

    with pytest.MonkeyPatch.context() as patch:
        by_values(patch)
        simple, expected = exported(location, format, target, filters, **options)
        in_portions(patch, PORTION_ROWS)
        simple_portions, in_portions_expected = exported(location, format, target, filters, **options)
    assert account(in_portions_expected) == account(expected)
    if simple_portions != simple:
        assert contents(format, simple_portions, not filters) == contents(format, simple, not filters)
    found, outcome = exported(location, format, target, filters, **options)
    assert (found, account(outcome)) == (simple, account(expected))
    with pytest.MonkeyPatch.context() as patch:
        in_portions(patch, PORTION_ROWS)
        patch.setattr(Crew, "__init__", counting)
        for processes in (1, *members):
            found, outcome = exported(location, format, target, filters, processes, **options)
            assert found == simple_portions, f"by {processes} processes"
            assert account(outcome) == account(expected), f"by {processes} processes"
    alone = target not in CREWED or options.get("flatten") or options.get("sort_by")
    assert hired == ([] if alone else list(members))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("target", TARGETS)
def test_the_fast_path_gives_the_bytes_and_the_account_of_the_simple_path(
    location: Location, target: str, format: str
) -> None:
    annexes = (
        {"include_conflicts": True, "include_gaps": True, "group_by": "week"} if target == "timeline" else {}
    )
    members = (2, 3) if target == "claims" else (3,) if target == "entities" else (2,)
    compare(location, format, target, members, **annexes)


VARIANTS: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("csv", "claims", {}, {"include_relationships": False}),
    ("csv", "claims", {}, {"include_relationships": False, "spreadsheet_safe": False}),
    ("csv", "documents", {}, {"include_relationships": False}),
    ("csv", "documents", {}, {"include_relationships": False, "spreadsheet_safe": False}),
    ("csv", "graph", {}, {"include_relationships": False}),
    ("json", "entities", {}, {"include_relationships": False}),
    ("xlsx", "documents", {}, {"include_relationships": False}),
    ("csv", "claims", {}, {"spreadsheet_safe": False}),
    ("json", "claims", {}, {"include_metadata": False}),
    ("xlsx", "claims", {}, {"include_metadata": False}),
    ("csv", "claims", {"status": ["verified", "disputed"]}, {}),
    ("xlsx", "claims", {"claim_type": ["factual"]}, {}),
    ("json", "documents", {"status": ["parsed", "processed"]}, {}),
    ("json", "entities", {"entity_type": ["PERSON", "LOCATION"]}, {}),
    ("csv", "graph", {}, {"entity_types": ["PERSON"]}),
    ("json", "claims", {}, {"date_range_start": "2020-01-01", "date_range_end": "2024-12-31"}),
    ("csv", "claims", {}, {"max_records": 100_000}),
    ("json", "graph", {}, {"max_records": SEEDED}),
    ("csv", "claims", {}, {"columns": ["verified_at", "text", "id", "created_at"]}),
    ("csv", "claims", {}, {"columns": ["evidence", {"name": "text", "label": "=1"}]}),
    ("csv", "claims", {}, {"columns": ["text"], "csv": "semicolon"}),
    ("csv", "documents", {}, {"columns": ["project", "filename"]}),
    ("csv", "claims", {}, {"include_relationships": False, "csv": "excel"}),
    ("csv", "claims", {}, {"include_relationships": False, "time_zone": "America/New_York"}),
    ("csv", "claims", {}, {"csv": {"delimiter": "\t", "quote": "'", "line_end": "lf", "encoding": "windows-1252"}}),
    ("csv", "claims", {}, {"csv": {"encoding": "utf-16"}, "time_zone": "Europe/Berlin", "date_format": "%d.%m.%y %H:%M"}),
    ("csv", "graph", {}, {"columns": {"edges": ["target_id", "weight"], "nodes": ["label"]}, "csv": "semicolon"}),
    ("json", "claims", {}, {"columns": {"records": ["evidence", "created_at"], "evidence": ["added_at", "notes"]}, "time_zone": "Asia/Kolkata"}),
    ("json", "entities", {}, {"columns": {"records": ["relationships"], "relationships": ["direction", "target_id"]}}),
    ("xlsx", "claims", {}, {"time_zone": "Europe/Berlin", "date_format": "%d.%m.%Y"}),
    ("xlsx", "claims", {}, {"columns": {"records": ["evidence", {"name": "created_at", "label": "When"}, "text"], "evidence": ["excerpt"]}}),
)  # fmt: skip
ALONE: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("csv", "claims", {}, {"flatten": True}),
    ("json", "documents", {}, {"flatten": True}),
    ("xlsx", "claims", {}, {"flatten": True}),
    ("csv", "claims", {}, {"sort_by": "created_at", "sort_order": "desc"}),
    ("json", "claims", {}, {"max_records": 77}),
)


@pytest.mark.parametrize(("format", "target", "filters", "options"), VARIANTS, ids=json.dumps)
def test_it_does_so_with_every_option(
    location: Location, format: str, target: str, filters: dict[str, Any], options: dict[str, Any]
) -> None:
    compare(location, format, target, (2,), filters, **options)


@pytest.mark.parametrize(("format", "target", "filters", "options"), ALONE, ids=json.dumps)
def test_it_does_so_where_one_process_does_all_the_work(
    location: Location, format: str, target: str, filters: dict[str, Any], options: dict[str, Any]
) -> None:
    # What is cut off by a limit is known only once all is counted, when the crew has been hired.
    compare(location, format, target, () if "max_records" in options else (2,), filters, **options)


@pytest.mark.parametrize("kind", ["numeric", "bigint", "text", "uuid"])
def test_long_texts_stand_beside_the_same_key_whatever_its_type(
    kind: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE arkham_claims (id {kind}, text text)".encode())
        key = "CAST(lpad(n::text, 32, '0') AS uuid)" if kind == "uuid" else f"CAST(n AS {kind})"
        connection.execute(
            f"INSERT INTO arkham_claims SELECT {key}, repeat('x', 40000) FROM generate_series(1, 40) n".encode()
        )
    in_portions(monkeypatch, 10)
    location = PostgresLocation(postgres_url)
    assert exported(location, "xlsx", "claims", processes=2) == exported(location, "xlsx", "claims")
