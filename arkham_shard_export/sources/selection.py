"""Which records are asked for, and the SQL that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from arkham_shard_export.errors import SourceFailed
from arkham_shard_export.presentation.columns import Chosen
from arkham_shard_export.presentation.times import UTC_NAME
from arkham_shard_export.records import Portion
from arkham_shard_export.schema import Kind, RecordSet, Relation, Table, Target
from arkham_shard_export.sources.dialects import Catalog, column
from arkham_shard_export.sources.snapshot import Query, Snapshot


@dataclass(frozen=True, slots=True)
class Selection:
    """A request's choice of records, checked. `start` is inclusive, `before` exclusive, both aware (UTC)."""

    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    start: datetime | None = None
    before: datetime | None = None
    entity_types: tuple[str, ...] = ()
    tenant_id: str | None = None
    sort_by: str | None = None
    descending: bool = False
    max_records: int | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """What belongs to each record and besides the records. `tabular` asks for lookups in the record itself,
    `indexes` for what explains the ids in the records, `tables` for derived tables besides lookups, `members` for
    what people read: groups as rows of events instead of lists of ids, the ends of an edge by name too. `columns` are those
    that were chosen, `zone` is that of the times."""

    relationships: bool = True
    tabular: bool = False
    tables: bool = True
    members: bool = False
    conflicts: bool = False
    gaps: bool = False
    group_by: str | None = None
    indexes: bool = True
    annexes: bool = True
    columns: Chosen = field(default_factory=dict)
    zone: str = UTC_NAME


@dataclass(slots=True)
class Where:
    """A condition under construction: parts joined by AND, with their values in the order of their marks."""

    parts: list[str] = field(default_factory=list)
    params: list[Any] = field(default_factory=list)

    def add(self, part: str, *params: Any) -> None:
        self.parts.append(part)
        self.params.extend(params)

    @property
    def sql(self) -> str:
        return " AND ".join(f"({part})" for part in self.parts)


class Conditions:
    """Builds the conditions of one export against the tables as they really are."""

    def __init__(self, snapshot: Snapshot, target: Target, selection: Selection) -> None:
        self.snapshot = snapshot
        self.dialect = snapshot.dialect
        self.target = target
        self.selection = selection
        self._catalogs: dict[str, Catalog | None] = {}

    def catalog(self, table: Table) -> Catalog | None:
        if table.qualified not in self._catalogs:
            self._catalogs[table.qualified] = self.snapshot.catalog(table)
        return self._catalogs[table.qualified]

    def records(self, record_set: RecordSet) -> Where:
        """What the filters and options match, exclusions aside."""
        where = self.visible(record_set.table)
        self._filters(where, record_set)
        self._types(where, record_set)
        self._dates(where, record_set)
        if record_set.ends_in is not None:
            self._ends(where, record_set)
        return where

    def included(self, record_set: RecordSet) -> Where:
        """What is written: what matches, less what is excluded."""
        where = self.records(record_set)
        self._exclude(where, record_set)
        return where

    def _included_whenever(self, record_set: RecordSet) -> Where:
        where = self.visible(record_set.table)
        self._filters(where, record_set)
        self._types(where, record_set)
        self._exclude(where, record_set)
        return where

    def _exclude(self, where: Where, record_set: RecordSet) -> None:
        if (excluded := self.excluded(record_set)) is not None:
            where.add(f"NOT ({excluded})")

    def excluded(self, record_set: RecordSet) -> str | None:
        exclusion = record_set.exclusion
        catalog = self.catalog(record_set.table) or {}
        if (
            exclusion is None
            or exclusion.unless_filter in self.selection.filters
            or exclusion.column not in catalog
        ):
            return None
        return f"{column(exclusion.column)} IS NOT NULL"

    def visible(self, table: Table) -> Where:
        """The tenant's rows, where there is a tenant and the table knows tenants."""
        where = Where()
        catalog = self.catalog(table) or {}
        if self.selection.tenant_id is not None and "tenant_id" in catalog:
            mark = self.dialect.tenant_mark(catalog["tenant_id"])
            where.add(f"{column('tenant_id')} = {mark}", self.selection.tenant_id)
        return where

    def keyed(self, table: Table, name: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        """Whether the column holds one of the keys, whatever the types of both; 1 = 0 where it can hold none."""
        column_type = (self.catalog(table) or {})[name]
        mark, fitting = self.dialect.keys(column_type, keys)
        if not fitting:
            return "1 = 0", []
        return f"{column(name)} IN ({', '.join([mark] * len(fitting))})", fitting

    def related(self, relation: Relation, foreign_key: str, keys: Sequence[Any]) -> Where:
        where = self.visible(relation.table)
        sql, params = self.keyed(relation.table, foreign_key, keys)
        where.add(sql, *params)
        if foreign_key != relation.foreign_keys[0]:
            # A row that points at its own record twice belongs to it once.
            first = column(relation.foreign_keys[0])
            where.add(f"{first} IS NULL OR {first} <> {column(foreign_key)}")
        return where

    def _points_into(self, table: Table, name: str, other: Table, where: Where) -> tuple[str, list[Any]]:
        """Whether the column holds the id of a row of the other table that fulfils the condition."""
        own, others = (self.catalog(table) or {})[name], (self.catalog(other) or {})["id"]
        same = own == others
        left = column(name) if same else self.dialect.text(name, own)
        right = column("id") if same else self.dialect.text("id", others)
        return (
            f"{left} IN (SELECT {right} FROM {self.dialect.table(other)} AS t WHERE {where.sql})",
            where.params,
        )

    def order(self, record_set: RecordSet, default: bool = True) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """ORDER BY expressions, NULLs last, ties by id; empty for storage order."""
        catalog = self.catalog(record_set.table) or {}
        sort_by = self.selection.sort_by
        if sort_by is not None and sort_by in catalog:
            keys: tuple[str, ...] = (sort_by,)
            descending = self.selection.descending
        elif default and record_set.order:
            keys = record_set.order
            descending = sort_by is None and self.selection.descending
        else:
            return (), ()
        return self.order_by(record_set.table, keys, descending)

    def order_by(
        self, table: Table, keys: tuple[str, ...], descending: bool = False
    ) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        catalog = self.catalog(table) or {}
        kinds = {each.name: each.kind for each in table.columns}
        expressions: list[str] = []
        params: list[Any] = []
        direction = "DESC" if descending else "ASC"
        for key in dict.fromkeys((*keys, "id")):
            if key not in catalog:
                continue
            way = "ASC" if key == "id" and key != keys[0] else direction
            if kinds.get(key, self.dialect.kind(catalog[key])) is Kind.TIMESTAMP:
                instant, values = self.dialect.instant(key, catalog[key])
                expressions.append(f"{instant} {way} NULLS LAST")
                params += values
            expressions.append(f"{self.dialect.text_order(key, catalog[key])} {way} NULLS LAST")
        return tuple(expressions), tuple(params)

    def query(
        self,
        record_set: RecordSet,
        limit: int | None,
        values: tuple[str, ...],
        portion: Portion | None = None,
    ) -> Query:
        """Reads the included records, in the order asked for, or those of a portion."""
        where = self.included(record_set)
        if portion is not None:
            within, places = self.dialect.within(portion)
            where.add(within, *places)
        order, order_params = self.order(record_set)
        table = self.dialect.table(record_set.table)
        return Query(values, table, where.sql, tuple(where.params), order, order_params, limit)

    def _filters(self, where: Where, record_set: RecordSet) -> None:
        parent_where = self.visible(record_set.parent.table) if record_set.parent else Where()
        for each in self.target.filters:
            values = self.selection.filters.get(each.name)
            if values is None:
                continue
            table = record_set.parent.table if each.in_parent and record_set.parent else record_set.table
            catalog = self.catalog(table) or {}
            if each.column not in catalog:
                raise SourceFailed(
                    f"Filter {each.name!r} needs the column {each.column!r}, which table {table.qualified} lacks here."
                )
            into = parent_where if each.in_parent else where
            marks = ", ".join("?" * len(values))
            if each.member:
                members = self.dialect.members(each.column, catalog[each.column])
                into.add(f"EXISTS (SELECT 1 FROM {members} WHERE j.value IN ({marks}))", *values)
            else:
                into.add(f"{self.dialect.text(each.column, catalog[each.column])} IN ({marks})", *values)
        if record_set.parent is not None and parent_where.parts:
            parent = record_set.parent
            sql, params = self._points_into(record_set.table, parent.foreign_key, parent.table, parent_where)
            where.add(sql, *params)

    def _dates(self, where: Where, record_set: RecordSet) -> None:
        catalog = self.catalog(record_set.table) or {}
        for moment, comparison in ((self.selection.start, ">="), (self.selection.before, "<")):
            if moment is not None:
                date = self._main_date(record_set)
                instant, params = self.dialect.instant(date, catalog[date])
                mark, value = self.dialect.instant_value(moment)
                where.add(f"{instant} {comparison} {mark}", *params, value)

    def _types(self, where: Where, record_set: RecordSet) -> None:
        types, name = self.selection.entity_types, record_set.entity_types_column
        if types and name is not None:
            catalog = self.catalog(record_set.table) or {}
            if name not in catalog:
                raise SourceFailed(
                    f"Entity types need the column {name!r}, which {record_set.table.qualified} lacks here."
                )
            where.add(f"{self.dialect.text(name, catalog[name])} IN ({', '.join('?' * len(types))})", *types)

    def undated(self, record_set: RecordSet) -> Where | None:
        """Records that would be included but for a date range, because they have no date; None without a range."""
        if self.selection.start is None and self.selection.before is None:
            return None
        where = self._included_whenever(record_set)
        date = self._main_date(record_set)
        instant, params = self.dialect.instant(date, (self.catalog(record_set.table) or {})[date])
        where.add(f"{instant} IS NULL", *params)
        return where

    def _main_date(self, record_set: RecordSet) -> str:
        date = record_set.main_date
        if date is None or date not in (self.catalog(record_set.table) or {}):
            raise SourceFailed(
                f"A date range needs the column {date!r}, which table {record_set.table.qualified} lacks here."
            )
        return date

    def _ends(self, where: Where, record_set: RecordSet) -> None:
        """An edge is included only if the chosen nodes at both its ends are."""
        assert record_set.ends_in is not None
        nodes = self.target.sets[self.target.sets.index(record_set) - 1]
        inner = Where()
        self._types(inner, nodes)
        self._dates(inner, nodes)
        if not inner.parts:
            return
        for end in record_set.ends_in:
            sql, params = self._points_into(record_set.table, end, nodes.table, inner)
            where.add(sql, *params)


def count(snapshot: Snapshot, table: str, where: Where) -> int:
    sql = f"SELECT COUNT(*) AS n FROM {table} AS t" + (f" WHERE {where.sql}" if where.parts else "")
    return int(snapshot.fetch(sql, where.params)[0][0])
