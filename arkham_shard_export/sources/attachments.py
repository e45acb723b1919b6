"""Columns that are added to a batch of records: their related rows, and what follows from those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from arkham_shard_export.records import Columns, Row
from arkham_shard_export.schema import Column, Kind, Relation
from arkham_shard_export.sources.columns import ColumnConverters
from arkham_shard_export.sources.dialects import column, read_columns
from arkham_shard_export.sources.selection import Conditions
from arkham_shard_export.sources.values import Canonical


def beside(columns: tuple[Column, ...], added: int) -> tuple[Column, ...]:
    """The columns, of which the last `added` are ours: a table's own column of the same name gets `column.` before it."""
    ours = {each.name for each in columns[len(columns) - added :]}
    return tuple(
        replace(each, name=f"column.{each.name}")
        if place < len(columns) - added and each.name in ours
        else each
        for place, each in enumerate(columns)
    )


class Attachment(Protocol):
    """Adds one column: `values` gives its value for each row of a batch, in order. It `needs` the columns of these names."""

    needs: tuple[str, ...]

    @property
    def column(self) -> Column: ...

    def values(self, batch: Columns, position: dict[str, int]) -> list[Any]: ...


class Related:
    """Related rows, read with one statement a batch and foreign key. Of columns that are not `wanted` all values are None."""

    def __init__(
        self,
        conditions: Conditions,
        relation: Relation,
        canonical: Canonical,
        wanted: frozenset[str] | None = None,
    ) -> None:
        self._conditions = conditions
        self._relation = relation
        self.needs: tuple[str, ...] = (relation.local_key,)
        catalog = conditions.catalog(relation.table) or {}
        columns = read_columns(relation.table, catalog, conditions.dialect)
        expressions = [conditions.dialect.value(each.name, catalog[each.name], each.kind) for each in columns]
        converters = ColumnConverters(canonical, lambda: conditions.snapshot.valid_text)
        self._converters = [converters.converter(each) for each in columns]
        self._directed = len(relation.foreign_keys) > 1
        if self._directed:
            columns = beside((*columns, Column("direction")), 1)
        self._expressions = [
            expression if wanted is None or each.name in wanted else "NULL"
            for expression, each in zip(expressions, columns, strict=False)
        ]
        kind = Kind.RECORD if relation.single else Kind.RECORDS
        self.column = Column(relation.name, kind, columns=columns)
        self._exists = all(key in catalog for key in relation.foreign_keys)
        self._order, self._order_params = conditions.order_by(relation.table, relation.order)

    def values(self, batch: Columns, position: dict[str, int]) -> list[Any]:
        local = position.get(self._relation.local_key)
        if local is None or not self._exists:
            return [None if self._relation.single else [] for _ in batch]
        own = batch.columns[local]
        keys = [key for key in dict.fromkeys(own) if key is not None]
        found: dict[str, list[Row]] = {}
        if keys:
            for number, foreign_key in enumerate(self._relation.foreign_keys):
                self._collect(foreign_key, keys, found, ["outgoing", "incoming"][number])
        if self._relation.single:
            return [next(iter(found.get(str(key), ())), None) for key in own]
        return [found.get(str(key), []) for key in own]

    def _collect(
        self, foreign_key: str, keys: list[Any], found: dict[str, list[Row]], direction: str
    ) -> None:
        dialect = self._conditions.dialect
        where = self._conditions.related(self._relation, foreign_key, keys)
        catalog = self._conditions.catalog(self._relation.table) or {}
        values = [dialect.value(foreign_key, catalog[foreign_key], Kind.TEXT), *self._expressions]
        named = ", ".join(f"{value} AS c{number}" for number, value in enumerate(values))
        sql = (
            f"SELECT {named} FROM {dialect.table(self._relation.table)} AS t WHERE {where.sql}"
            f" ORDER BY {', '.join(self._order)}"
        )
        rows = self._conditions.snapshot.fetch(sql, [*where.params, *self._order_params])
        if not rows:
            return
        owners, *read = zip(*rows, strict=True)
        columns = [convert(values) for convert, values in zip(self._converters, read, strict=True)]
        if self._directed:
            columns.append([direction] * len(rows))
        # SQLite compares 1 and '1' as the columns' affinity says; a dict does not.
        for key, row in zip(map(str, owners), Columns(columns, len(rows)), strict=True):
            found.setdefault(key, []).append(row)


class Computed:
    """A column that follows from the record's other columns."""

    def __init__(
        self, computed: Column, function: Callable[[dict[str, Any]], Any], columns: list[Column]
    ) -> None:
        self.column = computed
        self.needs: tuple[str, ...] = tuple(each.name for each in columns)
        self._function = function
        self._columns = columns

    def values(self, batch: Columns, position: dict[str, int]) -> list[Any]:
        nested = {each.name: [inner.name for inner in each.columns] for each in self._columns if each.columns}
        results = []
        for row in batch:
            record = {name: row[place] for name, place in position.items()}
            for name, names in nested.items():
                record[name] = [dict(zip(names, each, strict=True)) for each in record.get(name) or []]
            results.append(self._function(record))
        return results


class Lookup:
    """A text column of another table by id; of the visible rows only."""

    def __init__(self, conditions: Conditions, relation: Relation, wanted: str) -> None:
        self._conditions = conditions
        self._relation = relation
        self._wanted = wanted

    def __call__(self, keys: list[str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for start in range(0, len(keys), 500):
            found.update(self._some(keys[start : start + 500]))
        return found

    def _some(self, keys: list[str]) -> dict[str, Any]:
        catalog = self._conditions.catalog(self._relation.table) or {}
        if not {"id", self._wanted} <= catalog.keys():
            return {}
        where = self._conditions.related(self._relation, "id", keys)
        dialect = self._conditions.dialect
        key = dialect.text("id", catalog["id"])
        table = dialect.table(self._relation.table)
        sql = f"SELECT {key} AS c0, {column(self._wanted)} AS c1 FROM {table} AS t WHERE {where.sql}"
        return {str(key): name for key, name in self._conditions.snapshot.fetch(sql, where.params)}


class Named:
    """The name of what an id in another column stands for; None where there is none."""

    def __init__(self, name: str, source: str, lookup: Lookup, canonical: Canonical) -> None:
        self.column = Column(name)
        self.needs: tuple[str, ...] = (source,)
        self._source = source
        self._lookup = lookup
        self._canonical = canonical

    def values(self, batch: Columns, position: dict[str, int]) -> list[Any]:
        place = position.get(self._source)
        if place is None:
            return [None for _ in batch]
        own = batch.columns[place]
        keys = list(dict.fromkeys(str(key) for key in own if key is not None))
        names = self._lookup(keys) if keys else {}
        return [self._canonical.scalar(names.get(str(key))) for key in own]


class Names:
    """The names of what a JSON list of ids refers to, in the order of the list; None where unknown."""

    def __init__(self, name: str, source: str, lookup: Lookup, canonical: Canonical) -> None:
        import msgspec

        self.column = Column(name, Kind.JSON)
        self.needs: tuple[str, ...] = (source,)
        self._source = source
        self._lookup = lookup
        self._canonical = canonical
        self._decode = msgspec.json.Decoder().decode

    def values(self, batch: Columns, position: dict[str, int]) -> list[Any]:
        place = position.get(self._source)
        if place is None:
            return [None for _ in batch]
        lists = [self._ids(text) for text in batch.columns[place]]
        names = self._lookup(list(dict.fromkeys(each for ids in lists for each in ids)))
        return [self._canonical.json([names.get(each) for each in ids]) for ids in lists]

    def _ids(self, text: str | None) -> list[str]:
        value = self._decode(text) if text else []
        return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
