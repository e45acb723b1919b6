"""Endless streams of column values for the seed: keys, references that resolve, and values of a column's kind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

from arkham_shard_export.schema import Column, Kind, Table
from arkham_shard_export.standalone.seed_values import Pools

Stream = Iterator[Any]
Suffixes = Sequence[Sequence[str]]


class Streams:
    """Streams for `records` records per target; only those that say so end."""

    def __init__(self, records: int, pools: Pools) -> None:
        self.records = records
        self.pools = pools
        self.null = pools.encode(None)

    def usual(self, table: Table, column: Column) -> Stream:
        """Values of the column's kind, with nulls; the times of a row go together."""
        pools, turn = self.pools, f"{table.qualified}:{column.name}"
        match column.kind:
            case Kind.TIMESTAMP:
                created, changed = pools.stamps(iso=column.in_text)
                return pools.cycle(created if column.name == "created_at" else changed, table.qualified)
            case Kind.JSON:
                return pools.cycle(pools.metadata, turn)
            case Kind.NUMBER:
                return pools.cycle([None if i % 12 == 5 else i * 41 % 101 / 100 for i in range(103)], turn)
            case Kind.INTEGER:
                return pools.cycle([None if i % 11 == 6 else i * i for i in range(107)], turn)
            case Kind.BOOLEAN:
                return pools.cycle((False, False, None, True, False), turn)
            case _:
                return pools.cycle(pools.texts, turn)

    def key(self, kind: str) -> str:
        return f"{kind}-{self.pools.seed}-"

    def ids(self, kind: str, rows: int) -> Stream:
        return map((self.key(kind) + "%07d").__mod__, range(rows))

    def of_parents(self, kind: str, suffixes: Suffixes) -> Stream:
        """`kind` and the number of each parent with each of the suffixes whose turn it is."""
        key = self.key(kind)
        turns = len(suffixes)
        for i in range(self.records):
            stem = f"{key}{i:07d}"
            for suffix in suffixes[i % turns]:
                yield stem + suffix

    def references(self, kind: str, rows: int, step: int, null_every: int = 0) -> Stream:
        key, null = self.key(kind), self.null
        for i in count():
            yield null if null_every and i % null_every == 3 else f"{key}{i * step % rows:07d}"

    def reference_lists(self, kind: str, step: int) -> Stream:
        """JSON lists of none to two ids, or null."""
        key, null, rows = self.key(kind), self.null, self.records
        for i in count():
            match i % 8:
                case 3:
                    yield null
                case 5:
                    yield "[]"
                case 0 | 2 if rows > 1:
                    yield f'["{key}{i * step % rows:07d}","{key}{(i * step + 1) % rows:07d}"]'
                case _:
                    yield f'["{key}{i * step % rows:07d}"]'

    def joined(self, turn: str) -> Stream:
        """Long-form texts; one in 101 is empty."""
        pools = self.pools
        openings, bodies = pools.cycle(pools.openings), pools.cycle(pools.bodies, turn)
        for i, opening, body in zip(count(), openings, bodies, strict=False):
            yield "" if i % 101 == 60 else f"{opening} {body}"

    def spans(self, turn: str) -> tuple[Stream, Stream]:
        """Places in a text where something begins and, row by row, ends; or nulls."""
        starts = [None if i % 10 == 7 else i * 97 % 4001 for i in range(127)]
        ends = [None if start is None else start + 12 + i * 31 % 500 for i, start in enumerate(starts)]
        return self.pools.cycle(starts, turn), self.pools.cycle(ends, turn)

    def total(self, counts: Sequence[int]) -> int:
        whole, rest = divmod(self.records, len(counts))
        return whole * sum(counts) + sum(counts[:rest])


def numbered(counts: Sequence[int]) -> Suffixes:
    return [[f"-{n}" for n in range(each)] for each in counts]


def same(counts: Sequence[int]) -> Suffixes:
    return [[""] * each for each in counts]


def one_null(counts: Sequence[int]) -> list[int | None]:
    """The counts several times over, once unknown; still in step with the rows counted."""
    return [*counts, *counts, None, *counts[1:], *counts]
