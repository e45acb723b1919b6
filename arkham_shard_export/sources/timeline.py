"""What a timeline has besides its events: conflicts, gaps, groups and the names of the entities in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from arkham_shard_export.peers import ENTITIES, TIMELINE_CONFLICTS
from arkham_shard_export.periods import parse_instant, period_key
from arkham_shard_export.records import BATCH_ROWS, Batch, Row, Section
from arkham_shard_export.schema import Column, Kind, Layout, RecordSet
from arkham_shard_export.sources.dialects import column, read_columns
from arkham_shard_export.sources.selection import Conditions, Extent, Where
from arkham_shard_export.sources.snapshot import Query
from arkham_shard_export.sources.values import Canonical, canonical_timestamp

GAP_DAYS = 30
SEVERITIES = ((365, "high"), (90, "medium"), (GAP_DAYS, "low"))
GAP_COLUMNS = (
    Column("start_date", Kind.TIMESTAMP),
    Column("end_date", Kind.TIMESTAMP),
    Column("gap_days", Kind.INTEGER),
    Column("severity"),
    Column("before_event_id"),
    Column("after_event_id"),
)
GROUP_COLUMNS = (
    Column("key"),
    Column("name"),
    Column("record_count", Kind.INTEGER),
    Column("event_ids", Kind.JSON),
)
MEMBER_COLUMNS = (
    Column("key"),
    Column("name"),
    Column("event_id"),
    Column("date_start", Kind.TIMESTAMP),
    Column("text"),
)
"""Groups as rows, one for each event in each group."""


def timeline_sections(conditions: Conditions, extent: Extent, canonical: Canonical) -> list[Section]:
    """The annexes that were asked for; each reads its own small columns of the same events in the same snapshot."""
    annexes = Annexes(conditions, canonical)
    sections = []
    if extent.conflicts and conditions.catalog(TIMELINE_CONFLICTS) is not None:
        columns = annexes.conflict_columns()
        sections.append(Section("conflicts", columns, annexes.conflicts, counted=False))
    elif extent.conflicts:
        sections.append(Section("conflicts", TIMELINE_CONFLICTS.columns, _nothing, counted=False))
    if extent.gaps:
        sections.append(Section("gaps", GAP_COLUMNS, annexes.gaps, counted=False))
    if extent.group_by is not None:
        columns = MEMBER_COLUMNS if extent.members else GROUP_COLUMNS
        read = annexes.groups(extent.group_by, extent.members)
        sections.append(Section("groups", columns, read, counted=False))
    if extent.relationships and extent.indexes and not extent.tabular:
        index = (Column("id"), Column("name"))
        sections.append(Section("entities", index, annexes.entities, counted=False, layout=Layout.INDEX))
    return sections


def _nothing(_columns: Sequence[str] | None = None) -> Iterator[Batch]:
    return iter(())


def severity(days: int) -> str:
    return next(name for least, name in SEVERITIES if days >= least)


class Annexes:
    """Readers over the events that the export includes."""

    def __init__(self, conditions: Conditions, canonical: Canonical) -> None:
        self._conditions = conditions
        self._canonical = canonical
        self._snapshot = conditions.snapshot
        self._dialect = conditions.dialect
        self._events: RecordSet = conditions.target.sets[0]
        self._catalog = conditions.catalog(self._events.table) or {}
        self._table = self._dialect.table(self._events.table)
        self._included = conditions.included(self._events)
        limit = conditions.selection.max_records
        if limit is not None and self._catalog:
            sql, params = conditions.query(self._events, limit, (column("id"),)).sql()
            self._included.add(f"{column('id')} IN ({sql})", *params)

    def conflict_columns(self) -> tuple[Column, ...]:
        catalog = self._conditions.catalog(TIMELINE_CONFLICTS) or {}
        return read_columns(TIMELINE_CONFLICTS, catalog, self._dialect)

    def conflicts(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        """All conflicts, or those that touch an included event where not all events are included."""
        return _only(self.conflict_columns(), names, self._conflicts())

    def _conflicts(self) -> Iterator[Batch]:
        catalog = self._conditions.catalog(TIMELINE_CONFLICTS) or {}
        columns = self.conflict_columns()
        converters = [self._canonical.converter(each) for each in columns]
        values = tuple(self._dialect.value(each.name, catalog[each.name], each.kind) for each in columns)
        where = self._conditions.visible(TIMELINE_CONFLICTS)
        order, order_params = self._conditions.order_by(TIMELINE_CONFLICTS, ("created_at",))
        query = Query(
            values,
            self._dialect.table(TIMELINE_CONFLICTS),
            where.sql,
            tuple(where.params),
            order,
            order_params,
        )
        events = next((place for place, each in enumerate(columns) if each.name == "event_ids"), None)
        for rows in self._snapshot.stream(query):
            batch: Batch = [
                [convert(cell) for convert, cell in zip(converters, row, strict=True)] for row in rows
            ]
            if self._included.parts and events is not None:
                batch = self._touching(batch, events)
            yield batch

    def _touching(self, batch: Batch, events: int) -> Batch:
        ids = [_texts(row[events]) for row in batch]
        known = self._known([each for some in ids for each in some])
        return [row for row, some in zip(batch, ids, strict=True) if known.intersection(some)]

    def _known(self, ids: list[str]) -> set[Any]:
        known: set[Any] = set()
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            chosen, params = self._conditions.keyed(self._events.table, "id", some)
            where = Where([chosen, *self._included.parts], [*params, *self._included.params])
            key = self._dialect.text("id", self._catalog["id"])
            sql = f"SELECT {key} FROM {self._table} AS t WHERE {where.sql}"
            known.update(str(row[0]) for row in self._snapshot.fetch(sql, where.params))
        return known

    def _dated(self, text: bool = False) -> Iterator[tuple[str, datetime | None, Any]]:
        """The included events in order of date_start, then id: their ids, moments and, if asked for, texts."""
        if not {"id", "date_start"} <= self._catalog.keys():
            return
        date = self._dialect.value("date_start", self._catalog["date_start"], Kind.TIMESTAMP)
        order, order_params = self._conditions.order_by(self._events.table, ("date_start", "id"))
        query = Query(
            (self._dialect.text("id", self._catalog["id"]), date, self._text() if text else "NULL"),
            self._table,
            self._included.sql,
            tuple(self._included.params),
            order,
            order_params,
        )
        for rows in self._snapshot.stream(query):
            for key, value, words in rows:
                yield str(key), None if value is None else parse_instant(canonical_timestamp(value)), words

    def _text(self) -> str:
        return (
            self._dialect.value("text", self._catalog["text"], Kind.TEXT)
            if "text" in self._catalog
            else "NULL"
        )

    def gaps(self, names: Sequence[str] | None = None) -> Iterator[Batch]:
        return _only(GAP_COLUMNS, names, self._gaps())

    def _gaps(self) -> Iterator[Batch]:
        batch: list[Row] = []
        before: tuple[str, datetime] | None = None
        for key, moment, _ in self._dated():
            if moment is None:
                continue
            if before is not None and (days := (moment - before[1]).days) >= GAP_DAYS:
                start, end = self._canonical.timestamp(before[1]), self._canonical.timestamp(moment)
                batch.append([start, end, days, severity(days), before[0], key])
                if len(batch) >= 500:
                    yield batch
                    batch = []
            before = (key, moment)
        if batch:
            yield batch

    def groups(self, group_by: str, members: bool) -> Callable[[Sequence[str] | None], Iterator[Batch]]:
        columns, shaped = (MEMBER_COLUMNS, _listed) if members else (GROUP_COLUMNS, _grouped)

        def read(names: Sequence[str] | None = None) -> Iterator[Batch]:
            found = self._by_entity(members) if group_by == "entity" else self._by_date(group_by, members)
            return _only(columns, names, shaped(found, self._canonical))

        return read

    def _by_date(self, group_by: str, text: bool) -> Iterator[_Member]:
        for key, moment, words in self._dated(text):
            group = period_key(group_by, moment)
            yield group, group, key, moment, words

    def _by_entity(self, text: bool) -> Iterator[_Member]:
        """An event with several entities is in each group; one without is in the group without a key, at the end."""
        if not {"id", "entities"} <= self._catalog.keys():
            return
        entities = self._conditions.catalog(ENTITIES) or {}
        members = self._dialect.members("entities", self._catalog["entities"])
        names = Where()
        name = "NULL"
        if {"id", "name"} <= entities.keys():
            visible = self._conditions.visible(ENTITIES)
            tenant = f" AND {visible.sql}" if visible.parts else ""
            table = self._dialect.table(ENTITIES)
            key = self._dialect.text("id", entities["id"])
            name = f"(SELECT {column('name')} FROM {table} AS t WHERE {key} = j.value{tenant})"
            names.params = visible.params
        date, date_params = self._conditions.order_by(self._events.table, ("date_start", "id"))
        where = f" WHERE {self._included.sql}" if self._included.parts else ""
        value = self._dialect.text_value("j.value")
        event = self._dialect.text("id", self._catalog["id"])
        moment, words = "NULL", "NULL"
        if text:
            words = self._text()
            if "date_start" in self._catalog:
                moment = self._dialect.value("date_start", self._catalog["date_start"], Kind.TIMESTAMP)
        sql = (
            f"SELECT {value} AS c0, {name} AS c1, {event} AS c2, {moment} AS c3, {words} AS c4 FROM {self._table} AS t"
            f" LEFT JOIN {members} ON TRUE{where} ORDER BY {value} NULLS LAST, {', '.join(date)}"
        )
        params = [*names.params, *self._included.params, *date_params]
        for rows in self._snapshot.stream_sql(sql, params):
            for group, named, event_id, start, told in rows:
                yield group, named, str(event_id), start, told

    def entities(self, _columns: Sequence[str] | None = None) -> Iterator[Batch]:
        """Id and name of every entity that an included event names."""
        entities = self._conditions.catalog(ENTITIES) or {}
        if "entities" not in self._catalog or not {"id", "name"} <= entities.keys():
            return
        members = self._dialect.members("entities", self._catalog["entities"])
        inner = f"SELECT j.value FROM {self._table} AS t CROSS JOIN {members}"
        inner += f" WHERE {self._included.sql}" if self._included.parts else ""
        where = Where(
            [f"{self._dialect.text('id', entities['id'])} IN ({inner})"], list(self._included.params)
        )
        visible = self._conditions.visible(ENTITIES)
        where.add(visible.sql or "1 = 1", *visible.params)
        order, order_params = self._conditions.order_by(ENTITIES, ("id",))
        query = Query(
            (self._dialect.text("id", entities["id"]), column("name")),
            self._dialect.table(ENTITIES),
            where.sql,
            tuple(where.params),
            order,
            order_params,
        )
        for rows in self._snapshot.stream(query):
            yield [[self._canonical.scalar(cell) for cell in row] for row in rows]


def _only(
    columns: Sequence[Column], names: Sequence[str] | None, batches: Iterator[Batch]
) -> Iterator[Batch]:
    """Of each row, only the columns asked for."""
    if names is None:
        yield from batches
        return
    places = [place for place, each in enumerate(columns) if each.name in names]
    for batch in batches:
        yield [[row[place] for place in places] for row in batch]


_Member = tuple[str | None, str | None, str, Any, Any]
"""Key and name of a group, and an event in it: its id, its moment and its text."""


def _distinct(members: Iterator[_Member]) -> Iterator[_Member]:
    """Without the repetitions of a list that names an entity twice; equal members follow each other."""
    before: tuple[str | None, str] | None = None
    for member in members:
        if (member[0], member[2]) != before:
            yield member
        before = (member[0], member[2])


def _listed(members: Iterator[_Member], canonical: Canonical) -> Iterator[Batch]:
    """Rows of MEMBER_COLUMNS, in the order of the members."""
    scalar, timestamp = canonical.scalar, canonical.timestamp
    rows = (
        [scalar(key), scalar(name), scalar(event_id), timestamp(moment), scalar(text)]
        for key, name, event_id, moment, text in _distinct(members)
    )
    while batch := list(islice(rows, BATCH_ROWS)):
        yield batch


def _grouped(members: Iterator[_Member], canonical: Canonical) -> Iterator[Batch]:
    """Rows of GROUP_COLUMNS from members sorted by group."""
    ids: list[str] = []
    current: tuple[str | None, str | None] | None = None
    for key, name, event_id, _, _ in _distinct(members):
        if current is not None and current[0] != key:
            yield [_group(current, ids, canonical)]
            ids = []
        current = (key, name)
        ids.append(event_id)
    if current is not None:
        yield [_group(current, ids, canonical)]


def _group(group: tuple[str | None, str | None], ids: list[str], canonical: Canonical) -> Row:
    return [canonical.scalar(group[0]), canonical.scalar(group[1]), len(ids), canonical.json(list(ids))]


def _texts(text: str | None) -> list[str]:
    value = json.loads(text) if text else []
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
