"""Pools of varied and hostile values from which the seed's rows are put together.

A pool is made once; a row takes the value at its own number, and pools of different lengths give ever new rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import cycle
from random import Random
from typing import Any

from arkham_shard_export.peers import PRECISIONS
from arkham_shard_export.standalone.seed_words import FAMILY, GIVEN, SAMPLES, WORDS

LONG_TEXT_BYTES = (5_000, 12_000, 22_000, 40_000)

_FIRST_CREATED = datetime(2021, 1, 1, tzinfo=UTC)
_LAST_YEAR, _FIRST_YEAR = 2030, 1900


def plain(value: Any) -> Any:
    return value


def compact_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Pools:
    """The pools of one seed; `encode` turns each value, once, into what the database's loader takes."""

    def __init__(self, seed: int, encode: Callable[[Any], Any] = plain) -> None:
        self.seed = seed
        self.encode = encode
        self._filler = Random(f"{seed}:filler").choices(WORDS, k=8_000)

    def cycle(self, values: Sequence[Any], turn: str = "") -> Iterator[Any]:
        """The values for ever, begun at a place of the first hundred that depends on `turn`."""
        start = Random(f"{self.seed}:{turn}").randrange(100) % len(values) if turn else 0
        return cycle([self.encode(value) for value in (*values[start:], *values[:start])])

    def filler(self, words: int, at: int) -> str:
        at = at * 37 % (len(self._filler) - words)
        return " ".join(self._filler[at : at + words])

    @cached_property
    def openings(self) -> list[str]:
        """Beginnings of long-form texts: every hostile sample, as it must be the cell's beginning to bite."""
        plain_ones = [self.filler(3 + i % 9, i).capitalize() + ":" for i in range(127 - len(SAMPLES))]
        return Random(f"{self.seed}:openings").sample([*SAMPLES, *plain_ones], 127)

    @cached_property
    def bodies(self) -> list[str]:
        """Texts of some hundred bytes, one in 499 of them of 5 to 40 kB; the first long one comes early."""
        texts = []
        for i in range(499 * len(LONG_TEXT_BYTES)):
            sample = SAMPLES[i % len(SAMPLES)] if i % 3 == 0 else ""
            texts.append(f"{self.filler(17 + i * 7 % 50, i)} {sample} {self.filler(2 + i % 15, i + 5)}.")
        for number, size in enumerate(LONG_TEXT_BYTES):
            at = 100 + 499 * number
            repeated = "\n".join([*texts[at + 1 : at + 60], *SAMPLES])
            while len(repeated.encode()) < size:
                repeated += "\n" + repeated
            texts[at] = repeated.encode()[:size].decode(errors="ignore").rstrip("\u200d")
        return texts

    @cached_property
    def names(self) -> list[str]:
        names = [
            f"{GIVEN[i % len(GIVEN)]} {FAMILY[i // 3 % len(FAMILY)]} {self.filler(1, i).title()}"
            for i in range(2003)
        ]
        names[::3] = [SAMPLES[i % len(SAMPLES)] for i in range(len(names[::3]))]
        return names

    @cached_property
    def texts(self) -> list[str | None]:
        """Short texts for notes and the like: hostile samples, plain words, nulls."""
        texts: list[str | None] = []
        for i in range(211):
            texts.append(
                None
                if i % 6 == 4
                else SAMPLES[i // 2 % len(SAMPLES)]
                if i % 2
                else self.filler(2 + i % 11, i)
            )
        return texts

    @cached_property
    def metadata(self) -> list[str | None]:
        return [None if i % 9 == 5 else compact_json(self._metadata(i)) for i in range(307)]

    def _metadata(self, i: int) -> object:
        sample, other = SAMPLES[i % len(SAMPLES)], SAMPLES[(i * 5 + 3) % len(SAMPLES)]
        shapes: tuple[object, ...] = (
            {"title": sample, "tags": ["leak", other, "ünïcode"], "reviewed": i % 2 == 0},
            {"ключ": {"深い": {"عميق": [1, 2.5, -3, None, {"x": sample}]}}, "score": i / 8, "note": other},
            {
                "page": i,
                "ratio": 1 / (i + 3),
                "big": 2**53 + i,
                "small": -1e-7 * (i + 1),
                "empty": {},
                "none": [],
                "null": None,
            },
            {sample or "(empty)": other, "with space": True, "a.b": 1, 'quote"d': "\\", "=key": "=value"},
            {"rows": [{"id": n, "name": other} for n in range(i % 4)], "matrix": [[1, 2], [], [[3]]]},
            {},
            {
                "source": self.filler(4, i),
                "language": ("en", "ar", "zh", "hi")[i % 4],
                "😀": "👩‍👩‍👧‍👦",
                "": sample,
            },
        )
        return shapes[i % len(shapes)]

    @cached_property
    def name_lists(self) -> list[str | None]:
        return [
            None if i % 8 == 6 else compact_json([self.names[(i * 7 + n * 31) % 2003] for n in range(i % 4)])
            for i in range(401)
        ]

    @cache  # noqa: B019 - the pools live as long as the seeding
    def stamps(self, iso: bool) -> tuple[list[str | None], list[str | None]]:
        """Times of creation and, place by place, of a change not before it; ISO text with offset, or SQL text in UTC."""
        created: list[str | None] = []
        changed: list[str | None] = []
        random = Random(f"{self.seed}:stamps")
        for i in range(4999):
            first = _FIRST_CREATED + timedelta(seconds=random.randrange(5 * 365 * 86_400))
            if i % 3 == 0:
                first += timedelta(microseconds=random.randrange(1, 1_000_000))
            later = first + timedelta(seconds=random.randrange(30 * 86_400))
            created.append(None if i % 41 == 17 else _stamp(first, iso))
            changed.append(None if i % 13 == 7 else _stamp(later, iso))
        return created, changed

    def dates(self) -> list[tuple[str | None, str | None, str]]:
        """Starts and ends of events from 1900 to 2030, as coarse as their precision says; some have no start."""
        random = Random(f"{self.seed}:dates")
        days = (datetime(_LAST_YEAR, 12, 31, tzinfo=UTC) - datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)).days
        dates: list[tuple[str | None, str | None, str]] = []
        for i in range(4993):
            precision = PRECISIONS[i % len(PRECISIONS)]
            start = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC) + timedelta(random.randrange(days), 0)
            start = _coarse(start + timedelta(microseconds=random.randrange(86_400_000_000)), precision)
            end = start + timedelta(random.choice((0, 1, 6, 30, 364)), random.choice((0, 3_600)))
            ends = i % 4 == 0 and end.year <= _LAST_YEAR
            dates.append(
                (
                    None if i % 37 == 11 else _stamp(start, False),
                    _stamp(end, False) if ends else None,
                    precision,
                )
            )
        return dates


def _stamp(moment: datetime, iso: bool) -> str:
    return moment.isoformat() if iso else moment.replace(tzinfo=None).isoformat(" ")


def _coarse(moment: datetime, precision: str) -> datetime:
    if precision == "exact":
        return moment
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    year = day.replace(month=1, day=1)
    starts = {
        "week": day - timedelta(day.weekday()),
        "month": day.replace(day=1),
        "quarter": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
        "year": year,
        "decade": year.replace(year=year.year // 10 * 10),
        "century": year.replace(year=year.year // 100 * 100),
    }
    return max(starts.get(precision, day), datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC))
