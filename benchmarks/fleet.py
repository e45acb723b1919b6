"""Hosts and workers as real processes on one database and one store: started, stopped, killed, started again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg

from arkham_shard_export.jobs.files import MARKER
from arkham_shard_export.jobs.queues.schema import SCHEMA
from arkham_shard_export.standalone.tables import sqlite_paths
from benchmarks.databases import CLI
from benchmarks.measure import ROOT, BenchmarkError, environment

START_SECONDS = 60.0
STOP_SECONDS = 20.0
LOOK_SECONDS = 0.02
TAKING = "Export jobs are taken"
"""What a worker logs once it works."""
_MARK = "ARKHAM_FLEET"


def until(condition: Callable[[], Any], what: str, seconds: float = START_SECONDS) -> Any:
    """The first true value of the condition."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise BenchmarkError(f"Within {seconds:g} s it did not come to pass: {what}.")
        time.sleep(LOOK_SECONDS)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def descendants(pid: int) -> list[int]:
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found[1:]


@dataclass
class Member:
    """A host or a worker; `process` is the latest that was started for it."""

    kind: str
    words: list[str]
    settings: dict[str, str]
    log: Path
    url: str = ""
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        with self.log.open("ab") as told:
            self.process = subprocess.Popen(
                self.words, env=self.settings, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=told, stderr=told
            )

    @property
    def is_ready(self) -> bool:
        """Whether the process that was started last serves, or takes jobs."""
        if self.process.poll() is not None:
            raise BenchmarkError(f"A {self.kind} ended: {self.log.read_text()[-2000:]}")
        if not self.url:
            return TAKING in self.log.read_text()
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/api/export/count", timeout=10).status_code == 200
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """The exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)


class Fleet:
    """As a context it ends all its processes. Without a database URL it is one host on SQLite."""

    def __init__(self, folder: Path, database_url: str | None = None, **settings: object) -> None:
        self.folder = folder
        self.database_url = database_url
        self.data = folder / "data"
        self.store = folder / "store"
        self.temporary = folder / "tmp"
        self.events_file = folder / "events.jsonl"
        for each in (self.data, self.store, self.temporary):
            each.mkdir(parents=True, exist_ok=True)
        self.members: list[Member] = []
        self._mark = uuid4().hex
        self._settings: Mapping[str, str] = {
            **environment(),
            **{f"ARKHAM_EXPORT_{name.upper()}": str(value) for name, value in settings.items()},
            "ARKHAM_EXPORT_STORE": str(self.store),
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.temporary),
            _MARK: self._mark,
        }

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            if member.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    member.process.send_signal(signal.SIGCONT)
                member.kill()

    def host(self, **settings: object) -> Member:
        """Start a host; `is_ready` tells when it serves."""
        port = free_port()
        number = sum(each.kind == "host" for each in self.members)
        # Each host has a folder of its own, as on machines that share the store and the database.
        data = self.data if self.database_url is None else self.folder / f"host-{number}"
        words = [sys.executable, "-m", "benchmarks.listening", str(self.events_file)]
        words += ["serve", "--data", str(data), "--port", str(port)]
        if self.database_url is not None:
            words += ["--database-url", self.database_url]
        return self._started("host", words, settings, f"http://127.0.0.1:{port}")

    def worker(self, concurrency: int = 1, **settings: object) -> Member:
        assert self.database_url is not None
        words = [sys.executable, "-c", CLI, "worker", "--database-url", self.database_url]
        return self._started("worker", [*words, "--concurrency", str(concurrency)], settings, "")

    def _started(self, kind: str, words: list[str], settings: Mapping[str, object], url: str) -> Member:
        own = {f"ARKHAM_EXPORT_{name.upper()}": str(value) for name, value in settings.items()}
        log = self.folder / f"{kind}-{len(self.members)}.log"
        member = Member(kind, words, {**self._settings, **own}, log, url)
        member.start()
        self.members.append(member)
        return member

    def ready(self) -> None:
        for member in self.members:
            until(lambda member=member: member.is_ready, f"a {member.kind} is ready")  # type: ignore[misc]

    def stop(self) -> list[int]:
        """The exit codes of all members, stopped as by a service manager, all at once."""
        for member in self.members:
            member.process.terminate()
        return [member.process.wait(STOP_SECONDS) for member in self.members]

    def strays(self) -> list[int]:
        """Living processes of this fleet, whoever started them."""
        mark = f"{_MARK}={self._mark}".encode()
        found = []
        for path in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if path.name.isdigit() and mark in (path / "environ").read_bytes() and alive(int(path.name)):
                    found.append(int(path.name))
        return found

    def query(self, sql: str, params: tuple[Any, ...] = ()) -> list[dict[str, Any]]:
        """Rows of the database, read by another way than the product's; marks are `?`."""
        if self.database_url is None:
            uri = f"file:{sqlite_paths(self.data)[0]}?mode=ro"
            with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=30)) as connection:
                connection.row_factory = sqlite3.Row
                return [dict(row) for row in connection.execute(sql, params)]
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(sql.replace("?", "%s").encode(), params)
            if cursor.description is None:
                return []
            names = [each.name for each in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def jobs(self) -> dict[str, dict[str, Any]]:
        """All rows of the jobs table by id."""
        return {row["id"]: row for row in self.query("SELECT * FROM arkham_export_jobs")}

    def job(self, job_id: str) -> dict[str, Any]:
        return self.query("SELECT * FROM arkham_export_jobs WHERE id = ?", (job_id,))[0]

    def open_jobs(self) -> int:
        sql = "SELECT COUNT(*) AS n FROM arkham_export_jobs WHERE status IN ('pending', 'processing')"
        return int(self.query(sql)[0]["n"])

    def entries(self) -> list[dict[str, Any]]:
        """What the queue knows of jobs; nothing without PostgreSQL."""
        if self.database_url is None:
            return []
        return self.query(f"SELECT * FROM {SCHEMA}.procrastinate_jobs WHERE task_name = 'export'")

    def untold(self) -> int:
        return int(self.query("SELECT COUNT(*) AS n FROM arkham_export_outbox")[0]["n"])

    def heard(self) -> list[dict[str, Any]]:
        """What the buses of all hosts have delivered, in the order of time."""
        if not self.events_file.exists():
            return []
        lines = self.events_file.read_text().splitlines()
        return sorted((json.loads(line) for line in lines), key=lambda each: int(each["at"]))

    def files(self) -> set[str]:
        """Paths in the store, without the one that every store has."""
        found = (path for path in self.store.rglob("*") if not path.is_dir() and path.name != MARKER)
        return {str(path.relative_to(self.store)) for path in found}

    def strays_in_store(self) -> set[str]:
        """Files that are no completed job's."""
        jobs = self.jobs().values()
        return self.files() - {str(job["file_path"]) for job in jobs if job["status"] == "completed"}

    def ended(self, seconds: float) -> None:
        """Wait until every job has ended, and all events of it have been delivered."""
        until(lambda: not self.open_jobs(), "all jobs have ended", seconds)
        until(lambda: not self.untold(), "all events are delivered")
        until(lambda: not self.entries(), "the queue is empty")


@contextlib.contextmanager
def paused(pid: int) -> Iterator[None]:
    """The process does nothing until the block ends, and is not told."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
