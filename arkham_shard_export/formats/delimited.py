"""Cells of delimited text, one by one or a column of a batch at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from arkham_shard_export.formats.moments import Moments
from arkham_shard_export.formats.nesting import Nesting
from arkham_shard_export.presentation.delimiting import PLAIN, CsvDialect
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Column, Kind

FORMULA_STARTS = frozenset("=+-@\t\r")
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
"""As PostgreSQL reads it too."""
_TEXTS = frozenset({str, type(None)})
_NUMBERS = frozenset({int, float, type(None)})


class Cells:
    """Encodes cells; `guard` defuses text that a spreadsheet would run; numbers, typed or written, are spared."""

    def __init__(
        self,
        adjustments: Adjustments,
        guard: bool,
        dialect: CsvDialect = PLAIN,
        moments: Moments | None = None,
    ) -> None:
        self._adjustments = adjustments
        self._guard = guard
        self._dialect = dialect
        self._quoting = Quoting(dialect.delimiter, dialect.quote)
        self._moments = moments if moments is not None and moments.times.pattern else None
        self._json = msgspec.json.Encoder(decimal_format="number")

    def line(self, cells: Iterable[Any]) -> bytes:
        dialect = self._dialect
        return self.to_bytes(dialect.delimiter.join([self.scalar(cell) for cell in cells]) + dialect.end)

    def to_bytes(self, text: str) -> bytes:
        """In the encoding of the dialect; what that does not have is written as code points, and counted."""
        try:
            return text.encode(self._dialect.codec)
        except UnicodeEncodeError:
            return self._with_code_points(text).encode(self._dialect.codec)

    def _with_code_points(self, text: str) -> str:
        missing = {each for each in set(text) if not _has(self._dialect.codec, each)}
        self._adjustments.add("unencodable", sum(map(text.count, missing)))
        return text.translate({ord(each): f"[U+{ord(each):04X}]" for each in missing})

    def encoder(self, column: Column) -> Callable[[Sequence[Any]], Iterable[str]]:
        """Encodes a column of a batch at a time."""
        quoted = self._quoting.one
        if column.kind is Kind.JSON:
            return self._quoting.all
        if column.kind is Kind.TIMESTAMP and self._moments is not None:
            cell = self._moments.cell
            return lambda values: self._scalars([cell(value) for value in values])
        nesting = Nesting(column.columns)
        if column.kind is Kind.RECORDS:
            return lambda values: [quoted(text.decode()) for text in nesting.lists(values)]
        if column.kind is Kind.RECORD:
            return lambda values: [
                "" if text is None else quoted(text.decode()) for text in nesting.records(values)
            ]
        return self._scalars

    def _scalars(self, values: Sequence[Any]) -> Iterable[str]:
        kinds = set(map(type, values))
        if kinds <= _TEXTS:
            if self._guard and _may_be_formulas(values):
                values = [
                    self._guarded(value) if value and value[0] in FORMULA_STARTS else value
                    for value in values
                ]
            return self._quoting.all(values)
        if kinds <= _NUMBERS:
            return ["" if value is None else str(value) for value in values]
        return list(map(self.scalar, values))

    def _guarded(self, text: str) -> str:
        if text[0] in FORMULA_STARTS and not NUMBER.fullmatch(text):
            self._adjustments.add("formula_guard")
            return f"'{text}"
        return text

    def scalar(self, value: Any) -> str:
        if value is None:
            return ""
        if type(value) is not str:
            return self._other(value)
        if value == "":
            return self._quoting.empty
        return self._quoting.one(self._guarded(value) if self._guard else value)

    def _other(self, value: Any) -> str:
        if type(value) is bool:
            return "true" if value else "false"
        if isinstance(value, list | dict):
            return self._quoting.one(self._json.encode(value).decode())
        return str(value)


class Quoting:
    """Quotes what holds the delimiter, the quote or a line end; null is an empty cell, an empty text a quoted one."""

    def __init__(self, delimiter: str, quote: str) -> None:
        self._delimiter = delimiter
        self._quote = quote
        self.empty = quote * 2

    def one(self, text: str) -> str:
        quote = self._quote
        if self._delimiter in text or quote in text or "\n" in text or "\r" in text:
            return quote + text.replace(quote, self.empty) + quote
        return text

    def all(self, values: Sequence[str | None]) -> Sequence[str]:
        """The rule of `one` for the texts of a column."""
        delimiter, quote, empty = self._delimiter, self._quote, self.empty
        filled = list(filter(None, values))
        joined = "".join(filled)
        if not (delimiter in joined or quote in joined or "\n" in joined or "\r" in joined):
            if len(filled) == len(values):
                return filled
            return [value or ("" if value is None else empty) for value in values]
        quoted = quote in joined
        return [
            ""
            if text is None
            else quote + (text.replace(quote, empty) if quoted else text) + quote
            if delimiter in text or quote in text or "\n" in text or "\r" in text or not text
            else text
            for text in values
        ]


@lru_cache(maxsize=4096)
def _has(codec: str, character: str) -> bool:
    try:
        character.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _may_be_formulas(values: Sequence[str | None]) -> bool:
    """Whether one of them might start as a formula does: two comparisons tell for most columns that none can."""
    filled = list(filter(None, values))
    if not filled:
        return False
    first = min(filled)
    if first >= "A" or (first >= "0" and max(filled) < ":"):
        return False
    return not FORMULA_STARTS.isdisjoint({text[0] for text in filled})
