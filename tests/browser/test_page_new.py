"""The view New: what is exported, as what, which records and how, with what is declared by the host."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Site, Watched
from tests.tools import needed

COUNT_CLICKS = (
    "window.clicks = 0; addEventListener('click', (event) => { window.clicks += event.isTrusted; }, true);"
)


def figure(page: Page, name: str) -> Any:
    return page.locator(".estimate div", has_text=name).locator("dd")


def card(page: Page, name: str) -> Any:
    return page.locator(".card", has=page.locator(".name").get_by_text(name, exact=True))


def open_options(page: Page) -> None:
    page.locator(".options summary").click()


def test_the_first_visit_comes_to_a_file_in_two_clicks(site: Site, page: Page, tmp_path: Path) -> None:
    page.add_init_script(COUNT_CLICKS)
    page.goto(site.at())
    page.get_by_role("button", name="Export ").click()
    download = page.get_by_role("button", name="Download")
    with page.expect_download() as arriving:
        download.click(timeout=30_000)
    assert page.evaluate("clicks") == 2
    saved = tmp_path / arriving.value.suggested_filename
    arriving.value.save_as(saved)
    job = site.latest()
    assert saved.name == job["metadata"]["file_name"]
    assert saved.read_bytes() == site.host.client.get(job["download_url"]).content


def test_targets_are_shown_with_the_records_they_hold_now(site: Site, page: Page) -> None:
    page.goto(site.at())
    for target in site.host.client.get("/api/export/targets").json():
        shown = card(page, target["name"])
        expect(shown.locator(".count")).to_have_text(f"{target['estimated_record_count']:,}")
        expect(shown.locator(".help")).to_have_text(target["description"])


def test_preview_and_estimate_follow_each_change(site: Site, page: Page) -> None:
    page.goto(site.at(target="claims", format="json"))
    expect(figure(page, "Records")).to_have_text("102")
    first = page.get_by_role("region", name="First records").locator("tbody tr").first
    expect(first).to_contain_text("claim-")
    page.get_by_label("disputed").check()
    body = {"target": "claims", "format": "json", "filters": {"status": "disputed"}}
    preview = site.host.client.post("/api/export/preview", json=body).json()
    assert 0 < preview["estimated_record_count"] < 102
    expect(figure(page, "Records")).to_have_text(str(preview["estimated_record_count"]))
    expect(first).to_contain_text(preview["preview_records"][0]["id"])
    page.get_by_label("retracted").check()
    page.get_by_label("disputed").uncheck()
    page.get_by_label("Document id").fill("no-such-document")
    expect(figure(page, "Records")).to_have_text("0")
    expect(page.locator(".sheet")).to_contain_text("No record matches")
    card(page, "Entities").click()
    expect(figure(page, "Records")).to_have_text("113")
    expect(page).to_have_url(site.at(target="entities", format="json"))


def test_what_is_typed_is_asked_for_when_a_pause_comes(site: Site, page: Page) -> None:
    page.goto(site.at(target="claims", format="json"))
    expect(figure(page, "Records")).to_have_text("102")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "preview" in request.url else None)
    page.get_by_label("Document id").press_sequentially("doc-british-report")
    expect(figure(page, "Records")).not_to_have_text("102")
    assert 1 <= len(asked) < len("doc-british-report") / 2


def test_every_control_has_a_sentence_of_help(site: Site, page: Page) -> None:
    page.goto(site.at())
    expect(page.locator(".card.target").first).to_be_visible()
    open_options(page)
    for target in site.host.client.get("/api/export/targets").json():
        card(page, target["name"]).click()
        fields = page.locator(".field")
        # A layout is a template's, and given there.
        options = [each for each in target["options"] if each["type"] != "layout"]
        expect(fields).to_have_count(len(target["filters"]) + len(options))
        helps = fields.locator(".help").all_inner_texts()
        assert len(helps) == fields.count()
        assert all(len(each) > 10 and each.endswith(".") for each in helps), helps
        described = page.evaluate(
            "() => [...document.querySelectorAll('.field')].map((field) => (field.matches('fieldset') ? field :"
            " field.querySelector('input, select, textarea')).getAttribute('aria-describedby').split(' ')[0])"
            ".map((id) => document.getElementById(id)?.textContent)"
        )
        assert described == helps


def test_an_option_that_the_format_refuses_is_disabled_and_says_why(site: Site, page: Page) -> None:
    page.goto(site.at(target="claims", format="json"))
    open_options(page)
    flatten = page.get_by_label("Flatten")
    flatten.check()
    card(page, "PDF report").click()
    expect(flatten).to_be_disabled()
    expect(page.get_by_text("Option flatten does not apply to claims as PDF report.")).to_be_visible()
    expect(page.get_by_label("Compression")).to_be_disabled()
    expect(figure(page, "Records")).to_have_text("102")
    card(page, "JSON").click()
    expect(flatten).to_be_enabled()
    expect(flatten).to_be_checked()


def test_only_the_choices_that_a_format_has_are_offered(site: Site, page: Page) -> None:
    page.goto(site.at(target="graph", format="json"))
    open_options(page)
    compression = page.get_by_label("Compression")
    compression.select_option("zstd")
    card(page, "CSV").click()
    assert compression.locator("option").all_inner_texts() == ["none", "zip"]
    expect(compression).to_have_value("none")
    expect(figure(page, "Records")).to_have_text("237")
    card(page, "JSON").click()
    expect(compression).to_have_value("zstd")


def test_a_format_that_is_not_installed_is_greyed_with_the_remedy(site: Site, page: Page) -> None:
    formats = site.host.client.get("/api/export/formats").json()
    for each in formats:
        if each["format"] == "pdf":
            each |= {"available": False, "remedy": "pip install 'arkham-shard-export[office]'"}
    page.route("**/api/export/formats", lambda route: route.fulfill(json=formats))
    page.goto(site.at())
    pdf = card(page, "PDF report")
    expect(pdf.get_by_role("radio")).to_be_disabled()
    expect(pdf).to_contain_text("pip install 'arkham-shard-export[office]'")
    expect(card(page, "CSV").get_by_role("radio")).to_be_enabled()


def test_what_is_wrong_is_shown_at_its_field(site: Site, page: Page, watched: Watched) -> None:
    watched.forgive(422)
    page.goto(site.at(target="claims", format="csv"))
    open_options(page)
    most = page.get_by_label("Max records")
    most.fill("0")
    expect(most).to_have_attribute("aria-invalid", "true")
    wrong = page.locator(".field", has=most).locator(".problem")
    expect(wrong).to_contain_text("Max records must be a whole number of at least 1")
    assert wrong.get_attribute("id") in str(most.get_attribute("aria-describedby"))
    expect(page.locator(".act .problem")).to_have_text("Not possible like this: see Max records.")
    before = site.host.client.get("/api/export/jobs").json()["total"]
    page.get_by_role("button", name="Export claims").click()
    expect(most).to_be_focused()
    assert site.host.client.get("/api/export/jobs").json()["total"] == before
    most.fill("7")
    expect(most).not_to_have_attribute("aria-invalid", "true")
    expect(wrong).to_be_hidden()
    page.get_by_role("button", name="Export claims").click()
    expect(page.locator(".standing")).to_have_text("Complete")
    assert site.latest()["options"]["max_records"] == 7


def test_the_last_choices_are_there_at_the_next_visit(
    site: Site, context: BrowserContext, page: Page
) -> None:
    page.goto(site.at())
    card(page, "Timeline").click()
    card(page, "Excel workbook").click()
    open_options(page)
    page.get_by_label("deadline").check()
    page.get_by_label("Group by").select_option("month")
    page.get_by_label("Date range start").fill("1912-04-01")
    expect(figure(page, "Records")).to_have_text("1")
    page.close()
    later = context.new_page()
    later.goto(site.at())
    expect(later).to_have_url(site.at(target="timeline", format="xlsx"))
    expect(later.get_by_label("deadline")).to_be_checked()
    expect(later.get_by_label("Group by")).to_have_value("month")
    expect(later.get_by_label("Date range start")).to_have_value("1912-04-01")
    expect(later.locator(".options .badge")).to_have_text("2 options changed")
    assert later.evaluate("localStorage.getItem('show_options')") == "true"


def test_a_preferred_format_goes_before_the_last_one(site: Site, page: Page) -> None:
    page.goto(site.at("formats"))
    page.get_by_role("button", name="Word document is the default").click()
    assert page.evaluate("localStorage.getItem('default_format')") == "docx"
    page.goto(site.at())
    expect(card(page, "Word document").get_by_role("radio")).to_be_checked()
    page.get_by_role("button", name="Preferences").click()
    preferred = page.get_by_label("New exports begin with")
    expect(preferred).to_have_value("docx")
    preferred.select_option("")
    page.get_by_role("button", name="Done").click()
    assert page.evaluate("localStorage.getItem('default_format')") is None


def test_the_copied_curl_command_makes_the_same_job(site: Site, context: BrowserContext, page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.origin)
    page.goto(site.at(target="claims", format="csv"))
    page.get_by_label("Document id").fill("it's here; $(not) `run`")
    page.get_by_label("verified", exact=True).check()
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_text("Copied as a curl command.").first).to_be_visible()
    command = page.evaluate("navigator.clipboard.readText()")
    needed("curl", "curl")
    made = json.loads(subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout)
    assert (made["target"], made["format"]) == ("claims", "csv")
    assert made["filters"] == {"document_id": "it's here; $(not) `run`", "status": "verified"}


@pytest.mark.parametrize("path", ["/api/export/targets", "/api/export/formats"])
def test_a_host_that_fails_is_shown_with_its_sentence_and_asked_again(
    site: Site, page: Page, watched: Watched, path: str
) -> None:
    watched.forgive(500)
    problem = {"type": "urn:arkham-export:problem:internal-error", "status": 500, "detail": "It broke."}
    page.route(f"**{path}", lambda route: route.fulfill(status=500, json=problem))
    page.goto(site.at())
    expect(page.get_by_role("alert")).to_contain_text("It broke.")
    page.unroute(f"**{path}")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".card.target").first).to_be_visible()


def test_a_record_is_text_whatever_it_says(site: Site, page: Page) -> None:
    hostile = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
    job, _ = site.host.export("claims", "csv", filters={"document_id": hostile})
    page.goto(site.at("jobs", jobId=job["id"]))
    expect(page.get_by_text(hostile)).to_be_visible()
    shown = {
        "preview_records": [{"text": hostile}],
        "estimated_record_count": 1,
        "estimated_file_size_bytes": 9,
    }
    page.route("**/api/export/preview", lambda route: route.fulfill(json=shown | {"estimated_seconds": None}))
    page.goto(site.at())
    expect(page.locator(".sheet td")).to_have_text(hostile)
    assert page.title() == "New · Export"


def test_an_export_that_is_refused_for_now_says_why(site: Site, page: Page, watched: Watched) -> None:
    watched.forgive(429)
    page.goto(site.at())
    expect(figure(page, "Records")).not_to_have_text("–")
    problem = {
        "type": "urn:arkham-export:problem:too-many-jobs",
        "status": 429,
        "detail": "Too many exports run.",
    }
    page.route("**/api/export/jobs", lambda route: route.fulfill(status=429, json=problem))
    page.get_by_role("button", name="Export ").click()
    expect(page.locator(".act .problem")).to_have_text("Too many exports run.")
    page.unroute("**/api/export/jobs")
    page.get_by_role("button", name="Export ").click()
    expect(page.locator(".standing")).to_be_visible()
