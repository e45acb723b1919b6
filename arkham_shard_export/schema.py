"""The words in which tables and targets are declared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds, whatever the database stores it as.

    In a record a TIMESTAMP is ISO 8601 text with an offset, JSON is valid JSON text on one line, RECORDS is a list of
    rows of `Column.columns`, RECORD is one such row or None, and VALUE is whatever stood in a JSON object: a text, a
    number, a boolean or a list.
    """

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    JSON = "json"
    RECORDS = "records"
    RECORD = "record"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `in_text` says that the peer keeps this kind in a TEXT column on PostgreSQL too.

    One that somebody has `chosen` stands where they put it, and is called by its `label` where they gave one.
    """

    name: str
    kind: Kind = Kind.TEXT
    in_text: bool = False
    columns: tuple[Column, ...] = ()
    label: str = ""
    chosen: bool = False

    @property
    def heading(self) -> str:
        """What it is called where columns go by their names."""
        return self.label or self.name


@dataclass(frozen=True, slots=True)
class Table:
    """A peer's table; the key is always `id`, the tenant, where there are tenants, `tenant_id`."""

    name: str
    columns: tuple[Column, ...]
    schema: str | None = None
    indexes: tuple[str, ...] = ()

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Filter:
    """Equality with one or several values; `member` looks for them in a JSON list, `in_parent` in the parent table.

    `description` is for whoever chooses: one sentence.
    """

    name: str
    column: str
    description: str = ""
    valid: tuple[str, ...] = ()
    member: bool = False
    in_parent: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows of another table that belong to a record.

    `foreign_keys` of the table point at `local_key` of the record; with two of them the rows are read in both
    directions and carry a `direction` (outgoing for the first, incoming for the second). `single` gives one row.
    """

    name: str
    table: Table
    foreign_keys: tuple[str, ...]
    local_key: str = "id"
    order: tuple[str, ...] = ("id",)
    single: bool = False


@dataclass(frozen=True, slots=True)
class Parent:
    """The table a record belongs to, where its tenant and some filters live."""

    table: Table
    foreign_key: str


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Records left out and counted as skipped, unless the filter asks for them."""

    kind: str
    column: str
    unless_filter: str
    reason: str


class Layout(StrEnum):
    """How a section wants to be seen: plain records, a lookup of id and name, or a grid a record (ACH)."""

    RECORDS = "records"
    INDEX = "index"
    GRID = "grid"


@dataclass(frozen=True, slots=True)
class RecordSet:
    """Records of one table: most targets have one set, the graph has nodes and edges.

    `ends_in` names two columns that must point at included records of the set before (an edge's nodes).
    """

    name: str
    table: Table
    main_date: str | None = "created_at"
    order: tuple[str, ...] = ()
    relations: tuple[Relation, ...] = ()
    parent: Parent | None = None
    exclusion: Exclusion | None = None
    entity_types_column: str | None = None
    ends_in: tuple[str, str] | None = None
    layout: Layout = Layout.RECORDS


@dataclass(frozen=True, slots=True)
class Target:
    """A target; `options` are those it honours besides the ones that every target has."""

    name: str
    title: str
    description: str
    sets: tuple[RecordSet, ...]
    filters: tuple[Filter, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def filter_names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.filters)
