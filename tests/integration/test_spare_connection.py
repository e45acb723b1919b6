"""The connection to PostgreSQL that a process keeps from one export to the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from arkham_shard_export.errors import SourceFailed
from arkham_shard_export.ports import system_clock
from arkham_shard_export.sources.location import PostgresLocation
from arkham_shard_export.sources.postgres import SPARE, PostgresSnapshot
from tests.conftest import new_database


@pytest.fixture
def kept() -> Iterator[None]:
    SPARE.kept = True
    yield
    SPARE.kept = False
    SPARE.close()


def opened(url: str) -> PostgresSnapshot:
    return PostgresSnapshot(PostgresLocation(url), system_clock)


def pid(snapshot: PostgresSnapshot) -> int:
    return int(snapshot.fetch("SELECT pg_backend_pid()")[0][0])


def backends(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'arkham-export'")
        return [row[0] for row in rows]


@pytest.mark.usefixtures("kept")
def test_the_next_snapshot_has_the_connection_of_the_last_and_a_later_state(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE things AS SELECT 1 AS n")
        with closing(opened(postgres_url)) as first:
            used = pid(first)
            connection.execute("INSERT INTO things VALUES (2)")
            assert first.fetch("SELECT count(*) FROM things") == [(1,)]
        with closing(opened(postgres_url)) as second:
            assert pid(second) == used
            assert second.fetch("SELECT count(*) FROM things") == [(2,)]
            assert second.fetch("SHOW transaction_read_only") == [("on",)]
            assert second.fetch("SHOW transaction_isolation") == [("repeatable read",)]


def test_a_process_that_does_not_ask_for_it_keeps_none(postgres_url: str) -> None:
    opened(postgres_url).close()
    assert SPARE.take(postgres_url) is None


@pytest.mark.usefixtures("kept")
def test_a_connection_that_the_server_has_ended_meanwhile_is_replaced(postgres_url: str) -> None:
    with closing(opened(postgres_url)) as first:
        used = pid(first)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s, 5000)", [used]).fetchone() == (True,)
    with closing(opened(postgres_url)) as second:
        assert pid(second) != used


@pytest.mark.usefixtures("kept")
def test_after_a_failed_statement_or_a_reader_that_left_early_the_connection_serves_again(
    postgres_url: str,
) -> None:
    with closing(opened(postgres_url)) as failed:
        used = pid(failed)
        with pytest.raises(SourceFailed):
            failed.fetch("SELECT 1/0")
    with closing(opened(postgres_url)) as left:
        assert pid(left) == used
        rows = left.stream_sql("SELECT * FROM generate_series(1, 100000)", ())
        next(rows)
    with closing(opened(postgres_url)) as third:
        assert third.fetch("SELECT 7") == [(7,)]


@pytest.mark.usefixtures("kept")
def test_one_connection_is_kept_and_only_for_its_own_database(
    postgres_server: str, postgres_url: str
) -> None:
    with closing(opened(postgres_url)), closing(opened(postgres_url)):
        assert len(backends(postgres_url)) == 2
    assert len(backends(postgres_url)) == 1
    other = new_database(postgres_server)
    with closing(opened(other)) as snapshot:
        assert snapshot.fetch("SELECT current_database()") == [(other.split("/")[3].partition("?")[0],)]
    assert backends(other)
    assert SPARE.take(postgres_url) is None
