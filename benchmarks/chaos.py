"""Jobs while the processes that serve and run them are killed: python -m benchmarks.chaos --seed 1 --database postgresql.

By the seed, hosts, workers and the export processes of both are chosen, ended by SIGKILL and started again at once,
while jobs are asked for and some are cancelled. At the end every job, file and event must be as if nothing had been.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from arkham_shard_export.jobs.leading.sweeper import ORPHAN_SECONDS
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from benchmarks.databases import Databases
from benchmarks.fleet import STOP_SECONDS, Fleet, alive, descendants, until
from benchmarks.measure import BenchmarkError
from benchmarks.verdict import KINDS, redelivered, violations

RECORDS = 3000
FORMATS = ("json", "json", "csv", "csv", "xlsx", "docx")
MOST_OPEN = 40
"""Jobs that wait or run at a time; no more are asked for until some have ended."""
PAUSE_SECONDS = 0.06
"""On average, between two steps."""
END_SECONDS = 180.0
HOST, WORKER, CHILD = "host", "worker", "export process"
SETTINGS = {
    "heartbeat_seconds": 0.5,
    "poll_seconds": 0.3,
    "max_attempts": 50,
    "processes": 1,
    "sweep_seconds": 0.2,
}


@dataclass
class Chaos:
    """One run over a fleet that serves."""

    fleet: Fleet
    seed: int
    accepted: list[str] = field(default_factory=list)
    killed: set[int] = field(default_factory=set)
    kills: Counter[str] = field(default_factory=Counter)
    swept: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._client = httpx.Client(timeout=30)

    def run(self, jobs: int, kills: int, cancels: int) -> None:
        """All steps in an order that the seed decides, then wait until everything has ended."""
        steps = [self._post] * jobs + [self._kill] * kills + [self._cancel] * cancels
        self._random.shuffle(steps)
        for step in steps:
            step()
            time.sleep(self._random.expovariate(1 / PAUSE_SECONDS))
        self.fleet.ready()
        self.fleet.ended(END_SECONDS)
        self._client.close()
        self._sweep()

    def _sweep(self) -> None:
        """What a machine that died left of a job that was cancelled then is nobody's but the sweeper's, once it is old."""
        self.swept = len(self.fleet.strays_in_store())
        for path in self.fleet.files():
            old = time.time() - 2 * ORPHAN_SECONDS
            os.utime(self.fleet.store / path, (old, old))
        with contextlib.suppress(BenchmarkError):
            until(lambda: not self.fleet.strays_in_store(), "what was left behind is swept", STOP_SECONDS)

    def _post(self) -> None:
        body = self._request()
        until(lambda: self.fleet.open_jobs() < MOST_OPEN, "jobs end while others wait", END_SECONDS)
        answer = until(lambda: self._asked("POST", "/api/export/jobs", 201, json=body), "a job is accepted")
        self.accepted.append(answer.json()["id"])

    def _request(self) -> dict[str, Any]:
        chosen = self._random
        format = chosen.choice(FORMATS)
        target = chosen.choice([each for each in KINDS if (format, each) != ("docx", "entities")])
        large = chosen.random() < 0.25
        options: dict[str, Any] = {
            "max_records": chosen.randint(1500, RECORDS) if large else chosen.randint(2, 200)
        }
        one_file = format == "json" or (format == "csv" and target not in ("graph", "matrix"))
        if one_file and chosen.random() < 0.3:
            options["compression"] = chosen.choice(["gzip", "zstd", "zip"])
        return {"target": target, "format": format, "options": options}

    def _cancel(self) -> None:
        if self.accepted:
            # Those that came last are the most likely to run yet.
            job_id = self._random.choice(self.accepted[-10:])
            self._asked("DELETE", f"/api/export/jobs/{job_id}", 204)

    def _asked(self, method: str, path: str, wanted: int, **body: Any) -> httpx.Response | None:
        """The answer of the first host that gives the wanted one."""
        hosts = [each for each in self.fleet.members if each.kind == HOST]
        for host in self._random.sample(hosts, len(hosts)):
            with contextlib.suppress(httpx.TransportError):
                answer = self._client.request(method, f"{host.url}{path}", **body)
                if answer.status_code == wanted:
                    return answer
                if answer.status_code not in (409, 503) and (method, answer.status_code) != ("DELETE", 404):
                    raise BenchmarkError(f"{method} {path} {body}: {answer.status_code} {answer.text[:300]}")
        return None

    def _kill(self) -> None:
        member = self._random.choice(self.fleet.members)
        children = descendants(member.process.pid)
        how = self._random.random()
        if children and how < 0.4:
            _kill(self._random.choice(children))
            self.kills[CHILD] += 1
            return
        # With all its processes, as where a machine dies; or they are left, to find out that nobody hears them.
        alone = how < 0.8
        self.kills[member.kind if alone else f"{member.kind} with all its processes"] += 1
        self.killed.add(member.process.pid)
        for pid in () if alone else (member.process.pid, *children):
            _kill(pid)
        member.kill()
        member.start()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def fleet(
    folder: Path, database: str, hosts: int, workers: int, server_url: str | None = None
) -> Iterator[Fleet]:
    """Started over seeded records: one host on SQLite, or hosts and workers on a database of their own."""
    if database == "sqlite":
        with Fleet(folder, None, concurrency=2, **SETTINGS) as started:
            seed_sqlite(started.data, RECORDS)
            started.host()
            started.ready()
            yield started
        return
    with Databases(folder, server_url) as databases:
        url = databases.empty()
        seed_postgres(url, RECORDS)
        with Fleet(folder, url, concurrency=1, **SETTINGS) as started:
            for _ in range(hosts):
                started.host()
            for _ in range(workers):
                started.worker()
            started.ready()
            yield started


@dataclass(frozen=True, slots=True)
class Report:
    violations: list[str]
    lines: list[str]


def chaos(
    folder: Path,
    database: str,
    seed: int,
    jobs: int,
    kills: int,
    hosts: int = 2,
    workers: int = 3,
    server_url: str | None = None,
) -> Report:
    began = time.monotonic()
    with fleet(folder, database, hosts, workers, server_url) as started:
        run = Chaos(started, seed)
        run.run(jobs, kills, cancels=jobs // 12)
        seconds = time.monotonic() - began
        codes = started.stop()
        told = [
            f"a {each.kind} ended with {code}"
            for each, code in zip(started.members, codes, strict=True)
            if code not in (0, -15)
        ]
        with contextlib.suppress(Exception):
            until(lambda: not started.strays(), "all processes have ended", STOP_SECONDS)
        told += [f"process {pid} is left" for pid in started.strays() if alive(pid)]
        told += violations(started, run.accepted, run.killed)
        rows = started.jobs().values()
        heard = started.heard()
        states = Counter(str(row["status"]) for row in rows)
        attempts = Counter(int(row["attempts"] or 0) for row in rows)
    lines = [
        f"seed {seed}, {database}: {len(rows)} jobs ({_counted(states)})",
        f"kills: {sum(run.kills.values())} ({_counted(run.kills)})",
        f"attempts: at most {max(attempts)}; more than one: {sum(attempts[each] for each in attempts if each > 1)} jobs",
        f"events: {len(heard)} heard, of these {redelivered(heard)} again after the death of a host",
        f"{sum(int(row['record_count'] or 0) for row in rows):,} records in {len(started.files())} files, {run.swept} left behind and swept; {seconds:.0f} s",
    ]
    return Report(told, lines)


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name}: {number}" for name, number in sorted(counter.items()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, required=True, help="same seed, same steps")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--hosts", type=int, default=2, help="on PostgreSQL")
    parser.add_argument("--workers", type=int, default=3, help="on PostgreSQL")
    parser.add_argument("--folder", type=Path, help="where everything is kept; by default nothing is")
    given = parser.parse_args()
    with contextlib.ExitStack() as closing:
        folder = given.folder or Path(
            closing.enter_context(tempfile.TemporaryDirectory(prefix="arkham-chaos-"))
        )
        report = chaos(
            folder, given.database, given.seed, given.jobs, given.kills, given.hosts, given.workers
        )
    print("\n".join(report.lines))
    if report.violations:
        print(f"\n{len(report.violations)} violations:", *report.violations[:40], sep="\n- ")
        sys.exit(1)
    print("Nothing was lost, and nothing done twice.")


if __name__ == "__main__":
    main()
