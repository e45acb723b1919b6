"""Records through the host's database service, for a host that offers no connection of our own.

The service has neither cursors nor transactions over two calls, so this is no snapshot: rows are paged by key, and
an export whose records changed meanwhile fails rather than mix two states. It runs in a thread; each page is one
call on the host's event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from arkham_shard_export.errors import SourceChanged, SourceFailed
from arkham_shard_export.ports import Clock, Database
from arkham_shard_export.records import BATCH_ROWS
from arkham_shard_export.schema import Table
from arkham_shard_export.sources.dialects import Catalog, Dialect, catalog_of, column
from arkham_shard_export.sources.snapshot import Line, Query

CALL_TIMEOUT_SECONDS = 300.0


class ServiceSnapshot:
    copies_as = 0
    consistent = False
    valid_text = False

    def __init__(
        self, database: Database, dialect: Dialect, loop: asyncio.AbstractEventLoop, clock: Clock
    ) -> None:
        self.dialect = dialect
        self.taken_at = clock()
        self._database = database
        self._loop = loop

    def catalog(self, table: Table) -> Catalog | None:
        sql, params = self.dialect.catalog_query(table)
        return catalog_of(self.fetch(sql, params))

    def stretch(self, table: Table) -> None:
        """Pages by key need no places."""

    def roughly(self, table: Table) -> int:
        """Only this process can read: nobody is to be hired."""
        return 0

    def copy(self, _query: Query) -> Iterator[Line]:
        raise NotImplementedError

    def fetch(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        call = asyncio.run_coroutine_threadsafe(self._database.fetch_all(sql, list(params)), self._loop)
        try:
            rows = call.result(CALL_TIMEOUT_SECONDS)
        except Exception as error:
            raise SourceFailed("The host's database service failed while the records were read.") from error
        return [tuple(row.values()) for row in rows]

    def stream(self, query: Query) -> Iterator[list[tuple[Any, ...]]]:
        return self._in_order(query) if query.order else self._by_key(query)

    def stream_sql(self, sql: str, params: Sequence[Any]) -> Iterator[list[tuple[Any, ...]]]:
        rows = self.fetch(sql, params)
        for start in range(0, len(rows), BATCH_ROWS):
            yield rows[start : start + BATCH_ROWS]

    def _numbered(self, values: tuple[str, ...]) -> tuple[str, ...]:
        # The service answers with dicts: two columns of one name would fall together.
        return tuple(f"{value} AS c{number}" for number, value in enumerate(values))

    def _by_key(self, query: Query) -> Iterator[list[tuple[Any, ...]]]:
        key = column("id")
        values = self._numbered((key, *query.values))
        last: object = None
        left = query.limit
        while left is None or left > 0:
            after = [query.where] if query.where else []
            after += [f"{key} > ?"] if last is not None else []
            page = replace(
                query,
                values=values,
                where=" AND ".join(f"({part})" for part in after),
                params=(*query.params, *([last] if last is not None else [])),
                order=(key,),
                order_params=(),
                limit=BATCH_ROWS if left is None else min(left, BATCH_ROWS),
            )
            rows = self.fetch(*page.sql())
            if not rows:
                return
            last = rows[-1][0]
            left = None if left is None else left - len(rows)
            yield [row[1:] for row in rows]

    def _in_order(self, query: Query) -> Iterator[list[tuple[Any, ...]]]:
        """The keys in the order asked for, in one statement, then the rows by key."""
        key = column("id")
        keys = [row[0] for row in self.fetch(*replace(query, values=(f"{key} AS c0",)).sql())]
        values = self._numbered((key, *query.values))
        for start in range(0, len(keys), BATCH_ROWS):
            wanted = keys[start : start + BATCH_ROWS]
            page = Query(values, query.table, f"{key} IN ({', '.join('?' * len(wanted))})", tuple(wanted))
            rows = {row[0]: row[1:] for row in self.fetch(*page.sql())}
            if len(rows) != len(wanted):
                raise SourceChanged("Records were deleted while they were read; run the export again.")
            yield [rows[each] for each in wanted]

    def mark(self) -> None:
        """Each read is a call of its own."""

    def recover(self) -> None:
        """A call that failed leaves nothing behind."""

    def close(self) -> None:
        """Nothing is held open."""
