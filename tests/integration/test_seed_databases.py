"""The peers' tables and the seed in real databases."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arkham_shard_export.peers import CLAIMS, DOCUMENTS, GRAPHS, RATINGS, TABLES
from arkham_shard_export.schema import Kind, Table
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.tables import (
    SCHEMAS,
    create_indexes,
    create_statements,
    open_sqlite,
    sqlite_paths,
)
from arkham_shard_export.targets import TARGETS

Seed = Callable[..., dict[str, int]]
Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def sqlite(data_dir: Path) -> Query:
    def query(sql: str) -> list[tuple[Any, ...]]:
        with closing(open_sqlite(data_dir)) as connection:
            return connection.execute(sql).fetchall()

    return query


@pytest.fixture
def postgres(postgres_url: str) -> Query:
    def query(sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(postgres_url) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    return query


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, data_dir: Path) -> tuple[Seed, Query]:
    """How to seed one of the databases and to ask it."""
    if request.param == "sqlite":
        return lambda *args, **named: seed_sqlite(data_dir, *args, **named), request.getfixturevalue("sqlite")
    url = request.getfixturevalue("postgres_url")
    return lambda *args, **named: seed_postgres(url, *args, **named), request.getfixturevalue("postgres")


def columns(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def test_the_ddl_makes_every_table_and_index_in_sqlite_and_can_be_repeated(data_dir: Path) -> None:
    with closing(open_sqlite(data_dir)) as connection:
        for statement in create_statements("sqlite") * 2:
            connection.execute(statement)
        for table in TABLES:
            schema = table.schema or "main"
            found = {
                row[1]: row[2] for row in connection.execute(f"PRAGMA {schema}.table_info({table.name})")
            }
            assert set(found) == {*(column.name for column in table.columns), "tenant_id"}
            names = {row[1] for row in connection.execute(f"PRAGMA {schema}.index_list({table.name})")}
            assert {name.split(".")[-1] for name in create_indexes(table, "sqlite")} <= names
            for column in table.columns:
                assert (found[column.name] == "JSON") is (column.kind is Kind.JSON and not column.in_text)


def test_the_ddl_makes_every_table_and_index_in_postgres_and_can_be_repeated(postgres: Query) -> None:
    postgres("; ".join(create_statements("postgresql") * 2))
    found = {
        (schema, table, column): kind
        for schema, table, column, kind in postgres(
            "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns"
        )
    }
    kinds = {Kind.JSON: "jsonb", Kind.TIMESTAMP: "timestamp without time zone", Kind.BOOLEAN: "boolean"}
    indexes = {
        f"{schema}.{name}" for schema, name in postgres("SELECT schemaname, indexname FROM pg_indexes")
    }
    for table in TABLES:
        schema = table.schema or "public"
        assert found[schema, table.name, "tenant_id"] == "uuid"
        for column in table.columns:
            kind = found[schema, table.name, column.name]
            assert kind == ("text" if column.in_text else kinds.get(column.kind, kind)), column
        for name in create_indexes(table, "postgresql"):
            assert (name if table.schema else f"public.{name}") in indexes


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_index_names_are_unique(dialect: Any) -> None:
    names = [name.split(".")[-1] for table in TABLES for name in create_indexes(table, dialect)]
    assert len(names) == len(set(names))


def test_sqlite_files_are_the_owners_in_wal_mode_with_explicit_transactions(data_dir: Path) -> None:
    main, attached = sqlite_paths(data_dir)
    assert [main.name, *(path.name for path in attached.values())] == [
        "arkham.db", "arkham_frame.db", "arkham_graph.db", "arkham_ach.db",
    ]  # fmt: skip
    with closing(open_sqlite(data_dir)) as connection:
        assert data_dir.stat().st_mode & 0o777 == 0o700
        assert connection.isolation_level is None
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (5000,)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (0,)
        for schema in ("main", *SCHEMAS):
            assert connection.execute(f"PRAGMA {schema}.journal_mode").fetchone() == ("wal",)
            assert connection.execute(f"PRAGMA {schema}.synchronous").fetchone() == (1,)


def test_a_sqlite_file_that_cannot_be_opened_leaves_no_connection(data_dir: Path) -> None:
    sqlite_paths(data_dir)[1]["arkham_graph"].mkdir(parents=True)
    with pytest.raises(sqlite3.OperationalError):
        open_sqlite(data_dir)


@pytest.mark.parametrize("records", [1, 200])
def test_rows_written_are_the_rows_that_are_there(database: tuple[Seed, Query], records: int) -> None:
    seed, query = database
    written = seed(records)
    assert written == {
        table.qualified: query(f"SELECT count(*) FROM {table.qualified}")[0][0] for table in TABLES
    }
    for target in TARGETS.values():
        assert sum(written[each.table.qualified] for each in target.sets) == records


@pytest.mark.parametrize(
    ("targets", "beside"),
    [
        (["claims"], {"arkham_claims", "arkham_claim_evidence"}),
        (["graph"], {"arkham_graph.graphs", "arkham_graph.nodes", "arkham_graph.edges"}),
        (
            ["timeline", "entities"],
            {
                "arkham_timeline_events", "arkham_timeline_conflicts", "arkham_timeline_annotations",
                "arkham_entities", "arkham_entity_relationships", "arkham_entity_mentions",
            },
        ),
    ],
    ids=["claims", "graph", "two that share a table"],
)  # fmt: skip
def test_seeding_some_targets_fills_their_tables_with_the_rows_of_a_full_seeding(
    data_dir: Path, database: tuple[Seed, Query], targets: list[str], beside: set[str]
) -> None:
    seed, query = database
    assert set(seed(60, targets=targets)) == beside
    full = data_dir / "full"
    seed_sqlite(full, 60)
    with closing(open_sqlite(full)) as connection:
        for table in TABLES:
            select = f"SELECT {columns(table)} FROM {table.qualified} ORDER BY id"
            rows = connection.execute(select).fetchall() if table.qualified in beside else []
            assert [alike(row, table) for row in query(select)] == [alike(row, table) for row in rows]


def test_targets_can_be_seeded_one_after_another_each_once(database: tuple[Seed, Query]) -> None:
    seed, query = database
    for target in ("claims", "matrix"):
        seed(20, targets=[target])
    assert query(f"SELECT count(*) FROM {CLAIMS.qualified}") == [(20,)]
    assert query("SELECT count(*) FROM arkham_ach.matrices") == [(20,)]
    with pytest.raises(ValueError, match="already holds rows of seed 1"):
        seed(20, targets=["claims"])


def test_a_target_that_is_none_is_refused_with_those_that_are(database: tuple[Seed, Query]) -> None:
    seed, _ = database
    with pytest.raises(
        ValueError, match="cannot seed target 'people': valid are documents, entities, claims"
    ):
        seed(20, targets=["claims", "people"])


def test_progress_ends_at_all_rows_of_each_table(database: tuple[Seed, Query]) -> None:
    seed, _ = database
    last: dict[str, tuple[int, int]] = {}
    seen: list[str] = []

    def progress(table: str, done: int, total: int) -> None:
        assert done > last.get(table, (0, 0))[0]
        last[table] = (done, total)
        seen.append(table)

    written = seed(1200, progress=progress)
    assert last == {table: (rows, rows) for table, rows in written.items()}
    assert len(seen) > len(set(seen))


def test_both_databases_hold_the_same_rows(
    data_dir: Path, postgres_url: str, sqlite: Query, postgres: Query
) -> None:
    assert seed_sqlite(data_dir, 300, seed=3) == seed_postgres(postgres_url, 300, seed=3)
    for table in TABLES:
        select = f"SELECT {columns(table)} FROM {table.qualified} ORDER BY id"
        in_sqlite, in_postgres = (
            [alike(row, table) for row in query(select)] for query in (sqlite, postgres)
        )
        assert in_sqlite == in_postgres, table.qualified


def alike(row: tuple[Any, ...], table: Table) -> list[Any]:
    """The row with times and JSON as values, whatever the database gives them as."""
    read = {Kind.TIMESTAMP: datetime.fromisoformat, Kind.JSON: json.loads}
    return [
        read[column.kind](value) if isinstance(value, str) and column.kind in read else value
        for column, value in zip(table.columns, row, strict=True)
    ]


def test_a_second_seeding_is_refused_and_changes_nothing(database: tuple[Seed, Query]) -> None:
    seed, query = database
    seed(20)
    before = {table: query(f"SELECT {columns(table)} FROM {table.qualified} ORDER BY id") for table in TABLES}
    with pytest.raises(
        ValueError, match=r"arkham_frame\.projects already holds rows of seed 1 .*choose another seed"
    ):
        seed(30)
    after = {table: query(f"SELECT {columns(table)} FROM {table.qualified} ORDER BY id") for table in TABLES}
    assert before == after


def test_another_seed_adds_to_what_is_there(database: tuple[Seed, Query]) -> None:
    seed, query = database
    written = [seed(20, seed=number) for number in (1, 2)]
    for table in TABLES:
        rows = sum(each[table.qualified] for each in written)
        assert query(f"SELECT count(*), count(DISTINCT id) FROM {table.qualified}") == [(rows, rows)]


def test_a_clash_in_the_middle_undoes_everything(database: tuple[Seed, Query]) -> None:
    seed, query = database
    seed(1, seed=2)
    # As if a user had a row of that id: it is not the first, so only the database can find it.
    query(f"UPDATE {CLAIMS.qualified} SET id = 'claim-1-0000005'")
    with pytest.raises(ValueError, match="arkham_claims already holds rows of seed 1"):
        seed(20, seed=1)
    assert query(f"SELECT id FROM {CLAIMS.qualified}") == [("claim-1-0000005",)]
    assert query(f"SELECT count(*) FROM {DOCUMENTS.qualified}") == [(1,)]


def test_a_failure_leaves_the_database_empty_and_free_to_be_seeded(database: tuple[Seed, Query]) -> None:
    seed, query = database

    def interrupted(table: str, done: int, total: int) -> None:
        if table == RATINGS.qualified:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(20, progress=interrupted)
    assert seed(20)[RATINGS.qualified] == query(f"SELECT count(*) FROM {RATINGS.qualified}")[0][0]


@pytest.mark.parametrize(
    ("table", "unique"),
    [(CLAIMS, "id"), (GRAPHS, "project_id"), (RATINGS, "matrix_id, hypothesis_id, evidence_id")],
    ids=["primary key", "one graph a project", "one rating a cell"],
)
def test_seeded_tables_refuse_duplicates(database: tuple[Seed, Query], table: Table, unique: str) -> None:
    seed, query = database
    seed(3)
    name = table.qualified
    into, values = (unique, unique) if unique == "id" else (f"id, {unique}", f"'new', {unique}")
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.UniqueViolation)):
        query(f"INSERT INTO {name} ({into}) SELECT {values} FROM {name} LIMIT 1")


def test_a_schema_made_beforehand_keeps_its_indexes(postgres_url: str, postgres: Query) -> None:
    postgres("; ".join(create_statements("postgresql")))
    listed = "SELECT schemaname, indexname, indexdef FROM pg_indexes WHERE schemaname !~ '^pg_' ORDER BY 1, 2"
    before = postgres(listed)
    seed_postgres(postgres_url, 5)
    assert postgres(listed) == before


def test_sqlite_is_in_wal_mode_after_a_seeding_even_with_a_reader(data_dir: Path, sqlite: Query) -> None:
    with closing(open_sqlite(data_dir)) as reader:
        seed_sqlite(data_dir, 5)
        assert reader.execute(f"SELECT count(*) FROM {CLAIMS.qualified}").fetchone() == (5,)
    for path in (sqlite_paths(data_dir)[0], *sqlite_paths(data_dir)[1].values()):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
