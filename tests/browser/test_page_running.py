"""Large exports on the page: the bar moves, and cancel, reload, other tabs and a host that restarts do not confuse it.

With ARKHAM_TEST_RECORDS=1000000 they are of a million records.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.browser.conftest import Site, Watched, to
from tests.conftest import new_database
from tests.hosts import END_SECONDS
from tests.tools import seeded_records

SEEDED_CLAIMS = seeded_records(default=40_000)
LONG_MS = END_SECONDS * 1000
RECORD_BAR = """
window.bar = []; window.paces = new Set();
new MutationObserver((changes) => {
  for (const { target } of changes) {
    if (target.nodeName === "PROGRESS" && target.hasAttribute("value")) bar.push(target.value);
  }
  const pace = document.querySelector(".progress .quiet")?.textContent;
  if (pace) paces.add(pace);
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["value"] });
"""
RECORD_NOTES = """
window.notes = [];
window.Notification = class {
  static permission = "default";
  static asked = 0;
  static async requestPermission() { this.asked += 1; return this.permission = "granted"; }
  constructor(title, { body }) { notes.push([title, body]); }
  close() {}
};
"""


def begin(page: Page, site: Site, target: str = "claims", format: str = "xlsx") -> dict[str, Any]:
    page.goto(site.at(target=target, format=format))
    page.get_by_role("button", name="Export ").click()
    expect(page.locator(".standing")).to_be_visible()
    return site.latest()


def moving(page: Page) -> None:
    """Wait until the bar has gone a way."""
    expect(page.locator("progress")).to_have_attribute("value", re.compile("[1-9]"), timeout=LONG_MS)


def test_the_bar_of_a_large_export_moves_and_tells_rate_and_time_left(site: Site, page: Page) -> None:
    page.add_init_script(RECORD_BAR)
    job = begin(page, site)
    expect(page.locator(".standing")).to_have_text("Complete", timeout=LONG_MS)
    seen = page.evaluate("bar")
    assert seen == sorted(seen)
    assert len({each for each in seen if 0 < each < 100}) >= 2, seen
    told = " | ".join(page.evaluate("[...paces]"))
    assert "records/s" in told
    assert "left" in told
    expect(page.locator(".sum b").first).to_have_text(f"{SEEDED_CLAIMS:,}")
    assert site.job(job["id"])["record_count"] == SEEDED_CLAIMS


def test_a_format_that_is_too_small_for_the_records_is_greyed_until_they_are_fewer(
    site: Site, page: Page
) -> None:
    if SEEDED_CLAIMS <= 100_000:
        formats = site.host.client.get("/api/export/formats").json()
        few = [each | {"max_records": each["max_records"] and 20_000} for each in formats]
        page.route("**/api/export/formats", lambda route: route.fulfill(json=few))
    page.goto(site.at(target="claims", format="csv"))
    pdf = page.locator(".card.format", has_text="PDF report")
    expect(pdf.get_by_role("radio")).to_be_disabled()
    expect(pdf).to_contain_text("Holds at most")
    page.locator(".options summary").click()
    page.get_by_label("Max records").fill("1000")
    expect(pdf.get_by_role("radio")).to_be_enabled()


def test_a_large_export_is_cancelled_in_the_middle(site: Site, page: Page) -> None:
    job = begin(page, site)
    moving(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".standing")).to_have_text("Cancelled", timeout=LONG_MS)
    expect(page.locator("progress")).to_have_count(0)
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    stopped = site.job(job["id"])
    assert (stopped["status"], stopped["file_path"]) == ("cancelled", None)


def test_a_reload_in_the_middle_loses_nothing_and_the_end_is_told_on_whatever_view(
    site: Site, page: Page, tmp_path: Path
) -> None:
    page.add_init_script("localStorage.setItem('download_auto', 'true')")
    page.add_init_script(RECORD_NOTES)
    job = begin(page, site)
    # It has been running for as long as makes a notification worth while.
    execute = site.host.frame.get_service("database").execute
    statement = "UPDATE arkham_export_jobs SET created_at = ? WHERE id = ?"
    site.host.run(execute(statement, ["2026-01-01T00:00:00+00:00", job["id"]]))
    moving(page)
    page.reload()
    moving(page)
    assert page.evaluate("Notification.asked") == 0
    page.get_by_role("button", name="Notify me when it ends").click()
    expect(page.get_by_text("You will be told when it ends.")).to_be_visible()
    with page.expect_download(timeout=LONG_MS) as arriving:
        to(page, "Formats")
        expect(page.get_by_text("Claims as XLSX: complete").first).to_be_visible(timeout=LONG_MS)
    assert page.evaluate("notes") == [["Export", f"Claims as XLSX: complete, {SEEDED_CLAIMS:,} records."]]
    arriving.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").stat().st_size == site.job(job["id"])["file_size"]
    page.get_by_role("link", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Claims as XLSX")


def test_of_many_running_jobs_three_are_listened_to_and_all_are_shown(site: Site, page: Page) -> None:
    streams: list[str] = []
    page.on(
        "request", lambda request: streams.append(request.url) if request.url.endswith("/events") else None
    )
    jobs = [site.host.post("claims", "xlsx").json() for _ in range(5)]
    page.goto(site.at("jobs", status="pending,processing"))
    for job in jobs:
        expect(page.locator(f"[data-job='{job['id']}']")).to_be_visible()
    expect(page.locator(".job progress[value]").first).to_be_visible(timeout=LONG_MS)
    assert len(set(streams)) == 3
    for job in jobs:
        page.locator(f"[data-job='{job['id']}']").get_by_role("button", name="Cancel").click()
    for job in jobs:
        # Cancelled jobs leave a list of active ones.
        expect(page.locator(f"[data-job='{job['id']}']").get_by_text("Running")).to_have_count(
            0, timeout=LONG_MS
        )
        site.host.wait(job["id"])


def test_where_the_stream_is_refused_the_host_is_asked_instead(
    site: Site, page: Page, watched: Watched
) -> None:
    watched.forgive(503)
    problem = {
        "type": "urn:arkham-export:problem:too-many-listeners",
        "status": 503,
        "detail": "Too many listen.",
    }
    page.route("**/events", lambda route: route.fulfill(status=503, json=problem))
    begin(page, site)
    moving(page)
    expect(page.locator("#connection")).to_be_hidden()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".standing")).to_have_text("Cancelled", timeout=LONG_MS)


class Process:
    """A host in a process of its own, which can be killed and started again at the same address."""

    def __init__(self, kind: str, folder: Path, request: pytest.FixtureRequest) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.origin = f"http://127.0.0.1:{self.port}"
        self.environment = dict(os.environ)
        # PostgreSQL's queue notices only after half a minute that a worker was killed.
        self.sudden = signal.SIGKILL if kind == "standalone" else signal.SIGTERM
        if kind == "standalone":
            seed_sqlite(folder, SEEDED_CLAIMS, targets=["claims"])
            self.base = "/export"
            self.command = [
                sys.executable,
                "-m",
                "arkham_shard_export.cli",
                "serve",
                "--data",
                str(folder),
                "--port",
                self.port,
            ]
        else:
            from tables import create_peer_tables

            database = new_database(request.getfixturevalue("postgres_server"))
            create_peer_tables(database)
            seed_postgres(database, SEEDED_CLAIMS, targets=["claims"])
            self.base = "/api/export/ui"
            self.environment["PYTHONPATH"] = str(Path(__file__).parents[1] / "arkhamframe")
            # The export is not to end within the grace of a stop.
            self.environment["ARKHAM_EXPORT_GRACE_SECONDS"] = "0"
            self.command = [sys.executable, "-m", "arkham_frame", "--database-url", database, "--storage-dir", str(folder), "--port", self.port]  # fmt: skip
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.origin}/api/export/count").status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise AssertionError("the host did not start")

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(END_SECONDS)


@pytest.fixture(params=["standalone", "arkhamframe"])
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Process]:
    started = Process(request.param, tmp_path, request)
    yield started
    started.end(signal.SIGTERM)


def test_a_host_that_restarts_in_the_middle_is_waited_for(
    process: Process, page: Page, watched: Watched
) -> None:
    watched.forgive_lost_connections()
    page.goto(f"{process.origin}{process.base}?target=claims&format=xlsx")
    page.get_by_role("button", name="Export ").click()
    moving(page)
    process.end(process.sudden)
    expect(page.locator("#connection")).to_contain_text("The connection to the host is lost")
    process.start()
    expect(page.locator("#connection")).to_be_hidden(timeout=LONG_MS)
    expect(page.locator(".standing")).to_have_text("Complete", timeout=LONG_MS)
    expect(page.get_by_text("Attempt 1 came to nothing")).to_be_visible()
    with page.expect_download() as arriving:
        page.get_by_role("button", name="Download").click()
    assert arriving.value.failure() is None
    # The same on a list, and before anything was chosen.
    to(page, "Jobs")
    expect(page.locator(".job")).to_have_count(1)
    process.end(signal.SIGTERM)
    to(page, "New")
    expect(page.locator("#connection")).to_be_visible()
    process.start()
    expect(page.locator("#connection")).to_be_hidden(timeout=LONG_MS)
    expect(page.locator(".card.target").first).to_be_visible()
    assert json.loads(httpx.get(f"{process.origin}/api/export/jobs").text)["total"] == 1
