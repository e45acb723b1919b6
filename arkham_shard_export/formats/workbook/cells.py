"""Values as cells: dates as dates, numbers as numbers where a spreadsheet holds them exactly, text always as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from arkham_shard_export.formats.moments import Moments
from arkham_shard_export.formats.workbook.styles import QUOTED, Style
from arkham_shard_export.formats.xml import XmlText
from arkham_shard_export.presentation.times import Times
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Kind

MAX_CELL_LENGTH = 32_767
"""UTF-16 units, by Excel's specifications and limits."""
_PART_LENGTH = 16_000
_SHORT_LENGTH = MAX_CELL_LENGTH // 2
LARGEST_INTEGER = 10**15 - 1
_MAX_DIGITS = 15
_SMALLEST, _LARGEST = 2.2250738585072014e-308, 9.99999999999999e307
_FIRST_MOMENT = datetime(1900, 3, 1, tzinfo=UTC)
"""Before it spreadsheets disagree: Excel counts a 29 February 1900 that never was."""
_DAY_ZERO = datetime(1899, 12, 30, tzinfo=UTC)
_DAY = timedelta(days=1)
FORMULA_STARTS = frozenset("=+-@\t\r")
_ESCAPE_LIKE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")

_MARK = " … [cut: {:,} characters, whole on the sheet Long text]"

Encode = Callable[[Any], str]
"""Gives a cell from after its number on (`" s="4"><v>1</v></c>`), or nothing for an empty cell."""


class LongTexts(Protocol):
    """Takes the texts that no cell holds."""

    def keep(self, column: str, text: str) -> str:
        """Keeps `text` whole elsewhere; returns what the cell says instead."""
        ...


class Shortened:
    """For what stands whole elsewhere: the text is cut, and kept nowhere."""

    def keep(self, _column: str, text: str) -> str:
        return f"{text[: _SHORT_LENGTH - 1]}…"


class Cells:
    """Makes encoders by column kind. What cannot be carried as it is, is counted.

    Without `moments` times are in UTC, as they come.
    """

    def __init__(
        self, adjustments: Adjustments, long_texts: LongTexts, moments: Moments | None = None
    ) -> None:
        self._moments = moments if moments is not None and moments.times != Times() else None
        self._adjustments = adjustments
        self._long_texts = long_texts
        self._xml = XmlText(adjustments)
        self._json = msgspec.json.Encoder(decimal_format="number")

    def encoder(self, kind: Kind, column: str) -> Encode:
        """`column` is the label under which a text too long for a cell is found again."""

        def text(value: str) -> str:
            return self.text(value, column)

        def scalar(value: Any) -> str:
            if value is None:
                return ""
            return text(value) if type(value) is str else self._other(value, column)

        def timestamp(value: Any) -> str:
            if value is None:
                return ""
            return self._timestamp(value) or text(
                value if self._moments is None else self._moments.early(value)
            )

        return timestamp if kind is Kind.TIMESTAMP else scalar

    def text(self, value: str, column: str, style: Style = Style.TEXT) -> str:
        if not value:
            return ""
        if len(value) > MAX_CELL_LENGTH // 2 and _utf16_length(value) > MAX_CELL_LENGTH:
            value = self._long_texts.keep(column, self._xml.allowed(value))
        number = style + QUOTED if value[0] in FORMULA_STARTS else style
        xml = self._xml(value)
        if "_x" in xml:
            # ST_Xstring: readers would take _x0041_ for an A.
            xml = _ESCAPE_LIKE.sub("_x005F_", xml)
        return f'" s="{number:d}" t="inlineStr"><is><t xml:space="preserve">{xml}</t></is></c>'

    def number(self, value: float | Decimal, column: str, style: Style = Style.NUMBER) -> str:
        if isinstance(value, int):
            exact = -LARGEST_INTEGER <= value <= LARGEST_INTEGER
        elif isinstance(value, Decimal):
            exact = len(value.as_tuple().digits) <= _MAX_DIGITS and is_exact(value)
        else:
            exact = is_exact(value)
        if not exact:
            self._adjustments.add("long_number")
            return self.text(str(value), column)
        return f'" s="{style:d}"><v>{value}</v></c>'

    def _other(self, value: Any, column: str) -> str:
        if type(value) is bool:
            return f'" s="{Style.NUMBER:d}" t="b"><v>{value:d}</v></c>'
        if isinstance(value, list | dict):
            return self.text(self._json.encode(value).decode(), column)
        return self.number(value, column)

    def _timestamp(self, text: str) -> str | None:
        """The cell of a canonical timestamp, or None for a text that no spreadsheet holds as a date."""
        if self._moments is not None:
            local = self._moments.local(text)
            return None if local is None else self._date(local.replace(tzinfo=UTC))
        if text[10:11] != "T" or not text.endswith("+00:00"):
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return self._date(moment)

    @property
    def in_utc(self) -> bool:
        """Whether a moment in UTC is its cell as it stands."""
        return self._moments is None

    def moment(self, value: datetime, text: str, column: str) -> str:
        """The cell of a moment in UTC, whose canonical text is `text`."""
        return self._date(value) or self.text(text, column)

    def _date(self, moment: datetime) -> str | None:
        if moment < _FIRST_MOMENT:
            self._adjustments.add("early_date")
            return None
        style = Style.DATE_TIME
        if fraction := moment.microsecond:
            # Cut, not rounded: the last moment of a day would be shown as the next day.
            style, moment = Style.MILLISECONDS, moment.replace(microsecond=fraction // 1000 * 1000)
            if fraction % 1000:
                self._adjustments.add("short_fraction")
        return f'" s="{style:d}"><v>{(moment - _DAY_ZERO) / _DAY}</v></c>'


def parts_of(text: str) -> list[str]:
    """The text in pieces that fit into cells, none of them cut within a character."""
    return [text[start : start + _PART_LENGTH] for start in range(0, len(text), _PART_LENGTH)]


def cut(text: str) -> str:
    """As much of a long text as a cell says, with a mark of what is missing."""
    mark = _MARK.format(len(text))
    return text[: (MAX_CELL_LENGTH - len(mark)) // 2] + mark


def short(text: str) -> str:
    """As much of the text as any cell holds, whatever characters it is made of."""
    return text[:_SHORT_LENGTH]


def _utf16_length(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def is_exact(value: float | Decimal) -> bool:
    return not value or _SMALLEST <= abs(float(value)) <= _LARGEST
