"""The OpenAPI description is true: generated requests find no answer that it does not describe, and a generated client works."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.api.answers import EXAMPLES
from arkham_shard_export.api.routes import ALWAYS, PREFIX, ROUTES
from arkham_shard_export.jobs.showing import job_fields
from arkham_shard_export.models import ExportJob
from tests.hosts import RunningHost
from tests.unit.test_word_layouts import letterhead

CASES = int(os.environ.get("ARKHAM_TEST_CASES", "100"))
"""Of each operation, phase and kind of data; with 300 some 14,000 in each host."""
AVAILABILITY = "ensure_resource_availability"
CONFIGURATION = Path(__file__).parents[1] / "schemathesis.toml"


def description(host: RunningHost) -> dict[str, Any]:
    found: dict[str, Any] = host.client.get("/openapi.json").json()
    return found


@pytest.mark.timeout(max(900, 2 * CASES))
def test_generated_requests_find_only_what_is_described(own_host: RunningHost, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION), "run"]
    words += [f"{own_host.client.base_url}/openapi.json", "--include-path-regex", f"^{PREFIX}"]
    words += ["--max-examples", str(CASES), "--continue-on-failure", "--suppress-health-check", "all"]
    # A template that was just made has no layout yet.
    available = ["--checks", AVAILABILITY, "--exclude-operation-id", "export_get_template_layout", "--phases", "stateful"]  # fmt: skip
    # DELETE cancels a job, which stays and can be looked at.
    rest = ["--checks", "all", "--exclude-checks", f"use_after_free,{AVAILABILITY}"]
    for checks in (available, rest):
        done = subprocess.run([*words, *checks], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    generated = re.search(r"([\d,]+) generated", done.stdout)
    assert generated is not None
    assert int(generated[1].replace(",", "")) > len(ROUTES) * CASES / 2, done.stdout


def test_every_operation_has_a_stable_name_and_describes_each_refusal(host: RunningHost) -> None:
    paths = description(host)["paths"]
    operations = {
        (method.upper(), path.removeprefix(PREFIX)): operation
        for path, methods in paths.items()
        if path.startswith(PREFIX)
        for method, operation in methods.items()
    }
    assert set(operations) == {(each.method, each.path) for each in ROUTES}
    for each in ROUTES:
        operation = operations[each.method, each.path]
        assert operation["operationId"] == f"export_{each.name}"
        statuses = {*map(str, (*each.answers, *each.refusals, *ALWAYS))}
        assert set(operation["responses"]) == statuses, each.name
        for status, answer in operation["responses"].items():
            assert answer["description"].strip(" ."), (each.name, status)
            if int(status) not in each.answers:
                assert list(answer["content"]) == ["application/problem+json"]


def test_the_operations_that_clients_have_are_still_there() -> None:
    assert {each.name for each in ROUTES} >= {
        "count_jobs", "list_jobs", "create_job", "create_batch", "get_job", "cancel_job", "follow_job", "create_link", "download_file", "head_file",
        "list_formats", "list_targets", "preview", "get_statistics", "get_health", "get_metrics", "list_templates", "create_template",
        "preview_template", "get_template", "replace_template", "delete_template", "list_template_versions", "get_template_version",
        "list_schedules", "create_schedule", "preview_schedule", "get_schedule", "change_schedule", "delete_schedule",
        "pause_schedule", "resume_schedule", "run_schedule", "list_schedule_runs",
    }  # fmt: skip


def forget(host: RunningHost, *templates: str) -> None:
    """Whichever test has saved them."""
    for name in templates:
        assert host.client.delete(f"{PREFIX}/templates/{name}").status_code in (204, 404)


def test_examples_of_requests_are_accepted(host: RunningHost) -> None:
    schemas = description(host)["components"]["schemas"]
    for name, path, status in (
        ("NewJobBody", "/jobs", 201),
        ("NewBatchBody", "/jobs/batch", 201),
        ("PreviewBody", "/preview", 200),
        ("TemplateBody", "/templates", 201),
        ("TemplatePreviewBody", "/templates/preview", 200),
        ("NewScheduleBody", "/schedules", 201),
        ("PlanBody", "/schedules/preview", 200),
    ):
        assert schemas[name]["examples"]
        for example in schemas[name]["examples"]:
            forget(host, str(example.get("name")))
            answer = host.client.post(PREFIX + path, json=example)
            assert answer.status_code == status, (example, answer.text)


def test_examples_of_answers_have_the_fields_of_real_ones(host: RunningHost) -> None:
    job, _ = host.export("claims", "json", options={"max_records": 3})
    request = {"target": "claims", "format": "json"}
    plan = {"name": "test", "every": "1d", "request": request}
    named = {**request, "name": "As in the example"}
    forget(host, "As in the example", "An example")
    schedule = host.client.post(f"{PREFIX}/schedules", json=plan).json()
    template = host.client.post(f"{PREFIX}/templates", json={**named, "name": "An example"}).json()
    bodies = {
        "create_schedule": plan,
        "preview_schedule": {"every": "1d"},
        "change_schedule": {"description": "changed"},
        "create_batch": {"parts": [request]},
        "create_template": named,
        "replace_template": {**named, "name": "An example"},
    }
    for each in ROUTES:
        if (example := EXAMPLES.get(each.name)) is None:
            continue
        ids = {
            "job_id": job["id"],
            "schedule_id": schedule["id"],
            "template_id": template["id"],
            "version": 1,
        }
        path = PREFIX + each.path.format(**ids)
        body: dict[str, Any] = {"json": bodies.get(each.name, request)} if 415 in each.refusals else {}
        if each.file_types:
            body = {"content": letterhead("{{ records }}"), "headers": {"Content-Type": each.file_types[0]}}
            host.client.put(
                f"{PREFIX}/templates/{template['id']}", json={**named, "format": "docx", "name": "An example"}
            )
        answer = host.client.request(each.method, path, **body).json()
        assert fields(answer) >= fields(example), each.name
        exact = each.name in ("get_job", "list_jobs", "create_job", "create_batch", "count_jobs")
        if exact or "schedule" in each.name or "template" in each.name:
            assert fields(answer) - {"checks"} == fields(example), each.name
    assert fields(job_fields(ExportJob("1", "json", "claims"))) == fields(EXAMPLES["get_job"])


def fields(answer: Any) -> set[str]:
    """Names at the top; of a list those of its first."""
    found = answer[0] if isinstance(answer, list) else answer
    assert isinstance(found, dict)
    return set(found)


@pytest.fixture
def generated(host: RunningHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a package that another program has generated from the description."""
    name = f"generated_{host.name.replace('-', '_')}"
    described = tmp_path / "openapi.json"
    kept = description(host)
    kept["paths"] = {path: each for path, each in kept["paths"].items() if path.startswith(PREFIX)}
    # The generator knows of no streams of events, and of no Word files; the rest must go without a warning.
    del kept["paths"][f"{PREFIX}/jobs/{{job_id}}/events"]
    del kept["paths"][f"{PREFIX}/templates/{{template_id}}/layout"]
    described.write_text(json.dumps(kept))
    scripts = Path(sys.executable).parent
    words = [str(scripts / "openapi-python-client"), "generate", "--path", str(described), "--meta", "none"]
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [*words, "--output-path", str(tmp_path / name), "--fail-on-warning"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_a_generated_client_makes_an_export_and_fetches_it(
    host: RunningHost, generated: str, request: pytest.FixtureRequest
) -> None:
    def call(operation: str, **given: Any) -> Any:
        return importlib.import_module(f"{generated}.api.export.export_{operation}").sync_detailed(
            client=client, **given
        )

    models = importlib.import_module(f"{generated}.models")
    client = importlib.import_module(f"{generated}.client").Client(base_url=str(host.client.base_url))
    request.addfinalizer(client.get_httpx_client().close)
    body = models.NewJobBody.from_dict(
        {
            "target": "claims",
            "format": "csv",
            "filters": {"status": ["verified"]},
            "options": {"max_records": 4},
        }
    )
    created = call("create_job", body=body)
    assert created.status_code == 201
    assert isinstance(created.parsed, models.ExportJobAnswer)
    deadline = time.monotonic() + 60
    while (job := call("get_job", job_id=created.parsed.id).parsed).status.value != "completed":
        assert job.status.value in ("pending", "processing")
        assert time.monotonic() < deadline
    assert job.record_count == 4
    assert len(call("download_file", job_id=job.id).content) == job.file_size
    wrong = {"target": "claims", "format": "csv", "options": {"sort_by": "colour"}}
    refused = call("create_job", body=models.NewJobBody.from_dict(wrong))
    assert isinstance(refused.parsed, models.ExportProblem)
    assert refused.parsed.errors[0].field == "options.sort_by"
    assert "confidence" in refused.parsed.errors[0].valid
    assert call("list_jobs", limit=1).parsed.total >= 1
    assert call("get_job", job_id="none").parsed.status == 404
