"""The peers' tables as a real host's PostgreSQL holds them, and the jobs table of an older version.

Columns stand in the order of the peer data sheet. Only keys are constrained: tests may store odd rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text

SCHEMAS = ("arkham_frame", "arkham_graph", "arkham_ach")


@dataclass(frozen=True, slots=True)
class PeerTable:
    """`columns` is DDL text; each of `indexed` (foreign keys, filters, sort keys) has an index of its own."""

    name: str
    columns: str
    indexed: tuple[str, ...] = ()


TABLES = (
    PeerTable(
        "arkham_frame.projects",
        "id TEXT PRIMARY KEY, name TEXT, description TEXT, created_at TIMESTAMP, updated_at TIMESTAMP",
    ),
    PeerTable(
        "arkham_frame.documents",
        """id TEXT PRIMARY KEY, filename TEXT, storage_id TEXT, project_id TEXT, status TEXT,
        mime_type TEXT, file_size BIGINT, page_count INTEGER, chunk_count INTEGER, created_at TIMESTAMP,
        updated_at TIMESTAMP, processed_at TIMESTAMP, metadata JSONB, error TEXT""",
        ("project_id", "status"),
    ),
    PeerTable(
        "arkham_frame.pages",
        """id TEXT PRIMARY KEY, document_id TEXT, page_number INTEGER, text TEXT, image_path TEXT,
        width INTEGER, height INTEGER, word_count INTEGER, metadata JSONB""",
        ("document_id",),
    ),
    PeerTable(
        "arkham_frame.chunks",
        """id TEXT PRIMARY KEY, document_id TEXT, page_number INTEGER, chunk_index INTEGER, text TEXT,
        start_char INTEGER, end_char INTEGER, token_count INTEGER, vector_id TEXT, metadata JSONB""",
        ("document_id",),
    ),
    PeerTable(
        "arkham_entities",
        """id TEXT PRIMARY KEY, name TEXT, entity_type TEXT, canonical_id TEXT, aliases JSONB,
        metadata JSONB, mention_count INTEGER, document_ids JSONB, created_at TIMESTAMP,
        updated_at TIMESTAMP""",
        ("entity_type", "canonical_id"),
    ),
    PeerTable(
        "arkham_entity_relationships",
        """id TEXT PRIMARY KEY, source_id TEXT, target_id TEXT, relationship_type TEXT,
        confidence DOUBLE PRECISION, metadata JSONB, created_at TIMESTAMP, updated_at TIMESTAMP""",
        ("source_id", "target_id"),
    ),
    PeerTable(
        "arkham_entity_mentions",
        """id TEXT PRIMARY KEY, entity_id TEXT, document_id TEXT, mention_text TEXT,
        confidence DOUBLE PRECISION, start_offset INTEGER, end_offset INTEGER, created_at TIMESTAMP""",
        ("entity_id", "document_id"),
    ),
    PeerTable(
        "arkham_claims",
        """id TEXT PRIMARY KEY, text TEXT, claim_type TEXT, status TEXT, confidence REAL,
        source_document_id TEXT, source_start_char INTEGER, source_end_char INTEGER, source_context TEXT,
        extracted_by TEXT, extraction_model TEXT, entity_ids TEXT, evidence_count INTEGER,
        supporting_count INTEGER, refuting_count INTEGER, created_at TEXT, updated_at TEXT,
        verified_at TEXT, metadata TEXT""",
        ("status", "source_document_id"),
    ),
    PeerTable(
        "arkham_claim_evidence",
        """id TEXT PRIMARY KEY, claim_id TEXT, evidence_type TEXT, reference_id TEXT,
        reference_title TEXT, relationship TEXT, strength TEXT, excerpt TEXT, notes TEXT, added_by TEXT,
        added_at TEXT, metadata TEXT""",
        ("claim_id",),
    ),
    PeerTable(
        "arkham_timeline_events",
        """id TEXT PRIMARY KEY, document_id TEXT, text TEXT, date_start TIMESTAMP, date_end TIMESTAMP,
        precision TEXT, confidence DOUBLE PRECISION, entities JSONB, event_type TEXT, span_start INTEGER,
        span_end INTEGER, metadata JSONB, created_at TIMESTAMP""",
        ("document_id", "date_start"),
    ),
    PeerTable(
        "arkham_timeline_conflicts",
        """id TEXT PRIMARY KEY, type TEXT, severity TEXT, event_ids JSONB, description TEXT,
        document_ids JSONB, suggested_resolution TEXT, metadata JSONB, created_at TIMESTAMP""",
    ),
    PeerTable(
        "arkham_timeline_annotations",
        """id TEXT PRIMARY KEY, event_id TEXT, note TEXT, author TEXT, created_at TIMESTAMP,
        updated_at TIMESTAMP""",
        ("event_id",),
    ),
    PeerTable(
        "arkham_graph.graphs",
        """id TEXT PRIMARY KEY, project_id TEXT UNIQUE, node_count INTEGER, edge_count INTEGER,
        created_at TIMESTAMP, updated_at TIMESTAMP, metadata JSONB""",
    ),
    PeerTable(
        "arkham_graph.nodes",
        """id TEXT PRIMARY KEY, graph_id TEXT, entity_id TEXT, entity_type TEXT, label TEXT,
        document_count INTEGER, degree INTEGER, properties JSONB, centrality_score DOUBLE PRECISION,
        community_id INTEGER, created_at TIMESTAMP""",
        ("graph_id", "entity_id"),
    ),
    PeerTable(
        "arkham_graph.edges",
        """id TEXT PRIMARY KEY, graph_id TEXT, source_id TEXT, target_id TEXT, relationship_type TEXT,
        weight DOUBLE PRECISION, co_occurrence_count INTEGER, document_ids JSONB, properties JSONB,
        created_at TIMESTAMP""",
        ("graph_id", "source_id", "target_id"),
    ),
    PeerTable(
        "arkham_ach.matrices",
        """id TEXT PRIMARY KEY, title TEXT, description TEXT, question TEXT, project_id TEXT, status TEXT,
        settings JSONB, metadata JSONB, created_by TEXT, created_at TIMESTAMP, updated_at TIMESTAMP""",
        ("project_id", "status"),
    ),
    PeerTable(
        "arkham_ach.hypotheses",
        """id TEXT PRIMARY KEY, matrix_id TEXT, title TEXT, description TEXT, column_index INTEGER,
        is_lead BOOLEAN, notes TEXT, author TEXT, created_at TIMESTAMP, updated_at TIMESTAMP""",
        ("matrix_id",),
    ),
    PeerTable(
        "arkham_ach.evidence",
        """id TEXT PRIMARY KEY, matrix_id TEXT, description TEXT, source TEXT, evidence_type TEXT,
        credibility DOUBLE PRECISION, relevance DOUBLE PRECISION, row_index INTEGER, notes TEXT,
        author TEXT, document_ids JSONB, source_document_id TEXT, source_page_number INTEGER,
        source_quote TEXT, created_at TIMESTAMP, updated_at TIMESTAMP""",
        ("matrix_id", "source_document_id"),
    ),
    PeerTable(
        "arkham_ach.ratings",
        """id TEXT PRIMARY KEY, matrix_id TEXT, hypothesis_id TEXT, evidence_id TEXT, rating TEXT,
        notes TEXT, rated_by TEXT, created_at TIMESTAMP, updated_at TIMESTAMP,
        UNIQUE (matrix_id, hypothesis_id, evidence_id)""",
        ("matrix_id", "hypothesis_id", "evidence_id"),
    ),
)


OLD_TENANT_ID = "6f1f3f3e-0d5e-4c3b-9a53-0c1d2e3f4a5b"

OLD_JOBS_COLUMNS = """
    id TEXT PRIMARY KEY, format TEXT NOT NULL, target TEXT NOT NULL, status TEXT DEFAULT 'pending',
    created_at TEXT, started_at TEXT, completed_at TEXT, file_path TEXT, file_size INTEGER,
    download_url TEXT, expires_at TEXT, error TEXT, filters TEXT DEFAULT '{}', options TEXT DEFAULT '{}',
    record_count INTEGER DEFAULT 0, processing_time_ms REAL DEFAULT 0, created_by TEXT DEFAULT 'system',
    metadata TEXT DEFAULT '{}'
"""

_PAGE_OPTIONS = json.dumps({"include_metadata": True, "include_relationships": True, "max_records": None})

OLD_JOBS: tuple[dict[str, Any], ...] = (
    {
        "id": "old-pending-0001",
        "format": "csv",
        "target": "entities",
        "created_at": "2025-01-10T09:00:00.125000",
        "options": _PAGE_OPTIONS,
    },
    {
        "id": "old-completed-0001",
        "format": "json",
        "target": "documents",
        "status": "completed",
        "created_at": "2025-01-08T14:30:00",
        "started_at": "2025-01-08T14:30:00.500000",
        "completed_at": "2025-01-08T14:30:02.250000",
        "file_path": "/tmp/arkham_exports/old-completed-0001.json",
        "file_size": 20480,
        "download_url": "/api/export/jobs/old-completed-0001/download",
        "expires_at": "2025-01-09T14:30:02.250000",
        "filters": '{"status": "processed"}',
        "options": _PAGE_OPTIONS,
        "record_count": 42,
        "processing_time_ms": 1750.5,
    },
    {
        "id": "old-failed-0001",
        "format": "pdf",
        "target": "matrix",
        "status": "failed",
        "created_at": "2025-01-07T08:15:00",
        "started_at": "2025-01-07T08:15:01",
        "completed_at": "2025-01-07T08:15:02",
        "error": "Export failed: no matrix found",
    },
    {
        "id": "old-cancelled-0001",
        "format": "xlsx",
        "target": "claims",
        "status": "cancelled",
        "created_at": "2025-01-06T17:45:00",
        "completed_at": "2025-01-06T17:45:30",
        "created_by": "api",
    },
)
"""Rows of an older version; a missing key is left to the column's default, times are UTC without offset."""


def create_peer_tables(engine_or_url: Engine | URL | str, tenant_columns: bool = False) -> None:
    """Creates the peer tables that are missing; `tenant_columns` gives each an indexed `tenant_id UUID`."""
    with _transaction(engine_or_url) as connection:
        for statement in _peer_statements(tenant_columns):
            connection.exec_driver_sql(statement)


def create_old_jobs_table(engine_or_url: Engine | URL | str, tenant_column: bool) -> None:
    """An older version's `arkham_export_jobs` holding `OLD_JOBS`.

    With `tenant_column` the finished rows (all but the pending one) belong to `OLD_TENANT_ID`; without one,
    or for the pending row, there is no tenant.
    """
    tenant = ", tenant_id UUID" if tenant_column else ""
    with _transaction(engine_or_url) as connection:
        connection.exec_driver_sql(f"CREATE TABLE arkham_export_jobs ({OLD_JOBS_COLUMNS}{tenant})")
        for index, column in (
            ("status", "status"),
            ("created", "created_at"),
            ("format", "format"),
            ("target", "target"),
        ):
            connection.exec_driver_sql(
                f"CREATE INDEX idx_export_jobs_{index} ON arkham_export_jobs ({column})"
            )
        for job in OLD_JOBS:
            row = dict(job)
            if tenant_column and "status" in job:
                row["tenant_id"] = OLD_TENANT_ID
            names, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
            connection.execute(text(f"INSERT INTO arkham_export_jobs ({names}) VALUES ({marks})"), row)


def _peer_statements(tenant_columns: bool) -> Iterator[str]:
    for schema in SCHEMAS:
        yield f"CREATE SCHEMA IF NOT EXISTS {schema}"
    for table in TABLES:
        tenant, indexed = (", tenant_id UUID", ("tenant_id",)) if tenant_columns else ("", ())
        yield f"CREATE TABLE IF NOT EXISTS {table.name} ({table.columns}{tenant})"
        for column in table.indexed + indexed:
            index = f"idx_{table.name.replace('.', '_')}_{column}"
            yield f"CREATE INDEX IF NOT EXISTS {index} ON {table.name} ({column})"


@contextmanager
def _transaction(engine_or_url: Engine | URL | str) -> Iterator[Connection]:
    """A committed transaction; an engine made here is given back, one handed in stays open."""
    if isinstance(engine_or_url, Engine):
        with engine_or_url.begin() as connection:
            yield connection
        return
    engine = create_engine(make_url(engine_or_url).set(drivername="postgresql+psycopg2"))
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
