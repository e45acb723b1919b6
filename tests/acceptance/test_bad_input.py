"""Wrong requests: each is refused with one clear sentence, none is a server error, none leaves a job behind."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from arkham_shard_export.api.bodies import check_depth
from arkham_shard_export.bounds import MAX_JSON_DEPTH, MAX_NAMES
from tests.hosts import RunningHost

ROUTES = ["/api/export/jobs", "/api/export/preview"]
INTERNAL = re.compile(
    r"SELECT |INSERT |WHERE |Traceback|/tmp/|/work/|site-packages|\.py\b|\w(Error|Exception)\b|psycopg|sqlite|pydantic"
    r"|sqlalchemy|arkham_shard_export|arkham_frame|<class|object at 0x|JobBody|PreviewBody|json_invalid|errors\.pydantic"
)
TARGETS = ("documents", "entities", "claims", "timeline", "graph", "matrix")
ENTITY_TYPES = ("PERSON", "ORGANIZATION", "LOCATION")
GOOD: dict[str, Any] = {"format": "json", "target": "claims"}
OVER_LIMIT = 10 * 1024 * 1024


def refused(answer: httpx.Response, status: int = 422) -> str:
    """The detail of a refusal, which is fit for a person to read."""
    assert answer.status_code == status, answer.text[:500]
    body = answer.json()
    detail = body["detail"]
    assert isinstance(detail, str)
    assert detail.strip() == detail != ""
    assert detail.endswith("."), detail
    assert "\n" not in detail
    assert len(detail) < 1500, len(detail)
    assert INTERNAL.search(answer.text) is None, answer.text
    for each in body.get("errors", ()):
        assert each.keys() >= {"field", "value", "message", "valid"}
        assert each["message"] in detail
    return detail


def total(host: RunningHost) -> int:
    return int(host.client.get("/api/export/jobs").json()["total"])


@pytest.fixture
def unchanged(host: RunningHost) -> Iterator[RunningHost]:
    """The host, which has as many jobs afterwards as before."""
    before = total(host)
    yield host
    assert total(host) == before


def with_options(**options: Any) -> dict[str, Any]:
    return {**GOOD, "options": options}


def with_filters(target: str = "claims", **filters: Any) -> dict[str, Any]:
    return {"format": "json", "target": target, "filters": filters}


UNKNOWN: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("format", {"format": "papyrus", "target": "claims"}, ("papyrus", "json", "csv")),
    ("format in capitals", {"format": "JSON", "target": "claims"}, ("JSON", "json", "csv")),
    ("empty format", {"format": "", "target": "claims"}, ("''", "json", "csv")),
    ("format of others", {"format": "odt", "target": "claims"}, ("odt", "not available", "json", "csv", "docx")),
    ("target", {"format": "json", "target": "rumours"}, ("rumours", *TARGETS)),
    ("target custom without a source", {"format": "json", "target": "custom"}, ("custom", *TARGETS)),
    ("empty target", {"format": "json", "target": ""}, ("''", *TARGETS)),
    ("filter", with_filters(colour="red"), ("colour", "status", "claim_type", "document_id")),
    ("filter of another target", with_filters("graph", matrix_id="m"), ("matrix_id", "project_id")),
    ("value of a filter", with_filters(status="true"), ("status", "'true'", "verified", "disputed")),
    ("one value of several", with_filters(status=["verified", "maybe"]), ("status", "maybe", "disputed")),
    ("option", with_options(colour="red"), ("colour", "max_records", "sort_by")),
    ("sort column", with_options(sort_by="colour"), ("colour", "confidence", "created_at")),
    ("sort column that says who may see", with_options(sort_by="tenant_id"), ("tenant_id", "confidence")),
    ("sort order", with_options(sort_by="id", sort_order="up"), ("sort_order", "'up'", "asc", "desc")),
    ("grouping", {"format": "json", "target": "timeline", "options": {"group_by": "year"}}, ("group_by", "year", "day", "week", "month", "entity")),
    ("entity type", {"format": "json", "target": "entities", "options": {"entity_types": ["PERSON", "GHOST"]}}, ("entity_types", "GHOST", *ENTITY_TYPES)),
]  # fmt: skip


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(("body", "words"), [case[1:] for case in UNKNOWN], ids=[case[0] for case in UNKNOWN])
def test_what_is_unknown_is_named_with_the_valid_choices(
    unchanged: RunningHost, path: str, body: dict[str, Any], words: tuple[str, ...]
) -> None:
    detail = refused(unchanged.client.post(path, json=body))
    for word in words:
        assert word in detail, detail


WRONG: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    *((f"max_records {value!r}"[:40], with_options(max_records=value), ("max_records", "whole number", str(value)[:20]))
      for value in (0, -1, 1.5, 10**30)),
    ("max_records text", with_options(max_records="ten"), ("max_records", "whole number", "ten")),
    ("max_records numeric text", with_options(max_records="10"), ("max_records", "whole number", "10")),
    ("max_records true", with_options(max_records=True), ("max_records", "whole number")),
    ("max_records list", with_options(max_records=[1]), ("max_records", "whole number")),
    *((f"{name} {value!r}", with_options(**{name: value}), (name, "true or false"))
      for name in ("include_metadata", "include_relationships", "flatten", "include_conflicts", "include_gaps", "spreadsheet_safe")
      for value in ("yes", 1, None, [])),
    *((f"{name} {value!r}"[:60], with_options(**{name: value}), (name, "ISO 8601", "2026-11-22"))
      for name in ("date_range_start", "date_range_end")
      for value in ("yesterday", "", "2026-13-01", "2026-02-30", "22.11.2026", "2026-11-22T25:00", "2026-11-22\0", 20261122, 0, True, ["2026-11-22"], {})),
    ("reversed dates", with_options(date_range_start="2026-11-23", date_range_end="2026-11-22"), ("reversed", "2026-11-23", "2026-11-22")),
    ("reversed times", with_options(date_range_start="2026-11-22T12:00:00+00:00", date_range_end="2026-11-22T12:00:00+02:00"), ("reversed", "+02:00")),
    ("entity types as text", {"format": "json", "target": "entities", "options": {"entity_types": "PERSON"}}, ("entity_types", "list", "PERSON")),
    ("no entity types", {"format": "json", "target": "entities", "options": {"entity_types": []}}, ("entity_types", "list", "PERSON")),
    ("entity types of numbers", {"format": "json", "target": "entities", "options": {"entity_types": [1, None, {}]}}, ("entity_types", "PERSON")),
    ("sort column as number", with_options(sort_by=3), ("sort_by", "column")),
    ("sort column as list", with_options(sort_by=["id"]), ("sort_by", "column")),
    ("empty sort column", with_options(sort_by=""), ("sorted by", "confidence")),
    ("sort order true", with_options(sort_by="id", sort_order=True), ("sort_order", "asc", "desc")),
    ("sort order null", with_options(sort_by="id", sort_order=None), ("sort_order", "asc", "desc")),
    *((f"compression {value!r}", with_options(compression=value), ("compression", "none", "gzip", "zstd", "zip"))
      for value in ("brotli", "GZIP", "", None, True, 9, ["gzip"], {})),
    ("group by list", {"format": "json", "target": "timeline", "options": {"group_by": ["day"]}}, ("group_by", "day", "entity")),
    ("group by false", {"format": "json", "target": "timeline", "options": {"group_by": False}}, ("group_by", "day", "entity")),
    *((f"filter {value!r}"[:40], with_filters(document_id=value), ("document_id", "text"))
      for value in (3, True, 1.5, {}, [], [3], [None], ["a", 3], ["x"] * 1001)),
    *((f"{name} {value!r}"[:40], {**GOOD, name: value}, (name, "object"))
      for name in ("filters", "options") for value in ("all", 3, True, [], ["status"])),
    *((f"{name} {value!r}"[:40], {**GOOD, name: value}, (name, "text"))
      for name in ("format", "target") for value in (None, 3, True, [], {}, ["json"])),
]  # fmt: skip


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(("body", "words"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_a_value_of_the_wrong_kind_is_refused_and_named(
    unchanged: RunningHost, path: str, body: dict[str, Any], words: tuple[str, ...]
) -> None:
    detail = refused(unchanged.client.post(path, json=body))
    for word in words:
        assert word in detail, detail


def test_a_number_that_is_too_large_is_told_the_largest_one(unchanged: RunningHost) -> None:
    detail = refused(unchanged.client.post(ROUTES[0], json=with_options(max_records=10**30)))
    assert "at most" in detail, detail


def test_several_wrong_fields_are_all_named_at_once(unchanged: RunningHost) -> None:
    body = {
        "format": "papyrus",
        "target": "claims",
        "filters": {"colour": "red"},
        "options": {"max_records": 0},
    }
    answer = unchanged.client.post(ROUTES[0], json=body)
    detail = refused(answer)
    assert all(word in detail for word in ("papyrus", "colour", "max_records"))
    assert [each["field"] for each in answer.json()["errors"]] == [
        "format",
        "filters.colour",
        "options.max_records",
    ]


MISAPPLIED: list[tuple[str, str, dict[str, Any], tuple[str, ...]]] = [
    ("claims", "json", {"entity_types": ["PERSON"]}, ("entity_types", "claims")),
    ("documents", "csv", {"entity_types": ["PERSON"]}, ("entity_types", "documents")),
    ("timeline", "json", {"entity_types": ["PERSON"]}, ("entity_types", "timeline")),
    ("matrix", "json", {"entity_types": ["PERSON"]}, ("entity_types", "matri")),
    *((target, "json", {name: True}, (name, word))
      for name in ("include_gaps", "include_conflicts")
      for target, word in (("graph", "graph"), ("claims", "claims"), ("documents", "documents"), ("entities", "entities"), ("matrix", "matri"))),
    *((target, "csv", {"group_by": "day"}, ("group_by", target)) for target in ("graph", "claims", "entities")),
    *((target, "json", {"spreadsheet_safe": False}, ("spreadsheet_safe", "JSON")) for target in TARGETS),
    *(("claims", format, {"compression": value}, ("compression", name, "compressed already", "none"))
      for value in ("gzip", "zstd", "zip")
      for format, name in (("xlsx", "Excel"), ("pdf", "PDF"), ("docx", "Word"))),
    *((target, "csv", {"compression": value, **others}, ("compression", value, "several tables", "ZIP"))
      for value in ("gzip", "zstd")
      for target, others in (("graph", {}), ("timeline", {"include_gaps": True}), ("timeline", {"group_by": "day"}))),
    ("matrix", "csv", {"flatten": True}, ("flatten", "matri", "CSV")),
    *((target, format, {"sort_order": "desc"}, ("sort_order", "sort_by"))
      for target in ("documents", "entities", "claims", "graph", "matrix") for format in ("json", "csv")),
    ("graph", "json", {"sort_by": "text"}, ("text", "label")),
]  # fmt: skip


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("target", "format", "options", "words"),
    MISAPPLIED,
    ids=[f"{case[0]}-{case[1]}-{next(iter(case[2]))}" for case in MISAPPLIED],
)
def test_an_option_that_does_not_apply_is_refused_and_not_ignored(
    unchanged: RunningHost,
    path: str,
    target: str,
    format: str,
    options: dict[str, Any],
    words: tuple[str, ...],
) -> None:
    body = {"format": format, "target": target, "options": options}
    detail = refused(unchanged.client.post(path, json=body)).lower()
    for word in words:
        assert word.lower() in detail, detail


BODIES: list[tuple[str, bytes, tuple[str, ...]]] = [
    ("no body", b"", ("body", "missing")),
    ("not JSON", b"format=json&target=claims", ("not valid JSON",)),
    ("half JSON", b'{"format": "json", "target"', ("not valid JSON",)),
    ("two values", b"{} {}", ("not valid JSON",)),
    ("a list", b'[{"format": "json", "target": "claims"}]', ("JSON object",)),
    ("a text", b'"json"', ("JSON object",)),
    ("a number", b"7", ("JSON object",)),
    ("null", b"null", ("body",)),
    ("not UTF-8", b'{"format": "\xff\xfe", "target": "claims"}', ("JSON",)),
    ("UTF-16", '{"format": "papyrus", "target": "claims"}'.encode("utf-16"), ()),
    ("empty object", b"{}", ("format is missing", "target is missing")),
    ("format missing", b'{"target": "claims"}', ("format is missing",)),
    ("target missing", b'{"format": "json"}', ("target is missing",)),
    ("unknown field", b'{"format": "json", "target": "claims", "colour": "red"}', ("colour", "filters", "options")),
    ("field without a name", b'{"format": "json", "target": "claims", "": 1}', ("Unknown field",)),
    ("a number of 5000 digits", b'{"format": "json", "target": "claims", "options": {"max_records": ' + b"9" * 5000 + b"}}", ()),
    ("infinity", b'{"format": "json", "target": "claims", "options": {"max_records": Infinity}}', ("max_records",)),
    ("not a number", b'{"format": "json", "target": "claims", "options": {"max_records": NaN}}', ("max_records",)),
    ("1e400", b'{"format": "json", "target": "claims", "options": {"max_records": 1e400}}', ("max_records",)),
]  # fmt: skip


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("content", "words"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES]
)
def test_a_body_that_is_no_request_is_refused(
    unchanged: RunningHost, path: str, content: bytes, words: tuple[str, ...]
) -> None:
    answer = unchanged.client.post(path, content=content, headers={"Content-Type": "application/json"})
    detail = refused(answer)
    for word in words:
        assert word in detail, detail


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "nonsense"]
)
def test_a_body_of_another_type_is_refused(unchanged: RunningHost, kind: str) -> None:
    answer = unchanged.client.post(ROUTES[0], content=json.dumps(GOOD), headers={"Content-Type": kind})
    assert "JSON" in refused(answer, 415)


@pytest.mark.parametrize("depth", [10, 90, 500, 990, 3_000, 20_000, 100_000])
@pytest.mark.parametrize("where", ["body", "filters", "options", "filter", "max_records"])
def test_a_deeply_nested_body_is_refused(unchanged: RunningHost, where: str, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    content = {
        "body": deep,
        "filters": f'{{"format": "json", "target": "claims", "filters": {deep}}}',
        "options": f'{{"format": "json", "target": "claims", "options": {deep}}}',
        "filter": f'{{"format": "json", "target": "claims", "filters": {{"document_id": {deep}}}}}',
        "max_records": f'{{"format": "json", "target": "claims", "options": {{"max_records": {deep}}}}}',
    }[where]
    refused(unchanged.client.post(ROUTES[0], content=content, headers={"Content-Type": "application/json"}))


TEXTS = {"NUL": "a\\u0000b", "lone surrogate": "a\\ud800b", "only a surrogate": "\\udfff"}
PLACES = {
    "value of a filter": '{"format": "json", "target": "claims", "filters": {"document_id": "?"}}',
    "value in a list": '{"format": "json", "target": "claims", "filters": {"document_id": ["x", "?"]}}',
    "closed filter": '{"format": "json", "target": "claims", "filters": {"status": "?"}}',
    "name of a filter": '{"format": "json", "target": "claims", "filters": {"?": "x"}}',
    "name of an option": '{"format": "json", "target": "claims", "options": {"?": "x"}}',
    "name of a field": '{"format": "json", "target": "claims", "?": "x"}',
    "format": '{"format": "?", "target": "claims"}',
    "target": '{"format": "json", "target": "?"}',
    "sort column": '{"format": "json", "target": "claims", "options": {"sort_by": "?"}}',
    "sort order": '{"format": "json", "target": "claims", "options": {"sort_order": "?"}}',
    "date": '{"format": "json", "target": "claims", "options": {"date_range_start": "?"}}',
    "entity type": '{"format": "json", "target": "entities", "options": {"entity_types": ["?"]}}',
    "grouping": '{"format": "json", "target": "timeline", "options": {"group_by": "?"}}',
    "filters": '{"format": "json", "target": "claims", "filters": "?"}',
    "deep in filters": '{"format": "json", "target": "claims", "filters": {"status": {"?": ["?"]}}}',
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_text_that_no_file_can_hold_is_refused(
    unchanged: RunningHost, path: str, place: str, text: str
) -> None:
    content = place.replace("?", text)
    answer = unchanged.client.post(path, content=content, headers={"Content-Type": "application/json"})
    refused(answer)


def test_very_long_texts_are_refused_without_being_repeated(unchanged: RunningHost) -> None:
    long = "x" * 500_000
    for body in (
        {"format": long, "target": "claims"},
        {"format": "json", "target": long},
        with_filters(document_id=long),
        with_filters(**{long: "x"}),
        with_filters(status=long),
        with_options(**{long: 1}),
        with_options(sort_by=long),
        with_options(date_range_start=long),
        {**GOOD, long: 1},
    ):
        answer = unchanged.client.post(ROUTES[0], json=body)
        refused(answer)
        assert len(answer.content) < 10_000


@pytest.mark.parametrize(
    ("records", "words"),
    [(0, "at least 1"), (-1, "at least 1"), (101, "at most 100"), (10**30, "at most 100"), ("ten", "whole number"),
     (1.5, "whole number"), (True, "whole number"), (None, "whole number"), ([], "whole number")],
)  # fmt: skip
def test_a_preview_of_too_few_or_too_many_records_is_refused(
    host: RunningHost, records: object, words: str
) -> None:
    answer = host.client.post(ROUTES[1], json={**GOOD, "max_preview_records": records})
    detail = refused(answer)
    assert "max_preview_records" in detail
    assert words in detail


def test_a_job_takes_no_number_of_preview_records(unchanged: RunningHost) -> None:
    detail = refused(unchanged.client.post(ROUTES[0], json={**GOOD, "max_preview_records": 3}))
    assert "max_preview_records" in detail


def test_the_fields_of_a_preview_are_told_where_one_is_unknown(host: RunningHost) -> None:
    detail = refused(host.client.post(ROUTES[1], json={**GOOD, "colour": 3}))
    assert "colour" in detail
    assert "max_preview_records" in detail


QUERIES: list[tuple[str, str, tuple[str, ...]]] = [
    ("jobs", "limit=0", ("limit", "at least 1", "0")),
    ("jobs", "limit=-1", ("limit", "at least 1", "-1")),
    ("jobs", "limit=501", ("limit", "at most 500", "501")),
    ("jobs", "limit=" + "9" * 30, ("limit", "at most 500")),
    ("jobs", "limit=" + "9" * 5000, ("limit",)),
    ("jobs", "limit=abc", ("limit", "whole number", "abc")),
    ("jobs", "limit=1.5", ("limit", "whole number", "1.5")),
    ("jobs", "limit=", ("limit", "whole number")),
    ("jobs", "limit=true", ("limit", "whole number")),
    ("jobs", "limit=%00", ("limit", "whole number")),
    ("jobs", "offset=-1", ("offset", "at least 0", "-1")),
    ("jobs", "offset=1" + "0" * 30, ("offset", "at most")),
    ("jobs", "offset=abc", ("offset", "whole number", "abc")),
    ("jobs", "status=lost", ("status", "lost", "pending", "cancelled")),
    ("jobs", "status=", ("status", "pending")),
    ("jobs", "status=%00", ("status", "pending")),
    ("jobs", "status=Pending", ("Pending", "pending")),
    ("jobs", "format=papyrus", ("format", "papyrus", "json", "xlsx")),
    ("jobs", "target=rumours", ("target", "rumours", *TARGETS)),
    ("jobs", "created_by=a%00b", ("created_by",)),
    ("jobs", "status=lost&format=papyrus&target=rumours", ("lost", "papyrus", "rumours")),
    ("count", "status=lost", ("status", "lost", "pending", "processing", "completed", "failed", "cancelled")),
    ("count", "status=", ("status", "pending")),
    ("count", "status=%00%ed%a0%80", ("status", "pending")),
    ("count", "status=" + "x" * 5000, ("status", "pending")),
]


@pytest.mark.parametrize(
    ("route", "query", "words"), QUERIES, ids=[f"{case[0]}?{case[1][:30]}" for case in QUERIES]
)
def test_a_wrong_question_about_jobs_is_refused(
    host: RunningHost, route: str, query: str, words: tuple[str, ...]
) -> None:
    detail = refused(host.client.get(f"/api/export/{route}?{query}"))
    for word in words:
        assert word in detail, detail


@pytest.mark.parametrize("creator", ["%ff%fe", "%ed%a0%80", "' OR 1=1 --", "?", "%25", "x" * 5000, "💥"])
def test_any_text_may_be_asked_for_as_a_creator(host: RunningHost, creator: str) -> None:
    answer = host.client.get(f"/api/export/jobs?created_by={creator}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["jobs"] == []


IDS = {
    "unknown": str(uuid4()),
    "NUL": "%00",
    "NUL inside": "abc%00def",
    "line end": "abc%0a",
    "parent": "..%2f..%2fetc%2fpasswd",
    "parent with backslash": "..%5c..%5cboot.ini",
    "encoded twice": "%252e%252e%252f",
    "very long": "x" * 30_000,
    "quote": "'%20OR%20'1'='1",
    "mark": "%3f",
    "colon": ":id",
    "percent": "%25s",
    "not UTF-8": "%ff%fe",
    "surrogate": "%ed%a0%80",
    "space": "%20",
    "emoji": "%F0%9F%92%A5",
    "markup": "%3Cscript%3E",
}


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("GET", "/download"), ("DELETE", "")])
@pytest.mark.parametrize("job_id", IDS.values(), ids=IDS)
def test_an_id_of_no_job_is_not_found(host: RunningHost, method: str, suffix: str, job_id: str) -> None:
    answer = host.client.request(method, f"/api/export/jobs/{job_id}{suffix}")
    assert answer.status_code == 404
    detail = answer.json()["detail"]
    assert isinstance(detail, str)
    assert detail
    assert INTERNAL.search(answer.text) is None
    assert "passwd" not in answer.text
    assert "script" not in answer.text


def test_an_unknown_id_is_told_where_the_jobs_are(host: RunningHost) -> None:
    for answer in (
        host.client.get(f"/api/export/jobs/{uuid4()}"),
        host.client.delete(f"/api/export/jobs/{uuid4()}"),
        host.client.get(f"/api/export/jobs/{uuid4()}/download"),
    ):
        assert "no export job" in refused(answer, 404)


def spoken(host: RunningHost, request: bytes, rest: bytes = b"") -> tuple[int, dict[str, Any]]:
    """The answer to raw bytes; `rest` is sent until the server answers."""
    address = (host.client.base_url.host, host.client.base_url.port)
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(request)
        received = b""
        connection.setblocking(False)
        sent = 0
        while sent < len(rest) and not received:
            try:
                sent += connection.send(rest[sent : sent + 65536])
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                break
            with contextlib.suppress(BlockingIOError):
                received += connection.recv(65536)
        connection.setblocking(True)
        connection.settimeout(30)
        while b"\r\n\r\n" not in received or not received.rstrip().endswith(b"}"):
            part = connection.recv(65536)
            if not part:
                break
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_declared_too_large_is_refused_before_it_is_read(unchanged: RunningHost, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {OVER_LIMIT}\r\n\r\n"
    status, body = spoken(unchanged, head.encode())
    assert status == 413
    assert "too large" in body["detail"]
    assert "1048576 bytes" in body["detail"]


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_that_grows_too_large_is_refused_while_it_comes(unchanged: RunningHost, path: str) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    chunks = chunk * (OVER_LIMIT // 65536) + b"0\r\n\r\n"
    status, body = spoken(unchanged, head.encode(), chunks)
    assert status == 413, body
    assert "too large" in body["detail"]
    assert "1048576 bytes" in body["detail"]


def test_a_body_of_ten_megabytes_is_refused(unchanged: RunningHost) -> None:
    body = {**GOOD, "filters": {"document_id": "x" * OVER_LIMIT}}
    assert "too large" in refused(unchanged.client.post(ROUTES[0], json=body), 413)


def test_a_body_just_within_the_limit_is_read(host: RunningHost) -> None:
    content = json.dumps(GOOD).encode().ljust(1_048_576)
    answer = host.client.post(ROUTES[1], content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


def test_a_wrong_method_is_answered_with_a_text(host: RunningHost) -> None:
    for method, path in (("PUT", "jobs"), ("POST", "stats"), ("DELETE", "jobs"), ("PATCH", "jobs/x")):
        answer = host.client.request(method, f"/api/export/{path}")
        assert answer.status_code == 405
        assert isinstance(answer.json()["detail"], str)


def test_a_registered_source_that_is_not_named_rightly_is_refused_with_all_names(tmp_path: Any) -> None:
    from tests.hosts import standalone

    class Notes:
        name = "notes"
        description = "Notes of a shard."
        columns = ()
        filters = ("author",)

        def count(self, filters: Any, tenant_id: str | None) -> int:
            return 0

        def records(self, filters: Any, tenant_id: str | None) -> list[Any]:
            return []

    with standalone(tmp_path) as host:
        for name in ("notes", "letters"):
            host.shard.register_source(name, Notes())
        bodies: list[dict[str, Any]] = [{}, {"filters": {"source": "gone"}}, {"filters": {"source": 3}}]
        for body in bodies:
            answer = host.client.post(ROUTES[0], json={"format": "json", "target": "custom", **body})
            detail = refused(answer)
            assert "letters, notes" in detail
        answer = host.client.post(
            ROUTES[0],
            json={"format": "json", "target": "custom", "filters": {"source": "notes", "colour": "red"}},
        )
        assert "author" in refused(answer)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_body_may_be_nested_so_deep_and_no_deeper(unchanged: RunningHost, path: str, opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def sent(depth: int) -> str:
        # The body and its filters are two of them.
        deep = opening * (depth - 2) + '"x"' + closing * (depth - 2)
        content = f'{{"format": "json", "target": "claims", "filters": {{"document_id": {deep}}}}}'
        return refused(
            unchanged.client.post(path, content=content, headers={"Content-Type": "application/json"})
        )

    assert "nested" not in sent(MAX_JSON_DEPTH)
    for depth in (MAX_JSON_DEPTH + 1, 200, 100_000):
        assert f"nested too deeply: at most {MAX_JSON_DEPTH}" in sent(depth)


def test_brackets_in_a_text_are_no_nesting(host: RunningHost) -> None:
    for text in ("[" * 900, '{"[' * 300, '\\"' * 300 + "[" * 300):
        answer = host.client.post(ROUTES[1], json=with_filters(document_id=text))
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "text", [b'"' * 1_000_000, b'"' + b'\\"' * 500_000, b'"' + b"\\" * 999_999, b"[]" * 500_000]
)
def test_looking_for_the_depth_of_a_body_takes_time_in_proportion(text: bytes) -> None:
    """Each byte is looked at once: a scan that began anew at each quote would not come back."""
    check_depth(b"[]" * MAX_JSON_DEPTH + text)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("field", ["filters", "options", "body"])
def test_an_object_of_too_many_names_is_refused_without_naming_them_all(
    unchanged: RunningHost, path: str, field: str
) -> None:
    names = {f"name{number}": 1 for number in range(30_000)}
    answer = unchanged.client.post(path, json={**GOOD, **(names if field == "body" else {field: names})})
    detail = refused(answer)
    assert f"at most {MAX_NAMES}" in detail
    assert len(answer.content) < 2000


def test_a_list_of_too_many_entity_types_is_refused(unchanged: RunningHost) -> None:
    body = {"format": "json", "target": "entities", "options": {"entity_types": ["PERSON"] * 1001}}
    assert "entity_types" in refused(unchanged.client.post(ROUTES[0], json=body))
