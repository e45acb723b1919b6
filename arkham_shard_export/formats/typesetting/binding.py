"""Binds chunks into one PDF: pages in order and numbered, one outline, links that lead somewhere, an imprint.

What chunks hold beyond their pages is left behind: labels, attachments and their own outlines and metadata.
Nothing depends on the time or on chance, so the same chunks give the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, cast

import pikepdf
from pikepdf import Array, Dictionary, Name, String

from arkham_shard_export.formats.typesetting.chunks import Chunk
from arkham_shard_export.formats.typesetting.numbering import Numbers, page_labels, roman
from arkham_shard_export.formats.typesetting.outline import Entry, outline

CREATOR = "arkham-shard-export"
_BLOCK_BYTES = 1 << 16
_LINK_TO_PAGE = re.compile(r"page:(\d+)")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Imprint:
    """What a document says of itself; `created_at` is an ISO 8601 text, `language` a BCP 47 tag."""

    title: str
    created_at: str
    language: str = "en"
    subject: str = ""
    author: str = ""
    keywords: str = ""


class Output(Protocol):
    """Takes the bytes of the document in order; what it raises ends the binding."""

    def write(self, data: bytes, /) -> object: ...


def bind(
    front: Sequence[Chunk],
    body: Sequence[Chunk],
    numerals: Chunk,
    entries: Sequence[Entry],
    imprint: Imprint,
    output: Output,
) -> None:
    """Write the document. Chunks are read from their scratch file on the way, so it must stay until the end.

    `numerals` is a chunk made from NUMERALS. A link in the front matter to `page:<n>` leads to that page of the
    body, counted from 0.
    """
    with pikepdf.new() as pdf:
        front_pages = _adopt(pdf, front)
        body_pages = _adopt(pdf, body)
        numbers = Numbers(pdf, numerals.open())
        for number, page in enumerate(front_pages, start=1):
            numbers.write(page, roman(number))
        for number, page in enumerate(body_pages, start=1):
            numbers.write(page, str(number))
        _link(front_pages, body_pages)
        pdf.Root.PageLabels = page_labels(len(front_pages))
        if entries:
            pdf.Root.Outlines = outline(pdf, entries, body_pages + front_pages)
            pdf.Root.PageMode = Name.UseOutlines
        _sign(pdf, imprint)
        stream = _Stream(output)
        pdf.save(
            cast(BinaryIO, stream),
            min_version="1.7",
            object_stream_mode=pikepdf.ObjectStreamMode.generate,
            deterministic_id=True,
        )
        stream.pass_on()


def _adopt(pdf: pikepdf.Pdf, chunks: Iterable[Chunk]) -> list[pikepdf.Object]:
    """Copies of the pages, each chunk a branch of the page tree: adding to `Pdf.pages` takes longer with each page.

    Streams stay in the scratch file until they are saved; a copy finds its own without the opened chunk.
    """
    pages: list[pikepdf.Object] = []
    trunk = pdf.Root.Pages
    for chunk in chunks:
        copies = [pdf.copy_foreign(page.obj) for page in chunk.open().pages]
        branch = pdf.make_indirect(
            Dictionary(Type=Name.Pages, Parent=trunk, Kids=Array(copies), Count=len(copies))
        )
        for page in copies:
            page.Parent = branch
        trunk.Kids.append(branch)
        pages += copies
    trunk.Count += len(pages)
    return pages


class _Stream(io.RawIOBase):
    """An output in the shape in which pikepdf takes a stream; it is only ever written to, from start to end."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        if len(self._held) >= _BLOCK_BYTES:
            self.pass_on()
        return len(data)

    def pass_on(self) -> None:
        """Hand over what is held; to be called at the end too, which `flush` is not sure to mean."""
        self._output.write(bytes(self._held))
        self._held.clear()


def _link(front_pages: Iterable[pikepdf.Object], body_pages: Sequence[pikepdf.Object]) -> None:
    for page in front_pages:
        for annotation in page.get(Name.Annots, ()):
            address = annotation.get(Name.A, Dictionary()).get(Name.URI, "")
            if match := _LINK_TO_PAGE.fullmatch(str(address)):
                target = body_pages[int(match[1])]
                place = Array([target, Name.XYZ, None, target.MediaBox[3], None])
                annotation.A = Dictionary(S=Name.GoTo, D=place)


def _sign(pdf: pikepdf.Pdf, imprint: Imprint) -> None:
    pdf.Root.Lang = String(imprint.language)
    pdf.Root.ViewerPreferences = Dictionary(DisplayDocTitle=True)
    texts = {
        "dc:title": imprint.title,
        "dc:description": imprint.subject,
        "pdf:Keywords": imprint.keywords,
        "xmp:CreatorTool": CREATOR,
        "xmp:CreateDate": imprint.created_at,
    }
    with pdf.open_metadata(set_pikepdf_as_editor=False) as metadata:
        for name, text in texts.items():
            if text:
                metadata[name] = _NOT_IN_XML.sub("", text)
        if imprint.author:
            metadata["dc:creator"] = [_NOT_IN_XML.sub("", imprint.author)]
