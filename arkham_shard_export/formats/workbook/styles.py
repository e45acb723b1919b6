"""The cell styles of our workbooks, as data, and the part `styles.xml` that declares them."""

from __future__ import annotations

from enum import IntEnum
from xml.sax.saxutils import escape

from arkham_shard_export.presentation.numberformats import number_format
from arkham_shard_export.presentation.times import Times

FONTS = (
    '<font><sz val="11"/><name val="Calibri"/><family val="2"/></font>',
    '<font><b/><sz val="11"/><color rgb="FFFFFFFF"/><name val="Calibri"/><family val="2"/></font>',
    '<font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font>',
    '<font><b/><sz val="18"/><color rgb="FF1F3A5F"/><name val="Calibri"/><family val="2"/></font>',
    '<font><u/><sz val="11"/><color rgb="FF1F5FA8"/><name val="Calibri"/><family val="2"/></font>',
    '<font><sz val="11"/><color rgb="FF5A6570"/><name val="Calibri"/><family val="2"/></font>',
)
_PLAIN, _WHITE_BOLD, _BOLD, _TITLE, _LINK, _GREY = range(len(FONTS))

FILLS = ("1F3A5F", "A8D5A2", "D9EED5", "F2F2F2", "FADBD3", "F0A797", "E4E4EE", "EAF0F6")
_NO_FILL, _DARK, _SUMMARY = 0, 2, 9
"""Fills 0 and 1 are reserved by the standard; ours follow."""

_DATE_TIME, _MILLISECONDS = 164, 165
_TWO_DECIMALS = 2
_TOP = '<alignment vertical="top"/>'
_TOP_WRAPPED = '<alignment vertical="top" wrapText="1"/>'
_CENTRED = '<alignment horizontal="center" vertical="center" wrapText="1"/>'


class Style(IntEnum):
    """The style's number in `cellXfs`."""

    DEFAULT = 0
    HEADER = 1
    TEXT = 2
    NUMBER = 3
    DATE_TIME = 4
    TITLE = 5
    LABEL = 6
    WRAPPED = 7
    LINK = 8
    STRONGLY_CONSISTENT = 9
    CONSISTENT = 10
    NEUTRAL = 11
    INCONSISTENT = 12
    STRONGLY_INCONSISTENT = 13
    NOT_APPLICABLE = 14
    UNRATED = 15
    SUMMARY_LABEL = 16
    SUMMARY = 17
    SUMMARY_DECIMAL = 18
    GRID_TEXT = 19
    HEADING = 20
    MILLISECONDS = 21


QUOTED = len(Style)
"""Added to a style: text that would be a formula if it were typed in, and stays text when its cell is edited."""


RATING_STYLES: dict[str, Style] = {
    "++": Style.STRONGLY_CONSISTENT,
    "+": Style.CONSISTENT,
    "N": Style.NEUTRAL,
    "-": Style.INCONSISTENT,
    "--": Style.STRONGLY_INCONSISTENT,
    "N/A": Style.NOT_APPLICABLE,
}

# One line a style, in the order of Style: font, fill, number format, border, alignment.
_FORMATS: tuple[tuple[int, int, int, int, str], ...] = (
    (_PLAIN, _NO_FILL, 0, 0, ""),
    (_WHITE_BOLD, _DARK, 0, 1, '<alignment vertical="center" wrapText="1"/>'),
    (_PLAIN, _NO_FILL, 0, 0, _TOP_WRAPPED),
    (_PLAIN, _NO_FILL, 0, 0, _TOP),
    (_PLAIN, _NO_FILL, _DATE_TIME, 0, _TOP),
    (_TITLE, _NO_FILL, 0, 0, ""),
    (_GREY, _NO_FILL, 0, 0, _TOP_WRAPPED),
    (_PLAIN, _NO_FILL, 0, 0, _TOP_WRAPPED),
    (_LINK, _NO_FILL, 0, 0, _TOP),
    *((_BOLD, 3 + number, 0, 1, _CENTRED) for number in range(6)),
    (_PLAIN, _NO_FILL, 0, 1, _CENTRED),
    (_BOLD, _SUMMARY, 0, 1, _TOP_WRAPPED),
    (_BOLD, _SUMMARY, 0, 1, _CENTRED),
    (_BOLD, _SUMMARY, _TWO_DECIMALS, 1, _CENTRED),
    (_PLAIN, _NO_FILL, 0, 1, _TOP_WRAPPED),
    (_BOLD, _NO_FILL, 0, 0, ""),
    (_PLAIN, _NO_FILL, _MILLISECONDS, 0, _TOP),
)  # fmt: skip

_EDGE = '<{0} style="thin"><color rgb="FFC9D1DA"/></{0}>'
_BORDERS = (
    "<border><left/><right/><top/><bottom/><diagonal/></border>",
    f"<border>{''.join(_EDGE.format(side) for side in ('left', 'right', 'top', 'bottom'))}<diagonal/></border>",
)


def styles_part(times: Times) -> str:
    """`styles.xml`; `times` says how dates are shown."""
    shown = escape(number_format(times), {'"': "&quot;"})
    fraction = "" if times.pattern else ".000"
    fills = '<fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    fills += "".join(
        f'<fill><patternFill patternType="solid"><fgColor rgb="FF{colour}"/><bgColor indexed="64"/></patternFill></fill>'
        for colour in FILLS
    )
    formats = "".join(_format(*each, more) for more in ("", ' quotePrefix="1"') for each in _FORMATS)
    return (
        '<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f'<numFmts count="2"><numFmt numFmtId="{_DATE_TIME}" formatCode="{shown}"/>'
        f'<numFmt numFmtId="{_MILLISECONDS}" formatCode="{shown}{fraction}"/></numFmts>'
        f'<fonts count="{len(FONTS)}">{"".join(FONTS)}</fonts>'
        f'<fills count="{len(FILLS) + 2}">{fills}</fills>'
        f'<borders count="{len(_BORDERS)}">{"".join(_BORDERS)}</borders>'
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
        f'<cellXfs count="{2 * QUOTED}">{formats}</cellXfs>'
        '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
        '<dxfs count="0"/></styleSheet>'
    )


def _format(font: int, fill: int, number: int, border: int, alignment: str, more: str) -> str:
    head = (
        f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="{border}" xfId="0"{more} applyNumberFormat="1"'
        ' applyFont="1" applyFill="1" applyBorder="1"'
    )
    return f'{head} applyAlignment="1">{alignment}</xf>' if alignment else f"{head}/>"
