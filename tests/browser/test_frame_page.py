"""The host's own export page works with the shard as it is: a stand-in of it makes exactly its requests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect
from tables import create_peer_tables

from arkham_shard_export.standalone.seed import seed_postgres
from tests.conftest import new_database
from tests.hosts import RunningHost, arkhamframe, load_demo_into_postgres

ZONE = "America/New_York"
ALLOWED = {
    ("GET", "/api/export/formats"),
    ("GET", "/api/export/targets"),
    ("GET", "/api/export/jobs"),
    ("GET", "/api/export/stats"),
    ("POST", "/api/export/jobs"),
    ("DELETE", "/api/export/jobs/{id}"),
    ("GET", "/api/export/jobs/{id}/download"),
    ("GET", "/api/frame/badges"),
}


@pytest.fixture
def frame(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningHost]:
    url = new_database(request.getfixturevalue("postgres_server"))
    create_peer_tables(url)
    load_demo_into_postgres(url)
    with arkhamframe(tmp_path, url) as host:
        yield host


@pytest.fixture
def page(browser: Browser, frame: RunningHost) -> Iterator[Page]:
    """The host's page, far from UTC; what it asks for, beyond what the host's page does, fails the test."""
    with browser.new_context(timezone_id=ZONE, locale="en-US") as context:
        page = context.new_page()
        problems: list[str] = []
        asked: set[tuple[str, str]] = set()

        def note(method: str, url: str) -> None:
            path = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{id}", urlsplit(url).path)
            if path.startswith("/api/"):
                asked.add((method, path))

        page.on("request", lambda request: note(request.method, request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(str(frame.client.base_url).rstrip("/") + "/export")
        expect(page.locator("#stats dd").first).to_be_visible()
        yield page
        assert asked <= ALLOWED
        assert problems == []


def create(page: Page, target: str, format: str) -> None:
    page.locator(f"#target-{target} input").check()
    page.locator(f"#format-{format} input").check()
    page.get_by_role("button", name="Create export").click()


def cells(page: Page) -> list[str]:
    return page.locator("#jobs tr").first.locator("td").all_inner_texts()


def test_each_target_in_each_format_comes_to_its_download(
    frame: RunningHost, page: Page, tmp_path: Path
) -> None:
    for number, format in enumerate(["json", "csv", "xlsx", "pdf", "docx"], 1):
        create(page, "claims", format)
        expect(page.locator("#jobs tr")).to_have_count(number)
        row = page.locator("#jobs tr").first
        expect(row).to_contain_text("completed", timeout=30_000)
        with page.expect_download() as arriving:
            row.get_by_role("button", name="Download").click()
        saved = tmp_path / arriving.value.suggested_filename
        arriving.value.save_as(saved)
        job = frame.client.get("/api/export/jobs?limit=1").json()["jobs"][0]
        assert saved.read_bytes() == frame.client.get(job["download_url"]).content
        short, target, shown_format, _, created, completed, size, records, seconds, error = cells(page)
        assert (short, target, shown_format, error) == (job["id"][:8], "claims", format.upper(), "")
        for shown, moment in ((created, job["created_at"]), (completed, job["completed_at"])):
            there = datetime.fromisoformat(moment).astimezone(ZoneInfo(ZONE))
            assert shown.replace("\u202f", " ") == f"{there:%-m/%-d/%Y, %-I:%M:%S %p}"
        assert size == f"{job['file_size'] / 1024:.1f} KB"
        assert records == f"{job['record_count']:,}"
        assert re.fullmatch(r"\d+\.\ds", seconds)
    expect(page.locator("#stat-jobs_completed")).to_have_text("5")
    expect(page.locator("#stat-by_format")).to_contain_text('"xlsx":1')


def test_its_options_are_honoured(frame: RunningHost, page: Page) -> None:
    page.get_by_label("conflicts", exact=True).check()
    page.get_by_label("gaps", exact=True).check()
    page.get_by_label("At most").fill("7")
    page.get_by_label("Group by").select_option("month")
    create(page, "timeline", "json")
    expect(page.locator("#jobs tr").first).to_contain_text("completed", timeout=30_000)
    job = frame.client.get("/api/export/jobs").json()["jobs"][0]
    assert (job["record_count"], job["options"]["group_by"]) == (7, "month")
    document = frame.client.get(job["download_url"]).json()
    assert {"conflicts", "gaps", "groups"} <= document.keys()


def test_a_refusal_is_shown_as_a_sentence(page: Page) -> None:
    page.get_by_label("gaps", exact=True).check()
    create(page, "claims", "csv")
    expect(page.locator("#error")).to_have_text("Option include_gaps does not apply to claims.")
    page.get_by_role("button", name="Create export").click()
    page.locator("#error").evaluate("shown => { shown.textContent = ''; }")
    page.get_by_label("At most").fill("0")
    page.get_by_role("button", name="Create export").click()
    expect(page.locator("#error")).to_contain_text("options.max_records must be a whole number")


def test_a_running_job_is_polled_and_can_be_cancelled(frame: RunningHost, page: Page) -> None:
    seed_postgres(str(frame.database_url), 60_000, targets=["claims"])
    create(page, "claims", "xlsx")
    row = page.locator("#jobs tr").first
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("cancelled")
    expect(row.get_by_role("button")).to_have_count(0)
    create(page, "entities", "json")
    expect(page.locator("#jobs tr")).to_have_count(2)
    expect(page.locator("#jobs tr").first).to_contain_text("completed", timeout=30_000)
