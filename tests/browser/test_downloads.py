"""Downloads as a browser makes them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import to
from tests.hosts import RunningHost, standalone

NAME = "Fälle-案件-дело.csv"
TOKEN = "a-token-that-is-long-enough"


@pytest.fixture
def open_host(tmp_path: Path) -> Any:
    with standalone(tmp_path, demo=True) as host:
        yield host


def url(host: RunningHost, path: str) -> str:
    return f"{str(host.client.base_url).rstrip('/')}{path}"


def test_a_name_in_any_script_and_every_byte_arrive(
    open_host: RunningHost, page: Page, tmp_path: Path
) -> None:
    job, whole = open_host.export("claims", "csv")
    execute = open_host.frame.get_service("database").execute
    metadata = json.dumps({**job["metadata"], "file_name": NAME})
    open_host.run(execute("UPDATE arkham_export_jobs SET metadata = ? WHERE id = ?", [metadata, job["id"]]))
    page.goto(url(open_host, "/export"))
    with page.expect_download() as arriving:
        page.evaluate("path => location.assign(path)", job["download_url"])
    assert arriving.value.suggested_filename == NAME
    arriving.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == whole.content


def test_with_a_token_the_page_asks_for_it_and_downloads_by_a_signed_link(
    context: BrowserContext, page: Page, tmp_path: Path
) -> None:
    with standalone(tmp_path / "data", demo=True, token=TOKEN) as host:
        host.client.headers["Authorization"] = f"Bearer {TOKEN}"
        job, whole = host.export("claims", "csv")
        page.goto(url(host, "/export/jobs"))
        expect(page.locator("#door")).to_be_visible()
        expect(page.locator("main")).to_be_hidden()
        page.locator("#token").fill("not the token at all")
        page.locator("#door button").click()
        expect(page.locator("#wrong")).to_be_visible()
        page.locator("#token").fill(TOKEN)
        page.locator("#door button").click()
        expect(page.locator("main")).to_be_visible()
        with page.expect_download() as arriving:
            page.get_by_role("button", name="Download").first.click()
        saved = tmp_path / "saved"
        arriving.value.save_as(saved)
        assert "signature=" in arriving.value.url
        assert hashlib.sha256(saved.read_bytes()).hexdigest() == job["metadata"]["sha256"]
        assert saved.read_bytes() == whole.content
        # The token goes along with what makes and follows an export, and is in nothing that is copied.
        context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url(host, ""))
        to(page, "New")
        with page.expect_response("**/events") as following:
            page.get_by_role("button", name="Export ").click()
        assert following.value.status == 200
        expect(page.locator(".standing")).to_have_text("Complete")
        page.get_by_role("button", name="Copy as curl").click()
        expect(page.get_by_text("Copied as a curl command.").first).to_be_visible()
        command = page.evaluate("navigator.clipboard.readText()")
        assert "$ARKHAM_EXPORT_TOKEN" in command
        assert TOKEN not in command
