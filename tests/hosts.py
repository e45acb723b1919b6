"""Real hosts for the tests: the standalone host and the stand-in of ArkhamFrame, each behind a real HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import uvicorn
from fastapi import FastAPI

from arkham_shard_export.peers import TABLES
from arkham_shard_export.schema import Kind
from arkham_shard_export.standalone.demo_case import demo_rows
from arkham_shard_export.standalone.tables import open_sqlite
from tests.tools import seeded_records

END_SECONDS = max(60.0, seeded_records(default=0) / 20)


@dataclass
class RunningHost:
    """A host that serves HTTP on loopback. `query` reads its database by another way than the product does."""

    name: str
    app: FastAPI
    client: httpx.Client
    loop: asyncio.AbstractEventLoop
    data_dir: Path
    database_url: str | None
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def shard(self) -> Any:
        return self.app.state.export_shard

    @property
    def frame(self) -> Any:
        return self.app.state.frame

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the host's own loop."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        return future.result(END_SECONDS)

    async def shard_class_again(self) -> None:
        """A new instance of the shard in the same host, as when it is disabled and enabled."""
        shard = type(self.frame.shards["export"])()
        await shard.initialize(self.frame)
        self.frame.shards["export"] = shard

    def query(self, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        if self.database_url is None:
            with contextlib.closing(open_sqlite(self.data_dir)) as connection:
                return connection.execute(sql, params).fetchall()
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(sql.replace("?", "%s").encode(), params)
            return cursor.fetchall() if cursor.description else []

    def post(
        self, target: str, format: str, headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        return self.client.post(
            "/api/export/jobs", json={"target": target, "format": format, **body}, headers=headers
        )

    def batch(
        self, *parts: dict[str, Any], headers: dict[str, str] | None = None, **body: Any
    ) -> httpx.Response:
        return self.client.post(
            "/api/export/jobs/batch", json={"parts": list(parts), **body}, headers=headers
        )

    def wait(self, job_id: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """The job once it has ended."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            job = self.client.get(f"/api/export/jobs/{job_id}", headers=headers).json()
            if job["status"] not in ("pending", "processing"):
                return dict(job)
            time.sleep(0.01)
        raise AssertionError(f"job {job_id} did not end: {job}")

    def export(self, target: str, format: str, **body: Any) -> tuple[dict[str, Any], httpx.Response]:
        """A completed job and its download."""
        answer = self.post(target, format, **body)
        assert answer.status_code == 201, answer.text
        job = self.wait(answer.json()["id"])
        assert job["status"] == "completed", job
        return job, self.client.get(job["download_url"])

    def delivered(self) -> None:
        """Wait until every event has reached the bus."""
        deadline = time.monotonic() + END_SECONDS
        while self.query("SELECT id FROM arkham_export_outbox LIMIT 1"):
            assert time.monotonic() < deadline, "events are not delivered"
            time.sleep(0.01)

    def events_of(self, job_id: str) -> list[str]:
        self.delivered()
        return [each["event_type"] for each in self.events if each["payload"].get("job_id") == job_id]


@contextlib.contextmanager
def serving(
    name: str, app: FastAPI, data_dir: Path, database_url: str | None = None
) -> Iterator[RunningHost]:
    """Run the application in a thread of its own until the block ends."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    started = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        started.set()
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name=f"host-{name}")
    thread.start()
    started.wait()
    deadline = time.monotonic() + END_SECONDS
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started, f"host {name} did not start"
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with httpx.Client(base_url=url, timeout=END_SECONDS) as client:
        host = RunningHost(name, app, client, loops[0], data_dir, database_url)
        bus = host.frame.get_service("events")
        if bus is not None:
            host.run(bus.subscribe("export.*", host.events.append))
        try:
            yield host
        finally:
            server.should_exit = True
            thread.join(END_SECONDS)
            listener.close()
    assert not thread.is_alive(), f"host {name} did not stop"


@contextlib.contextmanager
def standalone(data_dir: Path, database_url: str | None = None, **options: Any) -> Iterator[RunningHost]:
    from arkham_shard_export.standalone.app import create_app

    app = create_app(data_dir, database_url, **options)
    with serving("standalone", app, data_dir, database_url) as host:
        yield host


@contextlib.contextmanager
def arkhamframe(data_dir: Path, database_url: str, **options: Any) -> Iterator[RunningHost]:
    """The stand-in of the real host; it finds the shard by its entry point."""
    from arkham_frame.app import create_app

    app = create_app(database_url, storage_dir=data_dir, **options)
    with serving("arkhamframe", app, data_dir, database_url) as host:
        yield host


def load_demo_into_postgres(url: str) -> None:
    with psycopg.connect(url) as connection:
        for table in TABLES:
            rows = demo_rows(table)
            columns = [column for column in table.columns if column.name in rows[0]]
            marks = ", ".join(["%s"] * len(columns))
            names = ", ".join(column.name for column in columns)
            connection.cursor().executemany(
                f"INSERT INTO {table.qualified} ({names}) VALUES ({marks})".encode(),
                [
                    [
                        json.dumps(row[column.name])
                        if column.kind is Kind.JSON and row[column.name] is not None
                        else row[column.name]
                        for column in columns
                    ]
                    for row in rows
                ],
            )


def sqlite_connection(data_dir: Path) -> sqlite3.Connection:
    return open_sqlite(data_dir)
