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
from tests.readers import docx_text
from tests.tools import needed
from tests.unit.test_word_layouts import letterhead


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


def test_a_template_is_laid_out_by_a_word_file(
    site: Site, page: Page, watched: Watched, tmp_path: Path
) -> None:
    watched.forgive(422)
    template = made(site, "templates", name="On our paper", target="claims", format="docx")
    layout = letterhead("{{ records }}", "The end.")
    (tmp_path / "letterhead.docx").write_bytes(layout)
    (tmp_path / "wrong.docx").write_bytes(letterhead("{{ recrods }}"))
    page.goto(site.at("templates"))
    expect(page.locator(".format-entry", has_text="Claims for an editor")).to_be_visible()
    expect(page.get_by_role("button", name="Layout")).to_have_count(1)
    page.get_by_role("button", name="Layout On our paper").click()
    dialog = page.get_by_role("dialog", name="Lay out On our paper")
    save = dialog.get_by_role("button", name="Save")
    save.click()
    chooser = dialog.get_by_label("Word file")
    expect(chooser).to_be_focused()
    expect(dialog).to_contain_text("Choose a Word file.")
    expect(dialog.get_by_role("button", name="Leave it out")).to_have_count(0)
    chooser.set_input_files(tmp_path / "wrong.docx")
    save.click()
    expect(dialog).to_contain_text("recrods")
    chooser.set_input_files(tmp_path / "letterhead.docx")
    save.click()
    expect(page.get_by_text("On our paper: version 2, laid out by letterhead.docx.")).to_be_visible()

    entry = page.locator(".format-entry", has_text="On our paper")
    entry.get_by_role("button", name="Run now").click()
    expect(page.locator(".standing")).to_have_text("Complete", timeout=30_000)
    with page.expect_download() as arriving:
        page.get_by_role("button", name="Download").click()
    arriving.value.save_as(tmp_path / "report.docx")
    assert docx_text((tmp_path / "report.docx").read_bytes()).splitlines()[-1] == "The end."
    to(page, "Templates")
    page.get_by_role("button", name="Layout On our paper").click()
    with page.expect_download() as arriving:
        dialog.get_by_role("button", name="Get the one it has").click()
    assert arriving.value.suggested_filename == "On our paper.docx"
    arriving.value.save_as(tmp_path / "fetched.docx")
    assert (tmp_path / "fetched.docx").read_bytes() == layout
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()
    dialog.get_by_role("button", name="Leave it out").click()
    expect(page.get_by_text("On our paper: version 3, without a layout.")).to_be_visible()
    path = f"/api/export/templates/{template['id']}"
    assert "layout" not in site.host.client.get(path).json()["options"]
    site.host.client.delete(path)


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


def test_a_batch_with_a_part_that_failed_says_which_and_why(site: Site, page: Page) -> None:
    batch = made(site, "jobs/batch", parts=[{"target": "claims", "format": "csv"}, {"target": "graph", "format": "json"}], continue_on_error=True)  # fmt: skip
    job = site.host.wait(batch["id"])
    assert job["status"] == "completed"
    reason = "The disk is full."
    job["parts"][1] |= {"status": "failed", "error": reason, "file": None, "record_count": 0}
    page.route(f"**/api/export/jobs/{job['id']}", lambda route: route.fulfill(json=job))
    page.goto(site.at("jobs", jobId=job["id"]))
    parts = page.get_by_role("region", name="Parts").locator("tbody tr")
    expect(parts.nth(0)).to_contain_text("01-claims.csv")
    expect(parts.nth(1)).to_contain_text("Failed")
    expect(parts.nth(1)).to_contain_text(reason)
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_each_part_of_a_batch_that_runs_is_shown_as_far_as_it_is(
    site: Site, page: Page, watched: Watched
) -> None:
    watched.forgive(503)
    batch = made(site, "jobs/batch", parts=[{"target": "claims", "format": "csv"}, {"target": "graph", "format": "json"}])  # fmt: skip
    job = site.host.wait(batch["id"])
    first = {"phase": "writing", "done": 102, "expected": 102, "percent": 100.0, "status": "completed"}
    second = {"phase": "writing", "done": 12, "expected": 40, "percent": 30.5, "status": "processing"}
    progress = {**second, "parts": [first, second]}
    job |= {"status": "processing", "progress": progress, "completed_at": None, "file_path": None}
    page.route(f"**/api/export/jobs/{job['id']}", lambda route: route.fulfill(json=job))
    # Without a stream it asks again and again.
    refused = {
        "type": "urn:arkham-export:problem:too-many-listeners",
        "status": 503,
        "detail": "Too many listen.",
    }
    page.route("**/events", lambda route: route.fulfill(status=503, json=refused))
    page.goto(site.at("jobs", jobId=job["id"]))
    parts = page.get_by_role("region", name="Parts").locator("tbody tr")
    expect(parts.nth(0)).to_contain_text("Complete")
    expect(parts.nth(1)).to_contain_text("12 of 40 · 30 %")
    second |= {"done": 30, "percent": 75.0}
    expect(parts.nth(1)).to_contain_text("30 of 40 · 75 %")


def test_a_template_is_scheduled_as_it_will_be_then(site: Site, page: Page) -> None:
    template = made(site, "templates", name="For Monday", target="claims", format="csv")
    page.goto(site.at("templates"))
    page.get_by_role("button", name="Schedule For Monday").click()
    dialog = page.get_by_role("dialog", name="Schedule this")
    expect(dialog).to_contain_text("The template as it is then")
    expect(dialog.get_by_label("Name")).to_have_value("For Monday")
    dialog.get_by_role("button", name="Schedule it").click()
    page.get_by_role("link", name="Show it").click()
    expect(page.locator("main")).to_contain_text("Template")
    (kept,) = (
        each
        for each in site.host.client.get("/api/export/schedules").json()["schedules"]
        if each["name"] == "For Monday"
    )
    assert kept["request"]["template"] in (template["id"], {"template": template["id"]})
    site.host.client.put(
        f"/api/export/templates/{template['id']}",
        json={"name": "For Monday", "target": "claims", "format": "json"},
    )
    page.get_by_role("button", name="Run now").click()
    expect(page.locator(".standing")).to_have_text("Complete", timeout=30_000)
    assert site.latest()["format"] == "json"
    site.host.client.delete(f"/api/export/schedules/{kept['id']}")
    site.host.client.delete(f"/api/export/templates/{template['id']}")


@pytest.mark.parametrize(
    ("view", "name"), [("templates", "Claims for an editor"), ("schedules", "No schedules yet")]
)
def test_a_view_that_has_nothing_or_is_refused_says_what_to_do(
    site: Site, page: Page, watched: Watched, view: str, name: str
) -> None:
    watched.forgive(500)
    for schedule in site.host.client.get("/api/export/schedules").json()["schedules"]:
        site.host.client.delete(f"/api/export/schedules/{schedule['id']}")
    asked = f"**/api/export/{view}?*"
    page.route(asked, lambda route: route.fulfill(status=500, json={"status": 500, "detail": "It broke."}))
    page.goto(site.at(view))
    alert = page.locator("main")
    expect(alert).to_contain_text(f"The {view} cannot be shown")
    expect(alert).to_contain_text("It broke.")
    page.unroute(asked)
    page.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text(name)


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
