"""Many who ask and many who listen while exports run: python -m benchmarks.crowd --pollers 500 --listeners 200.

A host on SQLite runs four exports at once; each poller asks once a second for the state of one of them, over a connection that it
keeps, and each listener follows the events of one. Nobody may get an error, and each listener must hear the end.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import httpx

from arkham_shard_export.standalone.seed import seed_sqlite
from benchmarks.fleet import Fleet
from benchmarks.measure import BenchmarkError

EXPORTS = 4
IDLE_SECONDS = 5.0
LEAST_POLLS = 2
"""Of each poller, however soon the exports end."""


@dataclass
class Crowd:
    """What was asked and how long it took, in ms, before the exports (`idle`) and while they ran (`busy`)."""

    idle: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    ends: int = 0


class _Line:
    """One connection that is kept, without the cost of a client's library."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)

    async def __aenter__(self) -> _Line:
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, path: str) -> int:
        self._send(path)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(
            line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length:")
        )
        await self._reader.readexactly(int(length))
        return int(head.split(" ", 2)[1])

    async def listen(self, path: str) -> str:
        self._send(path, "Connection: close\r\n")
        return (await self._reader.read(-1)).decode("utf-8", "replace")

    def _send(self, path: str, further: str = "") -> None:
        host = f"{self._address[0]}:{self._address[1]}"
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{further}\r\n".encode())


def crowd(folder: Path, pollers: int, listeners: int, records: int) -> Crowd:
    seed_sqlite(folder / "data", records, targets=["claims"])
    with Fleet(folder, concurrency=EXPORTS) as fleet:
        host = fleet.host()
        fleet.ready()
        found = asyncio.run(_gather(host.url, pollers, listeners))
        fleet.stop()
    return found


async def _gather(url: str, pollers: int, listeners: int) -> Crowd:
    place = urlsplit(url)
    address = (str(place.hostname), int(place.port or 80))
    found = Crowd()
    await asyncio.gather(
        *(
            _poll(address, "/api/export/count", found.idle, found, _after(IDLE_SECONDS))
            for _ in range(pollers)
        )
    )
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        bodies = [{"target": "claims", "format": each} for each in ("json", "csv", "xlsx", "json")]
        ids = [
            (await client.post("/api/export/jobs", json=body)).raise_for_status().json()["id"]
            for body in bodies
        ]
    over = asyncio.Event()
    polling = [
        asyncio.create_task(
            _poll(address, f"/api/export/jobs/{ids[number % EXPORTS]}", found.busy, found, over)
        )
        for number in range(pollers)
    ]
    await asyncio.gather(*(_listen(address, ids[number % EXPORTS], found) for number in range(listeners)))
    over.set()
    await asyncio.gather(*polling)
    return found


def _after(seconds: float) -> asyncio.Event:
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, over.set)
    return over


async def _poll(
    address: tuple[str, int], path: str, took: list[float], found: Crowd, over: asyncio.Event
) -> None:
    """Once a second, from a moment of its own."""
    await asyncio.sleep(random.random())
    polls = 0
    try:
        async with _Line(*address) as line:
            while not over.is_set() or polls < LEAST_POLLS:
                began = time.perf_counter()
                if (status := await line.ask(path)) != 200:
                    found.errors.append(f"{path}: {status}")
                took.append(1000 * (time.perf_counter() - began))
                polls += 1
                await asyncio.sleep(max(0.0, 1 - took[-1] / 1000))
    except (OSError, asyncio.IncompleteReadError) as error:
        found.errors.append(f"{path}: {error!r}")


async def _listen(address: tuple[str, int], job_id: str, found: Crowd) -> None:
    try:
        async with _Line(*address) as line:
            told = await line.listen(f"/api/export/jobs/{job_id}/events")
    except OSError as error:
        found.errors.append(f"events: {error!r}")
        return
    if "event: end" in told and '"status":"completed"' in told.replace(" ", ""):
        found.ends += 1
    else:
        found.errors.append(f"events: no end in {told[-300:]!r}")


def percentiles(took: list[float]) -> str:
    ordered = sorted(took)
    return f"{median(ordered):.0f} / {ordered[len(ordered) * 99 // 100]:.0f} / {ordered[-1]:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crowd", description=__doc__)
    parser.add_argument("--pollers", type=int, default=500)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--records", type=int, default=100_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arkham-crowd-") as folder:
        found = crowd(Path(folder), given.pollers, given.listeners, given.records)
    print(
        f"{given.pollers} pollers, {given.listeners} listeners, {EXPORTS} exports of {given.records:,} claims at once:"
    )
    print(f"idle: {len(found.idle)} polls, median / p99 / longest {percentiles(found.idle)}")
    print(f"busy: {len(found.busy)} polls, median / p99 / longest {percentiles(found.busy)}")
    print(f"{found.ends} listeners heard the end")
    if found.errors:
        print(f"{len(found.errors)} errors:", *found.errors[:20], sep="\n- ")
        sys.exit(1)
    if found.ends != given.listeners:
        raise BenchmarkError("A listener is missing.")


if __name__ == "__main__":
    main()
