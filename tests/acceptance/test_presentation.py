"""How an export looks, asked for over HTTP, kept with the job and honoured by the processes that run it."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any
from uuid import uuid4

import docx
import pytest
from PIL import Image

from tests.hosts import RunningHost
from tests.readers import docx_text
from tests.unit.test_word_layouts import letterhead

JOBS = "/api/export/jobs"


def logo() -> str:
    data = io.BytesIO()
    Image.new("RGB", (800, 300), "navy").save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"


def test_a_job_keeps_how_it_is_to_look_and_its_file_looks_so(host: RunningHost) -> None:
    options = {
        "columns": [{"name": "text", "label": "Aussage"}, "created_at", "id"],
        "csv": "semicolon",
        "time_zone": "Asia/Kolkata",
        "date_format": "%d.%m.%Y",
    }
    job, answer = host.export("claims", "csv", options=options)
    file = answer.content
    assert job["options"]["columns"] == {"records": options["columns"]}
    assert {name: job["options"][name] for name in ("csv", "time_zone", "date_format")} == {
        name: options[name] for name in ("csv", "time_zone", "date_format")
    }
    assert file.startswith("\ufeffAussage;created_at (Asia/Kolkata);id\r\n".encode())
    rows = list(csv.reader(io.StringIO(file.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert len(rows) == job["record_count"] + 1


def test_a_preview_shows_what_the_file_will_have(host: RunningHost) -> None:
    body = {"target": "claims", "format": "json", "max_preview_records": 3}
    options = {
        "columns": {"records": ["created_at", "evidence"], "evidence": ["id"]},
        "time_zone": "Asia/Kolkata",
    }
    answer = host.client.post("/api/export/preview", json={**body, "options": options}).json()
    assert all(list(record) == ["created_at", "evidence"] for record in answer["preview_records"])
    assert all(record["created_at"].endswith("+05:30") for record in answer["preview_records"])
    assert all(set(row) == {"id"} for record in answer["preview_records"] for row in record["evidence"])
    whole = host.client.post("/api/export/preview", json=body).json()
    assert answer["estimated_file_size_bytes"] < whole["estimated_file_size_bytes"]


def test_a_preview_says_what_columns_are_called_in_the_file(host: RunningHost) -> None:
    columns = [{"name": "text", "label": "Aussage"}, "claim_type"]
    for format, named in (("csv", "claim_type"), ("xlsx", "Type")):
        body = {"target": "claims", "format": format, "options": {"columns": columns}}
        answer = host.client.post("/api/export/preview", json=body).json()
        assert answer["headings"] == {"records": {"text": "Aussage", "claim_type": named}}
    answer = host.client.post("/api/export/preview", json={"target": "claims", "format": "json"}).json()
    assert answer["headings"] == {}


def test_a_wrong_part_is_refused_by_its_name_with_what_is_valid(host: RunningHost) -> None:
    options = {
        "columns": ["id", "colour"],
        "csv": {"delimiter": "#"},
        "time_zone": "Mars",
        "report": {"paper": "a4"},
    }
    answer = host.post("claims", "csv", options=options)
    assert answer.status_code == 422
    problems = {each["field"]: each for each in answer.json()["errors"]}
    assert set(problems) == {
        "options.columns.records[1]", "options.csv.delimiter", "options.time_zone", "options.report",
    }  # fmt: skip
    assert "text" in answer.json()["detail"]


def test_a_list_of_jobs_does_not_carry_their_logos(host: RunningHost) -> None:
    asked = host.post("claims", "pdf", options={"report": {"title": "T", "logo": logo()}, "max_records": 1})
    assert asked.status_code == 201, asked.text
    kept = asked.json()["options"]["report"]["logo"]
    assert kept.startswith("data:image/png;base64,")
    job = host.wait(asked.json()["id"])
    assert job["status"] == "completed", job
    assert job["options"]["report"] == {"title": "T", "logo": kept}
    listed = host.client.get(JOBS).json()["jobs"]
    (found,) = (each for each in listed if each["id"] == job["id"])
    assert found["options"]["report"] == {"title": "T", "logo": "data:image/png;base64,…"}
    assert host.post("claims", "pdf", options=found["options"]).status_code == 422
    again = host.post("claims", "pdf", options=job["options"])
    assert again.json()["options"] == job["options"]
    host.wait(again.json()["id"])


@pytest.mark.parametrize(
    "options",
    [
        {"columns": "text"},
        {"columns": [[]], "csv": 7},
        {"report": [1], "time_zone": None},
        {"report": {"logo": 5}, "layout": {"a": 1}},
        {"date_format": 5, "report": "x", "colour": "red"},
    ],
    ids=json.dumps,
)
def test_a_row_that_holds_anything_else_is_shown_and_fails_with_the_reason(
    host: RunningHost, options: Any
) -> None:
    job_id = f"odd-{uuid4()}"
    host.query(
        "INSERT INTO arkham_export_jobs (id, format, target, status, created_at, options) VALUES (?, 'csv', 'claims',"
        " 'failed', '2026-11-22T13:00:00.000000+00:00', ?)",
        (job_id, json.dumps(options)),
    )
    try:
        shown = host.client.get(f"{JOBS}/{job_id}")
        assert shown.status_code == 200
        assert host.client.get(JOBS, params={"limit": 500}).status_code == 200
        refused = host.post("claims", "csv", options=shown.json()["options"])
        assert refused.status_code == 422
        assert "options." in refused.json()["detail"]
    finally:
        host.query("DELETE FROM arkham_export_jobs WHERE id = ?", (job_id,))


def test_a_layout_is_found_by_its_id_for_its_tenant_and_used_where_the_job_runs(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = letterhead("{{ subtitle }}", "{{ records }}", "The end.")
    asked: list[tuple[str, str | None]] = []

    async def layouts(layout_id: str, tenant_id: str | None) -> bytes | None:
        asked.append((layout_id, tenant_id))
        return layout if layout_id == "letterhead" else None

    options = {"layout": "letterhead", "report": {"title": "On our paper"}, "max_records": 2}
    refused = host.post("claims", "docx", options=options)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "options.layout")
    monkeypatch.setattr(host.shard._service.inventory, "_layouts", layouts)
    assert host.post("claims", "docx", options={**options, "layout": "another"}).status_code == 422
    job, answer = host.export("claims", "docx", options=options)
    file = answer.content
    assert job["options"]["layout"] == "letterhead"
    assert ("letterhead", None) in asked
    words = docx_text(file).splitlines()
    assert words[0] == "On our paper"
    assert words[-1] == "The end."
    assert (
        docx.Document(io.BytesIO(file)).sections[0].header.paragraphs[0].text
        == "Müller & Partner: On our paper"
    )
    preview = host.client.post(
        "/api/export/preview", json={"target": "claims", "format": "docx", "options": options}
    )
    assert preview.status_code == 200
    assert host.post("claims", "pdf", options=options).json()["errors"][0]["field"] == "options.layout"
