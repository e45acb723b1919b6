"""One workbook for several exports: the sheets of each, and a sheet About that tells of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arkham_shard_export.formats.account import NOTES_TITLE, how_times_read
from arkham_shard_export.formats.workbook.about import About
from arkham_shard_export.formats.workbook.cells import Cells, Shortened
from arkham_shard_export.formats.workbook.package import Package
from arkham_shard_export.formats.workbook.sheets import Sheet
from arkham_shard_export.formats.xml import XmlText
from arkham_shard_export.ports import Output, Sink
from arkham_shard_export.presentation.times import times_of
from arkham_shard_export.records import Adjustments

HOW_TO_READ = (
    "Records and what belongs to them are linked by their ids, over all parts. A text that is cut in its cell is whole on "
    "the sheet Long text of its part."
)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One export in the book: facts with their labels, what was left out or changed, and its sheets with what is on them."""

    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]
    contents: Sequence[tuple[Sheet, str]]


class Book:
    """Chapters come one after another: `add` ends one, and `keep` or `drop` says what becomes of it.

    A `careful` book writes no sheet before its chapter is kept. All chapters show times in the same way, that of `options`.
    """

    def __init__(self, sink: Sink, careful: bool, options: Mapping[str, Any]) -> None:
        # What names and labels are made of is counted where it stands.
        self._xml = XmlText(Adjustments())
        self._careful = careful
        self._added: Chapter | None = None
        self._how_to_read = f"{how_times_read(options)} {HOW_TO_READ}"
        self.package = Package(sink, self._xml, times_of(options))
        self.chapters: list[Chapter] = []

    def open(self, title: str) -> tuple[Sheet, Output]:
        return self.package.open_aside(title) if self._careful else self.package.open(title)

    def add(self, chapter: Chapter) -> None:
        self._added = chapter

    def keep(self) -> None:
        assert self._added is not None
        self.package.flush()
        self.chapters.append(self._added)
        self._added = None

    def drop(self) -> None:
        """Nothing is left of the chapter; possible only in a careful book."""
        self.package.drop()
        self._added = None

    def end(
        self,
        title: str,
        created: str,
        facts: Sequence[tuple[str, str]],
        missing: Sequence[str],
        titles: Sequence[str],
    ) -> None:
        """Write what is left. `titles` are those of the chapters, `missing` says what is not in the book; `created` as in Package."""
        sheet, output = self.package.open("About")
        about = About(output, Cells(Adjustments(), Shortened()), self._xml)
        about.title(title)
        about.facts([*facts, ("How to read it", self._how_to_read)])
        if missing:
            about.heading(NOTES_TITLE)
            about.notes(missing)
        for heading, chapter in zip(titles, self.chapters, strict=True):
            about.heading(heading)
            about.facts(chapter.facts)
            about.notes(chapter.notes)
            about.sheets([(each.name, content) for each, content in chapter.contents])
        about.end()
        sheets = [each for chapter in self.chapters for each, _ in chapter.contents]
        self.package.close([sheet, *sheets], title, created)
