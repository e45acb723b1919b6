"""The reports of the hostile case, block by block as they were agreed: what both the PDF and the DOCX show.

After a change that is meant, `ARKHAM_UPDATE_GOLDEN=1 pytest tests/golden` writes the files anew; read the difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import ClassVar

import pytest

from arkham_shard_export.formats import FORMATS
from arkham_shard_export.formats.base import Document, FormatSpec
from arkham_shard_export.formats.pdf import PdfWriter
from arkham_shard_export.formats.report.blocks import (
    Block,
    Facts,
    Figure,
    Heading,
    Item,
    Paragraph,
    Subheading,
    Table,
)
from arkham_shard_export.formats.report.builder import Report
from arkham_shard_export.ports import Sink
from arkham_shard_export.records import Adjustments, Batch, Section
from arkham_shard_export.targets import TARGETS
from tests.golden.hostile import agreed
from tests.unit.case import Case

OPTIONS = {"timeline": {"include_conflicts": True, "include_gaps": True, "group_by": "entity"}}


class BlockWriter:
    """A report as plain text: a line a block."""

    spec: ClassVar[FormatSpec] = replace(PdfWriter.spec, format="blocks", libraries=())

    def __init__(self) -> None:
        self.written = 0
        self.file_extension = ".txt"

    def begin(self, document: Document, sink: Sink, adjustments: Adjustments) -> None:
        self._sink = sink
        self._report = Report(document, adjustments)

    def begin_section(self, section: Section) -> None:
        self._section = section
        self._write(self._report.begin_section(section))

    def write(self, batch: Batch) -> None:
        self._write(self._report.records(batch))
        self.written += len(batch) if self._section.counted else 0

    def end_section(self) -> None:
        self._write(self._report.end_section())

    def end(self) -> None:
        self._sink.write(b"\n--- before it\n\n")
        self._write(self._report.overview())
        page = self._report.title_page(self.written)
        for line in (page.title, page.subtitle, *map(repr, page.facts), *page.notes):
            self._sink.write(f"{line}\n".encode())

    def close(self) -> None:
        """Nothing is held."""

    def _write(self, blocks: Iterable[Block]) -> None:
        for block in blocks:
            self._sink.write("".join(f"{line}\n" for line in lines(block)).encode())


def shown(text: str) -> str:
    """One line, every character that is not printed by its code; the middle of a long text is left out here."""
    line = "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in text)
    return line if len(line) <= 300 else f"{line[:140]} …{len(line) - 280}… {line[-140:]}"


def pairs(block: Facts | Item) -> str:
    return " | ".join(f"{label}: {shown(value)}" for label, value in block.pairs)


def lines(block: Block) -> Iterator[str]:
    match block:
        case Heading(level, text):
            yield f"\n{'#' * level} {shown(text)}"
        case Subheading(text):
            yield f"* {shown(text)}"
        case Paragraph(text, label, lead):
            yield f"¶{' lead' if lead else ''} {label}: {shown(text)}"
        case Facts():
            yield f"= {pairs(block)}"
        case Item(title, _, paragraphs):
            yield f"  - {shown(title)} | {pairs(block)}"
            for each in paragraphs:
                yield f"    {next(lines(each))}"
        case Table(header, rows, _, caption):
            yield f"table {shown(caption)}: {' | '.join(map(shown, header))}"
            for row in rows:
                yield f"  {' | '.join(f'{shown(cell.text)}<{cell.tone}>' for cell in row)}"
        case Figure():
            yield f"figure {shown(block.alternative)}"


@pytest.mark.parametrize("target", list(TARGETS))
def test_a_report_of_the_hostile_case_is_as_it_was_agreed(
    case: Case, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "blocks", f"{__name__}:BlockWriter")
    written = case.export("blocks", target, **OPTIONS.get(target, {}))
    agreed(f"{target}.report.txt", written)
