"""Values as a person reads them; every character of a text is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from arkham_shard_export.schema import Column, Kind

Readable = Callable[[Any], str]
"""Gives the text of a value that is not None; an empty text means that there is nothing to show."""

SHORT_TEXT = 160
"""Longer texts, and those of several lines, are set as paragraphs."""

_AMBIGUOUS = re.compile(
    r'[,;:"\[\]{}]\s|[,;:]$|^\s|\s$|^(?:-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)$|^["\[{]'
)
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


def readable(column: Column, times: Readable) -> Readable:
    """`times` gives the text of a time."""
    if column.kind is Kind.TIMESTAMP:
        return times
    if column.kind is Kind.JSON:
        return json_text
    return scalar


def scalar(value: Any) -> str:
    if type(value) is str:
        return value
    if type(value) is bool:
        return "yes" if value else "no"
    if isinstance(value, list | dict):
        return _encode(value).decode()
    return str(value)


def timestamp(value: Any) -> str:
    """`2024-02-29 12:00:00 UTC`; midnight is the date alone, and text that is no time stays as it is."""
    text = str(value)
    if not text.endswith("+00:00") or text[10:11] != "T":
        return text
    if text.endswith("T00:00:00+00:00"):
        return text[:10]
    return f"{text[:10]} {text[11:-6]} UTC"


def json_text(text: str) -> str:
    """A list as its members with commas between, an object as `key: value` with semicolons; what is deeper stays JSON."""
    try:
        value = _decode(text)
    except (ValueError, ArithmeticError, RecursionError):
        # Numbers of thousands of digits are JSON, but no number of ours.
        return text
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_member, value))
    if isinstance(value, dict):
        return "; ".join(f"{_plain(key)}: {_member(each)}" for key, each in value.items())
    return text


def _member(value: Any) -> str:
    if isinstance(value, list) and value and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(map(_plain, value))
    return _plain(value)


def _plain(value: Any) -> str:
    """A text that would read as several members, or as something else than a text, stays in quotation marks."""
    if isinstance(value, str) and value and not _AMBIGUOUS.search(value):
        return value
    return _encode(value).decode()


def is_short(text: str) -> bool:
    return len(text) <= SHORT_TEXT and "\n" not in text and "\r" not in text


def shortened(text: str, length: int) -> str:
    """One line of at most `length` characters, cut at a word where there is one; for headings, never for content."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    cut = line[: length - 1]
    space = cut.rfind(" ", length // 2)
    return f"{cut[:space] if space > 0 else cut}…"
