"""Pages and counts of jobs that cost the same among a thousand jobs and among millions.

A page is a walk along an index in the order of the page, or along several places of one (several statuses) whose jobs
are merged. A walk that would pass by many jobs for each one it finds
(several filters that few jobs match) gives way to a search of those few. The totals tell beforehand which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from arkham_shard_export.jobs.table.rows import COLUMNS, job_of, time_text
from arkham_shard_export.models import ExportFilter, ExportJob, ExportStatus
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect, SqliteDialect

DEEP_OFFSET = 500
"""From here a page skips entries of an index rather than rows, from the end of the list that is nearer."""
MOST_SEARCHED = 10_000
MOST_FILLED_IN = 20
_SEARCHED = ("status", "format", "target", "tenant_id", "created_by")
"""The columns of `idx_export_jobs_kind` that can be given, in its order."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose jobs are seen: those of one tenant, those of one owner; None restricts nothing."""

    tenant_id: str | None = None
    owner: str | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Condition:
    """`expression` holds a mark for each of `values`; where any of several values will do, `each` has one condition
    for each of them."""

    column: str
    expression: str
    values: tuple[str, ...]
    each: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """By a column that has an index for every filter. What has not ended comes after all that has."""

    column: str
    descending: bool

    def by(self, backwards: bool = False, column: str | None = None, id: str = "id") -> str:
        """What stands after ORDER BY; `backwards` gives the same jobs the other way round."""
        way = "DESC" if self.descending != backwards else "ASC"
        # On PostgreSQL this is how indexes are; SQLite walks one in two parts.
        unended = {"ASC": " NULLS LAST", "DESC": " NULLS FIRST"}[way] if self.column == "completed_at" else ""
        return f"ORDER BY {column or self.column} {way}{unended}, {id} {way}"


NEWEST_FIRST = "-created_at"
OLDEST = Order("created_at", False)
ORDERS = {
    NEWEST_FIRST: Order("created_at", True),
    "created_at": OLDEST,
    "-completed_at": Order("completed_at", True),
    "completed_at": Order("completed_at", False),
}
"""How jobs can be listed: the orders that cost no more among a million jobs than among a thousand."""


_PENDING = ExportStatus.PENDING.value
# Written out, because an index holds nothing but pending jobs: no statistics are too old to see that it serves.
PENDING = Condition("status", f"status = '{_PENDING}'", ())


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How many jobs match all the conditions together, and each of them alone."""

    together: int
    apart: Sequence[int]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where matching jobs are found: each of `parts` stands after a FROM of its own. `ordered` where an index
    gives the order of a page."""

    parts: Sequence[str]
    params: Sequence[Any]
    ordered: bool


class Listing:
    """Finds jobs; every number of jobs comes from the totals, unless a period is asked for."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._tenant_mark = dialect.tenant_mark("uuid")
        self._sqlite = isinstance(dialect, SqliteDialect)

    async def page(
        self, filter: ExportFilter, scope: Scope, limit: int, offset: int, sort: str = NEWEST_FIRST
    ) -> list[ExportJob]:
        """`sort` is one of ORDERS."""
        order = ORDERS[sort]
        equal, period = self._conditions(filter, scope), _period(filter)
        sizes = await self._sizes(equal) if len(equal) > 1 or offset >= DEEP_OFFSET else None
        if sizes is not None and offset >= sizes.together:
            return []
        backwards = sizes is not None and not period and offset > sizes.together // 2
        if sizes is not None and backwards:
            rest = sizes.together - offset
            limit, offset = min(limit, rest), max(0, rest - limit)
        source = await self._source(equal, period, sizes, order.column)
        jobs = await self._jobs(source, order, backwards, limit, offset)
        return jobs[::-1] if backwards else jobs

    async def oldest(self, filter: ExportFilter, scope: Scope) -> ExportJob | None:
        equal, period = self._conditions(filter, scope), _period(filter)
        sizes = await self._sizes(equal) if len(equal) > 1 else None
        source = await self._source(equal, period, sizes, OLDEST.column)
        jobs = await self._jobs(source, OLDEST, False, 1, 0)
        return jobs[0] if jobs else None

    async def count(self, filter: ExportFilter, scope: Scope) -> int:
        equal, period = self._conditions(filter, scope), _period(filter)
        counted, source = ("COUNT(*)", "jobs") if period else ("SUM(jobs)", "job_totals")
        where, params = where_of([*equal, *period])
        row = await self._database.fetch_one(
            f"SELECT {counted} AS n FROM arkham_export_{source}{where}", params
        )
        return int(row["n"] or 0) if row else 0

    async def groups(self, scope: Scope) -> Sequence[Mapping[str, Any]]:
        """Jobs, records, bytes and time by status, format and target."""
        where, params = where_of(self._conditions(ExportFilter(), scope))
        return await self._database.fetch_all(
            "SELECT status, format, target, SUM(jobs) AS jobs, SUM(records) AS records, SUM(bytes) AS bytes,"
            f" SUM(time_ms) AS time_ms FROM arkham_export_job_totals{where} GROUP BY status, format, target"
            " HAVING SUM(jobs) > 0",
            params,
        )

    def visible(self, scope: Scope) -> list[Condition]:
        return self._conditions(ExportFilter(), scope)

    def _conditions(self, filter: ExportFilter, scope: Scope) -> list[Condition]:
        given = (
            ("status", "?", filter.status),
            ("format", "?", filter.format),
            ("target", "?", filter.target),
            ("created_by", "?", filter.created_by),
            ("tenant_id", self._tenant_mark, scope.tenant_id),
            ("created_by", "?", scope.owner),
        )
        wanted = [
            _any([_condition(column, mark, each) for each in sorted(set(choices(value)))])
            for column, mark, value in given
            if value is not None
        ]
        return list(dict.fromkeys(wanted))

    async def _sizes(self, equal: Sequence[Condition]) -> _Sizes:
        cases = [" AND ".join(each.expression for each in equal) or "1 = 1"]
        cases += [each.expression for each in equal]
        sums = ", ".join(
            f"SUM(CASE WHEN {case} THEN jobs ELSE 0 END) AS n{index}" for index, case in enumerate(cases)
        )
        row = await self._database.fetch_one(
            f"SELECT {sums} FROM arkham_export_job_totals", _values(equal) * 2
        )
        together, *apart = [int(row[f"n{index}"] or 0) if row else 0 for index in range(len(cases))]
        return _Sizes(together, apart)

    async def _jobs(
        self, source: _Source, order: Order, backwards: bool, limit: int, offset: int
    ) -> list[ExportJob]:
        by = order.by(backwards)
        if offset < DEEP_OFFSET and source.ordered:
            sql = f"SELECT {COLUMNS} FROM {source.parts[0]} {by} LIMIT ? OFFSET ?"
        else:
            # Parts that an index orders are merged without sorting: SQLite sees that by itself, PostgreSQL needs a limit.
            parts = [f"SELECT id AS found, {order.column} AS placed FROM {part}" for part in source.parts]
            if len(parts) > 1 and not self._sqlite:
                parts = [f"({part} {by} LIMIT {limit + offset})" for part in parts]
            found = " UNION ALL ".join(parts)
            # CROSS JOIN has SQLite begin with the page, whose rows are few.
            sql = (
                f"SELECT {COLUMNS} FROM ({found} {order.by(backwards, 'placed', 'found')} LIMIT ? OFFSET ?) AS page"
                f" CROSS JOIN arkham_export_jobs WHERE id = found {by}"
            )
        rows = await self._database.fetch_all(sql, [*source.params, limit, offset])
        return [job_of(row) for row in rows]

    async def _source(
        self, equal: Sequence[Condition], period: Sequence[Condition], sizes: _Sizes | None, column: str
    ) -> _Source:
        if sizes is None or len(equal) < 2:
            return _walk(equal[:1], [*equal[1:], *period])
        if sizes.together <= MOST_SEARCHED and min(sizes.apart) > 2 * sizes.together:
            found = await self._search(equal, period, column)
            if found is not None:
                return found
        smallest = sizes.apart.index(min(sizes.apart))
        along, rest = equal[smallest], [*equal[:smallest], *equal[smallest + 1 :]]
        if self._sqlite:
            # A plus keeps SQLite from using an index for a column; PostgreSQL chooses by its own statistics.
            rest = [replace(each, expression=f"+{each.expression}") for each in rest]
        return _walk([along], [*rest, *period])

    async def _search(
        self, equal: Sequence[Condition], period: Sequence[Condition], placed: str
    ) -> _Source | None:
        """Every matching job by `idx_export_jobs_kind`; columns left open before the last given one are filled in
        from the totals, and None is returned where that would not do."""
        where, params = where_of(equal)
        kinds = await self._database.fetch_all(
            f"SELECT {', '.join(_SEARCHED[:-1])} FROM arkham_export_job_totals{where}"
            f" GROUP BY {', '.join(_SEARCHED[:-1])} HAVING SUM(jobs) > 0",
            params,
        )
        given = {each.column for each in equal}
        last = max(_SEARCHED.index(name) for name in given)
        parts = [each.expression for each in (*equal, *period)]
        values: list[Any] = _values([*equal, *period])
        for column in (name for name in _SEARCHED[:last] if name not in given):
            held = {row[column] for row in kinds}
            if held == {None} or not held:
                parts.append(f"{column} IS NULL")
            elif None in held or len(held) > MOST_FILLED_IN:
                return None
            else:
                mark = self._tenant_mark if column == "tenant_id" else "?"
                parts.append(f"{column} IN ({', '.join([mark] * len(held))})")
                values += sorted(str(each) for each in held)
        # What has a limit or an offset of its own is found first and sorted afterwards.
        fence = "LIMIT -1" if self._sqlite else "OFFSET 0"
        matching = f"SELECT id, {placed} FROM arkham_export_jobs WHERE {' AND '.join(parts)} {fence}"
        return _Source([f"({matching}) AS matching"], values, ordered=False)


def choices(value: object) -> tuple[str, ...]:
    """What a field of a filter allows, one value or several."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        return tuple(str(each) for each in value)
    return (str(value),)


def _condition(column: str, mark: str, value: str) -> Condition:
    if column == "status" and value == _PENDING:
        return PENDING
    return Condition(column, f"{column} = {mark}", (value,))


def _any(conditions: Sequence[Condition]) -> Condition:
    """Met where one of these is, which are all of one column."""
    if len(conditions) == 1:
        return conditions[0]
    column = conditions[0].column
    alternatives = ", ".join(each.expression.partition(" = ")[2] for each in conditions)
    return Condition(column, f"{column} IN ({alternatives})", tuple(_values(conditions)), tuple(conditions))


def _walk(along: Sequence[Condition], rest: Sequence[Condition]) -> _Source:
    """The index of the condition to walk along gives the order; of several values, each has its place in it."""
    several = [each for condition in along for each in condition.each]
    places = [[each] for each in several] or [list(along)]
    parts, values = [], list[Any]()
    for place in places:
        where, params = where_of([*place, *rest])
        parts.append(f"arkham_export_jobs{where}")
        values += params
    return _Source(parts, values, ordered=len(parts) == 1)


def where_of(conditions: Sequence[Condition]) -> tuple[str, list[Any]]:
    parts = [each.expression for each in conditions]
    return (f" WHERE {' AND '.join(parts)}" if parts else ""), _values(conditions)


def _values(conditions: Sequence[Condition]) -> list[str]:
    return [value for each in conditions for value in each.values]


def _period(filter: ExportFilter) -> list[Condition]:
    bounds = (("created_at >= ?", filter.created_after), ("created_at < ?", filter.created_before))
    return [
        Condition("created_at", expression, (text,))
        for expression, moment in bounds
        if (text := time_text(moment)) is not None
    ]
