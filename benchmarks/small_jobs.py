"""How fast small jobs are, and the answers that are polled, with few and with a million jobs in the table.

python -m benchmarks.small_jobs: a standalone host on SQLite in a process of its own; prints Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from arkham_shard_export.standalone.tables import open_sqlite

RECORDS = 10
LOOK_SECONDS = 0.002
JOB = {"target": "claims", "format": "json", "options": {"max_records": RECORDS}}
_CLI = "from arkham_shard_export.cli import main; main()"
_FILL = """
INSERT INTO arkham_export_jobs
    (id, format, target, status, created_at, completed_at, record_count, file_size, processing_time_ms, created_by)
WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i < ?)
SELECT printf('%032x', i), CASE WHEN i % 5 = 0 THEN 'csv' WHEN i % 5 = 1 THEN 'pdf' ELSE 'json' END,
    CASE i % 3 WHEN 0 THEN 'claims' WHEN 1 THEN 'documents' ELSE 'graph' END,
    CASE WHEN i % 10 = 3 OR i <= 50 THEN 'failed' WHEN i % 10 = 4 THEN 'cancelled' ELSE 'completed' END,
    strftime('%Y-%m-%dT%H:%M:%f000+00:00', 1577836800 + i * 60, 'unixepoch'), NULL, 10, 4000, 5.0,
    'user-' || i % 50
FROM n
"""


@contextlib.contextmanager
def host(data: Path) -> Iterator[str]:
    """The URL of a host that serves the folder until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["serve", "--data", str(data), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-c", _CLI, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/api/export/count", timeout=60).status_code == 200:
                    break
            if process.poll() is not None:
                raise SystemExit(f"The host ended with {process.returncode}.")
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


def wait(client: httpx.Client, job_id: str) -> None:
    while True:
        status = client.get(f"/api/export/jobs/{job_id}").json()["status"]
        if status == "completed":
            return
        if status in ("failed", "cancelled"):
            raise SystemExit(f"Job {job_id} is {status}.")
        time.sleep(LOOK_SECONDS)


def latencies(url: str, jobs: int) -> list[float]:
    """Milliseconds from the request to the state `completed`, one job after another."""
    taken = []
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in range(jobs + 20):
            began = time.perf_counter()
            wait(client, client.post("/api/export/jobs", json=JOB).raise_for_status().json()["id"])
            if number >= 20:
                taken.append((time.perf_counter() - began) * 1000)
    return taken


async def throughput(url: str, jobs: int) -> float:
    """Completed jobs a second, from the first request to the end of the last job."""
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=16)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:

        async def completed() -> int:
            answer = await client.get("/api/export/count", params={"status": "completed"})
            return int(answer.json()["count"])

        before = await completed()
        began = time.perf_counter()
        answers = await asyncio.gather(*(client.post("/api/export/jobs", json=JOB) for _ in range(jobs)))
        for answer in answers:
            answer.raise_for_status()
        while await completed() < before + jobs:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return jobs / (time.perf_counter() - began)


def fill(data: Path, first: int, last: int) -> float:
    """Seconds that it takes to insert finished jobs by plain SQL."""
    began = time.perf_counter()
    with contextlib.closing(open_sqlite(data)) as connection:
        connection.execute(_FILL, (first, last))
    return time.perf_counter() - began


def polled(rows: int) -> dict[str, str]:
    return {
        "/count": "/count",
        "/jobs": "/jobs",
        "/jobs, the middle": f"/jobs?offset={rows // 2}",
        "/jobs, at nine tenths": f"/jobs?offset={rows * 9 // 10}",
        "/jobs?status=completed": "/jobs?status=completed",
        "/jobs?format=csv": "/jobs?format=csv",
        "/jobs?created_by=user-7": "/jobs?created_by=user-7",
        "/jobs?status=failed&format=csv (10 match)": "/jobs?status=failed&format=csv",
        "/stats": "/stats",
    }


def answers(url: str, rows: int, rounds: int) -> dict[str, float]:
    """Median milliseconds of each polled answer."""
    taken: dict[str, list[float]] = {name: [] for name in polled(rows)}
    with httpx.Client(base_url=url, timeout=60) as client:
        for _ in range(rounds):
            for name, path in polled(rows).items():
                began = time.perf_counter()
                client.get(f"/api/export{path}").raise_for_status()
                taken[name].append((time.perf_counter() - began) * 1000)
    return {name: statistics.median(each) for name, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.small_jobs", description=__doc__)
    parser.add_argument("--jobs", type=int, default=200, help="one after another; 2.5 times as many at once")
    parser.add_argument("--rows", type=int, default=1_000_000, help="jobs in the large table")
    parser.add_argument("--rounds", type=int, default=51, help="of each polled answer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arkham-bench-") as folder:
        data = Path(folder) / "data"
        words = ["seed", "--records", "100", "--data", str(data)]
        subprocess.run([sys.executable, "-c", _CLI, *words], check=True, stdout=subprocess.DEVNULL)
        with host(data) as url:
            taken = sorted(latencies(url, arguments.jobs))
            rate = asyncio.run(throughput(url, arguments.jobs * 5 // 2))
        print(f"| {RECORDS} claims → JSON, one job at a time | ms |\n| --- | --- |")
        print(f"| median | {statistics.median(taken):.1f} |\n| p95 | {taken[len(taken) * 95 // 100]:.1f} |\n")
        print(f"{arguments.jobs * 5 // 2} jobs at once: {rate:.0f} completed a second\n", flush=True)
        with contextlib.closing(open_sqlite(data)) as connection:
            connection.execute("DELETE FROM arkham_export_jobs")
        found, filled = [], 0
        for rows in (1_000, arguments.rows):
            seconds = fill(data, filled + 1, rows)
            filled = rows
            with host(data) as url:
                found.append(answers(url, rows, arguments.rounds))
        print(
            f"| polled | ms among 1,000 jobs | ms among {arguments.rows:,} | ratio |\n| --- | --- | --- | --- |"
        )
        names = zip(polled(0), *(each.values() for each in found), strict=True)
        for name, few, many in names:
            print(f"| {name} | {few:.2f} | {many:.2f} | {many / few:.2f} |")
        print(f"\nInserting the {rows:,} jobs took {seconds:.0f} s. {os.cpu_count()} cores.")


if __name__ == "__main__":
    main()
