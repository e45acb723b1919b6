"""Who is let in to the standalone host, what it tells browsers, and where it refuses to start."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from arkham_shard_export.signing import Bearer, LinkSigner
from tests.hosts import RunningHost, standalone

TOKEN = "correct-horse-battery-staple"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ANN = {"X-Tenant-Id": "5b6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b11", "X-User-Id": "ann"}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    """A host with a token, and the token in every request of its client."""
    with standalone(tmp_path_factory.mktemp("closed"), demo=True, token=TOKEN) as host:
        host.client.headers.update(BEARER)
        yield host


@pytest.fixture(scope="module")
def open_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    with standalone(
        tmp_path_factory.mktemp("open"),
        demo=True,
        host_names=("localhost", "127.0.0.1", "[::1]", "Cases.example:8443"),
    ) as host:
        yield host


def stranger(host: RunningHost, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=host.client.base_url, headers=headers)


def paths_of(host: RunningHost) -> list[tuple[str, str]]:
    """Every route of the shard and some that are none."""
    routes = [
        (method, re.sub(r"\{\w+\}", "some-job", route.path))
        for route in host.shard.get_routes().routes
        for method in route.methods
    ]
    return [*routes, ("GET", "/api/"), ("GET", "/api/export/none"), ("PUT", "/api/export/jobs"), ("GET", "//api/export/jobs"), ("GET", "/docs"), ("OPTIONS", "/api/export/jobs")]  # fmt: skip


# The token


def test_without_the_token_no_route_answers_but_health_and_the_page(closed: RunningHost) -> None:
    with stranger(closed) as client:
        for method, path in paths_of(closed):
            if path == "/api/export/health" or path.startswith("/api/export/ui"):
                continue
            answer = client.request(method, f"http://{closed.client.base_url.netloc.decode()}{path}")
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            if method != "HEAD":
                detail = answer.json()["detail"]
                assert detail.endswith(".")
                assert TOKEN not in answer.text
                assert "some-job" not in answer.text


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer  x", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Bearer {TOKEN.upper()}",
     f"Bearer {TOKEN},Bearer {TOKEN}", f"Bearer  {TOKEN} x", "Bearer \xff\xfe", "Bearer " + "x" * 10_000, f"Bearer\t{TOKEN}"],
)  # fmt: skip
def test_what_is_not_the_token_is_refused(closed: RunningHost, given: str) -> None:
    headers = {"Authorization": given.encode("latin-1")}
    answer = httpx.get(closed.client.base_url.join("/api/export/jobs"), headers=headers)
    assert answer.status_code == 401


def test_two_tokens_are_none(closed: RunningHost) -> None:
    headers = [("Authorization", "Bearer wrong"), ("Authorization", f"Bearer {TOKEN}")]
    for given in (headers, headers[::-1]):
        assert httpx.get(closed.client.base_url.join("/api/export/jobs"), headers=given).status_code == 401


def test_with_the_token_everything_works(closed: RunningHost) -> None:
    job, file = closed.export("claims", "csv")
    assert file.status_code == 200
    assert closed.client.get("/api/export/jobs").json()["jobs"][0]["id"] == job["id"]
    lower = {"Authorization": f"bearer {TOKEN}"}
    assert httpx.get(closed.client.base_url.join("/api/export/stats"), headers=lower).status_code == 200


def test_the_page_is_open_and_holds_no_data(closed: RunningHost) -> None:
    job, _ = closed.export("claims", "csv")
    with stranger(closed) as client:
        for path in (
            "/",
            "/export",
            "/export/jobs",
            "/api/export/ui",
            "/api/export/ui/jobs",
            "/api/export/ui/assets/app.js",
            "/api/export/ui/assets/base.css",
            "/openapi.json",
        ):
            answer = client.get(path, follow_redirects=True)
            assert answer.status_code == 200, path
            assert job["id"] not in answer.text
        for path in (
            "/api/export/ui/assets/../../jobs",
            "/export/..%2fapi/export/jobs",
            "/api/export/ui/assets/%2e%2e%2fapp.py",
        ):
            assert "jobs" not in client.get(path).json()


def test_health_tells_a_stranger_the_statuses_alone(closed: RunningHost) -> None:
    known = closed.client.get("/api/export/health").json()
    with stranger(closed) as client:
        told = client.get("/api/export/health")
    assert told.status_code == 200
    assert "free_bytes" in known["checks"]["store"]
    assert {key for check in told.json()["checks"].values() for key in check} == {"status"}


# Links


def link(host: RunningHost, job_id: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    answer = host.client.post(f"/api/export/jobs/{job_id}/link", headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_link_is_followed_without_the_token_by_get_and_head(closed: RunningHost) -> None:
    job, file = closed.export("claims", "csv")
    made = link(closed, job["id"])
    left = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)
    with stranger(closed) as client:
        answer = client.get(made["url"])
        assert (answer.status_code, answer.content) == (200, file.content)
        assert client.head(made["url"]).status_code == 200
        part = client.get(made["url"], headers={"Range": "bytes=0-9"})
        assert (part.status_code, part.content) == (206, file.content[:10])


def test_a_link_opens_nothing_but_the_download_it_was_made_for(closed: RunningHost) -> None:
    (one, _), (two, _) = closed.export("claims", "csv"), closed.export("claims", "json")
    query = urlsplit(link(closed, one["id"])["url"]).query
    with stranger(closed) as client:
        for path in (
            f"jobs/{two['id']}/download",
            f"jobs/{one['id']}",
            "jobs",
            f"jobs/{one['id']}/link",
            "stats",
            f"jobs/{one['id']}%2f..%2f{two['id']}/download",
        ):
            assert client.get(f"/api/export/{path}?{query}").status_code == 401, path
        for method in ("POST", "DELETE", "PUT"):
            assert client.request(method, f"/api/export/jobs/{one['id']}/download?{query}").status_code == 401
        assert client.delete(f"/api/export/jobs/{one['id']}?{query}").status_code == 401


def test_an_altered_link_and_one_whose_time_is_over_are_refused(closed: RunningHost) -> None:
    job, _ = closed.export("claims", "csv")
    parts = urlsplit(link(closed, job["id"])["url"])
    given = {name: values[0] for name, values in parse_qs(parts.query).items()}
    later = str(int(given["expires"]) + 1)
    past = LinkSigner(TOKEN, 300).link(parts.path, Bearer(), datetime.now(UTC) - timedelta(seconds=301)).url
    foreign = LinkSigner(TOKEN + "x", 300).link(parts.path, Bearer(), datetime.now(UTC)).url
    altered = [
        f"{parts.path}?expires={later}&signature={given['signature']}",
        f"{parts.path}?expires={given['expires']}&signature={given['signature'][::-1]}",
        f"{parts.path}?expires={given['expires']}",
        f"{parts.path}?{parts.query}&expires={later}",
        past,
        foreign,
    ]
    with stranger(closed) as client:
        assert client.get(f"{parts.path}?{parts.query}").status_code == 200
        for url in altered:
            assert client.get(url).status_code == 401, url


def test_a_link_is_made_only_for_a_file_that_can_be_had(closed: RunningHost, open_host: RunningHost) -> None:
    for host in (closed, open_host):
        assert host.client.post("/api/export/jobs/none/link").status_code == 404
        failed = host.post("claims", "csv").json()["id"]
        host.client.delete(f"/api/export/jobs/{failed}")
        if host.wait(failed)["status"] == "cancelled":
            assert host.client.post(f"/api/export/jobs/{failed}/link").status_code == 400


def test_where_no_token_is_asked_for_a_link_is_the_plain_path(host: RunningHost) -> None:
    job, file = host.export("matrix", "json")
    made = link(host, job["id"])
    assert made == {"url": job["download_url"], "expires_at": None}
    assert host.client.get(made["url"]).content == file.content


def test_behind_a_proxy_a_link_is_good_for_its_user_and_rights_are_checked_again(tmp_path: Path) -> None:
    with standalone(tmp_path, demo=True, token=TOKEN, trust_headers=True) as host:
        mine = {**BEARER, **ANN}
        job_id = host.post("claims", "csv", headers=mine).json()["id"]
        host.wait(job_id, mine)
        path = f"/api/export/jobs/{job_id}/link"
        assert host.client.post(path, headers=ANN).status_code == 401, (
            "the headers alone are believed of nobody"
        )
        for other in (
            {**mine, "X-User-Id": "eve"},
            {**mine, "X-Tenant-Id": ANN["X-Tenant-Id"][::-1].replace("-", "")},
        ):
            assert host.client.post(path, headers=other).status_code == 404
        url = link(host, job_id, mine)["url"]
        assert host.client.get(url, headers=ANN).status_code == 200
        for other in (
            {},
            {"X-User-Id": "ann"},
            {**ANN, "X-User-Id": "eve"},
            {**ANN, "X-User-Id": "root", "X-User-Role": "admin"},
        ):
            assert host.client.get(url, headers=other).status_code == 401, other
        # Signed for eve, who may not have the file.
        eve = LinkSigner(TOKEN, 300).link(
            f"/api/export/jobs/{job_id}/download", Bearer(ANN["X-Tenant-Id"], "eve"), datetime.now(UTC)
        )
        assert host.client.get(eve.url, headers={**ANN, "X-User-Id": "eve"}).status_code == 404


def test_headers_of_a_proxy_are_not_believed_unless_they_are_to_be(closed: RunningHost) -> None:
    job = closed.post("matrix", "json", headers=ANN).json()
    assert job["created_by"] == "system"
    assert (
        closed.client.get(f"/api/export/jobs/{job['id']}", headers={"X-Tenant-Id": "none"}).status_code == 200
    )


@pytest.mark.parametrize("name", ["X-Tenant-Id", "X-User-Id", "X-User-Role"])
def test_a_header_that_a_client_sends_beside_the_proxys_is_refused(tmp_path: Path, name: str) -> None:
    with standalone(tmp_path, trust_headers=True) as host:
        twice = [*ANN.items(), ("X-User-Role", "analyst"), (name, "admin")]
        answer = host.client.get("/api/export/jobs", headers=twice)
        assert answer.status_code == 400
        assert "once" in answer.json()["detail"]
        assert host.client.get("/api/export/jobs", headers={"X-User-Id": ""}).status_code == 400


# Names and origins


@pytest.mark.parametrize(
    "name",
    [
        "evil.example",
        "evil.example:8100",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "127.0.0.2",
        "[::2]",
        "",
        "localhost@evil.example",
        "xn--lcalhost-0za",
        "0.0.0.0",
    ],
)
def test_a_name_that_is_not_its_own_is_not_answered(open_host: RunningHost, name: str) -> None:
    for path in ("/api/export/jobs", "/export", "/api/export/health", "/openapi.json"):
        answer = open_host.client.get(path, headers={"Host": name})
        assert answer.status_code == 421, path
        assert "ARKHAM_EXPORT_ALLOWED_HOSTS" in answer.json()["detail"]
        assert name == "" or name not in answer.text


@pytest.mark.parametrize(
    "name",
    [
        "localhost",
        "LOCALHOST:8100",
        "127.0.0.1",
        "127.0.0.1:9",
        "[::1]:8100",
        "[::1]",
        "cases.example",
        "CASES.example:1",
    ],
)
def test_its_own_names_are_answered(open_host: RunningHost, name: str) -> None:
    assert open_host.client.get("/api/export/jobs", headers={"Host": name}).status_code == 200


CROSS: list[dict[str, str]] = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://["},
    {"Origin": "http://HOST.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://HOST"},
]


@pytest.mark.parametrize("headers", CROSS, ids=str)
def test_a_page_of_another_origin_can_change_nothing(open_host: RunningHost, headers: dict[str, str]) -> None:
    own = open_host.client.base_url.netloc.decode()
    sent = {name: text.replace("HOST", own) for name, text in headers.items()}
    job_id = open_host.post("matrix", "json").json()["id"]
    before = open_host.client.get("/api/export/jobs").json()["total"]
    for answer in (
        open_host.post("matrix", "json", headers=sent),
        open_host.client.post(
            "/api/export/preview", json={"format": "json", "target": "claims"}, headers=sent
        ),
        open_host.client.post(f"/api/export/jobs/{job_id}/link", headers=sent),
        open_host.client.delete(f"/api/export/jobs/{job_id}", headers=sent),
    ):
        assert answer.status_code == 403
        assert "another origin" in answer.json()["detail"]
    assert open_host.client.get("/api/export/jobs").json()["total"] == before
    assert open_host.wait(job_id)["status"] == "completed"


def test_the_page_itself_and_scripts_can_change_things(open_host: RunningHost) -> None:
    own = open_host.client.base_url.netloc.decode()
    for headers in (
        {"Origin": f"http://{own}"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://seen.by.the.browser"},
        {"Sec-Fetch-Site": "none"},
        {},
    ):
        assert open_host.post("matrix", "json", headers=headers).status_code == 201, headers


def test_a_request_of_another_origin_is_told_nothing_that_lets_it_read(open_host: RunningHost) -> None:
    asked = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    for method in ("GET", "OPTIONS", "POST"):
        answer = open_host.client.request(method, "/api/export/jobs", headers=asked)
        assert [name for name in answer.headers if name.startswith("access-control")] == []
    assert open_host.client.options("/api/export/jobs", headers=asked).status_code != 200


# Headers


def test_every_answer_has_safe_headers(open_host: RunningHost, closed: RunningHost) -> None:
    job, _ = open_host.export("claims", "csv")
    answers = [
        open_host.client.get("/"),
        open_host.client.get("/export"),
        open_host.client.get("/api/export/ui/assets/app.js"),
        open_host.client.get("/nothing"),
        open_host.client.get("/api/export/jobs"),
        open_host.client.get("/api/export/jobs/none"),
        open_host.client.post("/api/export/jobs", json={"target": "nothing"}),
        open_host.client.get(job["download_url"]),
        open_host.client.get(job["download_url"], headers={"Range": "bytes=99999999999-"}),
        open_host.client.get("/export", headers={"Host": "evil.example"}),
        open_host.client.delete("/api/export/jobs/none", headers={"Origin": "null"}),
        httpx.get(closed.client.base_url.join("/api/export/jobs")),
    ]
    assert {each.status_code for each in answers} >= {200, 307, 401, 403, 404, 416, 421, 422}
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff", answer.url
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


def test_an_answer_to_a_fault_of_ours_has_safe_headers_too(tmp_path: Path) -> None:
    with standalone(tmp_path) as host:

        async def broken() -> None:
            raise ZeroDivisionError

        host.app.add_api_route("/broken", broken)
        answer = host.client.get("/broken")
    assert answer.status_code == 500
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_runs_its_own_script_and_nothing_else(open_host: RunningHost) -> None:
    page = open_host.client.get("/export")
    policy = page.headers["content-security-policy"]
    for each in (
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ):
        assert each in policy
    assert re.findall(r"<script(?![^>]* src=)|\son\w+=|style=|javascript:", page.text) == []


def test_nothing_in_a_download_can_run_in_our_origin(host: RunningHost) -> None:
    _, file = host.export("claims", "json")
    assert file.headers["content-security-policy"].startswith("sandbox;")
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["content-disposition"].startswith("attachment;")


# Where it starts


def serve(tmp_path: Path, *arguments: str, token: str | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, **({} if token is None else {"ARKHAM_EXPORT_TOKEN": token})}
    command = [
        sys.executable,
        "-m",
        "arkham_shard_export.cli",
        "serve",
        "--port",
        "0",
        "--data",
        str(tmp_path),
        *arguments,
    ]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize(
    ("arguments", "token", "words"),
    [
        (("--host", "0.0.0.0"), None, ("ARKHAM_EXPORT_TOKEN", "--trust-headers", "127.0.0.1")),
        (("--host", "::"), None, ("ARKHAM_EXPORT_TOKEN", "--trust-headers", "127.0.0.1")),
        (("--host", "0.0.0.0"), "", ("ARKHAM_EXPORT_TOKEN",)),
        (("--host", "0.0.0.0"), "short-token-15c", ("ARKHAM_EXPORT_TOKEN", "16 characters")),
        ((), "short", ("ARKHAM_EXPORT_TOKEN", "16 characters")),
        (("--trust-headers", "--host", "0.0.0.0"), "short", ("ARKHAM_EXPORT_TOKEN", "16 characters")),
        ((), "a token with some spaces", ("ARKHAM_EXPORT_TOKEN", "spaces")),
        ((), "ein-Schlüssel-für-alle", ("ARKHAM_EXPORT_TOKEN", "ASCII")),
    ],
)  # fmt: skip
def test_a_host_that_would_be_open_to_others_does_not_start(
    tmp_path: Path, arguments: tuple[str, ...], token: str | None, words: tuple[str, ...]
) -> None:
    if "::" in arguments and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    output, said = serve(tmp_path, *arguments, token=token).communicate(timeout=60)
    assert output == ""
    assert said.startswith("arkham-export: ")
    assert said.count("\n") == 1
    for word in words:
        assert word in said
    assert not token or token not in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "token", "status"),
    [
        ((), None, 200),
        ((), TOKEN, 401),
        (("--trust-headers",), None, 200),
        (("--trust-headers",), TOKEN, 401),
    ],
)
def test_a_host_on_loopback_starts_and_asks_for_the_token_where_there_is_one(
    tmp_path: Path, arguments: tuple[str, ...], token: str | None, status: int
) -> None:
    host = serve(tmp_path, *arguments, token=token)
    try:
        assert host.stdout is not None
        told = re.search(r"http://127\.0\.0\.1:\d+", host.stdout.readline())
        assert told is not None
        url = f"{told[0]}/api/export/jobs"
        assert httpx.get(url).status_code == status
        assert httpx.get(url, headers=BEARER).status_code == 200
        assert httpx.get(url, headers={**BEARER, "Host": "cases.example"}).status_code == (
            421 if token is None else 200
        )
    finally:
        host.send_signal(signal.SIGINT)
        host.communicate(timeout=60)


def test_the_processes_of_exports_are_not_told_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    from arkham_shard_export.children import environment
    from arkham_shard_export.settings import Settings

    monkeypatch.setenv("ARKHAM_EXPORT_TOKEN", TOKEN)
    assert TOKEN not in str(environment())
    settings = Settings.from_environment()
    assert settings.token == TOKEN
    assert TOKEN not in repr(settings)
