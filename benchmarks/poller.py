"""Asks a host for its count every 10 ms, once at least, until standard input is closed; prints milliseconds as a JSON list.

Run as `python -m benchmarks.poller PORT`: a process of its own, which nothing else can hold up.
"""

from __future__ import annotations

import json
import select
import sys
import time
from http.client import HTTPConnection

PATH = "/api/export/count"
INTERVAL_SECONDS = 0.01


def main() -> None:
    connection = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    ask(connection)
    milliseconds: list[float] = []
    ended = False
    while not ended:
        asked = time.perf_counter()
        ask(connection)
        answered = time.perf_counter()
        milliseconds.append(1000 * (answered - asked))
        wait = max(0.0, asked + INTERVAL_SECONDS - answered)
        ended = bool(select.select([sys.stdin], [], [], wait)[0])
    json.dump(milliseconds, sys.stdout)


def ask(connection: HTTPConnection) -> None:
    connection.request("GET", PATH)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        sys.exit(f"GET {PATH}: {answer.status}")


if __name__ == "__main__":
    main()
