"""Large exports by several processes: one state of the data, every record once, and nobody left behind."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from arkham_shard_export.errors import Cancelled, CrewFailed, SnapshotBusy, SourceFailed, StoreFailed
from arkham_shard_export.pipeline import check_request, crew, export_to_store, open_source, run
from arkham_shard_export.pipeline.crew import Crew, PortionDone
from arkham_shard_export.ports import system_clock
from arkham_shard_export.records import Adjustments
from arkham_shard_export.sinks.file import FileSink
from arkham_shard_export.sources import sqlite as sqlite_source
from arkham_shard_export.sources.custom import CustomSource
from arkham_shard_export.sources.location import Location, PostgresLocation, SqliteLocation
from arkham_shard_export.sources.tables import TableSource
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.tables import create_statements, open_sqlite
from arkham_shard_export.store_location import FolderLocation
from arkham_shard_export.targets import TARGETS
from tests.hosts import END_SECONDS
from tests.integration.crews import exported, in_portions
from tests.integration.test_crash import alive
from tests.integration.test_snapshot import sqlite_location

RECORDS = 3000
ROUNDS = 8
SHARED = 400
pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def crews(monkeypatch: pytest.MonkeyPatch) -> list[Crew]:
    """Tables are large from one record on; the crews that are hired, as they come."""
    in_portions(monkeypatch, 100)
    hired: list[Crew] = []

    class Watched(Crew):
        def __init__(self, *given: Any) -> None:
            hired.append(self)
            super().__init__(*given)

    monkeypatch.setattr(run, "Crew", Watched)
    return hired


def gone(crews: list[Crew]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for each in crews for pid in each.pids)


def opening(
    location: Location, format: str = "json", target: str = "claims", processes: int = 2, **options: Any
) -> TableSource:
    request = check_request(format, TARGETS[target], None, options)
    return open_source(request, TARGETS[target], location, Adjustments(), system_clock, processes)


# One state


class Place:
    """A database whose records all say the same number, which a writer changes in one transaction."""

    def __init__(self, location: Location, folder: Path, target: str) -> None:
        self.location = location
        self.target = target
        self._folder = folder

    @contextlib.contextmanager
    def writer(self) -> Iterator[Callable[[int], None]]:
        statements = (
            "UPDATE arkham_claims SET source_start_char = {}",
            "UPDATE arkham_claim_evidence SET excerpt = '{}'",
        )
        if self.target == "documents":
            statements = (
                "UPDATE arkham_frame.documents SET file_size = {}",
                "UPDATE arkham_entity_mentions SET start_offset = {}",
            )
        if isinstance(self.location, PostgresLocation):
            opened: Any = psycopg.connect(self.location.url, autocommit=True)
        else:
            opened = open_sqlite(self._folder)
        with closing(opened) as connection:

            def write(number: int) -> None:
                connection.execute("BEGIN")
                for statement in statements:
                    connection.execute(statement.format(number))
                connection.execute("COMMIT")

            write(0)
            yield write

    def numbers(self, data: bytes) -> set[int]:
        records = json.loads(data)["records"]
        assert len(records) == SHARED
        if self.target == "documents":
            own = {record["file_size"] for record in records}
            return own | {each["start_offset"] for record in records for each in record["mentions"]}
        own = {record["source_start_char"] for record in records}
        return own | {int(each["excerpt"]) for record in records for each in record["evidence"]}


@pytest.fixture(params=["one file", "several files", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
        fill_postgres(url, SHARED, "documents")
        return Place(PostgresLocation(url), tmp_path, "documents")
    seed_sqlite(tmp_path, SHARED, targets=("claims", "documents"))
    location = sqlite_location(tmp_path)
    if request.param == "several files":
        return Place(location, tmp_path, "documents")
    return Place(SqliteLocation(location.path), tmp_path, "claims")


def fill_postgres(url: str, records: int, target: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in create_statements("postgresql"):
            connection.execute(statement.encode())
    seed_postgres(url, records, targets=(target,))


def test_all_members_read_one_state_while_a_writer_commits(place: Place, crews: list[Crew]) -> None:
    stop, begun = threading.Event(), threading.Event()
    slowest = 0.0
    written = 0

    def go_on() -> None:
        nonlocal slowest, written
        with place.writer() as write:
            begun.set()
            while not stop.is_set():
                started = time.monotonic()
                write(written + 1)
                written += 1
                slowest = max(slowest, time.monotonic() - started)

    writer = threading.Thread(target=go_on)
    writer.start()
    begun.wait()
    seen: list[int] = []
    try:
        for _ in range(ROUNDS):
            data, outcome = exported(place.location, "json", place.target, processes=2)
            assert outcome.consistent
            numbers = place.numbers(data)
            assert len(numbers) == 1, f"of different states: {sorted(numbers)}"
            seen += numbers
    finally:
        stop.set()
        writer.join()
    assert len(crews) == ROUNDS
    assert seen == sorted(seen)
    assert seen[-1] > seen[0]
    assert written >= seen[-1]
    # Its busy timeout is 5 seconds, after which it would have failed.
    assert slowest < 3
    assert gone(crews)


def test_writers_are_not_held_off_while_members_start(
    tmp_path: Path, crews: list[Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    seed_sqlite(tmp_path, 50, targets=("claims",))
    location = sqlite_location(tmp_path)
    # Each member is a writer first, before it can begin; the employer waits for it.
    start_with(
        monkeypatch,
        f"import sqlite3\nwriter = sqlite3.connect({location.path!r}, timeout=5, isolation_level=None)\n"
        "writer.execute('BEGIN IMMEDIATE')\nwriter.execute('ROLLBACK')\nwriter.close()",
    )
    _, outcome = exported(location, "json", "claims", processes=2)
    assert outcome.record_count == 50
    assert len(crews) == 1


# Failures


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> SqliteLocation:
    folder = tmp_path_factory.mktemp("claims")
    seed_sqlite(folder, RECORDS, targets=("claims",))
    return sqlite_location(folder)


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members wait for the file almost at once, so that there is always a midway."""
    monkeypatch.setattr(crew, "HELD_BYTES", 1)


def store_export(
    location: Location, store: Path, check: Callable[[], None] = lambda: None, format: str = "json"
) -> None:
    request = check_request(format, TARGETS["claims"], None, None)

    def open_records(adjustments: Adjustments, _check: Callable[[], None]) -> TableSource:
        return open_source(request, TARGETS["claims"], location, adjustments, system_clock, 2)

    where = FolderLocation(str(store))
    export_to_store(request, open_records, where, "exports", "job", clock=system_clock, check=check)


def midway(act: Callable[[], None]) -> Callable[[], None]:
    calls = iter(range(1_000_000))

    def check() -> None:
        if next(calls) == 3:
            act()

    return check


def left(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


@pytest.mark.parametrize("member", [0, 1])
@pytest.mark.usefixtures("tight")
def test_a_member_that_is_killed_fails_the_export_which_says_so(
    member: int, claims: SqliteLocation, crews: list[Crew], tmp_path: Path
) -> None:
    def kill() -> None:
        os.kill(crews[0].pids[member], signal.SIGKILL)

    with pytest.raises(CrewFailed, match=r"ended unexpectedly \(killed by signal 9\)"):
        store_export(claims, tmp_path, midway(kill))
    assert left(tmp_path) == []
    assert gone(crews)


def start_with(patch: pytest.MonkeyPatch, prelude: str) -> None:
    patch.setattr(crew, "_START", f"{prelude}\n{crew._START}")


ENCODER = """
from arkham_shard_export.formats.json import JsonWriter
def failing(*_given):
    def encode(batch):
        {}
    return encode
JsonWriter.encoder = staticmethod(failing)
"""


@pytest.mark.parametrize(
    ("prelude", "reason"),
    [
        ("raise SystemExit(3)", r"ended unexpectedly \(exit code 3\)"),
        ("import sys\nprint('hello', flush=True)\nsys.stdin.read()", "ended unexpectedly"),
        ("import sys\nprint('{}', flush=True)\nsys.stdin.read()", "ended unexpectedly"),
        ("import sys\nsys.stdout.write('{')\nsys.exit()", r"ended unexpectedly \(exit code 0\)"),
        (ENCODER.format("bytearray(1 << 60)"), "needs more memory"),
        (ENCODER.format("import os; os.abort()"), r"killed by signal 6"),
    ],
    ids=["exits", "garbage", "no report", "half a line", "memory", "aborts"],
)
def test_a_member_that_cannot_work_fails_the_export_which_says_why(
    prelude: str,
    reason: str,
    claims: SqliteLocation,
    crews: list[Crew],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start_with(monkeypatch, prelude)
    with pytest.raises(CrewFailed, match=reason):
        store_export(claims, tmp_path)
    assert left(tmp_path) == []
    assert gone(crews)


def test_a_bug_in_a_member_fails_the_export_and_its_traceback_is_shown(
    claims: SqliteLocation,
    crews: list[Crew],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    start_with(monkeypatch, ENCODER.format("raise LookupError('a bug')"))
    with pytest.raises(CrewFailed, match=r"ended unexpectedly \(exit code 1\)"):
        store_export(claims, tmp_path)
    assert "LookupError: a bug" in capfd.readouterr().err
    assert left(tmp_path) == []
    assert gone(crews)


def test_what_a_library_prints_in_a_member_does_not_fall_between_the_parts(
    claims: SqliteLocation, crews: list[Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, _ = exported(claims, "json", "claims")
    start_with(
        monkeypatch,
        "from arkham_shard_export.formats.nesting import Nesting\nlines = Nesting.lines\n"
        "def loud(self, batch):\n    print('noise', flush=True)\n    return lines(self, batch)\n"
        "Nesting.lines = loud",
    )
    found, _ = exported(claims, "json", "claims", processes=2)
    assert found == expected
    assert len(crews) == 1


def test_a_member_that_cannot_open_the_database_fails_the_export_with_the_words_of_the_source(
    claims: SqliteLocation, crews: list[Crew], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hire = run.Crew
    elsewhere = SqliteLocation(str(tmp_path / "nowhere.db"))
    monkeypatch.setattr(run, "Crew", lambda shares, _location, members: hire(shares, elsewhere, members))
    with pytest.raises(SourceFailed, match=r"nowhere\.db cannot be opened"):
        store_export(claims, tmp_path / "store")
    assert left(tmp_path / "store") == []
    assert gone(crews)


def test_a_member_that_cannot_be_started_leaves_no_other_behind(
    claims: SqliteLocation, crews: list[Crew], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def starting(*given: Any, **options: Any) -> subprocess.Popen[bytes]:
        if started:
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(start(*given, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", starting)
    with pytest.raises(CrewFailed, match="cannot be started: Resource temporarily unavailable"):
        store_export(claims, tmp_path)
    assert left(tmp_path) == []
    assert started[0].returncode == -signal.SIGKILL


@pytest.mark.usefixtures("tight")
@pytest.mark.parametrize("format", ["csv", "json", "xlsx"])
def test_cancelling_midway_ends_all_members_at_once(
    format: str, claims: SqliteLocation, crews: list[Crew], tmp_path: Path
) -> None:
    asked: list[float] = []

    def cancel() -> None:
        assert not gone(crews)
        asked.append(time.monotonic())
        raise Cancelled("cancelled")

    with pytest.raises(Cancelled):
        store_export(claims, tmp_path, midway(cancel), format)
    assert time.monotonic() - asked[0] < 2
    assert gone(crews)
    assert left(tmp_path) == []


@pytest.mark.usefixtures("tight")
def test_a_full_disk_midway_ends_all_members(
    claims: SqliteLocation, crews: list[Crew], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_sink: FileSink, _block: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FileSink, "_put", full)
    with pytest.raises(StoreFailed, match="disk of the export store is full"):
        store_export(claims, tmp_path)
    assert len(crews) == 1
    assert gone(crews)
    assert left(tmp_path) == []


@pytest.mark.usefixtures("tight")
def test_closing_the_source_midway_ends_all_members(claims: SqliteLocation, crews: list[Crew]) -> None:
    source = opening(claims)
    (section,) = source.sections()
    assert source.helpers is not None
    assert section.portions is not None
    parts = source.helpers.parts(section.name, section.portions.places)
    next(parts)
    assert not gone(crews)
    source.close()
    assert gone(crews)


EMPLOYER = """
import sys
from arkham_shard_export.pipeline import crew, run
from arkham_shard_export.pipeline.direct import export_directly
from arkham_shard_export.sinks.stream import StreamSink
from arkham_shard_export.sources import tables
from arkham_shard_export.sources.location import SqliteLocation
from arkham_shard_export.store_location import FolderLocation
tables.PORTIONED_FROM = run.PORTIONED_FROM = 1
tables.PORTION_ROWS = 100
class Telling(run.Crew):
    def begin(self, shared=""):
        super().begin(shared)
        print(*self.pids, file=sys.stderr, flush=True)
run.Crew = Telling
export_directly("json", "claims", {}, {}, SqliteLocation(sys.argv[1]), StreamSink(sys.stdout.buffer), processes=2)
"""


def test_members_end_with_an_employer_that_is_killed(claims: SqliteLocation) -> None:
    command = [sys.executable, "-c", EMPLOYER, claims.path]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root) as employer:
        assert employer.stderr is not None
        assert employer.stdout is not None
        pids = [int(each) for each in employer.stderr.readline().split()]
        # It has begun to write, to a pipe that nobody empties.
        assert employer.stdout.read(1)
        assert len(pids) == 2
        assert all(map(alive, pids))
        employer.kill()
    deadline = time.monotonic() + END_SECONDS
    while any(map(alive, pids)):
        assert time.monotonic() < deadline, "a member outlived its employer"


def test_a_database_that_is_busy_for_too_long_leaves_no_member_behind(
    crews: list[Crew], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed_sqlite(tmp_path, 50, targets=("claims",))
    monkeypatch.setattr(sqlite_source, "LOCK_TIMEOUT_SECONDS", 0.1)
    with closing(open_sqlite(tmp_path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE arkham_claims SET text = 'x'")
        with pytest.raises(SnapshotBusy):
            opening(sqlite_location(tmp_path))
    assert len(crews) == 1
    assert gone(crews)


# Who is hired


@pytest.mark.parametrize(
    ("format", "target", "processes", "options"),
    [
        ("json", "claims", 1, {}),
        ("json", "claims", 2, {"flatten": True}),
        ("csv", "claims", 2, {"sort_by": "created_at"}),
        ("pdf", "claims", 2, {}),
        ("docx", "claims", 2, {}),
        ("csv", "timeline", 2, {}),
        ("json", "matrix", 2, {}),
    ],
)
def test_nobody_is_hired_where_one_process_does_the_work(
    format: str,
    target: str,
    processes: int,
    options: dict[str, Any],
    tmp_path: Path,
    crews: list[Crew],
) -> None:
    seed_sqlite(tmp_path, 50, targets=(target,))
    with closing(opening(sqlite_location(tmp_path), format, target, processes, **options)) as source:
        assert source.helpers is None
    assert crews == []


def test_nobody_is_hired_for_small_tables_and_custom_sources(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "Crew", None)
    with closing(opening(place.location, target=place.target)) as source:
        assert source.helpers is None
        assert [section.portions for section in source.sections()] == [None]
    assert CustomSource.helpers is None


# What waits


def test_whoever_is_far_ahead_waits_until_something_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "HELD_BYTES", 100)
    inbox = crew._Inbox()
    kept: list[bool] = []
    done = PortionDone({})

    def put() -> None:
        for _ in range(3):
            kept.append(inbox.put(done, b"x" * 60))
        kept.append(inbox.put(done, b"x" * 60))

    putter = threading.Thread(target=put)
    putter.start()
    putter.join(0.2)
    assert kept == [True, True]
    assert inbox._held == 120
    assert inbox.take() == (done, b"x" * 60)
    while len(kept) < 3:
        assert putter.is_alive()
    putter.join(0.2)
    assert kept == [True, True, True]
    inbox.close()
    putter.join()
    assert kept == [True, True, True, False]
    assert [inbox.take(), inbox.take(), inbox.take()] == [(done, b"x" * 60), (done, b"x" * 60), None]


def test_whoever_waits_for_a_report_is_told_that_none_will_come() -> None:
    inbox = crew._Inbox()
    taken: list[Any] = []
    taker = threading.Thread(target=lambda: taken.append(inbox.take()))
    taker.start()
    inbox.close()
    taker.join()
    assert taken == [None]


def test_a_slow_file_holds_no_more_than_it_may(
    claims: SqliteLocation, crews: list[Crew], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "HELD_BYTES", 50_000)
    most = largest = rows = 0
    with closing(opening(claims)) as source:
        (section,) = source.sections()
        assert source.helpers is not None
        assert section.portions is not None
        for part in source.helpers.parts(section.name, section.portions.places):
            if not isinstance(part, dict):
                largest = max(largest, len(part[0]))
                rows += part[1]
            # The second waits for the first, whose portions come before its own.
            held = [member._inbox._held for member in crews[0]._members]
            most = max(most, *held)
    assert rows == RECORDS
    assert 0 < most <= 50_000 + largest


# Portions


def ids(location: Location, crews: list[Crew]) -> list[str]:
    """Those that a crew exports; a process alone gives the same."""
    with closing(opening(location, processes=1)) as source:
        (section,) = source.sections()
        alone = [record[0] for batch in section.read(None) for record in batch]
        apart = section
        if section.portions:
            apart, portions = source.apart(section.name)
            read_apart = [
                record[0]
                for portion in section.portions.places
                for batch in portions.read(portion)
                for record in batch
            ]
            assert read_apart == alone
        assert apart.columns == section.columns
    data, _ = exported(location, "json", "claims", processes=2)
    found = [record["id"] for record in json.loads(data)["records"]]
    assert found == alone
    assert gone(crews)
    return found


def whole(location: Location) -> bool:
    with closing(opening(location, processes=1)) as source:
        return not source.sections()[0].portions


ODD = {
    "a view": (
        "CREATE TABLE stored (id TEXT, text TEXT)",
        "CREATE VIEW arkham_claims AS SELECT * FROM stored",
    ),
    "no rowids": ("CREATE TABLE arkham_claims (id TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID",),
    "own _rowid_": ("CREATE TABLE arkham_claims (id TEXT, text TEXT, _rowid_ INTEGER)",),
    "own _RowID_": ("CREATE TABLE arkham_claims (id TEXT, text TEXT, _RowID_ INTEGER)",),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_sqlite_table_without_places_is_read_as_a_whole(
    odd: str, tmp_path: Path, crews: list[Crew]
) -> None:
    path = tmp_path / "odd.db"
    expected = [f"c{number:03}" for number in range(300)]
    with closing(sqlite3.connect(path)) as connection:
        for statement in ODD[odd]:
            connection.execute(statement)
        table = "stored" if odd == "a view" else "arkham_claims"
        connection.executemany(
            f"INSERT INTO {table} (id, text) VALUES (?, 'x')", [(each,) for each in expected]
        )
        if odd.startswith("own"):
            connection.execute("UPDATE arkham_claims SET _rowid_ = 7 WHERE id < 'c100'")
        connection.commit()
    location = SqliteLocation(str(path))
    assert whole(location)
    assert ids(location, crews) == expected


@pytest.mark.parametrize("name", ["rowid", "oid", "INTEGER PRIMARY KEY"])
def test_a_sqlite_table_with_other_names_for_its_places_comes_in_portions(
    name: str, tmp_path: Path, crews: list[Crew]
) -> None:
    path = tmp_path / "named.db"
    with closing(sqlite3.connect(path)) as connection:
        extra = "n INTEGER PRIMARY KEY" if " " in name else f"{name} INTEGER"
        connection.execute(f"CREATE TABLE arkham_claims (id TEXT, text TEXT, {extra})")
        connection.executemany(
            "INSERT INTO arkham_claims (id) VALUES (?)", [(f"c{number:03}",) for number in range(300)]
        )
        connection.commit()
    location = SqliteLocation(str(path))
    assert not whole(location)
    assert ids(location, crews) == [f"c{number:03}" for number in range(300)]
    assert len(crews) == 1


POSTGRES_ODD = {
    "children": (
        "CREATE TABLE arkham_claims (id text, text text)",
        "CREATE TABLE child (extra text) INHERITS (arkham_claims)",
        "INSERT INTO arkham_claims SELECT 'a' || n, repeat('x', 90) FROM generate_series(1, 300) n",
        "INSERT INTO child SELECT 'b' || n, repeat('x', 90) FROM generate_series(1, 300) n",
    ),
    "partitions": (
        "CREATE TABLE arkham_claims (id text, text text) PARTITION BY HASH (id)",
        "CREATE TABLE one PARTITION OF arkham_claims FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
        "CREATE TABLE two PARTITION OF arkham_claims FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
        "INSERT INTO arkham_claims SELECT 'a' || n, repeat('x', 90) FROM generate_series(1, 600) n",
    ),
    "a view": (
        "CREATE TABLE stored (id text, text text)",
        "CREATE VIEW arkham_claims AS SELECT * FROM stored",
        "INSERT INTO stored SELECT 'a' || n, repeat('x', 90) FROM generate_series(1, 600) n",
    ),
}


@pytest.mark.parametrize("analysed", [False, True])
@pytest.mark.parametrize("odd", POSTGRES_ODD)
def test_a_postgresql_table_without_places_of_its_own_is_read_as_a_whole(
    odd: str, analysed: bool, postgres_url: str, crews: list[Crew]
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in (*POSTGRES_ODD[odd], *(["ANALYZE"] if analysed else [])):
            connection.execute(statement.encode())
    location = PostgresLocation(postgres_url)
    assert whole(location)
    found = ids(location, crews)
    assert len(found) == len(set(found)) == 600


def test_a_materialized_view_comes_in_portions(postgres_url: str, crews: list[Crew]) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "CREATE MATERIALIZED VIEW arkham_claims AS"
            " SELECT 'a' || n AS id, repeat('x', 90) AS text FROM generate_series(1, 600) n"
        )
    location = PostgresLocation(postgres_url)
    assert not whole(location)
    found = ids(location, crews)
    assert len(found) == len(set(found)) == 600
    assert len(crews) == 1


def test_dead_and_moved_rows_of_postgresql_are_read_once(postgres_url: str, crews: list[Crew]) -> None:
    location = PostgresLocation(postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in (
            "CREATE TABLE arkham_claims (id text, text text) WITH (autovacuum_enabled = false)",
            "INSERT INTO arkham_claims SELECT 'a' || n, repeat('x', 90) FROM generate_series(1, 3000) n",
            "DELETE FROM arkham_claims WHERE right(id, 1) IN ('3', '4', '5')",
            "UPDATE arkham_claims SET text = repeat('y', 300) WHERE right(id, 1) = '7'",
            "DELETE FROM arkham_claims WHERE length(id) = 4 AND id < 'a5'",
        ):
            connection.execute(statement.encode())
            if statement.startswith("CREATE"):
                continue
            stored = [row[0] for row in connection.execute("SELECT id FROM arkham_claims ORDER BY ctid")]
            assert ids(location, crews) == stored
        connection.execute("VACUUM arkham_claims")
        connection.execute("INSERT INTO arkham_claims SELECT 'late' || n, 'x' FROM generate_series(1, 500) n")
        stored = [row[0] for row in connection.execute("SELECT id FROM arkham_claims ORDER BY ctid")]
        assert ids(location, crews) == stored
        connection.execute("DELETE FROM arkham_claims")
        assert ids(location, crews) == []


ROWIDS = st.integers(-(2**63), 2**63 - 1) | st.integers(-50, 50)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rowids=st.sets(ROWIDS, max_size=60), rows=st.integers(1, 20))
@example(rowids={-(2**63), 2**63 - 1}, rows=1)
@example(rowids={2**63 - 1}, rows=1)
@example(rowids=set(range(-30, 30)), rows=7)
def test_portions_together_are_all_records_once_in_their_order(
    tmp_path: Path, rowids: set[int], rows: int
) -> None:
    path = tmp_path / "rows.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE IF EXISTS arkham_claims")
        connection.execute("CREATE TABLE arkham_claims (id TEXT, text TEXT)")
        connection.executemany(
            "INSERT INTO arkham_claims (rowid, id) VALUES (?, ?)", [(n, str(n)) for n in rowids]
        )
        connection.commit()
    with pytest.MonkeyPatch.context() as patch:
        in_portions(patch, rows)
        with closing(opening(SqliteLocation(str(path)), processes=1)) as source:
            (section,) = source.sections()
            expected = [str(number) for number in sorted(rowids)]
            assert [record[0] for batch in section.read(None) for record in batch] == expected
            _, portions = source.apart("records")
            places = section.portions.places if section.portions else ()
            apart = [record[0] for each in places for batch in portions.read(each) for record in batch]
            assert apart == expected
            assert len(places) <= -(-len(rowids) // rows)
            assert bool(places) == bool(rowids)
