"""Who listens to jobs over HTTP, and hosts whose jobs only a test moves on."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from arkham_shard_export.jobs.following import Follower
from arkham_shard_export.jobs.table.lease import Lease
from arkham_shard_export.models import ExportJob, ExportStatus
from tests.conftest import new_database
from tests.hosts import RunningHost, arkhamframe, standalone

KINDS = ("standalone", "standalone-postgres", "arkhamframe")
ELSEWHERE = "elsewhere:1:token"


@dataclass(frozen=True)
class Told:
    """An event as a client reads it."""

    id: str
    event: str
    data: Any

    @property
    def step(self) -> tuple[str, str, str]:
        return self.id, self.event, self.data["status"]


def told(lines: Iterable[str]) -> Iterator[Told]:
    """The events of a stream (WHATWG HTML, section 9.2); comments and the rest are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                yield Told(fields["id"], fields["event"], json.loads(fields["data"]))
            fields = {}


def events_path(job_id: str) -> str:
    return f"/api/export/jobs/{job_id}/events"


@contextlib.contextmanager
def listening(
    client: httpx.Client, job_id: str, after: str | None = None, headers: dict[str, str] | None = None
) -> Iterator[Iterator[Told]]:
    sent = {**(headers or {}), **({} if after is None else {"Last-Event-ID": after})}
    with client.stream("GET", events_path(job_id), headers=sent) as answer:
        assert answer.status_code == 200, answer.read()
        yield told(answer.iter_lines())


def heard(client: httpx.Client, job_id: str, after: str | None = None) -> list[tuple[str, str, str]]:
    """All that is told until the stream ends."""
    with listening(client, job_id, after) as stream:
        return [each.step for each in stream]


def without_progress(steps: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [each for each in steps if each[1] != "progress"]


@contextlib.contextmanager
def quiet_host(
    kind: str, data_dir: Path, server_url: str, url: str = "", **settings: str
) -> Iterator[RunningHost]:
    """A host that runs no jobs and does not lead, as one of several: what becomes of jobs is done elsewhere."""

    async def held() -> bool:
        return False

    with contextlib.ExitStack() as running:
        # Only while it starts: other hosts of this process are to work.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lease, "held", lambda _lease: held())
            for name, value in {"CONCURRENCY": "0", **settings}.items():
                patch.setenv(f"ARKHAM_EXPORT_{name}", value)
            host = running.enter_context(
                _served(kind, data_dir, url or (server_url and new_database(server_url)))
            )
            host.run(host.shard.service())._lease.held = held
        yield host


def _served(kind: str, data_dir: Path, url: str) -> contextlib.AbstractContextManager[RunningHost]:
    if kind == "standalone":
        return standalone(data_dir, trust_headers=True)
    if kind == "standalone-postgres":
        return standalone(data_dir, url, trust_headers=True)
    from tables import create_peer_tables

    with psycopg.connect(url) as connection:
        if connection.execute("SELECT to_regclass('arkham_claims')").fetchone() == (None,):
            create_peer_tables(url)
    return arkhamframe(data_dir, url, users=True)


@dataclass
class Elsewhere:
    """Another process that works on the jobs of this host's table, and tells it nothing."""

    host: RunningHost

    @property
    def service(self) -> Any:
        return self.host.run(self.host.shard.service())

    @property
    def follower(self) -> Follower:
        follower: Follower = self.service.follower
        return follower

    def create(self, tenant_id: str | None = None, **fields: Any) -> str:
        job = ExportJob(str(uuid4()), "json", "claims", created_at=datetime.now(UTC))
        self.host.run(self.service.jobs.insert(replace(job, **fields), tenant_id, "large"))
        return job.id

    def claim(self, job_id: str) -> None:
        assert self.host.run(self.service.jobs.claim(job_id, ELSEWHERE, datetime.now(UTC)))

    def note(self, job_id: str, note: int, **fields: Any) -> None:
        progress = {"phase": "writing", "done": 10 * note, "expected": 100, "bytes": 7 * note, "note": note}
        metadata = {"progress": {**progress, "percent": 10.0 * note, "seconds_left": 20.0, **fields}}
        self.host.run(self.service.jobs.note(job_id, ELSEWHERE, metadata))

    def hand_back(self, job_id: str) -> None:
        job = self.host.run(self.service.jobs.stored(job_id)).job
        assert self.host.run(self.service.jobs.hand_back(job, ELSEWHERE, uuid4().hex))

    def finish(self, job_id: str, status: ExportStatus = ExportStatus.COMPLETED) -> None:
        changes = {"completed_at": datetime.now(UTC).isoformat(), "metadata": "{}"}
        assert self.host.run(self.service.jobs.finish(job_id, None, uuid4().hex, status, changes))

    def purge(self, job_id: str) -> None:
        sql = "DELETE FROM arkham_export_jobs WHERE id = ?"
        self.host.run(self.host.frame.database.execute(sql, [job_id]))


class Spy:
    """Sees the statements by which a host looks at jobs that are waited for; they fail, or hang, where it says so."""

    def __init__(self, host: RunningHost) -> None:
        self._service = host.frame.database
        self._fetch_all = self._service.fetch_all
        self.looks: list[list[Any]] = []
        self.error: Exception | None = None
        self.hangs = False

    async def _looking(self, sql: str, params: Any = None) -> Any:
        if "WHERE id IN" in sql:
            self.looks.append(list(params))
            while self.hangs:  # noqa: ASYNC110
                # A test sets it from another thread.
                await asyncio.sleep(0.01)
            if self.error is not None:
                raise self.error
        return await self._fetch_all(sql, params)

    def __enter__(self) -> Spy:
        self._service.fetch_all = self._looking
        return self

    def __exit__(self, *_: object) -> None:
        self._service.fetch_all = self._fetch_all
