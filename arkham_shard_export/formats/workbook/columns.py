"""Cells a column at a time: a few calls find that nothing in a column of a batch needs a closer look.

The rule is that of `cells.Cells`, which is asked for every value of a column that does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
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

MAX_CHARACTERS = 20_000_000
"""Of a batch that is taken by columns: a sheet's size is looked at only between batches."""
_NOTHING = type(None)
_PLAIN_KINDS = frozenset({str, int, float, bool, _NOTHING})
_TO_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f&<>\ud800-\udfff\ufffe\uffff]|_x")
_TEXT = f'" s="{Style.TEXT:d}" t="inlineStr"><is><t xml:space="preserve">%s</t></is></c>'
_NUMBER = f'" s="{Style.NUMBER:d}"><v>%s</v></c>'


def fits_cells(columns: Sequence[Sequence[Any]]) -> bool:
    """Whether no text of a batch can be too long for its cell, where its row must be known."""
    characters = 0
    for values in columns:
        kinds = set(map(type, values))
        if not kinds <= _PLAIN_KINDS:
            return False
        if str in kinds:
            lengths = [len(value) for value in values if type(value) is str]
            characters += sum(lengths)
            if max(lengths) > MAX_CELL_LENGTH // 2 or characters > MAX_CHARACTERS:
                return False
    return True


def column_encoder(kind: Kind, encode: Encode) -> EncodeColumn:
    """`encode` makes one cell of this column; the values are of a batch that fits."""
    plain = kind is not Kind.TIMESTAMP

    def cells(values: Sequence[Any]) -> Sequence[str]:
        kinds = set(map(type, values))
        kinds.discard(_NOTHING)
        if not kinds:
            return [""] * len(values)
        if kinds == {str}:
            if plain and _is_plain(values):
                return [_TEXT % value if value else "" for value in values]
        elif (
            kinds == {int}
            and all(-LARGEST_INTEGER <= value <= LARGEST_INTEGER for value in filter(None, values))
        ) or (kinds == {float} and all(map(is_exact, filter(None, values)))):
            return ["" if value is None else _NUMBER % value for value in values]
        return list(map(encode, values))

    return cells


def _is_plain(values: Sequence[str | None]) -> bool:
    texts = list(filter(None, values))
    if not FORMULA_STARTS.isdisjoint({text[0] for text in texts}):
        return False
    return _TO_ESCAPE.search("".join(texts)) is None
