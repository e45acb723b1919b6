"""A layout with its small fields filled, in pieces between which the large ones are streamed."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from arkham_shard_export.formats.wordlayout.fields import FIELDS, environment
from arkham_shard_export.formats.wordlayout.opening import CORE, DOCUMENT, Unfit, opened, packed, tree_of
from arkham_shard_export.formats.wordlayout.reading import MARK, NAMESPACES, W, block_of
from arkham_shard_export.formats.wordlayout.styling import with_our_styles
from arkham_shard_export.formats.wordprocessing.page import Page

NO_PROPERTIES = (
    b'<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
)
_MARKS = re.compile(rb"<\?" + MARK.encode() + rb" (\w+)\?>")
_TORN = "Its conditions or loops do not keep paragraphs and tables whole: put each in a paragraph of its own, as {%p … %}."
_LEAST_TEXT = 2_000
"""Twips of text width without which no report can be set."""


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str


class Sentences(list[str]):
    """As a field of its own it is all of them, a line each."""

    def __str__(self) -> str:
        return "\n".join(self)


class Facts(list[Fact]):
    """As a field of its own it is all of them, a line each."""

    def __str__(self) -> str:
        return "\n".join(f"{each.name}: {each.value}" for each in self)


SAMPLES: tuple[dict[str, Any], ...] = (
    {**dict.fromkeys(FIELDS, ""), "notes": Sentences(), "facts": Facts()},
    {
        **dict.fromkeys(FIELDS, "A & <b>"),
        "notes": Sentences(["One."] * 2),
        "facts": Facts([Fact("Name", "Value")] * 2),
    },
)
"""With what a layout is tried when it is checked."""


def page_of(data: bytes) -> Page:
    """The page on which the records of a layout stand."""
    root = tree_of(opened(data)[DOCUMENT])
    body = root.find(f"{W}body")
    records = next(each for each in body if block_of(each) == "records")
    section = next(
        (each for sibling in records.itersiblings() for each in sibling.iter(f"{W}sectPr")),
        body.find(f"{W}sectPr"),
    )
    size = None if section is None else section.find(f"{W}pgSz")
    margins = None if section is None else section.find(f"{W}pgMar")
    width, height = (_twips(size, side, usual) for side, usual in (("w", 11906), ("h", 16838)))
    sides = [_twips(margins, side, 1440) for side in ("left", "right")]
    if width - sum(sides) < _LEAST_TEXT:
        raise Unfit("Its page leaves no room for text beside its margins.")
    return Page(width, height, sum(sides) // 2, wide=width > height)


def _twips(element: Any, name: str, usual: int) -> int:
    value = None if element is None else element.get(f"{W}{name}")
    try:
        return usual if value is None else abs(int(float(value)))
    except ValueError:
        raise Unfit(f"Its page has a measure that is no number: {str(value)[:30]!r}.") from None


class Filled:
    """The parts of the document, with `values` in the fields of a layout that was checked."""

    def __init__(self, data: bytes, values: Mapping[str, Any], core: bytes) -> None:
        """`core` is the part of the document's properties: those of the layout itself are nobody's business."""
        from docxtpl import DocxTemplate
        from lxml import etree

        parts = with_our_styles(opened(data), page_of(data).text_width)
        parts[DOCUMENT] = _marked(parts[DOCUMENT])
        if CORE in parts:
            # The library takes what stands there for templates too, and the title of a report is whatever somebody wrote.
            parts[CORE] = NO_PROPERTIES
        library = DocxTemplate(io.BytesIO(packed(parts)))
        sandbox = environment()
        library.render_init()
        try:
            etree.fromstring(library.build_xml(values, sandbox).encode())
        except etree.XMLSyntaxError:
            raise Unfit(_TORN) from None
        library.render(values, sandbox, autoescape=True)
        stream = io.BytesIO()
        library.save(stream)
        with zipfile.ZipFile(stream) as archive:
            self.parts = {each: archive.read(each) for each in archive.namelist()}
        self.parts[CORE] = core
        self._pieces = _MARKS.split(self.parts.pop(DOCUMENT))
        self.blocks = [each.decode() for each in self._pieces[1::2]]
        if sorted(set(self.blocks)) != sorted(self.blocks) or "records" not in self.blocks:
            raise Unfit("Its records stand in a condition or a loop.")

    def document(self, blocks: Mapping[str, Iterator[bytes]]) -> Iterator[bytes]:
        """The document with each block where it belongs."""
        for place, piece in enumerate(self._pieces):
            if place % 2 == 0:
                yield piece
            else:
                yield from blocks[piece.decode()]


def _marked(document: bytes) -> bytes:
    """The document with marks for its blocks, and the names for what our elements are made of."""
    from lxml import etree

    given = tree_of(document)
    root = etree.Element(given.tag, given.attrib, nsmap={**NAMESPACES, **given.nsmap})
    root.extend(list(given))
    body = root.find(f"{W}body")
    there = set()
    for paragraph in list(body):
        name = block_of(paragraph)
        if name is not None:
            there.add(name)
            body.replace(paragraph, etree.ProcessingInstruction(MARK, name))
    if "overview" not in there:
        records = next(
            each for each in body if each.tag is etree.ProcessingInstruction and each.text == "records"
        )
        records.addprevious(etree.ProcessingInstruction(MARK, "overview"))
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True))
