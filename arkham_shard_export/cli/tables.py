"""Texts for a terminal: aligned columns, times with their offset, and nothing that could steer the terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from datetime import datetime

WIDTH = 100
"""Of a line where there is no terminal."""
_GAP = "  "
_LEAST = 20
_STYLES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "dim": "2"}


def terminal_width() -> int:
    """Of the terminal that standard output goes to, in columns."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH


def styled(text: str, style: str) -> str:
    """In bold or in colour, where standard output is a terminal that shows it and nobody minds (NO_COLOR)."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") in (None, "dumb"):
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def print_table(
    rows: Sequence[Sequence[str]],
    right: Sequence[int] = (),
    *,
    wrapped: bool = False,
) -> None:
    heading, *lines = aligned(rows, right, wrapped=wrapped)
    print(styled(heading, "bold"))
    for line in lines:
        print(line)


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = (), *, wrapped: bool = False) -> list[str]:
    """The rows in columns, the first row as heading; the last column is cut, or `wrapped`, where a line would be too long.

    `right`: the columns of numbers.
    """
    shown = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(*shown, strict=True)]
    room = terminal_width() - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
    widths[-1] = max(min(widths[-1], room), _LEAST if wrapped else 1)
    lines = []
    for row in shown:
        last = textwrap.wrap(row[-1], widths[-1]) if wrapped else [cut(row[-1], widths[-1])]
        first, *others = last or [""]
        cells = [*row[:-1], first]
        lines.append(
            _GAP.join(
                _padded(cell, widths[index], index in right) for index, cell in enumerate(cells)
            ).rstrip()
        )
        indent = " " * (sum(widths[:-1]) + len(_GAP) * (len(widths) - 1))
        lines += [indent + each for each in others]
    return lines


def plain(text: str) -> str:
    """The text with what is no printable character replaced."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def cut(text: str, width: int) -> str:
    """As much of a text, however long it is, as so many columns of a terminal hold."""
    start = text[: 4 * width + 4]
    if start == text and width_of(start) <= width:
        return text
    while start and width_of(start) > width - 1:
        start = start[:-1]
    return start + "…"


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
    space = " " * (width - width_of(text))
    return space + text if right else text + space


def width_of(text: str) -> int:
    """In columns of a terminal."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def paragraph(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        plain(text),
        max(terminal_width(), _LEAST + len(indent)),
        initial_indent=indent,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Names and values in two columns, the values wrapped in a terminal and else left whole."""
    shown = [(plain(name), plain(value)) for name, value in facts]
    widest = max(map(len, (name for name, _ in shown)))
    for name, value in shown:
        lines = [value]
        if sys.stdout.isatty():
            room = max(terminal_width() - widest - len(_GAP), _LEAST)
            lines = textwrap.wrap(value, room, break_on_hyphens=False) or [""]
        print(f"{styled(name.ljust(widest), 'bold')}{_GAP}{lines[0]}".rstrip())
        for line in lines[1:]:
            print(f"{' ' * widest}{_GAP}{line}")
