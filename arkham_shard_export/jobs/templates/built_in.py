"""Templates that come with the program, to show what is possible. Who changes one gives it the next version."""

from __future__ import annotations

from typing import Any

from arkham_shard_export.models import ExportTemplate

OWNER = "arkham-shard-export"


def _template(
    id: str, name: str, target: str, format: str, description: str, *, version: int = 1, **options: Any
) -> ExportTemplate:
    return ExportTemplate(
        id=id, name=name, description=description, target=target, format=format, retention_hours=None, shared=True,
        created_by=OWNER, version=version, created_at=None, updated_at=None, updated_by=OWNER, built_in=True,
        options=options,
    )  # fmt: skip


_GEPHI = {
    "nodes": [
        {"name": "id", "label": "Id"}, {"name": "label", "label": "Label"}, "entity_type", "document_count", "degree",
        "centrality_score", "community_id", "entity_id",
    ],
    "edges": [
        {"name": "source_id", "label": "Source"}, {"name": "target_id", "label": "Target"}, {"name": "weight", "label": "Weight"},
        {"name": "relationship_type", "label": "Label"}, "co_occurrence_count", "id",
    ],
}  # fmt: skip

BUILT_IN = (
    _template(
        "claims-for-an-editor", "Claims for an editor", "claims", "docx",
        "Every claim with the evidence for and against it, newest first, as a Word document to comment on.",
        sort_by="created_at", sort_order="desc",
    ),
    _template(
        "claims-to-hand-over", "Claims to hand over", "claims", "pdf",
        "The same as a PDF with numbered claims, to read and to print.",
        sort_by="created_at", sort_order="desc",
    ),
    _template(
        "claims-of-the-last-seven-days", "Claims of the last seven days", "claims", "xlsx",
        "What came in during the seven whole days before the export: one sheet of claims, one of their evidence. Made once a "
        "week it holds every claim once.",
        date_range="last_7_days", sort_by="created_at",
    ),
    _template(
        "entities-for-a-spreadsheet", "Entities for a spreadsheet", "entities", "xlsx",
        "People, organizations and places by name, what is nested in columns of its own, relationships and mentions on sheets "
        "beside them.",
        flatten=True, sort_by="name",
    ),
    _template(
        "timeline-for-a-court", "Timeline for a court", "timeline", "pdf",
        "Events in order under their months, with the conflicts between them and the gaps of 30 days or more.",
        include_conflicts=True, include_gaps=True, group_by="month",
        report={"title": "Chronology", "subtitle": "With conflicts between sources, and gaps"},
    ),
    _template(
        "graph-for-gephi", "Graph for Gephi", "graph", "csv",
        "nodes.csv and edges.csv in a ZIP, with the columns that Gephi looks for under the names that it knows, and each text as "
        "it is.",
        spreadsheet_safe=False, csv="machine", columns=_GEPHI,
    ),
    _template(
        "matrices-for-a-briefing", "Matrices for a briefing", "matrix", "pdf",
        "Hypotheses against evidence in colour, with scores and ranks, on large paper.",
        report={"title": "Analysis of competing hypotheses", "paper": "a3"},
    ),
    _template(
        "documents-for-a-script", "Documents for a script", "documents", "json",
        "Every document with its pages, chunks and mentions as JSON, compressed by zstd.",
        compression="zstd", sort_by="id",
    ),
)  # fmt: skip
