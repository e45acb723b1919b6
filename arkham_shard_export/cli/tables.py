"""Texts for a terminal: aligned columns, times with their offset, and nothing that could steer the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime

WIDTH = 100
_GAP = "  "


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """The rows in columns, the first row as heading; the last column is cut where a line would exceed WIDTH.

    `right`: the columns of numbers.
    """
    shown = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*shown, strict=True)]
    room = WIDTH - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
    widths[-1] = max(min(widths[-1], room), 1)
    return [
        _GAP.join(
            _padded(cut(cell, widths[index]), widths[index], index in right) for index, cell in enumerate(row)
        ).rstrip()
        for row in shown
    ]


def plain(text: str) -> str:
    """The text with what is no printable character replaced."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    while text and _width(text) > width - 1:
        text = text[:-1]
    return text + "…"


def local(moment: datetime | None, timespec: str = "seconds") -> str:
    """In the time zone of whoever reads it."""
    return "-" if moment is None else moment.astimezone().isoformat(" ", timespec)


def size(bytes: int | None) -> str:
    if bytes is None:
        return "-"
    amount = float(bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - _width(text))
    return space + text if right else text + space


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )
