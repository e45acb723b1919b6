"""What can be exported, as data: the peers' tables and the six targets read from them.

A new target is one literal here. The types at the top are all there is to say about a target; how records are
read from it is the business of `sources`, how they look in a file that of `formats`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a column holds, whatever the database stores it as.

    In a record a TIMESTAMP is ISO 8601 text with an offset, JSON is compact JSON text, RECORDS is a list of
    rows of `Column.columns`, and RECORD is one such row or None.
    """

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    JSON = "json"
    RECORDS = "records"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `in_text` says that the peer keeps this kind in a TEXT column on PostgreSQL too."""

    name: str
    kind: Kind = Kind.TEXT
    in_text: bool = False
    columns: tuple[Column, ...] = ()


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
    """Equality with one or several values; `member` looks for them in a JSON list, `in_parent` in the parent table."""

    name: str
    column: str
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


def _columns(text: str) -> tuple[Column, ...]:
    """Columns from `name` or `name:kind` words; a `*` after the kind: kept in a TEXT column."""
    columns = []
    for word in text.split():
        name, _, kind = word.partition(":")
        columns.append(Column(name, Kind(kind.rstrip("*") or "text"), in_text=kind.endswith("*")))
    return tuple(columns)


ENTITY_TYPES = (
    "PERSON",
    "ORGANIZATION",
    "LOCATION",
    "DATE",
    "MONEY",
    "EVENT",
    "PRODUCT",
    "DOCUMENT",
    "CONCEPT",
    "OTHER",
)
DOCUMENT_STATUSES = (
    "pending", "uploaded", "processing", "processed", "parsed", "embedded", "completed", "failed", "archived", "merged",
)  # fmt: skip
CLAIM_TYPES = ("factual", "opinion", "prediction", "quantitative", "attribution", "other")
CLAIM_STATUSES = ("unverified", "verified", "disputed", "retracted", "uncertain")
EVENT_TYPES = ("occurrence", "reference", "deadline", "period")
PRECISIONS = ("exact", "day", "week", "month", "quarter", "year", "decade", "century", "approximate")
MATRIX_STATUSES = ("draft", "active", "completed", "archived")

PROJECTS = Table(
    "projects",
    _columns("id name description created_at:timestamp updated_at:timestamp"),
    schema="arkham_frame",
)
DOCUMENTS = Table(
    "documents",
    _columns(
        "id filename storage_id project_id status mime_type file_size:integer page_count:integer chunk_count:integer"
        " created_at:timestamp updated_at:timestamp processed_at:timestamp metadata:json error"
    ),
    schema="arkham_frame",
    indexes=("project_id", "created_at"),
)
PAGES = Table(
    "pages",
    _columns(
        "id document_id page_number:integer text image_path width:integer height:integer word_count:integer metadata:json"
    ),
    schema="arkham_frame",
    indexes=("document_id",),
)
CHUNKS = Table(
    "chunks",
    _columns(
        "id document_id page_number:integer chunk_index:integer text start_char:integer end_char:integer"
        " token_count:integer vector_id metadata:json"
    ),
    schema="arkham_frame",
    indexes=("document_id",),
)
ENTITIES = Table(
    "arkham_entities",
    _columns(
        "id name entity_type canonical_id aliases:json metadata:json mention_count:integer document_ids:json"
        " created_at:timestamp updated_at:timestamp"
    ),
    indexes=("entity_type", "canonical_id"),
)
ENTITY_RELATIONSHIPS = Table(
    "arkham_entity_relationships",
    _columns(
        "id source_id target_id relationship_type confidence:number metadata:json"
        " created_at:timestamp updated_at:timestamp"
    ),
    indexes=("source_id", "target_id"),
)
ENTITY_MENTIONS = Table(
    "arkham_entity_mentions",
    _columns(
        "id entity_id document_id mention_text confidence:number start_offset:integer end_offset:integer"
        " created_at:timestamp"
    ),
    indexes=("entity_id", "document_id"),
)
CLAIMS = Table(
    "arkham_claims",
    _columns(
        "id text claim_type status confidence:number source_document_id source_start_char:integer"
        " source_end_char:integer source_context extracted_by extraction_model entity_ids:json* evidence_count:integer"
        " supporting_count:integer refuting_count:integer created_at:timestamp* updated_at:timestamp*"
        " verified_at:timestamp* metadata:json*"
    ),
    indexes=("status", "claim_type", "source_document_id"),
)
CLAIM_EVIDENCE = Table(
    "arkham_claim_evidence",
    _columns(
        "id claim_id evidence_type reference_id reference_title relationship strength excerpt notes added_by"
        " added_at:timestamp* metadata:json*"
    ),
    indexes=("claim_id",),
)
TIMELINE_EVENTS = Table(
    "arkham_timeline_events",
    _columns(
        "id document_id text date_start:timestamp date_end:timestamp precision confidence:number entities:json"
        " event_type span_start:integer span_end:integer metadata:json created_at:timestamp"
    ),
    indexes=("date_start", "document_id"),
)
TIMELINE_CONFLICTS = Table(
    "arkham_timeline_conflicts",
    _columns(
        "id type severity event_ids:json description document_ids:json suggested_resolution metadata:json"
        " created_at:timestamp"
    ),
)
TIMELINE_ANNOTATIONS = Table(
    "arkham_timeline_annotations",
    _columns("id event_id note author created_at:timestamp updated_at:timestamp"),
    indexes=("event_id",),
)
GRAPHS = Table(
    "graphs",
    _columns(
        "id project_id node_count:integer edge_count:integer created_at:timestamp updated_at:timestamp metadata:json"
    ),
    schema="arkham_graph",
)
NODES = Table(
    "nodes",
    _columns(
        "id graph_id entity_id entity_type label document_count:integer degree:integer properties:json"
        " centrality_score:number community_id:integer created_at:timestamp"
    ),
    schema="arkham_graph",
    indexes=("graph_id",),
)
EDGES = Table(
    "edges",
    _columns(
        "id graph_id source_id target_id relationship_type weight:number co_occurrence_count:integer document_ids:json"
        " properties:json created_at:timestamp"
    ),
    schema="arkham_graph",
    indexes=("graph_id", "source_id", "target_id"),
)
MATRICES = Table(
    "matrices",
    _columns(
        "id title description question project_id status settings:json metadata:json created_by"
        " created_at:timestamp updated_at:timestamp"
    ),
    schema="arkham_ach",
)
HYPOTHESES = Table(
    "hypotheses",
    _columns(
        "id matrix_id title description column_index:integer is_lead:boolean notes author"
        " created_at:timestamp updated_at:timestamp"
    ),
    schema="arkham_ach",
    indexes=("matrix_id",),
)
ACH_EVIDENCE = Table(
    "evidence",
    _columns(
        "id matrix_id description source evidence_type credibility:number relevance:number row_index:integer notes"
        " author document_ids:json source_document_id source_page_number:integer source_quote"
        " created_at:timestamp updated_at:timestamp"
    ),
    schema="arkham_ach",
    indexes=("matrix_id",),
)
RATINGS = Table(
    "ratings",
    _columns(
        "id matrix_id hypothesis_id evidence_id rating notes rated_by created_at:timestamp updated_at:timestamp"
    ),
    schema="arkham_ach",
    indexes=("matrix_id",),
)

TABLES = (
    PROJECTS, DOCUMENTS, PAGES, CHUNKS, ENTITIES, ENTITY_RELATIONSHIPS, ENTITY_MENTIONS, CLAIMS, CLAIM_EVIDENCE,
    TIMELINE_EVENTS, TIMELINE_CONFLICTS, TIMELINE_ANNOTATIONS, GRAPHS, NODES, EDGES, MATRICES, HYPOTHESES,
    ACH_EVIDENCE, RATINGS,
)  # fmt: skip

_IN_GRAPH = Parent(GRAPHS, "graph_id")

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            "documents",
            "Documents",
            "The documents of the case with their pages, text chunks and the entities mentioned in them.",
            sets=(
                RecordSet(
                    "records",
                    DOCUMENTS,
                    relations=(
                        Relation("project", PROJECTS, ("id",), local_key="project_id", single=True),
                        Relation("pages", PAGES, ("document_id",), order=("page_number", "id")),
                        Relation("chunks", CHUNKS, ("document_id",), order=("chunk_index", "id")),
                        Relation("mentions", ENTITY_MENTIONS, ("document_id",), order=("start_offset", "id")),
                    ),
                ),
            ),
            filters=(
                Filter("project_id", "project_id"),
                Filter("status", "status", valid=DOCUMENT_STATUSES),
                Filter("mime_type", "mime_type"),
            ),
        ),
        Target(
            "entities",
            "Entities",
            "People, organisations, places and things with their aliases, relationships and mentions.",
            sets=(
                RecordSet(
                    "records",
                    ENTITIES,
                    relations=(
                        Relation("relationships", ENTITY_RELATIONSHIPS, ("source_id", "target_id")),
                        Relation(
                            "mentions",
                            ENTITY_MENTIONS,
                            ("entity_id",),
                            order=("document_id", "start_offset", "id"),
                        ),
                    ),
                    exclusion=Exclusion(
                        "merged",
                        "canonical_id",
                        unless_filter="canonical_id",
                        reason="merged into another entity; the filter canonical_id asks for them",
                    ),
                    entity_types_column="entity_type",
                ),
            ),
            filters=(
                Filter("entity_type", "entity_type", valid=ENTITY_TYPES),
                Filter("canonical_id", "canonical_id"),
                Filter("document_id", "document_ids", member=True),
            ),
            options=("entity_types",),
        ),
        Target(
            "claims",
            "Claims",
            "Statements found in the documents, with the evidence that supports or refutes them.",
            sets=(
                RecordSet(
                    "records", CLAIMS, relations=(Relation("evidence", CLAIM_EVIDENCE, ("claim_id",)),)
                ),
            ),
            filters=(
                Filter("status", "status", valid=CLAIM_STATUSES),
                Filter("claim_type", "claim_type", valid=CLAIM_TYPES),
                Filter("document_id", "source_document_id"),
            ),
        ),
        Target(
            "timeline",
            "Timeline",
            "Dated events in order, with annotations and, if asked for, conflicts, gaps and groups.",
            sets=(
                RecordSet(
                    "records",
                    TIMELINE_EVENTS,
                    main_date="date_start",
                    order=("date_start", "id"),
                    relations=(
                        Relation(
                            "annotations", TIMELINE_ANNOTATIONS, ("event_id",), order=("created_at", "id")
                        ),
                    ),
                ),
            ),
            filters=(
                Filter("document_id", "document_id"),
                Filter("event_type", "event_type", valid=EVENT_TYPES),
                Filter("entity_id", "entities", member=True),
                Filter("precision", "precision", valid=PRECISIONS),
            ),
            options=("include_conflicts", "include_gaps", "group_by"),
        ),
        Target(
            "graph",
            "Graph",
            "The network of entities: nodes, and the edges between them.",
            sets=(
                RecordSet("nodes", NODES, parent=_IN_GRAPH, entity_types_column="entity_type"),
                RecordSet("edges", EDGES, parent=_IN_GRAPH, ends_in=("source_id", "target_id")),
            ),
            filters=(Filter("project_id", "project_id", in_parent=True),),
            options=("entity_types",),
        ),
        Target(
            "matrix",
            "ACH matrices",
            "Analyses of competing hypotheses: evidence, hypotheses, ratings and the scores that follow from them.",
            sets=(
                RecordSet(
                    "records",
                    MATRICES,
                    relations=(
                        Relation("hypotheses", HYPOTHESES, ("matrix_id",), order=("column_index", "id")),
                        Relation("evidence", ACH_EVIDENCE, ("matrix_id",), order=("row_index", "id")),
                        Relation("ratings", RATINGS, ("matrix_id",)),
                    ),
                ),
            ),
            filters=(
                Filter("project_id", "project_id"),
                Filter("matrix_id", "id"),
                Filter("status", "status", valid=MATRIX_STATUSES),
            ),
        ),
    )
}
