"""PDF: the report set by Typst in chunks, in processes of its own, and bound into one document."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, ClassVar

from arkham_shard_export.errors import FormatExceeded
from arkham_shard_export.formats.account import moment_text
from arkham_shard_export.formats.base import Document, FormatSpec
from arkham_shard_export.formats.readable import shortened
from arkham_shard_export.formats.report.blocks import Block, Heading, Item, Paragraph, Table
from arkham_shard_export.formats.report.builder import Report
from arkham_shard_export.formats.report.portions import portions
from arkham_shard_export.ports import Sink
from arkham_shard_export.presentation.reports import PARTS
from arkham_shard_export.records import Adjustments, Batch, Section

if TYPE_CHECKING:
    from arkham_shard_export.formats.typesetting.chunks import Chunk, Typesetter
    from arkham_shard_export.formats.typesetting.outline import Entry

MAX_PAGES = 75_000
"""Binding holds some 20 KiB a page in memory."""
LISTED_HEADINGS = 2_000
CONTENTS_LENGTH = 88
CHUNK_CHARACTERS = 600_000
"""Source that is set at a time: more costs memory, less costs time and leaves more pages half empty."""


class PdfWriter:
    spec: ClassVar[FormatSpec] = FormatSpec(
        format="pdf",
        name="PDF report",
        description="A report to read, print and hand over: title page, contents, every record with all that belongs to it.",
        file_extension=".pdf",
        mime_type="application/pdf",
        tabular=True,
        laid_out=True,
        compressed=True,
        report=True,
        options=("date_format", "report"),
        front=PARTS,
        max_records=100_000,
        cannot_carry=(
            "JSON columns are set as readable text; a character that no font has is shown by its code point, and counted."
        ),
        libraries=("typst", "pikepdf", "fontTools", "manimgx_fonts", "manimgx_fonts_cjk", "fontpkg_amiri", "networkx", "numpy"),
        extra="office",
    )  # fmt: skip

    def __init__(self) -> None:
        self.written = 0
        self.file_extension = self.spec.file_extension
        self._typesetter: Typesetter | None = None

    def begin(self, document: Document, sink: Sink, adjustments: Adjustments) -> None:
        from arkham_shard_export.formats.typesetting.chunks import Typesetter
        from arkham_shard_export.formats.typesetting.markup import Markup

        self._document = document
        self._sink = sink
        self._report = Report(document, adjustments)
        state = f"State of the data: {moment_text(document.snapshot_at, document.options, seconds=False)}"
        self._markup = Markup(
            adjustments,
            self._report.title,
            state if document.include_metadata else "",
            self._report.wide,
            self._report.front.sheet,
        )
        self._scratch = sink.scratch()
        self._typesetter = Typesetter(self._scratch)
        self._headings: list[Heading] = []
        self._begin_chunk()

    def begin_section(self, section: Section) -> None:
        self._section = section
        self._add(self._report.begin_section(section))

    def write(self, batch: Batch) -> None:
        self._add(self._report.records(batch))
        if self._section.counted:
            self.written += len(batch)

    def end_section(self) -> None:
        self._add(self._report.end_section())

    def end(self) -> None:
        from arkham_shard_export.formats.typesetting.binding import Imprint, bind
        from arkham_shard_export.formats.typesetting.numbering import NUMERALS

        assert self._typesetter is not None
        self._end_chunk()
        setter, overview = self._typesetter, self._report.overview()
        body = setter.finish()
        if overview:
            body.insert(0, setter.set_now(self._source(overview)))
            self._headings[:0] = [each for each in overview if isinstance(each, Heading)]
        entries = _placed(self._headings, body)
        listed = [each for each in entries if each.level <= self._report.contents_depth]
        if len(listed) > LISTED_HEADINGS:
            listed = [each for each in entries if each.level == 1]
        # The title page tells what was changed on the way, so it is set last.
        contents = ""
        if self._report.front.contents:
            contents = self._markup.contents(
                (each.level, shortened(each.title, CONTENTS_LENGTH), each.page) for each in listed
            )
        page = self._report.title_page(self.written)
        title_page = self._markup.title_page(page, more=bool(contents))
        front = setter.set_now(self._markup.preamble + title_page + contents)
        numerals = setter.set_now(NUMERALS)
        setter.close()
        told = self._document.exported_at if self._document.include_metadata else ""
        imprint = Imprint(page.title, told, subject=page.subtitle)
        bind([front], body, numerals, entries, imprint, self._sink)

    def close(self) -> None:
        if self._typesetter is not None:
            self._typesetter.close()
            self._scratch.close()

    def _add(self, blocks: Iterable[Block]) -> None:
        for block in chain.from_iterable(map(portions, blocks)):
            if self._characters >= _enough(block):
                self._end_chunk()
                self._begin_chunk()
            if isinstance(block, Heading):
                self._headings.append(block)
            source = self._markup.block(block)
            self._characters += len(source)
            self._parts.append(source)

    def _begin_chunk(self) -> None:
        self._parts: list[str] = []
        self._characters = 0

    def _end_chunk(self) -> None:
        assert self._typesetter is not None
        if self._parts:
            self._typesetter.add(self._markup.preamble + "".join(self._parts))
        if self._typesetter.pages > MAX_PAGES:
            raise FormatExceeded(
                f"The report has more than {MAX_PAGES:,} pages, which is as many as a PDF can be bound of here. Choose fewer "
                "records, leave out their relationships, or take JSON, CSV, XLSX or DOCX."
            )

    def _source(self, blocks: Iterable[Block]) -> str:
        return self._markup.preamble + "".join(map(self._markup.block, blocks))


def _enough(block: Block) -> float:
    """How much source a chunk holds if it ends before this block. Each chunk begins a page, so it ends best at a heading."""
    match block:
        case Heading(level=1 | 2):
            return CHUNK_CHARACTERS / 2
        case Heading():
            return CHUNK_CHARACTERS
        case Item() | Table() | Paragraph():
            return CHUNK_CHARACTERS * 1.5
    return float("inf")


def _placed(headings: list[Heading], body: list[Chunk]) -> list[Entry]:
    """The headings with the pages on which their chunks have them."""
    from arkham_shard_export.formats.typesetting.outline import Entry

    places = []
    first = 0
    for chunk in body:
        places += [(first + place.page, place.top) for place in chunk.headings]
        first += chunk.pages
    return [
        Entry(heading.level, heading.text, page, top)
        for heading, (page, top) in zip(headings, places, strict=True)
    ]
