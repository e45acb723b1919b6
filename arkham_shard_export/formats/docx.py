"""DOCX (ECMA-376): a report that can be edited, with real styles, headings and a table of contents.

The records are set as they come and wait in a scratch file, because what stands before them is known last.
"""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import chain
from typing import ClassVar

from arkham_shard_export.archive import Archive
from arkham_shard_export.formats.account import moment_text
from arkham_shard_export.formats.base import Document, FormatSpec
from arkham_shard_export.formats.laidout import FIRST_IN_LAYOUT, LaidOut
from arkham_shard_export.formats.report.builder import Report
from arkham_shard_export.formats.wordprocessing.contents import contents
from arkham_shard_export.formats.wordprocessing.elements import Elements
from arkham_shard_export.formats.wordprocessing.front import notes, title_page
from arkham_shard_export.formats.wordprocessing.package import Package, Properties, core_part
from arkham_shard_export.formats.wordprocessing.page import page_on
from arkham_shard_export.formats.wordprocessing.runs import Runs
from arkham_shard_export.formats.wordprocessing.stretch import Stretch, no_numbers, numbered
from arkham_shard_export.ports import Sink
from arkham_shard_export.presentation.reports import PARTS
from arkham_shard_export.records import Adjustments, Batch, Section


class DocxWriter:
    spec: ClassVar[FormatSpec] = FormatSpec(
        format="docx",
        name="Word document",
        description="A report to read, edit and print: title page, contents, an overview and every record with what belongs to it.",
        file_extension=".docx",
        mime_type="application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        tabular=True,
        laid_out=True,
        compressed=True,
        report=True,
        options=("date_format", "report", "layout"),
        front=PARTS,
        max_records=100_000,
        cannot_carry=(
            "JSON columns are set as readable text, and characters that XML cannot carry become U+FFFD (counted)."
        ),
        libraries=("networkx", "numpy"),
        extra="office",
    )

    def __init__(self) -> None:
        self.written = 0
        self.file_extension = self.spec.file_extension
        self._open = ExitStack()

    def begin(self, document: Document, sink: Sink, adjustments: Adjustments) -> None:
        self._document = document
        self._sink = sink
        self._report = Report(document, adjustments)
        self._layout = LaidOut(document) if document.layout else None
        self._page = (
            self._layout.page if self._layout else page_on(self._report.front.sheet, self._report.wide)
        )
        self._runs = Runs(adjustments)
        # What a layout has is numbered from 1 on.
        self._first = FIRST_IN_LAYOUT if self._layout else 1
        self._elements = Elements(self._runs, self._page, self._first)
        self._records = self._stretch(self._first)

    def begin_section(self, section: Section) -> None:
        self._section = section
        self._records.add(self._report.begin_section(section))

    def write(self, batch: Batch) -> None:
        self._records.add(self._report.records(batch))
        if self._section.counted:
            self.written += len(batch)

    def end_section(self) -> None:
        self._records.add(self._report.end_section())

    def end(self) -> None:
        overview = self._stretch(first_bookmark=self._records.entries.next)
        overview.add(self._report.overview())
        title = self._report.title_page(self.written)
        if self._layout is not None:
            self._end_in_layout(self._layout, overview)
            return
        stretches = (overview, self._records)
        listed = stretches if self._report.front.contents else ()
        document = chain(
            [title_page(title, self._runs, self._page).encode()],
            contents(self._report.contents_depth, (each.entries for each in listed)),
            numbered(piece for each in stretches for piece in each.chunks()),
        )
        archive = Archive(self._sink, fast=True)
        self._open.callback(archive.abandon)
        Package(archive, self._page, title.logo).write(
            self._properties(title.subtitle), self._state(), document
        )
        archive.close()

    def _end_in_layout(self, layout: LaidOut, overview: Stretch) -> None:
        page = self._report.title_page(self.written)
        core = core_part(self._properties(page.subtitle)).encode()
        filled = layout.filled(page, self._report.subject, self.written, core)
        numbers = no_numbers()
        stretches = {"overview": overview, "records": self._records}
        blocks = {name: numbered(each.chunks(), numbers) for name, each in stretches.items()}
        if not layout.has_notes:
            blocks["overview"] = chain([notes(page, self._runs).encode()], blocks["overview"])
        listed = [stretches[name].entries for name in filled.blocks if name in stretches]
        blocks["contents"] = contents(
            self._report.contents_depth, listed if self._report.front.contents else ()
        )
        archive = Archive(self._sink, fast=True)
        self._open.callback(archive.abandon)
        for name, data in filled.parts.items():
            archive.open(name, zip64=False).write(data)
        member = archive.open("word/document.xml", zip64=False)
        for piece in filled.document(blocks):
            member.write(piece)
        archive.close()

    def close(self) -> None:
        self._open.close()

    def _stretch(self, first_bookmark: int = 1) -> Stretch:
        depth = self._report.contents_depth
        stretch = Stretch(self._sink, self._elements, depth, first_bookmark)
        self._open.callback(stretch.close)
        return stretch

    def _properties(self, subtitle: str) -> Properties:
        moment = f"{_instant(self._document.exported_at):%Y-%m-%dT%H:%M:%SZ}" if self._told else ""
        description = ". ".join(filter(None, (f"{self.written:,} records", self._state())))
        return Properties(self._report.title, subtitle, description, moment)

    def _state(self) -> str:
        return (
            f"State of the data: {moment_text(self._document.snapshot_at, self._document.options)}"
            if self._told
            else ""
        )

    @property
    def _told(self) -> bool:
        return self._document.include_metadata


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
