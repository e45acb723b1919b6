"""Page numbers: roman in the front matter, decimal from 1 in the body, as labels and at the foot of each page."""

from __future__ import annotations

from typing import NamedTuple

import pikepdf
from pikepdf import Array, Dictionary, Name

from arkham_shard_export.formats.typesetting.fonts import FAMILIES

_NUMERALS = "0123456789ivxlcdm"
_SIZE = 8.5
# A page is at least 3 points wide, which an "i" of the size in use is not.
_SAMPLE_SIZE = 100
_FOOT = 28.0
_GREY = 0.43
_FONT = "/PageNumber"
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)

NUMERALS = (
    "#set page(width: auto, height: auto, margin: 0pt)\n"
    f'#set text(font: "{FAMILIES[0]}", size: {_SAMPLE_SIZE}pt)\n'
    f'#"{_NUMERALS}".clusters().join(pagebreak())\n'
)
"""The source of a chunk with one numeral a page, from which the numbers are composed."""


class _Glyph(NamedTuple):
    code: str
    width: float


class Numbers:
    """Writes numbers at the foot of pages with the font and the glyphs of a chunk made from NUMERALS."""

    def __init__(self, pdf: pikepdf.Pdf, numerals: pikepdf.Pdf) -> None:
        self._pdf = pdf
        pages = [page.obj for page in numerals.pages]
        self._glyphs = {each: _glyph(page) for each, page in zip(_NUMERALS, pages, strict=True)}
        (font,) = pages[0].Resources.Font.values()
        self._font = pdf.copy_foreign(font)

    def write(self, page: pikepdf.Object, number: str) -> None:
        """Write a number, centred, as an artifact: no part of the text for those who have it read out."""
        glyphs = [self._glyphs[each] for each in number]
        left, _, right, _ = (float(edge) for edge in page.MediaBox)
        x = (left + right - sum(glyph.width for glyph in glyphs)) / 2
        codes = "".join(glyph.code for glyph in glyphs)
        drawing = f"/Artifact BMC q {_GREY} g BT {_FONT} {_SIZE} Tf {x:.2f} {_FOOT} Td <{codes}> Tj ET Q EMC"
        resources = page.Resources
        if Name.Font not in resources:
            resources.Font = Dictionary()
        resources.Font[_FONT] = self._font
        page.Contents = Array([page.Contents, self._pdf.make_stream(drawing.encode())])


def page_labels(front_pages: int) -> Dictionary:
    """The /PageLabels tree (ISO 32000-1, 12.4.2), with which viewers name pages as their feet do."""
    front = [0, Dictionary(S=Name.r)] if front_pages else []
    return Dictionary(Nums=Array([*front, front_pages, Dictionary(S=Name.D)]))


def roman(number: int) -> str:
    """A positive number in small roman numerals."""
    text = ""
    for value, numeral in _ROMAN:
        count, number = divmod(number, value)
        text += numeral * count
    return text


def _glyph(page: pikepdf.Object) -> _Glyph:
    (shown,) = pikepdf.parse_content_stream(page, "Tj TJ")
    text = shown.operands[0]
    code = bytes(text[0] if isinstance(text, Array) else text)
    return _Glyph(code.hex(), float(page.MediaBox[2]) / _SAMPLE_SIZE * _SIZE)
