"""Cells a column at a time: a few calls find that nothing in a column of a batch needs a closer look.

The rule is that of `cells.Cells`, which is asked for every value of a column that does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from arkham_shard_export.formats.workbook.cells import (
    FORMULA_STARTS,
    LARGEST_INTEGER,
    MAX_CELL_LENGTH,
    Encode,
    is_exact,
)
from arkham_shard_export.formats.workbook.styles import Style
from arkham_shard_export.schema import Kind

EncodeColumn = Callable[[Sequence[Any]], Sequence[str]]
EncodeMoment = Callable[[datetime, str], str]

_NOTHING = type(None)
_TEXT_KIND = frozenset({str})
_MOMENTS = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?\+00:00(?:\n|\Z))*", re.ASCII)
_PLAIN_KINDS = frozenset({str, int, float, bool, _NOTHING})
_TO_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f&<>\ud800-\udfff\ufffe\uffff]|_x")
_TEXT = f'%s" s="{Style.TEXT:d}" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c>'
_NUMBER = f'%s" s="{Style.NUMBER:d}"><v>%s</v></c>'


def long_rows(columns: Sequence[Sequence[Any]]) -> set[int]:
    """The rows of a batch with a value whose text may be too long for its cell."""
    long: set[int] = set()
    for values in columns:
        kinds = set(map(type, values))
        if not kinds <= _PLAIN_KINDS:
            long.update(row for row, value in enumerate(values) if type(value) not in _PLAIN_KINDS)
        if str in kinds:
            lengths = [len(value) if type(value) is str else 0 for value in values]
            if max(lengths) > MAX_CELL_LENGTH // 2:
                long.update(row for row, length in enumerate(lengths) if length > MAX_CELL_LENGTH // 2)
    return long


def column_encoder(kind: Kind, encode: Encode, moment: EncodeMoment | None, prefix: str) -> EncodeColumn:
    """`encode` makes one cell of this column, `moment`, where there is one, that of a moment in UTC, both from after its number on.

    The cells of the encoder begin with `prefix`; no text of its values is too long for a cell.
    """
    text, number = _TEXT % (prefix, "%s"), _NUMBER % (prefix, "%s")

    def one_by_one(values: Sequence[Any]) -> list[str]:
        return [prefix + cell if (cell := encode(value)) else "" for value in values]

    def timestamps(values: Sequence[Any]) -> Sequence[str]:
        if moment is None:
            return one_by_one(values)
        try:
            moments = _moments(values)
        except ValueError:
            return one_by_one(values)
        return [
            "" if value is None else prefix + moment(value, text)
            for value, text in zip(moments, values, strict=True)
        ]

    def cells(values: Sequence[Any]) -> Sequence[str]:
        kinds = set(map(type, values))
        kinds.discard(_NOTHING)
        if not kinds:
            return [""] * len(values)
        if kinds == _TEXT_KIND:
            if _is_plain(values):
                return [text % value if value else "" for value in values]
            return [
                ""
                if not value
                else text % value
                if value[0] not in FORMULA_STARTS and _TO_ESCAPE.search(value) is None
                else prefix + encode(value)
                for value in values
            ]
        if (
            kinds == {int}
            and all(-LARGEST_INTEGER <= value <= LARGEST_INTEGER for value in filter(None, values))
        ) or (kinds == {float} and all(map(is_exact, filter(None, values)))):
            return ["" if value is None else number % value for value in values]
        return one_by_one(values)

    return timestamps if kind is Kind.TIMESTAMP else cells


def _moments(values: Sequence[Any]) -> list[datetime | None]:
    """Canonical timestamps as moments; ValueError where one of them is none."""
    texts = list(filter(None, values))
    if not set(map(type, texts)) <= _TEXT_KIND or _MOMENTS.fullmatch("\n".join(texts)) is None:
        raise ValueError
    return [datetime.fromisoformat(value) if value else None for value in values]


def _is_plain(values: Sequence[str | None]) -> bool:
    texts = list(filter(None, values))
    if not FORMULA_STARTS.isdisjoint({text[0] for text in texts}):
        return False
    return _TO_ESCAPE.search("".join(texts)) is None
