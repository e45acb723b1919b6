"""How far a command has come, on standard error alone: a bar in a terminal, else a line now and then, or nothing."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from arkham_shard_export.cli.tables import plain, size

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

LINE_SECONDS = 5.0
"""Between two lines where there is no terminal."""
WIDE = 100
"""Of a terminal, in columns."""
WRITING = "writing"
"""The phase that takes most of an export, and goes without saying."""


class Meter(Protocol):
    def told(self, phase: str, done: int, expected: int | None, note: str = "") -> None:
        """`done` of `expected`; None or 0 where that is not known yet. `note` is what there is to say besides."""
        ...


@contextmanager
def meter(title: str, unit: str, *, quiet: bool, beside: bool = True) -> Iterator[Meter]:
    """Shows the progress of one work in a `unit` (records, rows, bytes, …) until the block ends, and then nothing of it.

    `beside` false: what is written goes to the same terminal, and a bar would be drawn over it.
    """
    if quiet or sys.stderr is None:
        yield Silence()
    elif sys.stderr.isatty():
        if not beside or not _can_draw():
            yield Silence()
            return
        with _bar(unit) as progress:
            yield Bar(progress, title, unit)
    else:
        yield Lines(title, unit, sys.stderr)


def _can_draw() -> bool:
    return importlib.util.find_spec("rich") is not None and os.environ.get("TERM", "") not in ("", "dumb")


class Silence:
    def told(self, phase: str, done: int, expected: int | None, note: str = "") -> None: ...


class Lines:
    """A line every LINE_SECONDS, for logs: nothing of work that takes less."""

    def __init__(
        self, title: str, unit: str, stream: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._title = title
        self._unit = unit
        self._stream = stream
        self._clock = clock
        self._said = clock()
        self._note = ""

    def told(self, phase: str, done: int, expected: int | None, note: str = "") -> None:
        now = self._clock()
        fresh, self._note = note != self._note, note
        if now - self._said < LINE_SECONDS and not (note and fresh):
            return
        self._said = now
        share = f" ({done / expected:.0%})" if expected else ""
        unit = "" if self._unit == "bytes" else f" {self._unit}"
        amount = f", {amounts(done, expected, self._unit)}{unit}{share}" if done or expected else ""
        remark = f"; {note}" if note else ""
        print(f"{plain(self._title)}: {plain(phase)}{amount}{plain(remark)}", file=self._stream, flush=True)


class Bar:
    """In one line, whatever the width of the terminal; a note stands above it."""

    def __init__(self, progress: Progress, title: str, unit: str) -> None:
        self._progress = progress
        self._title = title
        self._unit = unit
        self._note = ""
        self._task: TaskID = progress.add_task(plain(title), total=None, amount="")

    def told(self, phase: str, done: int, expected: int | None, note: str = "") -> None:
        if note and note != self._note:
            self._progress.console.print(plain(note), markup=False, highlight=False)
        self._note = note
        if done < self._progress.tasks[0].completed:
            # It begins anew: what came before says nothing of its pace.
            self._progress.reset(self._task)
        self._progress.update(
            self._task,
            description=plain(self._title if phase == WRITING else f"{self._title}: {phase}"),
            completed=done,
            total=expected or None,
            amount=amounts(done, expected, self._unit) if done or expected else "",
        )


def amounts(done: int, expected: int | None, unit: str) -> str:
    if unit == "bytes":
        return f"{size(done)} of {size(expected)}" if expected else size(done)
    return f"{done:,} of {expected:,}" if expected else f"{done:,}"


@contextmanager
def _bar(unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TaskProgressColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Plain(ProgressColumn):
        """A field of the task as it stands: it is no markup."""

        def __init__(self, name: str) -> None:
            super().__init__(Column(no_wrap=True))
            self._name = name

        def render(self, task: Task) -> Text:
            return Text(task.description if self._name == "description" else task.fields[self._name])

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            if not speed:
                return Text()
            return Text(f"{size(int(speed)) if unit == 'bytes' else f'{speed:,.0f}'}/s")

    console = Console(stderr=True)
    columns = (
        Plain("description"),
        BarColumn(bar_width=30 if console.width >= WIDE else 12),
        TaskProgressColumn(table_column=Column(no_wrap=True)),
        Plain("amount"),
        Rate(Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield progress
