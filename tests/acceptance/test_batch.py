"""Batches in every host: several exports in one job, over one state of the data, in one file."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import openpyxl
import pytest

from arkham_shard_export.bounds import MAX_PARTS
from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.jobs.running import runs
from arkham_shard_export.models import ExportFilter, ExportStatus, JobRequest, PartRequest
from arkham_shard_export.schema import Column, RecordSet, Table, Target
from arkham_shard_export.targets import TARGETS
from tests.hosts import END_SECONDS, RunningHost
from tests.tools import stored_files

BATCHES = "/api/export/jobs/batch"
FORMATS = ("json", "csv", "xlsx", "pdf", "docx")
SIX = [
    {"target": target, "format": FORMATS[place % len(FORMATS)], "options": {"max_records": 20}}
    for place, target in enumerate(TARGETS)
]
CLAIMS_CSV = {"target": "claims", "format": "csv"}
DOCUMENTS_JSON = {"target": "documents", "format": "json"}


def finished(host: RunningHost, *parts: Mapping[str, Any], **body: Any) -> dict[str, Any]:
    answer = host.batch(*map(dict, parts), **body)
    assert answer.status_code == 201, answer.text
    return host.wait(answer.json()["id"])


def files_of(host: RunningHost, job: dict[str, Any]) -> dict[str, bytes]:
    assert job["status"] == "completed", job
    data = host.client.get(job["download_url"]).content
    assert hashlib.sha256(data).hexdigest() == job["metadata"]["sha256"]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


# What comes out


def test_all_targets_in_all_formats_come_in_one_file(host: RunningHost) -> None:
    job = finished(host, *SIX)
    assert (job["format"], job["target"], job["filters"]) == ("zip", "custom", {})
    files = files_of(host, job)
    contents = json.loads(files["contents.json"])
    assert [(each["target"], each["format"], each["status"]) for each in contents["parts"]] == [
        (each["target"], each["format"], "completed") for each in SIX
    ]
    for told in (file for each in contents["parts"] for file in each["files"]):
        assert hashlib.sha256(files[told["path"]]).hexdigest() == told["sha256"]
        assert len(files[told["path"]]) == told["size"]
    for part, told in zip(job["parts"], contents["parts"], strict=True):
        assert part["status"] == "completed"
        assert part["options"]["max_records"] == 20
        for name in (
            "target",
            "format",
            "filters",
            "options",
            "record_count",
            "expected",
            "skipped",
            "skips",
        ):
            assert part[name] == told[name], name
        assert part["file"].rstrip("/") in "".join(files)
    account = job["metadata"]["completeness"]
    assert account["expected"] == account["written"] + account["skipped"]
    assert account["written"] == job["record_count"] == sum(each["record_count"] for each in job["parts"])
    assert account["skipped"] > 0
    assert job["metadata"]["consistent_snapshot"] is True
    assert f"{job['record_count']:,}" in files["README.txt"].decode()
    assert job["metadata"]["file_name"] == f"batch-{job['created_at'][:10]}-{job['id'][:8]}.zip"


def test_parts_that_are_all_workbooks_come_as_one(host: RunningHost) -> None:
    job = finished(
        host, {"target": "claims", "format": "xlsx"}, {"target": "graph", "format": "xlsx", "name": "Net"}
    )
    answer = host.client.get(job["download_url"])
    assert answer.headers["content-type"].endswith("spreadsheetml.sheet")
    assert answer.headers["content-disposition"].endswith('.xlsx"')
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    assert {"About", "Claims", "Evidence", "Nodes", "Edges"} <= set(book.sheetnames)
    assert (job["format"], job["file_path"][-5:]) == ("zip", ".xlsx")


def test_a_batch_is_listed_counted_and_announced_as_any_job(host: RunningHost) -> None:
    before = host.client.get("/api/export/stats").json()["by_format"].get("zip", 0)
    job = finished(host, CLAIMS_CSV, DOCUMENTS_JSON)
    (listed,) = host.client.get("/api/export/jobs?format=zip&limit=1").json()["jobs"]
    assert listed == host.client.get(f"/api/export/jobs/{job['id']}").json() == job
    assert host.client.get("/api/export/stats").json()["by_format"]["zip"] == before + 1
    assert host.client.get("/api/export/history?days=2").json()["by_format"]["zip"]["jobs"] == before + 1
    assert [each["format"] for each in host.client.get("/api/export/formats").json()] == [
        "json",
        "csv",
        "xlsx",
        "pdf",
        "docx",
    ]
    assert host.events_of(job["id"]) == [
        "export.job.created",
        "export.job.started",
        "export.file.created",
        "export.job.completed",
    ]
    (payload,) = (
        each["payload"]
        for each in host.events
        if each["event_type"] == "export.job.completed" and each["payload"]["job_id"] == job["id"]
    )
    assert payload["failed_parts"] == 0
    assert (payload["format"], payload["record_count"]) == ("zip", job["record_count"])
    metrics = host.client.get("/api/export/metrics").text
    assert 'arkham_export_jobs_ended_total{format="zip",status="completed"}' in metrics


def test_other_shards_ask_for_a_batch_in_python(host: RunningHost) -> None:
    async def ask() -> Any:
        made = await host.shard.create_batch(
            [PartRequest("claims", "csv"), {"target": "graph", "format": "json", "name": "net"}],
            continue_on_error=True,
            created_by="a shard",
        )
        listed = await host.shard.list_jobs(ExportFilter(format="zip"), limit=1)
        assert [job.id for job in listed] == [made.id]
        return made

    job = host.run(ask())
    assert (job.created_by, job.continue_on_error) == ("a shard", True)
    host.wait(job.id)
    ended = host.run(host.shard.get_job_status(job.id))
    assert [(part.target, part.format, part.name, part.status) for part in ended.parts] == [
        ("claims", "csv", None, ExportStatus.COMPLETED),
        ("graph", "json", "net", ExportStatus.COMPLETED),
    ]
    assert ended.parts[1].file == "02-net.json"


def test_a_request_that_is_half_a_batch_is_refused_in_python_too(host: RunningHost) -> None:
    async def ask(asked: JobRequest) -> Any:
        service = await host.shard.service()
        with pytest.raises(InvalidRequest) as refused:
            await service.create(asked, created_by="a shard", tenant_id=None)
        return [each.field for each in refused.value.problems]

    mixed = JobRequest(target="claims", filters={}, parts=[CLAIMS_CSV])
    assert host.run(ask(mixed)) == ["target", "filters"]
    lonely = JobRequest("csv", "claims", continue_on_error=True)
    assert host.run(ask(lonely)) == ["continue_on_error"]
    assert host.run(ask(JobRequest(parts=[]))) == ["parts"]


# How it is asked for


def test_a_batch_is_accepted_as_a_job_is(host: RunningHost) -> None:
    answer = host.batch(CLAIMS_CSV)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/api/export/jobs/{answer.json()['id']}"
    assert int(answer.headers["retry-after"]) > 0
    assert [each["status"] for each in answer.json()["parts"]] == ["pending"]
    waited = host.batch(CLAIMS_CSV, headers={"Prefer": "wait=30"}, retention_hours=2)
    assert waited.headers["preference-applied"] == "wait=30"
    job = waited.json()
    assert (job["status"], job["parts"][0]["status"]) == ("completed", "completed")
    assert job["metadata"]["retention_hours"] == 2


def test_the_same_request_under_a_key_is_one_batch(host: RunningHost) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    first = host.batch(CLAIMS_CSV, headers=key)
    nothing = {"filters": None, "options": None, "name": None}
    again = host.batch({**nothing, **CLAIMS_CSV}, headers=key, continue_on_error=None)
    assert again.status_code == first.status_code == 201
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert host.batch(DOCUMENTS_JSON, headers=key).status_code == 422
    assert host.post("claims", "csv", headers=key).status_code == 422


def refused(answer: httpx.Response) -> dict[str, dict[str, Any]]:
    assert answer.status_code == 422, answer.text
    assert answer.json()["type"].endswith("invalid-request")
    return {each["field"]: each for each in answer.json()["errors"]}


def test_what_is_wrong_with_a_part_is_named_by_its_place(host: RunningHost) -> None:
    wrong = {
        "target": "claims",
        "format": "csv",
        "options": {"max_records": 0, "flatter": True},
        "filters": {"status": "open"},
    }
    errors = refused(host.batch(CLAIMS_CSV, DOCUMENTS_JSON, wrong, {"target": "x"}))
    assert set(errors) == {
        "parts[2].options.max_records",
        "parts[2].options.flatter",
        "parts[2].filters.status",
        "parts[3].target",
    }
    assert errors["parts[2].options.max_records"]["value"] == 0
    assert errors["parts[2].options.max_records"]["message"].startswith(
        "parts[2]: options.max_records must be"
    )
    assert "max_records" in errors["parts[2].options.flatter"]["valid"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"parts"}),
        ({"parts": []}, {"parts"}),
        ({"parts": None}, {"parts"}),
        ({"parts": {"target": "claims", "format": "csv"}}, {"parts"}),
        ({"parts": [CLAIMS_CSV] * (MAX_PARTS + 1)}, {"parts"}),
        ({"parts": [7, CLAIMS_CSV]}, {"parts[0]"}),
        ({"parts": [{**CLAIMS_CSV, "colour": 1}]}, {"parts[0].colour"}),
        ({"parts": [{**CLAIMS_CSV, "format": "zip"}]}, {"parts[0].format"}),
        ({"parts": [{**CLAIMS_CSV, "name": "a\nb"}]}, {"parts[0].name"}),
        ({"parts": [CLAIMS_CSV], "continue_on_error": "yes"}, {"continue_on_error"}),
        ({"parts": [CLAIMS_CSV], "format": "zip"}, {"format"}),
        ({"parts": [CLAIMS_CSV], "retention_hours": -1}, {"retention_hours"}),
    ],
)
def test_a_body_that_is_no_batch_is_refused_with_its_fields(
    host: RunningHost, body: dict[str, Any], fields: set[str]
) -> None:
    before = host.client.get("/api/export/jobs?format=zip").json()["total"]
    assert set(refused(host.client.post(BATCHES, json=body))) == fields
    assert host.client.get("/api/export/jobs?format=zip").json()["total"] == before


def test_nothing_can_be_exported_as_a_batch(host: RunningHost) -> None:
    errors = refused(host.post("claims", "zip"))
    assert errors["format"]["valid"] == ["json", "csv", "xlsx", "pdf", "docx"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_no_job_is_looked_for_where_batches_are_posted(host: RunningHost, method: str) -> None:
    answer = host.client.request(method, BATCHES)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


# Parts that fail


@contextmanager
def registered(host: RunningHost, **sources: Any) -> Iterator[None]:
    for name, source in sources.items():
        host.shard.register_source(name, source)
    try:
        yield
    finally:
        for name in sources:
            host.shard.unregister_source(name)


class Notes:
    """A source of another shard. It waits at its first record, if it is told to, and fails at the third."""

    name = "notes"
    description = "Notes."
    columns = (Column("id"), Column("text"))
    filters: tuple[str, ...] = ()

    def __init__(self, records: int = 2, hold: threading.Event | None = None) -> None:
        self.reached = threading.Event()
        self._records = records
        self._hold = hold

    def count(self, filters: Any, tenant_id: str | None) -> int:
        return self._records

    def records(self, filters: Any, tenant_id: str | None) -> Iterator[dict[str, str]]:
        for number in range(self._records):
            self.reached.set()
            if self._hold is not None:
                assert self._hold.wait(END_SECONDS)
            if number == 2:
                raise LookupError("no more notes")
            yield {"id": str(number), "text": "noted"}


NOTES_CSV = {"target": "custom", "format": "csv", "filters": {"source": "notes"}}


def broken_view(host: RunningHost) -> Target:
    """A table that can be counted and not read; it is read by workers."""
    database = host.frame.get_service("database")
    nothing = "CAST(1 / (length(id) - length(id)) AS text)"
    if host.database_url is None:
        nothing = "json_extract('broken', '$')"
    host.run(database.execute("DROP VIEW IF EXISTS broken_claims"))
    host.run(
        database.execute(f"CREATE VIEW broken_claims AS SELECT id, {nothing} AS text FROM arkham_claims")
    )
    table = Table("broken_claims", (Column("id"), Column("text")))
    return Target("broken", "Broken", "Claims that cannot be read.", (RecordSet("records", table, None),))


BROKEN_CSV = {"target": "custom", "format": "csv", "filters": {"source": "broken"}}


def test_a_part_that_fails_fails_the_job_which_says_which(host: RunningHost) -> None:
    with registered(host, broken=broken_view(host)):
        job = finished(host, CLAIMS_CSV, BROKEN_CSV, DOCUMENTS_JSON)
    assert job["status"] == "failed"
    assert job["error"].startswith("Part 2 (broken as CSV) failed: Reading the database failed")
    assert [each["status"] for each in job["parts"]] == ["cancelled", "failed", "cancelled"]
    assert job["error"].endswith(job["parts"][1]["error"])
    assert (job["file_path"], job["record_count"]) == (None, 0)
    assert host.events_of(job["id"])[-1] == "export.job.failed"


def test_where_the_others_go_on_job_file_and_event_say_which_part_failed(host: RunningHost) -> None:
    with registered(host, broken=broken_view(host)):
        job = finished(host, CLAIMS_CSV, BROKEN_CSV, DOCUMENTS_JSON, continue_on_error=True)
    files = files_of(host, job)
    assert sorted(name for name in files if name[:2].isdigit()) == ["01-claims.csv", "03-documents.json"]
    assert [each["status"] for each in job["parts"]] == ["completed", "failed", "completed"]
    reason = job["parts"][1]["error"]
    assert reason.startswith("Reading the database failed")
    contents = json.loads(files["contents.json"])
    assert contents["parts"][1]["error"] == reason
    assert "What could not be made" in files["README.txt"].decode()
    account = job["metadata"]["completeness"]
    assert account["failed_parts"] == [2]
    assert account["expected"] == account["written"] + account["skipped"]
    claims = job["parts"][0]["expected"]
    assert account["skips"] == [
        {"part": 2, "kind": "part_failed", "count": claims, "reason": reason.rstrip(".")}
    ]
    host.delivered()
    (payload,) = (
        each["payload"]
        for each in host.events
        if each["event_type"] == "export.job.completed" and each["payload"]["job_id"] == job["id"]
    )
    assert payload["failed_parts"] == 1
    headers = host.client.head(job["download_url"]).headers
    assert headers["export-skipped"] == str(claims)


def test_a_batch_whose_parts_all_fail_has_failed(host: RunningHost) -> None:
    with registered(host, broken=broken_view(host)):
        job = finished(host, BROKEN_CSV, BROKEN_CSV, continue_on_error=True)
    assert job["status"] == "failed"
    assert "Part 1 (broken as CSV) failed" in job["error"]
    assert "Part 2 (broken as CSV) failed" in job["error"]
    assert [each["status"] for each in job["parts"]] == ["failed", "failed"]


# Records of other shards


def test_records_that_only_the_host_can_read_are_a_part_like_others(host: RunningHost) -> None:
    with registered(host, notes=Notes()):
        job = finished(host, CLAIMS_CSV, {**NOTES_CSV, "format": "xlsx"}, NOTES_CSV)
        files = files_of(host, job)
    assert files["03-notes.csv"] == b"id,text\r\n0,noted\r\n1,noted\r\n"
    assert "02-notes.xlsx" in files
    assert job["metadata"]["consistent_snapshot"] is False
    assert "Not all parts were read from one state" in " ".join(files["README.txt"].decode().split())
    assert job["parts"][2]["filters"] == {"source": "notes"}


def test_a_source_that_fails_fails_its_part_alone_where_the_others_go_on(host: RunningHost) -> None:
    with registered(host, notes=Notes(records=5)):
        job = finished(host, CLAIMS_CSV, NOTES_CSV, DOCUMENTS_JSON, continue_on_error=True)
    assert [each["status"] for each in job["parts"]] == ["completed", "failed", "completed"]
    assert "no more notes" in job["parts"][1]["error"]
    assert sorted(files_of(host, job))[:2] == ["01-claims.csv", "03-documents.json"]


def test_a_source_that_is_gone_when_its_turn_comes_fails_its_part_alone(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SOURCE_WAIT_SECONDS", 0.0)
    planner = host.run(host.shard.service()).runs._planner
    plan = planner.plan

    async def too_late(stored: Any) -> Any:
        host.shard.unregister_source("notes")
        return await plan(stored)

    monkeypatch.setattr(planner, "plan", too_late)
    with registered(host, others=Notes(), notes=Notes()):
        job = finished(host, CLAIMS_CSV, NOTES_CSV, continue_on_error=True)
    assert [each["status"] for each in job["parts"]] == ["completed", "failed"], job
    assert "name of a registered source" in job["parts"][1]["error"]
    assert job["metadata"]["completeness"]["uncounted_parts"] == [2]


# While it runs


def part_in_progress(host: RunningHost, job_id: str, place: int) -> dict[str, Any]:
    """The job when this part of it is known to be written."""
    pause = threading.Event()
    for _ in range(int(END_SECONDS / 0.05)):
        job: dict[str, Any] = host.client.get(f"/api/export/jobs/{job_id}").json()
        if job["parts"][place]["status"] == "processing":
            return job
        pause.wait(0.05)
    raise AssertionError(job)


def test_progress_is_told_by_part_and_a_batch_is_cancelled_in_the_middle(host: RunningHost) -> None:
    hold = threading.Event()
    with registered(host, notes=Notes(hold=hold)):
        job_id = host.batch(CLAIMS_CSV, NOTES_CSV, DOCUMENTS_JSON).json()["id"]
        job = part_in_progress(host, job_id, 1)
        claims, documents = (job["parts"][place]["progress"]["expected"] for place in (0, 2))
        assert claims > 0
        assert job["progress"]["parts"] == [each["progress"] for each in job["parts"]]
        assert job["progress"]["parts"] == [
            {
                "status": "completed",
                "phase": "finishing",
                "done": claims,
                "expected": claims,
                "percent": 100.0,
            },
            {"status": "processing", "phase": "counting", "done": 0, "expected": 2, "percent": 0.0},
            {"status": "pending", "phase": "", "done": 0, "expected": documents, "percent": 0.0},
        ]
        assert job["progress"]["phase"] == "writing"
        assert (job["progress"]["done"], job["progress"]["expected"]) == (claims, claims + 2 + documents)
        # Cancelling waits for the source, which lets go a moment later.
        letting_go = threading.Timer(0.2, hold.set)
        letting_go.start()
        assert host.client.delete(f"/api/export/jobs/{job_id}").status_code == 204
        letting_go.join()
    ended = host.wait(job_id)
    assert (ended["status"], ended["file_path"]) == ("cancelled", None)
    assert [each["status"] for each in ended["parts"]] == ["cancelled"] * 3
    assert host.events_of(job_id)[-1] == "export.job.cancelled"
    assert [name for name in stored_files(host.data_dir) if job_id in name] == []


def test_the_stream_of_a_batch_ends_with_its_parts(host: RunningHost) -> None:
    job = finished(host, CLAIMS_CSV, DOCUMENTS_JSON)
    text = host.client.get(f"/api/export/jobs/{job['id']}/events").text
    end = text[text.index("event: end") :].partition("data: ")[2].partition("\n")[0]
    assert json.loads(end) == job


# Names


@pytest.mark.parametrize("name", ["../../etc/passwd", "CON", "C:\\boot.ini", "=1+1", "عقد", "a" * 100])
def test_a_hostile_name_stays_a_name(host: RunningHost, name: str) -> None:
    job = finished(host, {**CLAIMS_CSV, "name": name}, {**CLAIMS_CSV, "name": name})
    files = files_of(host, job)
    assert all(each.replace("-", "").replace(".", "").isalnum() for each in files)
    assert {each[:3] for each in files if each[:2].isdigit()} == {"01-", "02-"}
    assert [each["name"] for each in job["parts"]] == [name, name]
    assert json.loads(files["contents.json"])["parts"][1]["name"] == name


def test_the_row_of_a_batch_may_be_whatever_somebody_wrote(host: RunningHost) -> None:
    job = finished(host, CLAIMS_CSV)
    database = host.frame.get_service("database")
    for odd in ("{", "[]", "{}", '{"parts": 7}', '{"parts": [7, null, {"target": 1, "status": "x"}]}'):
        host.run(database.execute("UPDATE arkham_export_jobs SET batch = ? WHERE id = ?", [odd, job["id"]]))
        shown = host.client.get(f"/api/export/jobs/{job['id']}")
        assert shown.status_code == 200, odd
        assert isinstance(shown.json()["parts"], list)
