"""Many small jobs by many processes: python -m benchmarks.cluster --jobs 2000 --workers 4 --hosts 2.

First they are worked off while they are still being asked for, then as many that were all asked for before. None may be
lost and none run twice. Then as many bare tasks of the queue's engine, which do nothing, by as many processes with the same
number of places: once asked for over HTTP of as many hosts, whose route does nothing else than enter one, and once all
entered before. What is left between the two is our own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from arkham_shard_export.jobs.queues import schema as queue_schema
from arkham_shard_export.standalone.seed import seed_postgres
from benchmarks.databases import Databases
from benchmarks.fleet import Fleet, free_port, paused, until
from benchmarks.measure import ROOT, environment
from benchmarks.verdict import violations

GOAL_RATIO = 3.0
RECORDS = 10
JOB = {"target": "claims", "format": "json", "options": {"max_records": RECORDS}}
AT_ONCE = 16
"""Requests at a time."""
END_SECONDS = 600.0
_BARE = """
import asyncio, contextlib, logging, sys
import procrastinate
from arkham_shard_export.jobs.queues.schema import SEARCH_PATH

logging.disable()
url, number = sys.argv[1], int(sys.argv[2])
connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=6, kwargs={"options": SEARCH_PATH})
tasks = procrastinate.App(connector=connector)

@tasks.task(name="nothing", queue="small")
async def nothing(number):
    pass
"""
_BARE_WORKER = f"""{_BARE}
async def main():
    async with tasks.open_async():
        await tasks.run_worker_async(concurrency=number, delete_jobs="always", fetch_job_polling_interval=0.5)

asyncio.run(main())
"""
_BARE_HOST = f"""{_BARE}
import fastapi, uvicorn

@contextlib.asynccontextmanager
async def opened(_app):
    async with tasks.open_async():
        yield

app = fastapi.FastAPI(lifespan=opened)

@app.post("/api/export/jobs", status_code=201)
async def enter(body: dict):
    return {{"id": str(await nothing.defer_async(number=1))}}

uvicorn.run(app, host="127.0.0.1", port=number, log_level="critical", access_log=False)
"""


@dataclass(frozen=True, slots=True)
class Rates:
    """Jobs a second, and tasks that do nothing.

    `together`: asked for and worked off at the same time. `accepted`: only asked for. `worked_off`: only worked off.
    """

    together: float
    accepted: float
    worked_off: float
    bare_together: float
    bare_worked_off: float
    violations: list[str]

    @property
    def ratio(self) -> float:
        """Of the whole, from the request to the end."""
        return self.bare_together / self.together


def cluster(folder: Path, jobs: int, workers: int, hosts: int, server_url: str | None = None) -> Rates:
    """Hosts run nothing themselves; each worker has one place, and one more for small jobs."""
    with Databases(folder, server_url) as databases:
        url = databases.empty()
        seed_postgres(url, 100, targets=["claims"])
        with Fleet(folder, url, concurrency=0, poll_seconds=0.5) as fleet:
            for _ in range(hosts):
                fleet.host()
            for _ in range(workers):
                fleet.worker(concurrency=1)
            fleet.ready()
            urls = [each.url for each in fleet.members if each.url]
            # The first job of each worker waits for its interpreter.
            asyncio.run(_ask(urls, 4 * workers))
            fleet.ended(END_SECONDS)

            def work_off() -> None:
                until(lambda: not fleet.open_jobs(), "all jobs have ended", END_SECONDS)

            began = time.perf_counter()
            accepted = asyncio.run(_ask(urls, jobs))
            work_off()
            together = time.perf_counter() - began
            fleet.ended(END_SECONDS)
            with contextlib.ExitStack() as waiting:
                for member in fleet.members:
                    if member.kind == "worker":
                        waiting.enter_context(paused(member.process.pid))
                began = time.perf_counter()
                accepted += asyncio.run(_ask(urls, jobs))
                asked = time.perf_counter() - began
            began = time.perf_counter()
            work_off()
            worked = time.perf_counter() - began
            fleet.ended(END_SECONDS)
            told = violations(fleet, accepted, [])
            attempts = Counter(int(row["attempts"]) for row in fleet.jobs().values())
            told += [
                f"{number} jobs were tried {tries} times" for tries, number in attempts.items() if tries != 1
            ]
            fleet.stop()
        bare_together, bare_worked = _bare(databases.empty(), jobs, workers, hosts)
    rates = (together, asked, worked, bare_together, bare_worked)
    return Rates(*(jobs / seconds for seconds in rates), told)


async def _ask(urls: list[str], jobs: int) -> list[str]:
    """The ids of jobs that were asked for, of each host in turn."""
    accepted: list[str] = []
    numbers = iter(range(jobs))

    async def ask(client: httpx.AsyncClient) -> None:
        for number in numbers:
            answer = await client.post(f"{urls[number % len(urls)]}/api/export/jobs", json=JOB)
            accepted.append(answer.raise_for_status().json()["id"])

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(ask(client) for _ in range(AT_ONCE)))
    return accepted


def _bare(url: str, tasks: int, workers: int, hosts: int) -> tuple[float, float]:
    """Seconds for so many tasks that do nothing: asked for of the hosts while they are worked off, and entered before
    by one statement. Each worker has two places."""
    asyncio.run(queue_schema.prepare(url))
    settings = {**environment(), "PYTHONPATH": str(ROOT)}

    def started(program: str, number: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", program, url, str(number)], env=settings)

    with psycopg.connect(url, autocommit=True, options=queue_schema.SEARCH_PATH) as connection:

        def left() -> int:
            row = connection.execute(
                "SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'"
            ).fetchone()
            return int(row[0]) if row else 0

        ports = [free_port() for _ in range(hosts)]
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        processes = [started(_BARE_WORKER, 2) for _ in range(workers)]
        processes += [started(_BARE_HOST, port) for port in ports]
        try:
            heard = "SELECT count(*) FROM procrastinate_workers"
            until(lambda: connection.execute(heard).fetchall() == [(workers,)], "the workers are there")
            for each in urls:
                until(lambda each=each: _answers(each), "a host is there")  # type: ignore[misc]
            asyncio.run(_ask(urls, 4 * workers))
            until(lambda: not left(), "the first tasks have ended")
            began = time.perf_counter()
            asyncio.run(_ask(urls, tasks))
            until(lambda: not left(), "all tasks have ended", END_SECONDS)
            together = time.perf_counter() - began
            began = time.perf_counter()
            connection.execute(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)"
                " SELECT 'small', 'nothing', 'n' || i, 'n' || i, CAST(%s AS jsonb) FROM generate_series(1, %s) AS n(i)",
                [json.dumps({"number": 1}), tasks],
            )
            # Without statistics each look for a task would read all of them.
            connection.execute("ANALYZE procrastinate_jobs")
            until(lambda: not left(), "all tasks have ended", END_SECONDS)
            return together, time.perf_counter() - began
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/api/export/jobs", timeout=10).status_code == 405
    return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--hosts", type=int, default=2)
    given = parser.parse_args()
    with contextlib.ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="arkham-cluster-"))
        rates = cluster(Path(folder), given.jobs, given.workers, given.hosts)
    print(f"{given.jobs} jobs of {RECORDS} claims as JSON, {given.hosts} hosts, {given.workers} workers:")
    print(f"{rates.together:.0f} jobs a second, from the request to the end of the last")
    print(f"{rates.accepted:.0f} a second accepted, and then {rates.worked_off:.0f} a second worked off")
    print(
        f"{rates.bare_together:.0f} bare tasks a second, from the request to the end of the last; "
        f"ratio {rates.ratio:.1f} (goal: {GOAL_RATIO})"
    )
    print(
        f"{rates.bare_worked_off:.0f} bare tasks a second worked off; "
        f"ratio {rates.bare_worked_off / rates.worked_off:.1f}"
    )
    if rates.violations:
        print(f"\n{len(rates.violations)} violations:", *rates.violations[:40], sep="\n- ")
        sys.exit(1)
    print("None was lost, and none run twice.")


if __name__ == "__main__":
    main()
