"""Blocks of a report as Typst source; what the functions in it look like is the business of `report.typ`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files

from arkham_shard_export.formats.report.blocks import (
    FILLS,
    Block,
    Cell,
    Circle,
    Facts,
    Figure,
    Heading,
    Item,
    Label,
    Line,
    Paragraph,
    Rectangle,
    Shape,
    Subheading,
    Table,
    TitlePage,
)
from arkham_shard_export.formats.report.direction import has_rtl, is_rtl
from arkham_shard_export.formats.typesetting.fonts import FAMILIES, coverage
from arkham_shard_export.records import Adjustments

_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
# Words are broken at spaces and hyphens only: a longer one would run off the page.
_LONG_WORD = re.compile(r"([^\s\u200b\u2e80-\uffef\U00020000-\U0003ffff]{60})(?=\S)")


class Markup:
    """Writes source. Characters that no font can draw are shown as their code points, and counted."""

    def __init__(self, adjustments: Adjustments, title: str, state: str, wide: bool) -> None:
        self._adjustments = adjustments
        self._missing = coverage().missing
        families = ", ".join(f'"{each}"' for each in FAMILIES)
        style = files("arkham_shard_export.formats.typesetting").joinpath("report.typ").read_text("utf-8")
        self.preamble = (
            f"{style}\n#show: body => setup(({families}), {str(wide).lower()}, {self.string(title)},"
            f" {self.string(state)}, body)\n"
        )

    def string(self, text: str) -> str:
        """A string literal."""
        if not text.isascii() or not text.isprintable():
            text = self._drawable(_LINE_ENDS.sub("\n", text).replace("\t", "    "))
        if len(text) > 60:
            text = _LONG_WORD.sub("\\1\u200b", text)
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    def inline(self, text: str) -> str:
        """A literal for text beside other text: what reads from right to left is isolated (UAX #9, FSI and PDI)."""
        return self.string(f"\u2068{text}\u2069" if has_rtl(text) else text)

    def _drawable(self, text: str) -> str:
        for character in sorted(self._missing(text)):
            self._adjustments.add("missing_glyphs", text.count(character))
            text = text.replace(character, f"[U+{ord(character):04X}]")
        return text

    def block(self, block: Block) -> str:
        match block:
            case Heading(level, text):
                return f"#{'RH' if is_rtl(text) else 'H'}({level},{self.string(text)})\n"
            case Facts(pairs):
                return f"#par[{self._pairs(pairs)}]\n"
            case Paragraph():
                return self._paragraph(block)
            case Item():
                return self._item(block)
            case Subheading(text):
                return f"#S({self.string(text)})\n"
            case Table():
                return self._table(block)
            case Figure():
                return self._figure(block)

    def title_page(self, page: TitlePage) -> str:
        facts = self._list(f"({self.string(label)}, {self.string(value)})" for label, value in page.facts)
        notes = self._list(self.string(note) for note in page.notes)
        return f"#title-page({self.string(page.title)}, {self.string(page.subtitle)}, {facts}, {notes})\n"

    def contents(self, entries: Iterable[tuple[int, str, int]]) -> str:
        """Levels, titles and pages of the body, counted from 0."""
        lines = [f"#entry({level}, {self.string(title)}, {page})" for level, title, page in entries]
        return "#contents-title\n" + "\n".join(lines) + "\n"

    def _pairs(self, pairs: Sequence[tuple[str, str]]) -> str:
        return "#s".join(f"#K({self.string(label)})~#{self.inline(value)};" for label, value in pairs)

    def _paragraph(self, block: Paragraph) -> str:
        label = f"#K({self.string(block.label)})~" if block.label else ""
        function = "R" if is_rtl(block.text) else "lead" if block.lead else "par"
        return f"#{function}[{label}#{self.string(block.text)};]\n"

    def _item(self, block: Item) -> str:
        parts = []
        if block.title:
            parts.append(f"#strong({self.inline(block.title)})")
        if block.pairs:
            parts.append(self._pairs(block.pairs))
        head = f"#par[{'#s'.join(parts)}]" if parts else ""
        return f"#I[{head}{''.join(map(self._paragraph, block.paragraphs))}]\n"

    def _table(self, block: Table) -> str:
        header = self._list(map(self.string, block.header))
        cells = self._list(self._cell(each) for row in block.rows for each in row)
        shares = self._list(f"{width:g}" for width in block.widths)
        centred = self._list(str(place) for place in block.centred)
        return f"#T({shares}, {centred}, {self.string(block.caption)}, {header}, {cells})\n"

    def _cell(self, cell: Cell) -> str:
        fill = FILLS.get(cell.tone, "")
        return f'C("{fill}",{str(cell.strong).lower()},{self.inline(cell.text)})'

    def _figure(self, block: Figure) -> str:
        shapes = self._list(map(self._shape, block.shapes))
        return f"#figure-of({block.width:g}, {block.height:g}, {self.string(block.caption)}, {shapes})\n"

    def _shape(self, shape: Shape) -> str:
        match shape:
            case Line(x1, y1, x2, y2, colour, thickness):
                return f'stroke-line({x1:g},{y1:g},{x2:g},{y2:g},"{colour}",{thickness:g})'
            case Rectangle(x, y, width, height, colour):
                return f'bar({x:g},{y:g},{width:g},{height:g},"{colour}")'
            case Circle(x, y, radius, colour):
                return f'dot({x:g},{y:g},{radius:g},"{colour}")'
            case Label(x, y, text, size, colour):
                return f'name({x:g},{y:g},{size:g},"{colour}",{self.string(text)})'

    @staticmethod
    def _list(items: Iterable[str]) -> str:
        listed = ",".join(items)
        return f"({listed},)" if listed else "()"
