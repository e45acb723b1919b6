"""Canonical values a column at a time: a few calls find that most columns of a batch are canonical already.

The rule is that of `values.Canonical`, which is asked for every value of a column that is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from arkham_shard_export.schema import Kind
from arkham_shard_export.sources.values import Canonical

ConvertColumn = Callable[[Sequence[Any]], Sequence[Any]]

_NOTHING = type(None)
_WHOLE = frozenset({int, bool})
_NUMBERS = frozenset({int, bool, float})
_CANONICAL_TIMES = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(?!000000)\d{6})?\+00:00\n)*")


class ColumnConverters:
    """Converters of columns by kind; they count into the adjustments of `canonical`."""

    def __init__(self, canonical: Canonical) -> None:
        self._canonical = canonical

    def converter(self, kind: Kind) -> ConvertColumn:
        convert = self._canonical.converter(kind)
        is_canonical = _CHECKS.get(kind)
        if is_canonical is None:
            return lambda values: list(map(convert, values))
        return lambda values: values if is_canonical(values) else list(map(convert, values))


def _are_scalars(values: Sequence[Any]) -> bool:
    kinds = set(map(type, values))
    kinds.discard(_NOTHING)
    if kinds <= _WHOLE:
        return True
    if kinds == {str}:
        return _is_text("".join(filter(None, values)))
    return kinds <= _NUMBERS and all(isfinite(value) for value in values if type(value) is float)


def _are_times(values: Sequence[Any]) -> bool:
    kinds = set(map(type, values))
    if not kinds <= {str, _NOTHING}:
        return False
    return (
        _CANONICAL_TIMES.fullmatch("".join([f"{value}\n" for value in values if value is not None]))
        is not None
    )


def _is_text(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS: dict[Kind, Callable[[Sequence[Any]], bool]] = {
    Kind.TEXT: _are_scalars,
    Kind.INTEGER: _are_scalars,
    Kind.NUMBER: _are_scalars,
    Kind.TIMESTAMP: _are_times,
}
