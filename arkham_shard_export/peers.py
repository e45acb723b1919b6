"""The tables of the peer shards, and the values their columns may hold."""

from __future__ import annotations

from arkham_shard_export.schema import Column, Kind, Table


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
