"""Batches of real databases: one state of the data in all files, whatever is written, and whatever part fails."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import threading
import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arkham_shard_export.errors import DatabaseGone, InvalidRequest, PartFailed
from arkham_shard_export.formats.json import JsonWriter
from arkham_shard_export.pipeline import Outcome, crew, run
from arkham_shard_export.pipeline.crew import Crew
from arkham_shard_export.pipeline.direct import export_batch_directly
from arkham_shard_export.sinks.stream import StreamSink
from arkham_shard_export.sources.location import Location, PostgresLocation
from arkham_shard_export.sources.postgres import PostgresSnapshot
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.tables import create_statements, open_sqlite
from arkham_shard_export.targets import TARGETS
from tests.integration.crews import in_portions
from tests.integration.test_crew import gone
from tests.integration.test_snapshot import Execute, Place, sqlite_location
from tests.unit.memory import fixed_clock

ROUNDS = 50
KEPT = 12
"""So many of each record there are at a time; each transaction adds one of each target, and removes the oldest."""

SIX = [
    {"target": "documents", "format": "csv"},
    {"target": "entities", "format": "json"},
    {"target": "claims", "format": "json"},
    {"target": "timeline", "format": "csv"},
    {"target": "graph", "format": "csv"},
    {"target": "matrix", "format": "json"},
]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        with contextlib.closing(open_sqlite(tmp_path)) as connection:
            for statement in create_statements("sqlite"):
                connection.execute(statement)
        return Place(sqlite_location(tmp_path), tmp_path)
    url = request.getfixturevalue("postgres_url")
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in create_statements("postgresql"):
            connection.execute(statement.encode())
    return Place(PostgresLocation(url), tmp_path)


def exported(location: Location, parts: list[dict[str, Any]], **others: Any) -> tuple[bytes, Outcome]:
    stream = io.BytesIO()
    outcome = export_batch_directly(parts, location, StreamSink(stream), fixed_clock, **others)
    return stream.getvalue(), outcome


# One state


def write_generation(execute: Execute, number: int) -> None:
    """One transaction over all files: a new record of each target, each of which refers to others; the oldest go."""
    document, entity = f"d{number}", f"e{number}"
    old = number - KEPT
    execute("BEGIN")
    execute(f"INSERT INTO arkham_frame.documents (id, filename) VALUES ('{document}', 'x')")
    execute(
        f"INSERT INTO arkham_entities (id, name, document_ids) VALUES ('{entity}', 'x', '[\"{document}\"]')"
    )
    execute(
        "INSERT INTO arkham_claims (id, text, source_document_id, entity_ids)"
        f" VALUES ('c{number}', 'x', '{document}', '[\"{entity}\"]')"
    )
    execute(
        "INSERT INTO arkham_timeline_events (id, document_id, entities, date_start)"
        f" VALUES ('t{number}', '{document}', '[\"{entity}\"]', '2020-01-01 00:00:00')"
    )
    execute(f"INSERT INTO arkham_graph.nodes (id, graph_id, entity_id) VALUES ('n{number}', 'g', '{entity}')")
    execute(f"INSERT INTO arkham_ach.matrices (id, title) VALUES ('m{number}', 'x')")
    execute(
        "INSERT INTO arkham_ach.evidence (id, matrix_id, source_document_id)"
        f" VALUES ('v{number}', 'm{number}', '{document}')"
    )
    for table, key in (
        ("arkham_ach.evidence", "v"),
        ("arkham_ach.matrices", "m"),
        ("arkham_graph.nodes", "n"),
        ("arkham_timeline_events", "t"),
        ("arkham_claims", "c"),
        ("arkham_entities", "e"),
        ("arkham_frame.documents", "d"),
    ):
        execute(f"DELETE FROM {table} WHERE id = '{key}{old}'")
    execute("COMMIT")


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def references(data: bytes) -> tuple[dict[str, set[str]], list[tuple[str, str, str]]]:
    """The ids in each file; and who refers to what: the target that refers, the one referred to, and the id."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    documents, events = rows(files["01-documents.csv"]), rows(files["04-timeline.csv"])
    nodes = rows(files["05-graph/nodes.csv"])
    entities, claims, matrices = (
        json.loads(files[name]) for name in ("02-entities.json", "03-claims.json", "06-matrix.json")
    )
    ids = {
        "documents": {each["id"] for each in documents},
        "entities": {each["id"] for each in entities["records"]},
    }
    told = [("entities", "documents", to) for each in entities["records"] for to in each["document_ids"]]
    for each in claims["records"]:
        told.append(("claims", "documents", each["source_document_id"]))
        told += [("claims", "entities", to) for to in each["entity_ids"]]
    for row in events:
        told.append(("timeline", "documents", row["document_id"]))
        told += [("timeline", "entities", to) for to in json.loads(row["entities"])]
    told += [("graph", "entities", row["entity_id"]) for row in nodes]
    for each in matrices["records"]:
        assert each["evidence"], "a matrix of one state with the evidence of another"
        told += [("matrix", "documents", one["source_document_id"]) for one in each["evidence"]]
    return ids, told


def test_every_id_that_a_file_refers_to_is_in_the_other_while_all_is_being_written(place: Place) -> None:
    stop, filled = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        with place.writer() as execute:
            while not stop.is_set():
                number += 1
                write_generation(execute, number)
                if number == KEPT:
                    filled.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[int] = []
    try:
        assert filled.wait(60)
        for _ in range(ROUNDS):
            data, outcome = exported(place.location, SIX)
            assert outcome.consistent
            ids, told = references(data)
            assert {(from_, to) for from_, to, _ in told} == {
                ("entities", "documents"),
                ("claims", "documents"),
                ("claims", "entities"),
                ("timeline", "documents"),
                ("timeline", "entities"),
                ("graph", "entities"),
                ("matrix", "documents"),
            }
            missing = [each for each in told if each[2] not in ids[each[1]]]
            assert missing == [], "of another state"
            assert len(ids["documents"]) == len(ids["entities"]) == KEPT
            seen.append(max(int(each[1:]) for each in ids["documents"]))
    finally:
        stop.set()
        writer.join()
    assert seen == sorted(seen)
    assert seen[-1] > seen[0], "the writer wrote meanwhile"


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> list[Crew]:
    """Tables are large from one record on; the crews that are hired, as they come."""
    in_portions(monkeypatch, 20)
    hired: list[Crew] = []

    class Watched(Crew):
        def __init__(self, *given: Any) -> None:
            hired.append(self)
            super().__init__(*given)

    monkeypatch.setattr(run, "Crew", Watched)
    return hired


@pytest.fixture
def filled(place: Place, tmp_path: Path) -> Place:
    if isinstance(place.location, PostgresLocation):
        seed_postgres(place.location.url, 120)
    else:
        seed_sqlite(tmp_path, 120)
    return place


MIXED = [
    {"target": "claims", "format": "csv"},
    {"target": "documents", "format": "json"},
    {"target": "entities", "format": "xlsx"},
    {"target": "timeline", "format": "csv", "options": {"include_conflicts": True, "include_gaps": True}},
    {"target": "claims", "format": "json", "options": {"flatten": True}},
]


def test_one_crew_works_on_all_parts_and_the_bytes_are_those_of_one_process(
    filled: Place, crews: list[Crew]
) -> None:
    alone, _ = exported(filled.location, MIXED)
    assert crews == []
    together, outcome = exported(filled.location, MIXED, processes=2)
    assert len(crews) == 1
    assert gone(crews)
    assert together == alone
    assert outcome.completeness["written"] == 600


def test_members_of_a_crew_read_the_state_of_all_parts(place: Place, crews: list[Crew]) -> None:
    """The second part is read long after the snapshot: by then everything has changed."""
    with place.writer() as execute:
        for number in range(1, KEPT + 1):
            write_generation(execute, number)
    numbers = iter(range(KEPT + 1, 10_000))
    written = JsonWriter.end_section

    def end_section(self: JsonWriter) -> None:
        written(self)
        with place.writer() as execute:
            for _ in range(KEPT):
                write_generation(execute, next(numbers))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JsonWriter, "end_section", end_section)
        data, _ = exported(place.location, SIX, processes=2)
    assert len(crews) == 1
    ids, told = references(data)
    assert ids["documents"] == {f"d{number}" for number in range(1, KEPT + 1)}
    assert all(each[2] in ids[each[1]] for each in told)


# A part that fails


@pytest.fixture
def broken(filled: Place) -> Place:
    """Reading a claim fails in the database itself."""
    with filled.writer() as execute:
        execute("ALTER TABLE arkham_claims RENAME TO sound_claims")
        if isinstance(filled.location, PostgresLocation):
            execute(
                "CREATE VIEW arkham_claims AS SELECT id, text, CAST(1 / (length(id) - length(id)) AS text) AS status"
                " FROM sound_claims"
            )
        else:
            execute(
                "CREATE VIEW arkham_claims AS SELECT id, text, json_extract('broken', '$') AS status FROM sound_claims"
            )
    return filled


def test_a_part_that_the_database_cannot_read_leaves_the_snapshot_to_the_others(
    broken: Place, crews: list[Crew]
) -> None:
    parts = [SIX[0], SIX[2], SIX[1], {"target": "claims", "format": "csv"}, SIX[4]]
    with pytest.raises(PartFailed, match=r"^Part 2 \(Claims as JSON\) failed: Reading the database failed"):
        exported(broken.location, parts)
    data, outcome = exported(broken.location, parts, continue_on_error=True, processes=2)
    assert [each["status"] for each in outcome.parts] == [
        "completed",
        "failed",
        "completed",
        "failed",
        "completed",
    ]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(json.loads(archive.read("03-entities.json"))["records"]) == 120
    assert [name for name in names if name[:2].isdigit()] == [
        "01-documents.csv",
        "03-entities.json",
        "05-graph/nodes.csv",
        "05-graph/edges.csv",
    ]
    account = outcome.completeness
    assert account["failed_parts"] == [2, 4]
    assert account["expected"] == account["written"] + account["skipped"] == 600
    assert gone(crews)


def test_a_member_that_is_killed_fails_the_part_on_the_last_try_alone(
    filled: Place, crews: list[Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "HELD_BYTES", 1)
    begin = JsonWriter.begin

    def killing(self: JsonWriter, *given: Any) -> None:
        begin(self, *given)
        with contextlib.suppress(ProcessLookupError):
            os.kill(crews[-1].pids[1], signal.SIGKILL)

    monkeypatch.setattr(JsonWriter, "begin", killing)
    parts = [{"target": "claims", "format": "csv"}, SIX[1], {"target": "documents", "format": "csv"}]
    with pytest.raises(PartFailed, match="ended unexpectedly") as failed:
        exported(filled.location, parts, processes=2)
    assert failed.value.passing
    _, outcome = exported(filled.location, parts, processes=2, continue_on_error=True)
    assert [each["status"] for each in outcome.parts] == ["completed", "failed", "completed"]
    assert gone(crews)


def test_a_lost_connection_is_no_fault_of_a_part(postgres_url: str) -> None:
    seed = PostgresLocation(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in create_statements("postgresql"):
            connection.execute(statement.encode())
    seed_postgres(postgres_url, 30)
    stream = PostgresSnapshot.stream_sql

    def cut(self: PostgresSnapshot, sql: str, params: Any) -> Any:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            pid = self._connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        return stream(self, sql, params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PostgresSnapshot, "stream_sql", cut)
        patch.setattr(PostgresSnapshot, "stream", lambda self, query: cut(self, *query.sql()))
        with pytest.raises(DatabaseGone):
            exported(seed, SIX, continue_on_error=True)


# Requests


def test_every_wrong_field_of_every_part_is_named(filled: Place) -> None:
    parts: list[dict[str, Any]] = [
        {"target": "claims", "format": "csv"},
        {"target": "claim", "format": "csv"},
        {"target": "claims", "format": "cvs", "options": {"max_records": 0}, "filters": {"status": "x"}},
    ]
    with pytest.raises(InvalidRequest) as refused:
        exported(filled.location, parts)
    assert [each.field for each in refused.value.problems] == [
        "parts[1].target",
        "parts[2].format",
        "parts[2].filters.status",
        "parts[2].options.max_records",
    ]


# Other programs


def test_other_programs_open_the_zip(filled: Place, tmp_path: Path) -> None:
    data, _ = exported(filled.location, [{"target": name, "format": "csv"} for name in TARGETS])
    path = tmp_path / "batch.zip"
    path.write_bytes(data)
    ran = 0
    for words in (["unzip", "-t"], ["bsdtar", "-tf"], ["7z", "t"]):
        if shutil.which(words[0]):
            done = subprocess.run([*words, str(path)], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            ran += 1
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert all(each.flag_bits & 0x1 == 0 for each in archive.infolist())
    if not ran:
        pytest.skip("None of unzip, bsdtar and 7z is installed.")
