"""A record on its way from a source to a writer: in batches, in sections, with what was left out or changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol, overload

from arkham_shard_export.schema import Column, Layout

Row = list[Any]
"""The values of one record, aligned with its section's columns."""

Batch = Sequence[Row]
BATCH_ROWS = 500


class Columns(Sequence[Row]):
    """A batch held by columns: as a sequence it gives its rows, each made when it is asked for."""

    __slots__ = ("_rows", "columns")

    def __init__(self, columns: Iterable[Sequence[Any]], rows: int) -> None:
        self.columns = list(columns)
        self._rows = rows

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Row]:
        if not self.columns:
            return iter([[] for _ in range(self._rows)])
        return map(list, zip(*self.columns, strict=True))

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Columns: ...

    def __getitem__(self, place: int | slice) -> Row | Columns:
        if isinstance(place, slice):
            rows = len(range(*place.indices(self._rows)))
            return Columns([values[place] for values in self.columns], rows)
        return [values[place] for values in self.columns]


def columns_of(batch: Batch) -> Sequence[Sequence[Any]]:
    """The values of a batch by column; it must have rows."""
    return batch.columns if isinstance(batch, Columns) else list(zip(*batch, strict=True))


@dataclass(frozen=True, slots=True)
class Skip:
    """Records that the source holds and the file does not, with the reason a reader is told."""

    kind: str
    count: int
    reason: str


Portion = tuple[int, int]
"""A stretch of a table by place of storage, first and last place included."""

PORTION_ROWS = 2_500
PORTIONED_FROM = 20 * PORTION_ROWS


Part = tuple[bytes, int]
"""Some rows of a section as a writer wants them in its file, and how many they are."""


@dataclass(frozen=True, slots=True)
class Delimited:
    """What a writer of CSV (RFC 4180, CR LF) asks of a database that can write it too.

    Texts that start with one of `formula_starts` get an apostrophe, unless they match `number`, a regular expression.
    """

    formula_starts: str
    number: str


@dataclass(frozen=True, slots=True)
class Portions:
    """Records that may be read apart: `places`, one after another, hold all of them.

    `copy` gives a portion as the database writes it, in parts; a None among them ends them early, and the rows that
    follow must be read.
    """

    places: tuple[Portion, ...]
    read: Callable[[Portion], Iterator[Batch]]
    copy: Callable[[Delimited, Portion], Iterator[Part | None]] | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the export. `read` may be called again and gives the same records (`columns`: only these).

    Where there are `portions`, `read` gives them one after another. `matched` is what the source holds, `skips` what of it is left out; both are None and empty for an annex
    (`counted` false), whose rows are derived from the records and not counted as records. `left_out` names the columns
    that it has and that were not chosen, those of related rows as `relation.column`.
    """

    name: str
    columns: tuple[Column, ...]
    read: Callable[[Sequence[str] | None], Iterator[Batch]]
    matched: int | None = None
    skips: tuple[Skip, ...] = ()
    counted: bool = True
    layout: Layout = Layout.RECORDS
    portions: Portions | None = None
    left_out: tuple[str, ...] = ()

    @property
    def expected(self) -> int | None:
        """Records that `read` must give."""
        return None if self.matched is None else self.matched - sum(skip.count for skip in self.skips)


class Helpers(Protocol):
    """Other processes that encode portions of a source's sections, over the same state of the data."""

    def parts(self, section: str, portions: Sequence[Portion]) -> Iterator[Part | dict[str, int]]:
        """The parts of all portions in their order, each with its rows, and after each portion its adjustments."""
        ...

    def close(self) -> None: ...


class Source(Protocol):
    """An open source. Everything that `sections` reads belongs to one state of the data, that of `snapshot_at`."""

    snapshot_at: datetime
    consistent: bool
    """Whether it is one state of the data: false for a source that has no snapshots."""
    helpers: Helpers | None

    def sections(self) -> list[Section]: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Adjustments:
    """Values that could not be carried as they were, counted by kind; shared by source, shape and writer."""

    counts: Counter[str] = field(default_factory=Counter)

    REASONS: ClassVar[dict[str, str]] = {
        "formula_guard": "text that a spreadsheet would run as a formula was given a leading apostrophe",
        "non_finite_number": "NaN or an infinity became null",
        "invalid_json": "a JSON column held text that is not JSON; it is carried as text",
        "invalid_text": "characters that are not valid Unicode became U+FFFD",
        "flatten_overflow": "nested keys beyond the column limit were kept together as JSON",
        "long_text": "texts are too long for a cell: they are cut there and whole on the sheet Long text",
        "long_number": "numbers that a spreadsheet would round are carried as text",
        "short_fraction": "fractions of a second were cut to the milliseconds that a spreadsheet shows",
        "early_date": "dates before March 1900, which spreadsheets cannot hold, are carried as text",
        "missing_glyphs": "characters that no font of the report has are shown by their code points",
        "forbidden_characters": "characters that XML cannot carry became U+FFFD",
        "undated": "records without a date are outside every date range",
        "unencodable": "characters that the encoding of the file does not have are written as their code points",
        "repeated_hour": "times of an hour that the clocks showed twice are written without their offset",
        "not_in_grid": "notes and descriptions have no place in a grid; JSON carries them",
    }

    def add(self, kind: str, count: int = 1) -> None:
        self.counts[kind] += count

    def report(self) -> list[dict[str, Any]]:
        return [
            {"kind": kind, "count": count, "reason": self.REASONS[kind]}
            for kind, count in sorted(self.counts.items())
            if count
        ]
