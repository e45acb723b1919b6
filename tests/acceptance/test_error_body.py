"""One error body over every route and every cause, in every host."""

from __future__ import annotations

import json
import re
import socket
from typing import Any
from uuid import uuid4

import httpx
import pytest

from arkham_shard_export.api.errors import CAUSES, MEDIA_TYPE, STATUS_OF, TYPE, name_of
from arkham_shard_export.api.routes import PREFIX, ROUTES, Route
from arkham_shard_export.errors import ExportError
from tests.acceptance.test_bad_input import INTERNAL
from tests.hosts import RunningHost

BODIES = {
    "create_job": {"target": "claims", "format": "json"},
    "preview": {"target": "claims", "format": "json"},
    "create_batch": {"parts": [{"target": "claims", "format": "json"}]},
    "create_template": {"name": "test", "target": "claims", "format": "json"},
    "replace_template": {"name": "test", "target": "claims", "format": "json"},
    "preview_template": {"target": "claims", "format": "json"},
    "create_schedule": {"name": "test", "every": "1d", "request": {"target": "claims", "format": "json"}},
}
NAMES = {*CAUSES.values(), *map(name_of, STATUS_OF)}
EACH_ROUTE = pytest.mark.parametrize("route", ROUTES, ids=lambda each: f"{each.method} {each.path}")


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text[:500]
    if answer.request.method == "HEAD":
        return {}
    assert answer.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = answer.json()
    assert body.keys() - {"errors"} == {"type", "title", "status", "detail"}
    assert body["status"] == status
    assert body["type"] == f"{TYPE}{name}"
    assert name in NAMES
    assert isinstance(body["detail"], str)
    assert body["detail"].endswith((".", ".)"))
    assert INTERNAL.search(answer.text) is None, answer.text
    return body


def url(route: Route, given: str = "no-such-one") -> str:
    path = route.path.replace("{version}", "1")
    return PREFIX + re.sub(r"\{\w+\}", given.replace("\\", r"\\"), path)


def possible(route: Route) -> list[str]:
    return sorted({each.method for each in ROUTES if each.path == route.path})


@EACH_ROUTE
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_another_method_is_refused_with_those_that_are_possible(
    host: RunningHost, route: Route, method: str
) -> None:
    if method in possible(route):
        pytest.skip("That one is possible.")
    answer = host.client.request(method, url(route))
    problem(answer, 405, "method-not-allowed")
    allowed = answer.headers["allow"].split(", ")
    assert allowed == possible(route)
    assert method not in allowed
    assert host.client.request("OPTIONS", url(route)).headers["allow"] == answer.headers["allow"]


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing", "/jobs/1/2/3", "/count/", "/../export/nothing", "/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_a_problem_as_well(host: RunningHost, method: str, path: str) -> None:
    problem(host.client.request(method, PREFIX + path), 404, "not-found")


@pytest.mark.parametrize(
    "route",
    [each for each in ROUTES if "{job_id}" in each.path or "{schedule_id}" in each.path],
    ids=lambda each: each.name,
)
@pytest.mark.parametrize("given", [str(uuid4()), "0", "%2e%2e", "a" * 3000, "%F0%9F%98%80", "';--"])
def test_an_unknown_one_is_the_same_problem_whatever_its_id(
    host: RunningHost, route: Route, given: str
) -> None:
    body = {"json": {}} if 415 in route.refusals else {}
    unknown = host.client.request(route.method, url(route), **body)
    problem(unknown, 404, "job-not-found" if "{job_id}" in route.path else "schedule-not-found")
    assert host.client.request(route.method, url(route, given), **body).content == unknown.content


@pytest.mark.parametrize(
    "route", [each for each in ROUTES if "{template_id}" in each.path], ids=lambda each: each.name
)
@pytest.mark.parametrize(
    "template_id", [str(uuid4()), "0", "%2e%2e", "a" * 3000, "%F0%9F%98%80", "';--", "%00", "%ff"]
)
def test_an_unknown_template_is_the_same_problem_whatever_its_id_or_name(
    host: RunningHost, route: Route, template_id: str
) -> None:
    body: dict[str, Any] = {"json": BODIES["create_template"]} if 415 in route.refusals else {}
    if route.file_types:
        body = {"content": b"PK", "headers": {"Content-Type": route.file_types[0]}}
    unknown = host.client.request(route.method, url(route), **body)
    problem(unknown, 404, "template-not-found")
    answer = host.client.request(route.method, url(route, template_id), **body)
    assert answer.content == unknown.content


@pytest.mark.parametrize(
    "route",
    [each for each in ROUTES if 415 in each.refusals and not each.file_types],
    ids=lambda each: each.name,
)
def test_a_wrong_body_is_a_problem_that_names_its_fields(host: RunningHost, route: Route) -> None:
    path = url(route)

    def send(**body: Any) -> httpx.Response:
        return host.client.request(route.method, path, **body)

    wrong = problem(send(json={"format": "x", "colour": 1}), 422, "invalid-request")
    assert {each["field"] for each in wrong["errors"]} >= {"colour"}
    for each in wrong["errors"]:
        assert each.keys() == {"field", "value", "message", "valid"}
        assert each["message"] in wrong["detail"]
    problem(
        send(content=b"{" * 100_000, headers={"Content-Type": "application/json"}),
        422,
        "invalid-request",
    )
    large = json.dumps({"format": "x" * (1 << 20)})
    problem(
        send(content=large, headers={"Content-Type": "application/json"}),
        413,
        "body-too-large",
    )
    answer = send(content=b"{}", headers={"Content-Type": "text/plain"})
    problem(answer, 415, "unsupported-media-type")
    assert answer.headers["accept"] == "application/json"
    problem(send(content=b"{}"), 415, "unsupported-media-type")


def test_other_spellings_of_json_are_taken(host: RunningHost) -> None:
    body = json.dumps({"target": "claims", "format": "json", "max_preview_records": 1})
    for media_type in ("application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"):
        answer = host.client.post(f"{PREFIX}/preview", content=body, headers={"Content-Type": media_type})
        assert answer.status_code == 200, media_type


def test_wrong_filters_of_the_list_are_named(host: RunningHost) -> None:
    for query in (
        "created_by=a&created_by=b",
        "sort=created_at&sort=-created_at",
        "limit=1&limit=2",
        "status=done",
        "format=odt",
        "target=x",
        "limit=0",
        "limit=ten",
        "offset=-1",
    ):
        body = problem(host.client.get(f"{PREFIX}/jobs?{query}"), 422, "invalid-request")
        assert [each["field"] for each in body["errors"]] == [query.partition("=")[0]]


def test_a_fault_of_ours_tells_nothing_of_the_inside(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("SELECT secret FROM /work/place.py")

    monkeypatch.setattr(type(host.run(host.shard.service())), "statistics", broken)
    problem(host.client.get(f"{PREFIX}/stats"), 500, "internal-error")
    assert "SELECT secret" in caplog.text


def test_an_error_that_no_answer_was_thought_of_for_is_a_500(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise ExportError("Something went wrong.")

    monkeypatch.setattr(type(host.run(host.shard.service())), "statistics", broken)
    assert (
        problem(host.client.get(f"{PREFIX}/stats"), 500, "internal-error")["detail"]
        == "Something went wrong."
    )


def test_a_switched_off_shard_is_a_problem_on_every_route(host: RunningHost) -> None:
    shard, host.app.state.export_shard = host.app.state.export_shard, None
    try:
        for route in ROUTES:
            if route.name == "get_health":
                continue
            body: dict[str, Any] = {"json": BODIES.get(route.name, {})} if 415 in route.refusals else {}
            if route.file_types:
                body = {"content": b"PK", "headers": {"Content-Type": route.file_types[0]}}
            answer = host.client.request(route.method, url(route), **body)
            problem(answer, 503, "service-unavailable")
            assert int(answer.headers["retry-after"]) > 0
    finally:
        host.app.state.export_shard = shard


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_fault_of_ours(
    host: RunningHost, caplog: pytest.LogCaptureFixture
) -> None:
    base = host.client.base_url
    with socket.create_connection((base.host, base.port or 80)) as connection:
        head = f"POST {PREFIX}/jobs HTTP/1.1\r\nHost: {base.host}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
        connection.sendall(head.encode() + b'{"target"')
    assert host.client.get(f"{PREFIX}/count").status_code == 200
    assert "could not be answered" not in caplog.text
