"""What all views have in common: addresses, keyboard, screen readers, every width, light and dark; History and Formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Site, Watched, to

WEB = Path(__file__).parents[2] / "arkham_shard_export" / "web"
MOST_BYTES = 150_000
MOST_LINES = 300
VIEWS = {
    "New": "",
    "Jobs": "jobs",
    "Templates": "templates",
    "Schedules": "schedules",
    "History": "history",
    "Formats": "formats",
}
TITLES = {name: name for name in VIEWS} | {"New": "New export"}
WIDTHS = (360, 768, 1280, 2560, 3840)


def test_the_page_is_small_as_it_is_sent(site: Site) -> None:
    sent = 0
    for path in WEB.iterdir():
        with site.host.client.stream("GET", f"/api/export/ui/assets/{path.name}") as answer:
            assert answer.headers["content-encoding"] == "gzip"
            sent += sum(map(len, answer.iter_raw()))
        assert site.host.client.get(f"/api/export/ui/assets/{path.name}").content == path.read_bytes()
        plain = site.host.client.get(
            f"/api/export/ui/assets/{path.name}", headers={"Accept-Encoding": "identity"}
        )
        assert ("content-encoding" in plain.headers, plain.content) == (False, path.read_bytes())
    assert sent < MOST_BYTES


@pytest.mark.parametrize("view", ["", "jobs"])
def test_who_only_asks_whether_the_page_is_there_is_told(site: Site, view: str) -> None:
    answer = site.host.client.head(site.at(view))
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-security-policy"] == site.host.client.get(site.at(view)).headers["content-security-policy"]  # fmt: skip


def test_the_page_is_of_small_modules() -> None:
    files = [path for path in WEB.iterdir() if path.is_file()]
    for path in files:
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= MOST_LINES, path.name
        assert "innerHTML" not in text
        assert not re.search(r"https?://(?!www\.w3\.org)", text), path.name


def test_nothing_of_the_page_stands_inline() -> None:
    index = (WEB / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\son\w+=", index)


def test_each_view_has_an_address_and_a_way_between_them_moves_the_focus(site: Site, page: Page) -> None:
    page.goto(site.at())
    heading = page.get_by_role("heading", level=1)
    for name in ("Jobs", "Templates", "Schedules", "History", "Formats", "New"):
        to(page, name)
        expect(heading).to_have_text(TITLES[name])
        expect(heading).to_be_focused()
        assert page.title() == f"{name} · Export"
        current = page.locator("#views [aria-current=page]")
        expect(current).to_have_text(name)
    expect(page.locator(".card.target").first).to_be_visible()
    page.go_back()
    expect(heading).to_have_text("Formats")
    page.reload()
    expect(heading).to_have_text("Formats")
    page.goto(site.at("nowhere"))
    expect(heading).to_have_text("There is no such view")


def test_an_export_is_made_and_fetched_by_keyboard_alone(site: Site, page: Page) -> None:
    page.goto(site.at(target="claims", format="json"))
    expect(page.locator(".card.target").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="Claims")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="JSON")).to_be_focused()
    page.keyboard.press("ArrowDown")
    export = page.get_by_role("button", name="Export timeline as CSV")
    for _ in range(40):
        if export.evaluate("(button) => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    download = page.get_by_role("button", name="Download")
    expect(download).to_be_visible()
    for _ in range(5):
        if download.evaluate("(button) => button === document.activeElement"):
            break
        page.keyboard.press("Tab")
    with page.expect_download() as arriving:
        page.keyboard.press("Enter")
    assert arriving.value.suggested_filename.startswith("timeline-")


def test_history_is_drawn_and_told_in_tables(site: Site, page: Page) -> None:
    site.host.export("claims", "csv")
    site.host.export("entities", "json")
    page.goto(site.at("history"))
    history = site.host.client.get("/api/export/history").json()
    stats = site.host.client.get("/api/export/stats").json()
    expect(page.locator(".figures dd").first).to_have_text(str(stats["total_jobs"]))
    charts = page.get_by_role("img")
    expect(charts).to_have_count(5)
    for number, title in enumerate(["Jobs", "Volume", "By format", "By target", "How long they took"]):
        drawn = charts.nth(number)
        names = drawn.get_attribute("aria-labelledby").split()
        assert drawn.locator(f"#{names[0]}").text_content() == title
        assert len(drawn.locator(f"#{names[1]}").text_content()) > 20
        assert drawn.locator("rect").count() > 0
    page.locator("figure summary").nth(2).click()
    table = page.get_by_role("region", name="By format")
    for name, kind in history["by_format"].items():
        cells = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name.upper()))
        expect(cells.get_by_role("cell").first).to_have_text(str(kind["jobs"]))
    page.get_by_label("Time").select_option("7")
    expect(charts.first.locator("desc")).to_contain_text("in 7 days")
    page.reload()
    expect(page.get_by_label("Time")).to_have_value("7")


def test_formats_tell_what_they_are_for_and_cannot_carry(site: Site, page: Page) -> None:
    formats = site.host.client.get("/api/export/formats").json()
    formats[-1] |= {"available": False, "remedy": "pip install 'arkham-shard-export[office]'"}
    page.route("**/api/export/formats", lambda route: route.fulfill(json=formats))
    page.goto(site.at("formats"))
    for each in formats:
        entry = page.locator(f"[data-format={each['format']}]")
        expect(entry).to_contain_text(each["purpose"])
        expect(entry).to_contain_text(each["cannot_carry"])
    expect(entry).to_contain_text("pip install 'arkham-shard-export[office]'")
    page.get_by_role("link", name="Export as Excel workbook").click()
    expect(page.get_by_role("radio", name="Excel workbook")).to_be_checked()


@pytest.fixture(scope="module")
def addresses(site: Site) -> dict[str, Callable[[], str]]:
    job, _ = site.host.export("claims", "csv", options={"max_records": 5})
    views: dict[str, Callable[[], str]] = {name: partial(site.at, view) for name, view in VIEWS.items()}
    return views | {"Job": lambda: site.at("jobs", jobId=job["id"])}


def shown(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("main h1")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.evaluate("() => { for (const fold of document.querySelectorAll('main details')) fold.open = true; }")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(
    site: Site, addresses: dict[str, Callable[[], str]], browser: Browser, scheme: Any
) -> None:
    with browser.new_context(color_scheme=scheme, reduced_motion="reduce") as context:
        page = context.new_page()
        for name, address in addresses.items():
            shown(page, address())
            results = Axe().run(page)
            assert results.violations_count == 0, f"{name} in {scheme}: {results.generate_report()}"
        page.goto(site.at("jobs"))
        page.get_by_role("button", name="Preferences").click()
        expect(page.get_by_role("dialog", name="Preferences")).to_be_visible()
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()


def test_no_view_is_wider_than_the_window(
    site: Site, addresses: dict[str, Callable[[], str]], page: Page
) -> None:
    for address in addresses.values():
        page.set_viewport_size({"width": 1280, "height": 800})
        shown(page, address())
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (address(), width)


def test_a_page_in_the_host_of_others_asks_the_export_service_alone(
    site: Site, page: Page, watched: Watched
) -> None:
    for view in VIEWS.values():
        page.goto(site.at(view))
        page.wait_for_load_state("networkidle")
    paths = {re.sub(rf"^{re.escape(site.origin)}", "", each).partition("?")[0] for each in watched.asked}
    assert {each for each in paths if not each.startswith(("/api/export/", "data:"))} <= {"/export", *(f"/export/{view}" for view in VIEWS.values())}  # fmt: skip
