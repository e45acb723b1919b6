"""A real browser, Debian's own, and the page in both hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.conftest import new_database
from tests.hosts import RunningHost, arkhamframe, load_demo_into_postgres, standalone
from tests.tools import needed

# On a busy machine even a short preview takes its time; a test that passes never waits so long.
expect.set_options(timeout=30_000)


# Of a module, not of the session: while it is open no other test can run an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = needed("chromium", "chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


REFUSED = "Failed to load resource: the server responded with a status of "
"""What the browser itself writes to the console where an answer is a refusal."""


class Watched:
    """What a page must not do: write an error to its console, or ask another origin than its own."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.asked: list[str] = []
        self.forgiven = {"401"}
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    def forgive(self, *statuses: int) -> None:
        """Refusals that the test brings about."""
        self.forgiven |= {str(each) for each in statuses}

    def forgive_lost_connections(self) -> None:
        self.forgiven |= {"net"}

    def check(self) -> None:
        assert [each for each in self.errors if not self._is_forgiven(each)] == []
        origins = {urlsplit(each)[:2] for each in self.asked if not each.startswith(("data:", "blob:"))}
        assert len(origins) <= 1, origins

    def _is_forgiven(self, error: str) -> bool:
        if "net::ERR_" in error:
            return "net" in self.forgiven
        return error.startswith(REFUSED) and error.removeprefix(REFUSED)[:3] in self.forgiven


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Of a browser that knows nothing yet."""
    with browser.new_context(locale="en-GB") as context:
        yield context


@pytest.fixture
def watched(page: Page) -> Watched:
    found: Watched = page._watched  # type: ignore[attr-defined]
    return found


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    watched = page._watched = Watched(page)  # type: ignore[attr-defined]
    yield page
    watched.check()


@dataclass(frozen=True)
class Site:
    """A host, and where the page is in it."""

    host: RunningHost
    base: str

    @property
    def origin(self) -> str:
        return str(self.host.client.base_url).rstrip("/")

    def at(self, view: str = "", **params: str) -> str:
        query = f"?{urlencode(params)}" if params else ""
        return f"{self.origin}{self.base}{view and f'/{view}'}{query}"

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.host.client.get(f"/api/export/jobs/{job_id}").json())

    def latest(self) -> dict[str, Any]:
        return dict(self.host.client.get("/api/export/jobs?limit=1").json()["jobs"][0])


@pytest.fixture(scope="module", params=["standalone", "arkhamframe"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page in both hosts, with the demo case, and as many more claims as the module names in SEEDED_CLAIMS."""
    seeded = getattr(request.module, "SEEDED_CLAIMS", 0)
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "standalone":
        if seeded:
            seed_sqlite(folder, seeded, targets=["claims"])
        with standalone(folder, demo=not seeded) as host:
            yield Site(host, "/export")
        return
    from tables import create_peer_tables

    url = new_database(request.getfixturevalue("postgres_server"))
    create_peer_tables(url)
    if seeded:
        seed_postgres(url, seeded, targets=["claims"])
    else:
        load_demo_into_postgres(url)
    with arkhamframe(folder, url) as host:
        yield Site(host, "/api/export/ui")


def to(page: Page, view: str) -> None:
    """Go to a view as a person does."""
    page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()
