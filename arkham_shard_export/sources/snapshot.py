"""One state of a database, held open while an export reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from arkham_shard_export.records import Portion
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import Catalog, Dialect


@dataclass(frozen=True, slots=True)
class Query:
    """A SELECT over one table under the alias `t`, in parts, so that a source without cursors can page it by key.

    `order` is a list of ready expressions; `params` belong to `where`, `order_params` to `order`.
    """

    values: tuple[str, ...]
    table: str
    where: str = ""
    params: tuple[Any, ...] = ()
    order: tuple[str, ...] = ()
    order_params: tuple[Any, ...] = ()
    limit: int | None = None

    def sql(self) -> tuple[str, list[Any]]:
        text = f"SELECT {', '.join(self.values)} FROM {self.table} AS t"
        if self.where:
            text += f" WHERE {self.where}"
        if self.order:
            text += f" ORDER BY {', '.join(self.order)}"
        if self.limit is not None:
            text += f" LIMIT {self.limit:d}"
        return text, [*self.params, *(self.order_params if self.order else ())]


Line = bytes | bytearray | memoryview


class Snapshot(Protocol):
    """Every read sees the same state (`consistent`), that of the moment `taken_at`. Errors are SourceFailed."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def taken_at(self) -> datetime: ...

    @property
    def consistent(self) -> bool: ...

    @property
    def valid_text(self) -> bool:
        """Whether every text read from now on is valid Unicode; else some may hold surrogates."""
        ...

    def catalog(self, table: Table) -> Catalog | None: ...

    def stretch(self, table: Table) -> Portion | None:
        """The whole of a table by place of storage, for `Dialect.within`; None where rows are not found by place."""
        ...

    def roughly(self, table: Table) -> int:
        """About how many rows a table holds, told without counting them."""
        ...

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def stream(self, query: Query) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query in batches, without holding them all."""
        ...

    def stream_sql(self, sql: str, params: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
        """As `stream`, for a statement that is not a plain read of one table."""
        ...

    @property
    def copies_as(self) -> int:
        """The version of the PostgreSQL server whose COPY writes what `copy` gives; 0 where there is none."""
        ...

    def copy(self, query: Query) -> Iterator[Line]:
        """The rows as lines of CSV that end with LF. If it is not read to its end, the rest is thrown away."""
        ...

    def mark(self) -> None:
        """From now on `recover` comes back to here. What companions read is theirs to recover."""
        ...

    def recover(self) -> None:
        """The same state again after a read that failed; SourceFailed where it is lost."""
        ...

    def close(self) -> None: ...


class Companions(Protocol):
    """Other processes that are to read the same state."""

    def begin(self, shared: str = "") -> None:
        """Have them open their snapshots, called so; returns once all have."""
        ...


Hire = Callable[[Snapshot], Companions | None]
"""Asked once, before or right after a snapshot is taken, whether others shall share it."""


def alone(_snapshot: Snapshot) -> None:
    """Nobody shares the snapshot."""
