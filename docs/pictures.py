"""Takes pictures of the page, for docs/pictures.sh: `python docs/pictures.py URL DATA [FOLDER]`.

URL is a standalone host of the folder DATA, with the demo case. The three of the README go to docs/images; each view, narrow
and wide, light and dark, to FOLDER where one is given.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTHS = {360: 780, 1280: 800, 2560: 1440}
COLOURS = 192
CHROMIUM = "/usr/bin/chromium"
ASKED: list[dict[str, Any]] = [
    {"target": "claims", "format": "csv", "filters": {"status": "disputed"}},
    {"target": "timeline", "format": "json", "options": {"include_gaps": True, "group_by": "month"}},
    {"target": "documents", "format": "pdf"},
    {"target": "entities", "format": "xlsx", "filters": {"entity_type": ["PERSON", "ORGANIZATION"]}},
    {"target": "graph", "format": "csv"},
    {"target": "matrix", "format": "docx"},
    {"target": "claims", "format": "xlsx", "options": {"max_records": 50}},
    {"target": "claims", "format": "csv", "options": {"compression": "zstd"}},
]
DAYS = 30


def main(url: str, data: Path, folder: Path | None) -> None:
    with httpx.Client(base_url=f"{url}/api/export", timeout=120) as client:
        past = [export(client, ASKED[number % len(ASKED)]) for number in range(64)]
        spread(data, past)
        shown = [export(client, body) for body in ASKED]
        shown.append(export(client, {"target": "claims", "format": "csv", "options": {"max_records": 80}}))
        running = client.post("/jobs", json={"target": "timeline", "format": "pdf"}).json()
        batch = made(client, "/jobs/batch", {"parts": ASKED[:3]})
        made(
            client,
            "/templates",
            {**ASKED[0], "name": "Disputed, weekly", "description": "For the conference on Monday."},
        )
        request = {"template": "Disputed, weekly"}
        plan = made(client, "/schedules", {"name": "For the conference", "cron": "0 7 * * MON", "time_zone": "Europe/Berlin", "request": request})  # fmt: skip
        made(client, f"/schedules/{plan['id']}/run", {})
        views = {
            "new": "/export?target=claims&format=csv",
            "jobs": "/export/jobs",
            "job": f"/export/jobs?jobId={shown[-1]['id']}",
            "batch": f"/export/jobs?jobId={batch['id']}",
            "templates": "/export/templates",
            "schedules": "/export/schedules",
            "schedule": f"/export/schedules?scheduleId={plan['id']}",
            "history": "/export/history",
            "formats": "/export/formats",
        }
        client.get(f"/jobs/{running['id']}", headers={"Prefer": "wait=60"})
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, view, scheme in (
            ("new", "new", "light"),
            ("job", "job", "dark"),
            ("history", "history", "light"),
        ):
            save(IMAGES / f"{name}.png", picture(browser, url + views[view], 1280, 800, scheme))
        for path, *asked in every(views, folder):
            save(path, picture(browser, url + asked[0], *asked[1:]))
        browser.close()


def export(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
    return made(client, "/jobs", body)


def made(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post(path, json=body, headers={"Prefer": "wait=60"}).raise_for_status()
    return dict(answer.json())


def spread(data: Path, jobs: list[dict[str, Any]]) -> None:
    """As if they had been made over the last days, and not all of them well."""
    chance = Random(1912)
    with sqlite3.connect(data / "arkham.db") as connection:
        for number, job in enumerate(jobs):
            back = timedelta(days=min(DAYS - 1, abs(chance.gauss(0, 14))), minutes=chance.uniform(10, 600))
            times = [
                (datetime.fromisoformat(job[name]) - back).isoformat()
                for name in ("created_at", "started_at", "completed_at")
            ]
            status = "failed" if number % 13 == 5 else "cancelled" if number % 17 == 8 else "completed"
            error = "The disk of the export store is full." if status == "failed" else None
            connection.execute(
                "UPDATE arkham_export_jobs SET created_at = ?, started_at = ?, completed_at = ?, status = ?, error = ?,"
                " file_size = CASE ? WHEN 'completed' THEN file_size * ? END WHERE id = ?",
                [*times, status, error, status, int(chance.lognormvariate(2, 1)) + 1, job["id"]],
            )


def every(views: dict[str, str], folder: Path | None) -> Iterator[tuple[Path, str, int, int, str]]:
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in views.items():
        for width, height in WIDTHS.items():
            for scheme in ("light", "dark"):
                yield folder / f"{name}-{width}-{scheme}.png", path, width, height, scheme


def picture(browser: Browser, url: str, width: int, height: int, scheme: str) -> bytes:
    with browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        locale="en-GB",
        reduced_motion="reduce",
    ) as context:
        page = context.new_page()
        page.goto(url)
        settle(page)
        return page.screenshot()


def settle(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_function("() => !document.querySelector('[aria-busy], .empty[role=status]')")
    page.wait_for_timeout(300)


def save(path: Path, png: bytes) -> None:
    """With few colours, which a page of text does not need more of."""
    Image.open(BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
