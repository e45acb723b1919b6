"""The view Jobs: the list, one job, and what can be done with it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import Site, Watched
from tests.hosts import standalone
from tests.tools import needed


def row(page: Page, job: dict[str, Any]) -> Locator:
    return page.locator(f"[data-job='{job['id']}']")


def standing(page: Page) -> Locator:
    return page.locator(".standing")


def expire(site: Site, job: dict[str, Any], moment: datetime) -> None:
    execute = site.host.frame.get_service("database").execute
    statement = "UPDATE arkham_export_jobs SET expires_at = ? WHERE id = ?"
    site.host.run(execute(statement, [moment.isoformat(), job["id"]]))


def test_the_address_says_which_jobs_are_listed(site: Site, page: Page) -> None:
    done, _ = site.host.export("claims", "csv")
    other, _ = site.host.export("entities", "json")
    page.goto(site.at("jobs", status="completed", target="claims", format="csv"))
    expect(row(page, done)).to_be_visible()
    expect(row(page, other)).to_have_count(0)
    expect(page.get_by_label("State")).to_have_value("completed")
    page.get_by_label("Target").select_option("entities")
    expect(page.get_by_role("heading", name="No job is like this")).to_be_visible()
    page.get_by_label("Format").select_option("json")
    expect(row(page, other)).to_be_visible()
    expect(page).to_have_url(site.at("jobs", status="completed", format="json", target="entities"))
    page.get_by_role("link", name="Entities as JSON").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Entities as JSON")
    assert f"jobId={other['id']}" in page.url
    page.get_by_role("link", name="All jobs").click()
    expect(page.get_by_label("Target")).to_have_value("entities")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Entities as JSON")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Entities as JSON")


def test_a_job_tells_what_was_asked_for_and_accounts_for_every_record(site: Site, page: Page) -> None:
    filters, options = {"status": ["verified", "disputed"]}, {"max_records": 5, "sort_by": "created_at"}
    job, file = site.host.export("claims", "csv", filters=filters, options=options)
    page.goto(site.at("jobs", jobId=job["id"]))
    expect(standing(page)).to_have_text("Complete")
    account = job["metadata"]["completeness"]
    terms = page.locator(".sum b")
    expect(terms).to_have_text([str(account[each]) for each in ("expected", "written", "skipped")])
    assert account["skipped"] > 0
    expect(page.get_by_role("region", name="Left out, and why")).to_contain_text(
        account["skips"][0]["reason"]
    )
    asked = page.locator("section", has=page.get_by_role("heading", name="Asked for"))
    for text in ("Claims", "CSV", "verified, disputed", "Max records", "5", "created_at"):
        expect(asked).to_contain_text(text)
    expect(page.get_by_text(hashlib.sha256(file.content).hexdigest())).to_be_visible()
    events = page.get_by_role("list").filter(has_text="Asked for by").get_by_role("listitem")
    expect(events).to_have_count(4)
    expect(events).to_contain_text(["Asked for by system", "Began", "Complete", "The file will be removed"])


def test_adjusted_values_and_earlier_attempts_are_told(site: Site, page: Page) -> None:
    job, _ = site.host.export("claims", "csv")
    metadata = job["metadata"] | {
        "adjustments": [{"kind": "formula_guard", "count": 3, "reason": "text would have been run"}],
        "history": [
            {"attempt": 1, "started_at": job["created_at"], "ended_at": job["started_at"], "runner": "host-a:12",
             "reason": "The worker process ended with signal 9."}
        ],
    }  # fmt: skip
    execute = site.host.frame.get_service("database").execute
    statement = "UPDATE arkham_export_jobs SET metadata = ? WHERE id = ?"
    site.host.run(execute(statement, [json.dumps(metadata), job["id"]]))
    page.goto(site.at("jobs", jobId=job["id"]))
    told = page.get_by_role("region", name="Written otherwise than they were")
    expect(told).to_contain_text("Formula guard")
    expect(told).to_contain_text("text would have been run")
    expect(
        page.get_by_text("Attempt 1 came to nothing: The worker process ended with signal 9.")
    ).to_be_visible()
    expect(page.get_by_text("Attempt 1 began on host-a:12")).to_be_visible()


def test_a_job_is_downloaded_repeated_changed_and_its_link_copied(
    site: Site, context: BrowserContext, page: Page, tmp_path: Path
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.origin)
    job, file = site.host.export(
        "timeline", "json", filters={"event_type": "deadline"}, options={"group_by": "day"}
    )
    page.goto(site.at("jobs"))
    with page.expect_download() as arriving:
        row(page, job).get_by_role("button", name="Download").click()
    arriving.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == file.content
    assert arriving.value.suggested_filename == job["metadata"]["file_name"]
    more = row(page, job).locator("summary")
    more.click()
    row(page, job).get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Link copied.").first).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert httpx.get(copied).content == file.content
    more.click()
    row(page, job).get_by_role("button", name="Copy as curl").click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('curl')")
    needed("curl", "curl")
    command = page.evaluate("navigator.clipboard.readText()")
    made = json.loads(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout)
    assert (made["filters"], made["options"]) == (job["filters"], job["options"])
    more.click()
    row(page, job).get_by_role("button", name="Run again").click()
    expect(standing(page)).to_have_text("Complete")
    again = site.latest()
    assert again["id"] not in (job["id"], made["id"])
    assert (again["filters"], again["options"]) == (job["filters"], job["options"])
    page.get_by_role("button", name="Change and run").click()
    expect(page.get_by_label("deadline")).to_be_checked()
    expect(page.locator(".options .badge")).to_have_text("1 option changed")
    expect(page).to_have_url(site.at(target="timeline", format="json"))


def test_an_expired_file_is_told_and_made_again(site: Site, page: Page, watched: Watched) -> None:
    watched.forgive(410)
    job, _ = site.host.export("claims", "csv")
    page.goto(site.at("jobs", jobId=job["id"]))
    download = page.get_by_role("button", name="Download")
    expect(download).to_be_visible()
    # Its time is over while it is being looked at, by a clock that is not the browser's.
    expire(site, job, datetime.now(UTC) - timedelta(hours=1))
    download.click()
    expect(page.get_by_role("alert")).to_contain_text("The file was kept until")
    page.reload()
    expect(page.locator(".notice")).to_contain_text("The file was kept until")
    expect(download).to_have_count(0)
    page.get_by_role("button", name="Run again").click()
    expect(page.get_by_role("button", name="Download")).to_be_visible()
    assert site.latest()["id"] != job["id"]


def test_a_failed_job_says_why_and_what_to_do(site: Site, page: Page) -> None:
    job, _ = site.host.export("claims", "csv")
    execute = site.host.frame.get_service("database").execute
    statement = "UPDATE arkham_export_jobs SET status = 'failed', error = ?, file_path = NULL WHERE id = ?"
    site.host.run(execute(statement, ["The disk of the export store is full.", job["id"]]))
    page.goto(site.at("jobs", status="failed"))
    expect(row(page, job)).to_contain_text("The disk of the export store is full.")
    expect(row(page, job).get_by_role("button", name="Run again")).to_be_visible()
    row(page, job).get_by_role("link").click()
    expect(page.locator(".notice.bad")).to_contain_text("The disk of the export store is full.")
    expect(page.locator(".notice.bad")).to_contain_text("run it again")


def test_a_job_that_is_not_there_and_an_unknown_state_are_told(
    site: Site, page: Page, watched: Watched
) -> None:
    watched.forgive(404, 422)
    page.goto(site.at("jobs", jobId="no-such-job"))
    expect(page.get_by_role("heading", name="There is no such job")).to_be_visible()
    page.goto(site.at("jobs", status="sleeping"))
    expect(page.get_by_role("alert")).to_contain_text("Unknown status 'sleeping'.")
    page.get_by_role("link", name="Show all jobs").click()
    expect(page.get_by_label("State")).to_have_value("")


def test_jobs_are_paged(site: Site, page: Page) -> None:
    for _ in range(21):
        site.host.post("matrix", "csv")
    page.goto(site.at("jobs", target="matrix"))
    expect(page.locator(".job")).to_have_count(20)
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Older").click()
    expect(page.locator(".job")).not_to_have_count(20)
    expect(page).to_have_url(site.at("jobs", target="matrix", page="2"))
    page.reload()
    expect(page.get_by_text("Page 2 of 2")).to_be_visible()
    page.get_by_role("link", name="Newer").click()
    expect(page).to_have_url(site.at("jobs", target="matrix"))
    expect(page.locator(".job")).to_have_count(20)


def test_jobs_of_others_appear_by_themselves(site: Site, page: Page) -> None:
    page.goto(site.at("jobs"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    job, _ = site.host.export("graph", "json")
    expect(row(page, job)).to_contain_text("Complete")


def test_where_nothing_was_exported_yet_it_says_what_to_do(page: Page, tmp_path: Path) -> None:
    with standalone(tmp_path, demo=True) as host:
        empty = Site(host, "/export")
        page.goto(empty.at("history"))
        expect(page.get_by_role("heading", name="Nothing to look back on yet")).to_be_visible()
        page.goto(empty.at("jobs"))
        expect(page.get_by_role("heading", name="No exports yet")).to_be_visible()
        page.get_by_role("link", name="Make the first one").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("New export")
