"""Events over time as bars, in the finest unit that leaves them readable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import date

from arkham_shard_export.formats.report.blocks import Figure, Label, Line, Rectangle, Shape

WIDTH, HEIGHT = 460.0, 150.0
MAX_BARS = 72
MAX_FIGURES, ZOOMED_SHARE = 3, 0.4
_TOP, _BOTTOM, _LEFT = 14.0, 18.0, 30.0

_UNITS: tuple[tuple[str, Callable[[date], int], Callable[[int], str]], ...] = (
    ("day", lambda day: day.toordinal(), lambda number: date.fromordinal(number).isoformat()),
    (
        "month",
        lambda day: day.year * 12 + day.month - 1,
        lambda number: f"{number // 12:04}-{number % 12 + 1:02}",
    ),
    (
        "quarter",
        lambda day: day.year * 4 + (day.month - 1) // 3,
        lambda number: f"{number // 4:04} Q{number % 4 + 1}",
    ),
    ("year", lambda day: day.year, lambda number: f"{number:04}"),
    ("decade", lambda day: day.year // 10, lambda number: f"{number * 10:04}s"),
    ("century", lambda day: day.year // 100, lambda number: f"{number * 100:04}–{number * 100 + 99:04}"),
    (
        "millennium",
        lambda day: day.year // 1000,
        lambda number: f"{number * 1000:04}–{number * 1000 + 999:04}",
    ),
)


def events_over_time(days: Mapping[str, int]) -> list[Figure]:
    """Bars of the events by their first day (`YYYY-MM-DD`, with counts), none where no day can be read.

    Where one bar holds most of the events, a further figure shows what is in it.
    """
    dated = Counter[date]()
    for text, count in days.items():
        try:
            dated[date.fromisoformat(text)] += count
        except ValueError:
            continue
    figures: list[Figure] = []
    while dated and len(figures) < MAX_FIGURES:
        figure, fullest = _figure(dated, total=dated.total())
        figures.append(figure)
        if len(fullest) < 2 or len(fullest) == len(dated) or fullest.total() < dated.total() * ZOOMED_SHARE:
            break
        dated = fullest
    return figures


def _figure(dated: Counter[date], total: int) -> tuple[Figure, Counter[date]]:
    """The figure, and the days in its highest bar."""
    first, last = min(dated), max(dated)
    name, number_of, label_of = next(
        (unit for unit in _UNITS if unit[1](last) - unit[1](first) < MAX_BARS), _UNITS[-1]
    )
    bars = Counter[int]()
    for day, count in dated.items():
        bars[number_of(day)] += count
    start, end = number_of(first), number_of(last)
    span = label_of(start) if start == end else f"{label_of(start)} to {label_of(end)}"
    caption = f"{total:,} dated events by {name}, {span}"
    busiest, most = max(bars.items(), key=lambda bar: (bar[1], -bar[0]))
    alternative = f"{caption}. The most, {most:,}, are in {label_of(busiest)}."
    figure = Figure(WIDTH, HEIGHT, tuple(_shapes(bars, start, end, label_of)), caption, alternative)
    return figure, Counter({day: count for day, count in dated.items() if number_of(day) == busiest})


def _shapes(bars: Mapping[int, int], start: int, end: int, label_of: Callable[[int], str]) -> list[Shape]:
    most = max(bars.values())
    floor, room = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    step = (WIDTH - _LEFT) / (end - start + 1)
    width = min(max(step * 0.78, 0.8), 28.0)
    shapes: list[Shape] = []
    for share in (0.5, 1.0):
        height = floor - room * share
        shapes.append(Line(_LEFT, height, WIDTH, height, "DDE2E8", 0.5))
        value = most * share
        if value == int(value):
            shapes.append(Label(_LEFT / 2, height - 4.5, f"{int(value):,}", 7.0, "6B7580"))
    for number, count in sorted(bars.items()):
        height = max(room * count / most, 0.8)
        middle = _LEFT + (number - start + 0.5) * step
        shapes.append(Rectangle(middle - width / 2, floor - height, width, height))
    shapes.append(Line(_LEFT, floor, WIDTH, floor))
    marked = sorted({start, end, *(start + (end - start) * quarter // 4 for quarter in (1, 2, 3))})
    for number in marked if end - start >= 8 else range(start, end + 1):
        middle = _LEFT + (number - start + 0.5) * step
        text = label_of(number)
        shapes.append(Line(middle, floor, middle, floor + 2.5))
        middle = min(max(middle, len(text) * 1.9), WIDTH - len(text) * 1.9)
        shapes.append(Label(middle, floor + 4.5, text, 7.0, "555F6A"))
    return shapes
