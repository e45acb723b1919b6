"""A report in the layout that somebody uploaded: its page, and its fields filled with what the report tells in front."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from arkham_shard_export.errors import StoreFailed
from arkham_shard_export.formats.account import how_times_read, moment_text
from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.report.blocks import TitlePage
from arkham_shard_export.formats.wordlayout import missing_library
from arkham_shard_export.formats.wordlayout.filling import Fact, Facts, Filled, Sentences, page_of
from arkham_shard_export.formats.wordlayout.opening import Unfit, opened
from arkham_shard_export.formats.wordlayout.reading import uses
from arkham_shard_export.formats.xml import XmlText
from arkham_shard_export.presentation.times import times_of
from arkham_shard_export.records import Adjustments

FIRST_IN_LAYOUT = 1_000_000
"""Drawings and bookmarks of the report are numbered from here on."""


class LaidOut:
    """Of a layout that was checked when it was uploaded; StoreFailed where it cannot be used after all."""

    def __init__(self, document: Document) -> None:
        if (remedy := missing_library()) is not None:
            raise StoreFailed(
                f"The layout needs a library that is not installed where this export runs: {remedy}."
            )
        self._document = document
        with _unfit_told():
            self.page = page_of(document.layout)
            self.has_notes = uses(opened(document.layout), "notes")

    def filled(self, page: TitlePage, target: str, written: int, core: bytes) -> Filled:
        # What these texts cannot carry has been counted where they stand in the file.
        plain = XmlText(Adjustments()).allowed
        document = self._document
        facts = {name: plain(value) for name, value in page.facts}
        told = document.include_metadata
        values = {
            "title": plain(page.title),
            "subtitle": plain(page.subtitle),
            "target": plain(target),
            "record_count": f"{written:,}",
            "exported_at": moment_text(document.exported_at, document.options) if told else "",
            "snapshot_at": moment_text(document.snapshot_at, document.options) if told else "",
            "filters": facts.get("Filters", ""),
            "time_zone": times_of(document.options).zone,
            "how_to_read": how_times_read(document.options),
            "notes": Sentences(map(plain, page.notes)),
            "facts": Facts(Fact(name, value) for name, value in facts.items()),
        }
        with _unfit_told():
            return Filled(document.layout, values, core)


@contextmanager
def _unfit_told() -> Iterator[None]:
    try:
        yield
    except Unfit as error:
        raise StoreFailed(f"The layout cannot be used. {error}") from error
