"""The pieces of a report, as data: what a writer of pages has to set, in reading order.

Texts are plain, complete and in any script; a newline in them is a line break. What they look like on paper is the
business of the writer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from arkham_shard_export.presentation.pictures import Picture


class Tone(StrEnum):
    """What a table cell says by its colour: the ratings of an analysis of competing hypotheses, or emphasis."""

    PLAIN = "plain"
    STRONGLY_CONSISTENT = "++"
    CONSISTENT = "+"
    NEUTRAL = "N"
    INCONSISTENT = "-"
    STRONGLY_INCONSISTENT = "--"
    NOT_APPLICABLE = "N/A"
    SUMMARY = "summary"


FILLS: dict[Tone, str] = {
    Tone.STRONGLY_CONSISTENT: "A8D5A2",
    Tone.CONSISTENT: "D9EED5",
    Tone.NEUTRAL: "F2F2F2",
    Tone.INCONSISTENT: "FADBD3",
    Tone.STRONGLY_INCONSISTENT: "F0A797",
    Tone.NOT_APPLICABLE: "E4E4EE",
    Tone.SUMMARY: "EAF0F6",
}
"""Fill colours (RGB in hex) on which black text reads well."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Level 1 is a chapter, 2 a group of records, 3 a record; all are in the outline.

    `repeated`: the same text, or the whole of it, follows.
    """

    level: int
    text: str
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Subheading:
    """Heads related rows inside a record; not in the outline."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text of any length. `label` names its field; `lead` is the record's own first text, set larger."""

    text: str
    label: str = ""
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Short labelled values, set one after another."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A related row inside a record's block: a title, facts and paragraphs, each of which may be missing."""

    title: str
    pairs: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[Paragraph, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    tone: Tone = Tone.PLAIN
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """`widths` are shares of the text width. The header is repeated on every page that the table reaches; it may be empty."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[float, ...]
    caption: str = ""
    centred: tuple[int, ...] = ()
    """Columns whose cells stand in the middle."""


@dataclass(frozen=True, slots=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float
    colour: str = "8A94A0"
    thickness: float = 0.6


@dataclass(frozen=True, slots=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float
    colour: str = "3B6EA5"


@dataclass(frozen=True, slots=True)
class Circle:
    """`x` and `y` are its centre."""

    x: float
    y: float
    radius: float
    colour: str = "3B6EA5"


@dataclass(frozen=True, slots=True)
class Label:
    """Text whose middle is `x`; `y` is the top of the line."""

    x: float
    y: float
    text: str
    size: float = 7.0
    colour: str = "333333"


Shape = Line | Rectangle | Circle | Label


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing in points, from its top left corner. `alternative` says in words what it shows."""

    width: float
    height: float
    shapes: tuple[Shape, ...]
    caption: str
    alternative: str


Block = Heading | Subheading | Paragraph | Facts | Item | Table | Figure


@dataclass(frozen=True, slots=True)
class TitlePage:
    """What a reader must know before the first record: what this is, when it was true, and what is not in it."""

    title: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = field(default=())
    """Sentences about records left out and values changed; empty where there are none."""
    logo: Picture | None = None
