"""What the tables of a target really have, and so what may be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arkham_shard_export.peers import GRAPHS, TIMELINE_CONFLICTS, TIMELINE_EVENTS
from arkham_shard_export.schema import Filter, Layout, RecordSet, Relation, Table, Target
from arkham_shard_export.sources.dialects import Catalog
from arkham_shard_export.sources.matrix import SCORES
from arkham_shard_export.sources.selection import Extent
from arkham_shard_export.sources.timeline import GAP_COLUMNS, GROUP_COLUMNS, MEMBER_COLUMNS

RECORDS = "records"


@dataclass(frozen=True, slots=True)
class TargetCatalogs:
    """The columns that the tables of a target really have, by qualified name of the table; None: no such table.

    `own` are those of a source that has no tables.
    """

    target: Target
    catalogs: Mapping[str, Catalog | None]
    own: tuple[str, ...] = ()

    @staticmethod
    def tables(target: Target, related: bool = False) -> list[Table]:
        """The tables whose columns decide what may be asked for; where columns are chosen, the `related` ones too."""
        tables = [each.table for each in target.sets]
        tables += [each.parent.table for each in target.sets if each.parent is not None]
        if related:
            tables += [relation.table for each in target.sets for relation in each.relations]
            tables += [TIMELINE_CONFLICTS] if "include_conflicts" in target.options else []
        return list(dict.fromkeys(tables))

    @property
    def main(self) -> str:
        """The section that a list of columns is meant for; empty where there are several of records."""
        names = [each.name for each in self.target.sets] or [RECORDS]
        return names[0] if len(names) == 1 else ""

    def columns(self, extent: Extent) -> dict[str, tuple[str, ...]]:
        """The names of all columns that an export has, by section and by relation."""
        if not self.target.sets:
            return {RECORDS: self.own}
        found: dict[str, tuple[str, ...]] = {}
        for each in self.target.sets:
            attached = self._attached(each, extent)
            own = self._names(each.table)
            if self._is_missing(each.table):
                attached |= {relation.name: () for relation in each.relations}
            names = [f"column.{name}" if name in attached else name for name in own]
            found[each.name] = (*names, *attached)
            found |= {name: inner for name, inner in attached.items() if inner}
        return found | self._annexes(extent)

    def _attached(self, record_set: RecordSet, extent: Extent) -> dict[str, tuple[str, ...]]:
        """What stands beside the columns of the table: relations with their columns, and names that are looked up."""
        if not extent.relationships or self._is_missing(record_set.table):
            return {}
        grid = record_set.layout is Layout.GRID
        attached = {
            relation.name: self._related(relation)
            for relation in record_set.relations
            if grid or not self._is_missing(relation.table)
        }
        if grid:
            attached[SCORES.name] = tuple(each.name for each in SCORES.columns)
        if record_set.table == TIMELINE_EVENTS and extent.tabular:
            attached["entity_names"] = ()
        if record_set.ends_in is not None and extent.members:
            attached |= {each.replace("_id", "_name"): () for each in record_set.ends_in}
        return attached

    def _related(self, relation: Relation) -> tuple[str, ...]:
        names = self._names(relation.table)
        if len(relation.foreign_keys) < 2:
            return names
        return (*("column.direction" if each == "direction" else each for each in names), "direction")

    def _annexes(self, extent: Extent) -> dict[str, tuple[str, ...]]:
        if self.target.name == "timeline":
            groups = MEMBER_COLUMNS if extent.members else GROUP_COLUMNS
            found = {
                "conflicts": (extent.conflicts, self._names(TIMELINE_CONFLICTS)),
                "gaps": (extent.gaps, tuple(each.name for each in GAP_COLUMNS)),
                "groups": (extent.group_by is not None, tuple(each.name for each in groups)),
            }
            return {name: names for name, (there, names) in found.items() if there}
        if self.target.name == "graph" and extent.indexes and extent.relationships and extent.tables:
            return {} if self._is_missing(GRAPHS) else {"graphs": self._names(GRAPHS)}
        return {}

    def _is_missing(self, table: Table) -> bool:
        return table.qualified in self.catalogs and self.catalogs[table.qualified] is None

    def _names(self, table: Table) -> tuple[str, ...]:
        """In the order of `sources.dialects.read_columns`; of a table that is not known, or missing, the declared ones."""
        catalog = self.catalogs.get(table.qualified)
        declared = [each.name for each in table.columns]
        if catalog is None:
            return tuple(declared)
        known = [name for name in declared if name in catalog]
        return (*known, *(name for name in catalog if name not in declared and name != "tenant_id"))

    def sortable(self) -> list[str]:
        names: dict[str, None] = {}
        for each in self.target.sets:
            names.update(dict.fromkeys(self._names(each.table)))
        return list(names)

    def lacking(self, names: Sequence[str | None]) -> str | None:
        """Of one wanted column per record set, the first that its table lacks; None where all are there."""
        for each, name in zip(self.target.sets, names, strict=True):
            catalog = self.catalogs.get(each.table.qualified)
            if name is not None and catalog is not None and name not in catalog:
                return name
        return None

    def unfilterable(self, filter: Filter) -> str | None:
        """Why a filter cannot be used in this database, or None."""
        for each in self.target.sets:
            table = each.parent.table if filter.in_parent and each.parent else each.table
            catalog = self.catalogs.get(table.qualified)
            if catalog is not None and filter.column not in catalog:
                return f"Filter {filter.name} needs the column {filter.column}, which this database lacks."
        return None
