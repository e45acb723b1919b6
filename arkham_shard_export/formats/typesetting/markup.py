"""Blocks of a report as Typst source; what the functions in it look like is the business of `report.typ`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from itertools import pairwise

from arkham_shard_export.formats.account import NOTES_TITLE
from arkham_shard_export.formats.readable import shortened
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
from arkham_shard_export.formats.typesetting.breaking import break_places
from arkham_shard_export.formats.typesetting.fonts import FAMILIES, coverage
from arkham_shard_export.presentation.pictures import Picture
from arkham_shard_export.presentation.reports import PAPERS, Paper
from arkham_shard_export.records import Adjustments

_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")
RUN_LENGTH = 45
"""Characters of a word that surely fit on a line."""
HEADER_LENGTH = 90
"""Characters of a title that the running header has room for."""
_POINTS_A_MM = 72 / 25.4
_MARGIN = 21 * _POINTS_A_MM
_CELL_INSET, _CHARACTER = 11, 5.6
"""In points: the margin of a page, those of a cell, and the width of a wide character in a table."""


class Markup:
    """Writes source. Characters that no font can draw are shown as their code points, and counted."""

    def __init__(
        self, adjustments: Adjustments, title: str, state: str, wide: bool, paper: Paper = PAPERS["a4"]
    ) -> None:
        self._adjustments = adjustments
        self._width = round((paper.height if wide else paper.width) * _POINTS_A_MM - 2 * _MARGIN)
        self._missing = coverage().missing
        families = ", ".join(f'"{each}"' for each in FAMILIES)
        style = files("arkham_shard_export.formats.typesetting").joinpath("report.typ").read_text("utf-8")
        self.preamble = (
            f'{style}\n#show: body => setup(({families}), "{paper.typst}", {str(wide).lower()},'
            f" {self.string(shortened(title, HEADER_LENGTH), counted=False)},"
            f" {self.string(state)}, body)\n"
        )

    def string(self, text: str, *, counted: bool = True) -> str:
        """A string literal; `counted` is false for what stands elsewhere too."""
        if not text.isascii() or not text.isprintable():
            text = self._drawable(_LINE_ENDS.sub("\n", text).replace("\t", "    "), counted)
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    def text(self, text: str, run: int = RUN_LENGTH, *, isolated: bool = True) -> str:
        """Text as an expression. Words of more than `run` characters may be broken, without a character between."""
        if isolated and has_rtl(text):
            # What reads from right to left is isolated from its neighbours (UAX #9, FSI and PDI).
            text = f"\u2068{text}\u2069"
        if len(text) <= run or (breaks := break_places(text, run)) == []:
            return self.string(text)
        pieces = [text[start:end] for start, end in pairwise([0, *breaks, len(text)])]
        return f"[{'#B'.join(f'#{self.string(piece)};' for piece in pieces)}]"

    def _drawable(self, text: str, counted: bool) -> str:
        missing = self._missing(text)
        if not missing:
            return text
        if counted:
            self._adjustments.add("missing_glyphs", sum(map(text.count, missing)))
        return text.translate({ord(each): f"[U+{ord(each):04X}]" for each in missing})

    def block(self, block: Block) -> str:
        match block:
            case Heading(level, text, repeated):
                function = "RH" if is_rtl(text) else "H"
                return f"#{function}({level},{self.string(text, counted=not repeated)})\n"
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

    def title_page(self, page: TitlePage, more: bool = True) -> str:
        """`more` front matter follows."""
        facts = self._list(f"({self.string(label)}, {self.text(value)})" for label, value in page.facts)
        notes = self._list(map(self.text, page.notes))
        named = "" if page.logo is None else f", logo: {_image(page.logo)}"
        named += "" if more else ", more: false"
        return (
            f"#title-page({self._line(page.title)}, {self._line(page.subtitle)}, {facts},"
            f" {self.string(NOTES_TITLE)}, {notes}{named})\n"
        )

    def _line(self, text: str) -> str:
        return f"rtl-line({self.string(text)})" if is_rtl(text) else self.string(text)

    def contents(self, entries: Iterable[tuple[int, str, int]]) -> str:
        """Levels, titles and pages of the body, counted from 0."""
        lines = [
            f"#entry({level}, {self.string(title, counted=False)}, {page})" for level, title, page in entries
        ]
        return "#contents-title\n" + "\n".join(lines) + "\n"

    def _pairs(self, pairs: Sequence[tuple[str, str]]) -> str:
        return "#s".join(f"#K({self.string(label)})~#{self.text(value)};" for label, value in pairs)

    def _paragraph(self, block: Paragraph) -> str:
        label = f"#K({self.string(block.label)})~" if block.label else ""
        function = "R" if is_rtl(block.text) else "lead" if block.lead else "par"
        text = self.text(block.text, isolated=False)
        return f"#{function}[{label}#{text};]\n"

    def _item(self, block: Item) -> str:
        parts = []
        if block.title:
            parts.append(f"#strong({self.text(block.title)})")
        if block.pairs:
            parts.append(self._pairs(block.pairs))
        head = f"#par[{'#s'.join(parts)}]" if parts else ""
        return f"#I[{head}{''.join(map(self._paragraph, block.paragraphs))}]\n"

    def _table(self, block: Table) -> str:
        total = sum(block.widths)
        runs = [
            max(3, int((share / total * self._width - _CELL_INSET) / _CHARACTER)) for share in block.widths
        ]
        header = self._list(map(self.text, block.header, runs))
        cells = self._list(
            self._cell(cell, run) for row in block.rows for cell, run in zip(row, runs, strict=True)
        )
        shares = self._list(f"{width:g}" for width in block.widths)
        centred = self._list(str(place) for place in block.centred)
        return f"#T({shares}, {centred}, {self.string(block.caption)}, {header}, {cells})\n"

    def _cell(self, cell: Cell, run: int) -> str:
        fill = FILLS.get(cell.tone, "")
        return f'C("{fill}",{str(cell.strong).lower()},{self.text(cell.text, run)})'

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


def _image(picture: Picture) -> str:
    """Its bytes as numbers: source is text, and there is no file to refer to."""
    width, height = picture.size
    kind = {"jpeg": "jpg"}.get(picture.kind, picture.kind)
    numbers = ",".join(map(str, picture.data))
    return f'image(bytes(({numbers})), format: "{kind}", width: {width:.2f}pt, height: {height:.2f}pt)'
