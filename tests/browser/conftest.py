"""A real browser, Debian's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.tools import needed


# Of a module, not of the session: while it is open no other test can run an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = needed("chromium", "chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


REFUSED = "Failed to load resource: the server responded with a status of 401"
"""What the browser itself writes to the console where an answer is one."""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Of a browser that knows nothing yet; an error on its console fails the test."""
    with browser.new_context() as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert [each for each in errors if not each.startswith(REFUSED)] == []
