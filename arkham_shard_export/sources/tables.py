"""The source behind every declared target: sections of records with their relations, from one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from arkham_shard_export.peers import ENTITIES, GRAPHS, TIMELINE_EVENTS
from arkham_shard_export.presentation.times import UTC_NAME
from arkham_shard_export.records import (
    BATCH_ROWS,
    PORTION_ROWS,
    PORTIONED_FROM,
    Adjustments,
    Batch,
    Columns,
    Delimited,
    Helpers,
    Part,
    Portion,
    Portions,
    Section,
    Skip,
)
from arkham_shard_export.schema import Column, Kind, Layout, RecordSet, Relation, Target
from arkham_shard_export.sources.arranging import Arrangement, arranged, rearranged, wanted
from arkham_shard_export.sources.attachments import (
    Attachment,
    Computed,
    Lookup,
    Named,
    Names,
    Related,
    beside,
)
from arkham_shard_export.sources.columns import ColumnConverters
from arkham_shard_export.sources.copying import copied_parts, copied_values
from arkham_shard_export.sources.dialects import read_columns
from arkham_shard_export.sources.matrix import SCORES, matrix_scores
from arkham_shard_export.sources.selection import Conditions, Extent, Selection, count
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.sources.timeline import timeline_sections
from arkham_shard_export.sources.values import Canonical

Read = Callable[[Sequence[str] | None, int | None, Portion | None], Iterator[Batch]]


class TableSource:
    """Reads a declared target. Opening does no more than take the snapshot; `sections` counts."""

    def __init__(
        self,
        snapshot: Snapshot,
        target: Target,
        selection: Selection,
        extent: Extent | None = None,
        adjustments: Adjustments | None = None,
        helpers: Helpers | None = None,
    ) -> None:
        self.helpers = helpers
        self.snapshot_at = snapshot.taken_at
        self.consistent = snapshot.consistent
        self._snapshot = snapshot
        self._target = target
        self._selection = selection
        self._extent = extent or Extent()
        self._adjustments = adjustments or Adjustments()
        self._canonical = Canonical(self._adjustments, self._extent.zone)
        self._columns = ColumnConverters(self._canonical, lambda: snapshot.valid_text)
        self._conditions = Conditions(snapshot, target, selection)

    def sections(self) -> list[Section]:
        left = self._selection.max_records
        sections = []
        for record_set in self._target.sets:
            section, left = self._record_section(record_set, left)
            sections.append(section)
        if self._extent.annexes:
            sections += [rearranged(each, self._extent.columns) for each in self._annexes()]
        return sections

    def close(self) -> None:
        if self.helpers is not None:
            self.helpers.close()
        self._snapshot.close()

    def _table(self, record_set: RecordSet) -> str:
        return self._conditions.dialect.table(record_set.table)

    def _record_section(self, record_set: RecordSet, left: int | None) -> tuple[Section, int | None]:
        catalog = self._conditions.catalog(record_set.table)
        if catalog is None:
            nothing = Section(
                record_set.name,
                record_set.table.columns,
                lambda _columns: iter(()),
                0,
                layout=record_set.layout,
            )
            return rearranged(nothing, self._extent.columns), left
        matched = count(self._snapshot, self._table(record_set), self._conditions.records(record_set))
        skips = []
        exclusion = record_set.exclusion
        if exclusion is not None and self._conditions.excluded(record_set) is not None:
            included = count(self._snapshot, self._table(record_set), self._conditions.included(record_set))
            if included < matched:
                skips.append(Skip(exclusion.kind, matched - included, exclusion.reason))
        else:
            included = matched
        limit = None
        if left is not None:
            limit, left = left, max(0, left - included)
            if included > limit:
                skips.append(
                    Skip("max_records", included - limit, f"max_records is {self._selection.max_records}")
                )
        if (undated := self._conditions.undated(record_set)) is not None:
            self._adjustments.add("undated", count(self._snapshot, self._table(record_set), undated))
        arrangement, read = self._reading(record_set)
        places = self._places(record_set, included) if limit is None or included <= limit else ()
        if not places and self._snapshot.consistent and included <= BATCH_ROWS:
            limit = included if limit is None else min(limit, included)

        def read_all(names: Sequence[str] | None = None) -> Iterator[Batch]:
            for portion in places or (None,):
                yield from read(names, None if places else limit, portion)

        section = Section(
            record_set.name,
            arrangement.columns,
            read_all,
            matched,
            tuple(skips),
            layout=record_set.layout,
            portions=self._portions(record_set, arrangement, read, places) if places else None,
            left_out=arrangement.left_out,
        )
        return section, left

    def apart(self, name: str) -> tuple[Section, Portions]:
        """A section without its counts, and what reads the portions that another source has found in it."""
        record_set = next(each for each in self._target.sets if each.name == name)
        arrangement, read = self._reading(record_set)
        section = Section(
            name, arrangement.columns, lambda names: read(names, None, None), layout=record_set.layout
        )
        return section, self._portions(record_set, arrangement, read, ())

    def _reading(self, record_set: RecordSet) -> tuple[Arrangement, Read]:
        """The columns of a section, and what reads them: all or some, up to a limit, of a portion or the whole."""
        catalog = self._conditions.catalog(record_set.table) or {}
        attachments = self._attachments(record_set)
        base = read_columns(record_set.table, catalog, self._conditions.dialect)
        columns = beside((*base, *(each.column for each in attachments)), len(attachments))
        arrangement = arranged(record_set.name, columns, self._extent.columns)

        def read(names: Sequence[str] | None, limit: int | None, portion: Portion | None) -> Iterator[Batch]:
            asked = {
                place
                for place, each in zip(arrangement.places, arrangement.columns, strict=True)
                if names is None or each.name in names
            }
            places = _with_needed(asked, columns, len(base), attachments)
            own = [base[place] for place in places if place < len(base)]
            attached = [attachments[place - len(base)] for place in places if place >= len(base)]
            for batch in self._read(record_set, limit, own, attached, portion):
                if arrangement.whole and len(places) == len(asked):
                    yield batch
                else:
                    found = dict(zip(places, batch.columns, strict=True))
                    yield Columns(arrangement.values(found, names), len(batch))

        return arrangement, read

    def _portions(
        self,
        record_set: RecordSet,
        arrangement: Arrangement,
        read: Read,
        places: tuple[Portion, ...],
    ) -> Portions:
        catalog = self._conditions.catalog(record_set.table) or {}
        columns = arrangement.columns
        version = self._snapshot.copies_as

        def copy(rules: Delimited, portion: Portion) -> Iterator[Part | None]:
            values = copied_values(columns, catalog, rules, version)
            if values is None:
                return iter((None,))
            query = self._conditions.query(record_set, None, values, portion)
            return copied_parts(self._snapshot.copy(query), self._adjustments)

        # A relation may have the name of a column beside it, which is then called otherwise.
        own = all(each.name in catalog and not each.columns for each in columns)
        # The database writes times as it has them.
        moved = self._extent.zone != UTC_NAME and any(each.kind is Kind.TIMESTAMP for each in columns)
        copies = version and own and not moved
        return Portions(places, lambda portion: read(None, None, portion), copy if copies else None)

    def _places(self, record_set: RecordSet, included: int) -> tuple[Portion, ...]:
        """Stretches of the table that hold PORTION_ROWS on average; none where it is read as a whole, or in order."""
        if included < PORTIONED_FROM or self._conditions.order(record_set)[0]:
            return ()
        stretch = self._snapshot.stretch(record_set.table)
        if stretch is None:
            return ()
        first, last = stretch
        wide = -(-(last - first + 1) // -(-included // PORTION_ROWS))
        return tuple((start, min(start + wide - 1, last)) for start in range(first, last + 1, wide))

    def _read(
        self,
        record_set: RecordSet,
        limit: int | None,
        columns: list[Column],
        attachments: list[Attachment],
        portion: Portion | None,
    ) -> Iterator[Columns]:
        if limit == 0:
            return
        dialect = self._conditions.dialect
        catalog = self._conditions.catalog(record_set.table) or {}
        converters = [self._columns.converter(each) for each in columns]
        values = tuple(dialect.value(each.name, catalog[each.name], each.kind) for each in columns) or ("1",)
        for rows in self._snapshot.stream(self._conditions.query(record_set, limit, values, portion)):
            read = zip(*rows, strict=True) if converters else ()
            batch = Columns(
                [convert(values) for convert, values in zip(converters, read, strict=True)], len(rows)
            )
            position = {each.name: place for place, each in enumerate(columns)}
            for place, attachment in enumerate(attachments, len(columns)):
                batch.columns.append(attachment.values(batch, position))
                position[attachment.column.name] = place
            yield batch

    def _attachments(self, record_set: RecordSet) -> list[Attachment]:
        if not self._extent.relationships:
            return []
        grid = record_set.layout is Layout.GRID
        attachments: list[Attachment] = [
            Related(
                self._conditions,
                relation,
                self._canonical,
                # What a grid is made of is read as a whole: its scores follow from it.
                None if grid else wanted(relation.name, self._extent.columns),
            )
            for relation in record_set.relations
            if grid or self._conditions.catalog(relation.table) is not None
        ]
        if grid:
            attachments.append(Computed(SCORES, matrix_scores, [each.column for each in attachments]))
        if record_set.table == TIMELINE_EVENTS and self._extent.tabular:
            lookup = Lookup(self._conditions, Relation("entity_names", ENTITIES, ("id",)), "name")
            attachments.append(Names("entity_names", "entities", lookup, self._canonical))
        if record_set.ends_in is not None and self._extent.members:
            lookup = Lookup(self._conditions, Relation("ends", self._target.sets[0].table, ("id",)), "label")
            names = [each.replace("_id", "_name") for each in record_set.ends_in]
            attachments += [
                Named(name, end, lookup, self._canonical)
                for name, end in zip(names, record_set.ends_in, strict=True)
            ]
        return attachments

    def _annexes(self) -> list[Section]:
        if self._target.name == "timeline":
            return timeline_sections(self._conditions, self._extent, self._canonical)
        if (
            self._target.name == "graph"
            and self._extent.indexes
            and self._extent.relationships
            and self._extent.tables
        ):
            catalog = self._conditions.catalog(GRAPHS)
            if catalog is not None:
                return [self._graphs()]
        return []

    def _graphs(self) -> Section:
        graphs = RecordSet("graphs", GRAPHS)
        filters = tuple(replace(each, in_parent=False) for each in self._target.filters)
        source = TableSource(
            self._snapshot,
            replace(self._target, name="graphs", sets=(graphs,), filters=filters),
            replace(
                self._selection, entity_types=(), start=None, before=None, sort_by=None, max_records=None
            ),
            replace(self._extent, annexes=False, columns={}),
            self._adjustments,
        )
        # Helpers know the sections of the target; this is none of them.
        return replace(source.sections()[0], matched=None, counted=False, portions=None)


def _with_needed(
    asked: set[int], columns: Sequence[Column], own: int, attachments: Sequence[Attachment]
) -> list[int]:
    """The places asked for and those that they follow from, in their order; the first `own` are the table's."""
    places = {each.name: place for place, each in enumerate(columns)}
    needed, waiting = set(asked), list(asked)
    while waiting:
        place = waiting.pop()
        if place >= own:
            more = {places[name] for name in attachments[place - own].needs if name in places} - needed
            needed |= more
            waiting += more
    return sorted(needed)
