"""The blocks of a report as WordprocessingML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

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
from arkham_shard_export.formats.report.direction import is_rtl
from arkham_shard_export.formats.wordprocessing.contents import Entries
from arkham_shard_export.formats.wordprocessing.drawing import Drawings
from arkham_shard_export.formats.wordprocessing.page import Page
from arkham_shard_export.formats.wordprocessing.runs import BOLD, Runs, field, paragraph
from arkham_shard_export.formats.wordprocessing.tables import Tables
from arkham_shard_export.records import Adjustments

_LABEL = '<w:rStyle w:val="FactLabel"/>'
TABLE_NUMBER = "\x01"
FIGURE_NUMBER = "\x02"
"""Stand where the number of a caption belongs until all that stands before it is known; no XML text holds them."""

_KEEP_NEXT = "<w:keepNext/>"
_RTL_INDENT = '<w:ind w:left="0" w:right="284"/>'
_NBSP = "\u00a0"
_SEPARATOR = f"{_NBSP}{_NBSP}\u00b7  "
_EN_SPACE = "\u2002"


class Elements:
    """Calling it with a block gives its XML, a table row by row; headings are entered in the contents."""

    def __init__(self, runs: Runs, page: Page, first_drawing: int = 1) -> None:
        self._runs = runs
        # What stands twice is counted once.
        self._repeating = Runs(Adjustments())
        self._drawing = Drawings(runs, page, first_drawing)
        self._tables = Tables(runs, page)
        self._labels: dict[str, str] = {}

    def __call__(self, block: Block, entries: Entries) -> Iterable[str]:
        match block:
            case Heading(level, text, repeated):
                runs = entries.listed(block, (self._repeating if repeated else self._runs)(text))
                return (paragraph(f"Heading{level}", runs, text=text),)
            case Facts(pairs):
                return (paragraph("Facts", self._facts(pairs)),)
            case Paragraph():
                return (self._paragraph(block, "Lead" if block.lead else "BodyText"),)
            case Item():
                return self._item(block)
            case Subheading(text):
                return (paragraph("RelatedHeading", self._runs(text), text=text),)
            case Table():
                return self._table(block)
            case Figure():
                return self._figure(block)

    def _facts(self, pairs: Sequence[tuple[str, str]]) -> str:
        """Run in: a label and its value stay together, a line may end before a label."""
        pieces = []
        separator = ""
        for label, value in pairs:
            pieces.append(self._label(f"{separator}{label}{_NBSP}"))
            pieces.append(self._runs(value))
            separator = _SEPARATOR
        return "".join(pieces)

    def _paragraph(self, block: Paragraph, style: str) -> str:
        label = self._label(f"{block.label}{_EN_SPACE}") if block.label else ""
        return paragraph(style, label + self._runs(block.text), text=block.text)

    def _label(self, text: str) -> str:
        """Labels are few, and the same in every record."""
        runs = self._labels.get(text)
        if runs is None:
            runs = self._labels[text] = self._runs(text, _LABEL)
        return runs

    def _item(self, item: Item) -> Iterator[str]:
        """Only the first paragraph of an item keeps a distance to what is above."""
        style = "RelatedItem"
        if item.title:
            more = item.pairs or item.paragraphs
            yield _related(style, self._runs(item.title, BOLD), item.title, _KEEP_NEXT if more else "")
            style = "RelatedText"
        if item.pairs:
            yield _related(style, self._facts(item.pairs), "")
            style = "RelatedText"
        for each in item.paragraphs:
            label = self._label(f"{each.label}{_EN_SPACE}") if each.label else ""
            yield _related(style, label + self._runs(each.text), each.text)
            style = "RelatedText"

    def _table(self, table: Table) -> Iterator[str]:
        if table.caption:
            yield self._caption("Table", TABLE_NUMBER, table.caption, _KEEP_NEXT)
        yield from self._tables(table)

    def _figure(self, figure: Figure) -> Iterator[str]:
        yield paragraph("Figure", self._drawing(figure))
        if figure.caption:
            yield self._caption("Figure", FIGURE_NUMBER, figure.caption)

    def _caption(self, kind: str, number: str, text: str, before: str = "") -> str:
        counter = field(rf"SEQ {kind} \* ARABIC", f"<w:r><w:t>{number}</w:t></w:r>")
        return paragraph(
            "Caption",
            f"{self._runs(f'{kind} ')}{counter}{self._runs(f'. {text}')}",
            text=text,
            before_bidi=before,
        )


def _related(style: str, runs: str, text: str, before: str = "") -> str:
    """Indents follow the direction of the text but borders do not: this keeps the rule of the style in one line."""
    indent = _RTL_INDENT if is_rtl(text) else ""
    return paragraph(style, runs, text=text, before_bidi=before, after_bidi=indent)
