"""One export sees one state of the data, whatever is written meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from arkham_shard_export.pipeline import check_request
from arkham_shard_export.pipeline.run import open_source
from arkham_shard_export.ports import system_clock
from arkham_shard_export.records import Adjustments
from arkham_shard_export.sources.location import Location, PostgresLocation, SqliteLocation
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.tables import create_statements, open_sqlite, sqlite_paths
from arkham_shard_export.targets import TARGETS

ROUNDS = 50
Execute = Callable[[str], object]


def sqlite_location(data_dir: Path) -> SqliteLocation:
    main, attached = sqlite_paths(data_dir.resolve())
    return SqliteLocation(str(main), {name: str(path) for name, path in attached.items()})


class Place:
    """A database that can be written in transactions while it is read."""

    def __init__(self, location: Location, data_dir: Path) -> None:
        self.location = location
        self._data_dir = data_dir

    @contextlib.contextmanager
    def writer(self) -> Iterator[Execute]:
        if isinstance(self.location, PostgresLocation):
            with psycopg.connect(self.location.url, autocommit=True) as connection:
                yield lambda sql: connection.execute(sql.encode())
            return
        with contextlib.closing(open_sqlite(self._data_dir)) as sqlite:
            yield sqlite.execute


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


def test_a_snapshot_spans_all_files_while_transactions_commit(place: Place) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        with place.writer() as execute:
            while not stop.is_set():
                number += 1
                execute("BEGIN")
                execute(f"INSERT INTO arkham_entities (id, name) VALUES ('entity-{number}', 'x')")
                execute(f"INSERT INTO arkham_frame.documents (id, filename) VALUES ('doc-{number}', 'x')")
                execute(f"INSERT INTO arkham_graph.nodes (id, label) VALUES ('node-{number}', 'x')")
                execute(f"INSERT INTO arkham_ach.matrices (id, title) VALUES ('matrix-{number}', 'x')")
                execute("COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    counts = []
    try:
        for _ in range(ROUNDS):
            snapshot = open_snapshot(place.location, system_clock)
            try:
                tables = (
                    "arkham_ach.matrices",
                    "arkham_entities",
                    "arkham_graph.nodes",
                    "arkham_frame.documents",
                )
                seen = {snapshot.fetch(f"SELECT COUNT(*) FROM {table}")[0][0] for table in tables}
            finally:
                snapshot.close()
            assert len(seen) == 1, f"the tables are of different states: {seen}"
            counts.append(seen.pop())
    finally:
        stop.set()
        writer.join()
    assert counts == sorted(counts)
    assert counts[-1] > counts[0], "the writer wrote meanwhile"


def test_what_is_written_during_an_export_is_not_in_it(place: Place, tmp_path: Path) -> None:
    if isinstance(place.location, PostgresLocation):
        seed_postgres(place.location.url, 3000)
    else:
        seed_sqlite(tmp_path, 3000)
    target = TARGETS["claims"]
    request = check_request("json", target, None, None)
    source = open_source(request, target, place.location, Adjustments(), system_clock)
    try:
        (section,) = source.sections()
        assert section.expected == 3000
        batches = section.read(None)
        read = len(next(batches))
        with place.writer() as execute:
            execute("UPDATE arkham_claims SET text = 'changed'")
            execute("DELETE FROM arkham_claim_evidence")
            execute("DELETE FROM arkham_claims WHERE id LIKE '%5'")
            execute("INSERT INTO arkham_claims (id, text) VALUES ('late', 'late')")
        evidence = 0
        for batch in batches:
            read += len(batch)
            for row in batch:
                record = dict(zip([column.name for column in section.columns], row, strict=True))
                assert record["text"] not in ("changed", "late")
                evidence += len(record["evidence"])
        assert read == 3000
        assert evidence > 0
    finally:
        source.close()
