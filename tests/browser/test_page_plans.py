"""What is kept and repeated: templates, schedules and batches, from the view New to the file."""

from __future__ import annotations

import io
import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import Site, Watched, to
from tests.tools import needed


def made(site: Site, path: str, **body: Any) -> dict[str, Any]:
    answer = site.host.client.post(f"/api/export/{path}", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_what_is_chosen_is_saved_as_a_template_and_used_again(
    site: Site, page: Page, watched: Watched
) -> None:
    watched.forgive(422)
    page.goto(site.at(target="claims", format="xlsx"))
    page.get_by_label("disputed").check()
    page.get_by_role("button", name="Save as template").click()
    dialog = page.get_by_role("dialog", name="Save as template")
    dialog.get_by_role("button", name="Save the template").click()
    name = dialog.get_by_label("Name")
    expect(name).to_be_focused()
    expect(name).to_have_attribute("aria-invalid", "true")
    wrong = dialog.locator(".field .problem").first
    expect(wrong).to_contain_text("must be a text of 1 to 100 characters")
    name.fill("Disputed for Monday")
    dialog.get_by_label("Description").fill("For the conference.")
    dialog.get_by_role("button", name="Save the template").click()
    expect(dialog).to_be_hidden()

    to(page, "Templates")
    entry = page.locator(".format-entry", has_text="Disputed for Monday")
    expect(entry).to_contain_text("For the conference.")
    expect(page.locator(".format-entry", has_text="Graph for Gephi")).to_contain_text("built in")
    to(page, "New")
    page.get_by_role("radio", name="Timeline").check(force=True)
    page.get_by_label("Use a template").select_option("Disputed for Monday")
    expect(page.get_by_role("radio", name="Claims")).to_be_checked()
    expect(page.get_by_role("radio", name="Excel workbook")).to_be_checked()
    expect(page.get_by_label("disputed")).to_be_checked()

    to(page, "Templates")
    entry.get_by_role("button", name="Change").click()
    page.get_by_role("dialog").get_by_label("Description").fill("For Tuesday.")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(entry).to_contain_text("For Tuesday.")
    entry.get_by_text("Versions", exact=True).click()
    expect(entry.locator(".versions li")).to_have_count(2)
    entry.get_by_role("button", name="Run now").click()
    expect(page.locator(".standing")).to_have_text("Complete", timeout=30_000)
    expect(page.locator(".facts", has_text="Template")).to_contain_text("Disputed for Monday, version 2")
    to(page, "Templates")
    entry.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(entry).to_have_count(0)


def test_options_of_a_template_without_a_control_are_told_and_asked_for(site: Site, page: Page) -> None:
    template = made(site, "templates", name="Two columns", target="claims", format="csv", options={"columns": ["id", {"name": "text", "label": "Claim"}]})  # fmt: skip
    page.goto(site.at(template=template["id"]))
    page.locator(".options summary").click()
    others = page.locator(".options .notice")
    expect(others).to_have_text("Also set: Columns.Leave them out")
    page.get_by_role("button", name="Export claims").click()
    expect(page.locator(".standing")).to_have_text("Complete", timeout=30_000)
    assert site.latest()["options"]["columns"] == template["options"]["columns"]
    to(page, "New")
    others.get_by_role("button", name="Leave them out").click()
    expect(others).to_be_hidden()


def test_what_is_chosen_is_scheduled_run_and_paused(site: Site, page: Page, watched: Watched) -> None:
    watched.forgive(422)
    page.goto(site.at(target="entities", format="csv"))
    page.get_by_role("button", name="Schedule this").click()
    dialog = page.get_by_role("dialog", name="Schedule this")
    dialog.get_by_label("Time zone").fill("Europe/Berlin")
    expect(dialog.locator(".due li")).to_have_count(5)
    expect(dialog.locator(".due li").first).to_contain_text("Mon")
    dialog.get_by_label("When").select_option("A cron expression")
    cron = dialog.get_by_label("Cron")
    cron.fill("61 * * * *")
    expect(cron).to_have_attribute("aria-invalid", "true")
    cron.fill("30 6 * * MON-FRI")
    expect(dialog.locator(".due li").first).to_contain_text("06:30")
    dialog.get_by_role("button", name="Schedule it").click()
    expect(dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    dialog.get_by_label("Name").fill("Entities each morning")
    dialog.get_by_role("button", name="Schedule it").click()
    page.get_by_role("link", name="Show it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Entities each morning")
    expect(page.locator("main")).to_contain_text("Every weekday, Monday to Friday at 06:30, Europe/Berlin")
    expect(page.locator(".due li")).to_have_count(5)

    page.get_by_role("button", name="Run now").click()
    expect(page.locator(".standing")).to_have_text("Complete", timeout=30_000)
    page.get_by_role("link", name="Entities each morning").click()
    run = page.get_by_role("region", name="Runs").locator("tbody tr")
    expect(run).to_contain_text("Complete")
    with page.expect_download():
        run.get_by_role("button", name="Download").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".standing")).to_have_text("Paused")
    to(page, "Schedules")
    entry = page.locator(".format-entry", has_text="Entities each morning")
    entry.get_by_role("button", name="Resume").click()
    expect(entry.get_by_role("button", name="Pause")).to_be_focused()
    entry.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(entry).to_have_count(0)


def test_a_schedule_that_paused_itself_says_why(site: Site, page: Page) -> None:
    schedule = made(site, "schedules", name="Fails", cron="0 7 * * *", request={"target": "claims", "format": "csv"})  # fmt: skip
    schedule |= {"state": "paused", "next_runs": [], "failures": 3, "paused_reason": "3 runs failed."}
    path = f"**/api/export/schedules/{schedule['id']}"
    page.route(path, lambda route: route.fulfill(json=schedule))
    page.goto(site.at("schedules", scheduleId=schedule["id"]))
    expect(page.locator(".notice.bad")).to_have_text("It has paused itself. 3 runs failed.")
    expect(page.locator("main")).to_contain_text("3 runs one after another")
    site.host.client.delete(f"/api/export/schedules/{schedule['id']}")


def test_a_batch_is_built_and_fetched(site: Site, page: Page, context: BrowserContext, watched: Watched, tmp_path: Path) -> None:  # fmt: skip
    watched.forgive(422)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.origin)
    page.goto(site.at(target="claims", format="csv"))
    add = page.get_by_role("button", name="Add to batch")
    add.click()
    page.locator(".options summary").click()
    page.get_by_label("Max records").fill("0")
    page.get_by_role("radio", name="JSON").check(force=True)
    add.click()
    batch = page.get_by_role("region", name="Batch")
    expect(batch.get_by_role("listitem")).to_have_count(2)
    batch.get_by_role("button", name="Export the batch").click()
    expect(batch.get_by_role("listitem").nth(1)).to_contain_text("max_records must be a whole number")
    batch.get_by_role("button", name="Remove part 2").click()
    page.get_by_label("Max records").fill("5")
    add.click()
    page.reload()
    expect(batch.get_by_role("listitem").nth(1)).to_contain_text("Claims as JSON · 1 option")
    batch.get_by_label("Continue when one fails").check()
    batch.get_by_role("button", name="Copy batch as curl").click()
    expect(page.get_by_text("Copied as a curl command.").first).to_be_visible()
    needed("curl", "curl")
    command = page.evaluate("navigator.clipboard.readText()")
    copied = json.loads(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout)
    assert [each["format"] for each in copied["parts"]] == ["csv", "json"]
    assert copied["continue_on_error"] is True
    site.host.wait(copied["id"])

    batch.get_by_role("button", name="Export the batch").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Batch of 2 parts as ZIP")
    expect(page.locator(".standing")).to_have_text("Complete", timeout=30_000)
    parts = page.get_by_role("region", name="Parts").locator("tbody tr")
    expect(parts.nth(0)).to_contain_text("102")
    expect(parts.nth(1)).to_contain_text("97 records left out")
    with page.expect_download() as arriving:
        page.get_by_role("button", name="Download").click()
    arriving.value.save_as(tmp_path / "batch.zip")
    names = zipfile.ZipFile(io.BytesIO((tmp_path / "batch.zip").read_bytes())).namelist()
    assert {"contents.json", "README.txt", "01-claims.csv", "02-claims.json"} <= set(names)
    to(page, "Jobs")
    expect(page.locator(".job h2").first).to_have_text("Batch of 2 parts as ZIP")
    to(page, "New")
    expect(page.locator(".card.target").first).to_be_visible()
    expect(batch).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation_in_plans(site: Site, browser: Browser, scheme: Any) -> None:
    schedule = made(site, "schedules", name=f"In {scheme}", every="12h", request={"target": "claims", "format": "csv"})  # fmt: skip
    batch = made(site, "jobs/batch", parts=[{"target": "claims", "format": "csv"}])
    site.host.wait(batch["id"])
    with browser.new_context(color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        for view, params in (
            ("templates", {}),
            ("schedules", {}),
            ("schedules", {"scheduleId": schedule["id"]}),
            ("jobs", {"jobId": batch["id"]}),
        ):
            page.goto(site.at(view, **params))
            page.wait_for_load_state("networkidle")
            results = Axe().run(page)
            assert results.violations_count == 0, f"{view} {scheme}: {results.generate_report()}"
        page.goto(site.at())
        page.get_by_role("button", name="Add to batch").click()
        page.get_by_role("button", name="Schedule this").click()
        expect(page.get_by_role("dialog").locator(".due li")).to_have_count(5)
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
    site.host.client.delete(f"/api/export/schedules/{schedule['id']}")
