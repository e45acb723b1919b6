"""The table of contents: a field that Word refreshes, filled already, its entries linked to bookmarks at the headings.

LibreOffice computes the page numbers of the entries, but not inside a TOC field, whose result it takes as it is. So
the marks of that field stand in alternate content (part 3) for Word 2013 and later: others see linked entries only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

from arkham_shard_export.formats.report.blocks import Heading
from arkham_shard_export.formats.spool import Spool
from arkham_shard_export.formats.wordprocessing.runs import field, paragraph

NAMESPACES = (
    ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    ' xmlns:w15="http://schemas.microsoft.com/office/word/2012/wordml"'
)
_PROPERTIES_END = b"</w:pPr>"


class Entries:
    """The entries of a stretch of the report, waiting until the contents are written."""

    def __init__(self, scratch: IO[bytes], depth: int, first: int = 1) -> None:
        self._spool = Spool(scratch)
        self._depth = depth
        self.next = first

    def listed(self, heading: Heading, runs: str) -> str:
        """The runs of a heading; where it stands in the contents, an entry is made and they get a bookmark."""
        if heading.level > self._depth or not heading.text.strip():
            return runs
        number, self.next = self.next, self.next + 1
        name = f"_Toc{number:09}"
        page = field(f"PAGEREF {name} \\h", "<w:r><w:t></w:t></w:r>")
        link = f'<w:hyperlink w:anchor="{name}" w:history="1">{runs}<w:r><w:tab/></w:r>{page}</w:hyperlink>'
        self._spool.write(paragraph(f"TOC{heading.level}", link, text=heading.text).encode())
        return f'<w:bookmarkStart w:id="{number}" w:name="{name}"/>{runs}<w:bookmarkEnd w:id="{number}"/>'

    def chunks(self) -> Iterator[bytes]:
        return self._spool.chunks()


def contents(depth: int, stretches: Iterable[Entries]) -> Iterator[bytes]:
    """The whole table, or nothing where nothing is listed. The field begins inside the first entry (17.16.18)."""
    pieces = (piece for entries in stretches for piece in entries.chunks() if piece)
    first = next(pieces, None)
    if first is None:
        return
    yield (
        '<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/><w:docPartUnique/>'
        f"</w:docPartObj></w:sdtPr><w:sdtContent>{paragraph('TOCHeading', '<w:r><w:t>Contents</w:t></w:r>')}"
    ).encode()
    marks = (
        '<w:fldChar w:fldCharType="begin" w:dirty="true"/>',
        f'<w:instrText xml:space="preserve"> TOC \\o "1-{depth}" \\h \\z \\u </w:instrText>',
        '<w:fldChar w:fldCharType="separate"/>',
    )
    begin = "".join([_for_word(each) for each in marks])
    yield first.replace(_PROPERTIES_END, _PROPERTIES_END + begin.encode(), 1)
    yield from pieces
    end = _for_word('<w:fldChar w:fldCharType="end"/>')
    yield f"{paragraph('TableEnd', end)}</w:sdtContent></w:sdt>".encode()


def _for_word(content: str) -> str:
    choice = f'<mc:Choice Requires="w15">{content}</mc:Choice><mc:Fallback/>'
    return f"<w:r><mc:AlternateContent>{choice}</mc:AlternateContent></w:r>"
