"""What can be exported, as data: the six targets over the peers' tables. A new target is one literal here;
what cannot be said as data (scores, gaps, groups) is attached in `sources.tables`.

How records are read is the business of `sources`, how they look in a file that of `formats`.
"""

from __future__ import annotations

from arkham_shard_export.peers import (
    ACH_EVIDENCE,
    CHUNKS,
    CLAIM_EVIDENCE,
    CLAIM_STATUSES,
    CLAIM_TYPES,
    CLAIMS,
    DOCUMENT_STATUSES,
    DOCUMENTS,
    EDGES,
    ENTITIES,
    ENTITY_MENTIONS,
    ENTITY_RELATIONSHIPS,
    ENTITY_TYPES,
    EVENT_TYPES,
    GRAPHS,
    HYPOTHESES,
    MATRICES,
    MATRIX_STATUSES,
    NODES,
    PAGES,
    PRECISIONS,
    PROJECTS,
    RATINGS,
    TIMELINE_ANNOTATIONS,
    TIMELINE_EVENTS,
)
from arkham_shard_export.schema import Exclusion, Filter, Layout, Parent, RecordSet, Relation, Target

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
                Filter("project_id", "project_id", "Documents of these projects, by id."),
                Filter("status", "status", "How far the document was processed.", DOCUMENT_STATUSES),
                Filter("mime_type", "mime_type", "The kind of file, such as application/pdf."),
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
                Filter("entity_type", "entity_type", "What the entity is.", ENTITY_TYPES),
                Filter(
                    "canonical_id",
                    "canonical_id",
                    "Entities that were merged into these, by id; they are left out otherwise.",
                ),
                Filter(
                    "document_id", "document_ids", "Entities found in these documents, by id.", member=True
                ),
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
                Filter("status", "status", "How the claim stands.", CLAIM_STATUSES),
                Filter("claim_type", "claim_type", "What the claim says something about.", CLAIM_TYPES),
                Filter("document_id", "source_document_id", "Claims found in these documents, by id."),
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
                Filter("document_id", "document_id", "Events found in these documents, by id."),
                Filter("event_type", "event_type", "What happened.", EVENT_TYPES),
                Filter("entity_id", "entities", "Events that involve these entities, by id.", member=True),
                Filter("precision", "precision", "How exactly the event is dated.", PRECISIONS),
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
            filters=(Filter("project_id", "project_id", "Graphs of these projects, by id.", in_parent=True),),
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
                    layout=Layout.GRID,
                ),
            ),
            filters=(
                Filter("project_id", "project_id", "Matrices of these projects, by id."),
                Filter("matrix_id", "id", "These matrices, by id."),
                Filter("status", "status", "How far the analysis has come.", MATRIX_STATUSES),
            ),
        ),
    )
}
