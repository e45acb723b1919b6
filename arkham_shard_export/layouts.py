"""How records are shown to people, as data: in which order, under which labels and headings.

Workbooks and reports take their sheets, blocks and columns from here. A column that no layout names, because it is
new or the database has one more, is shown after those that are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from arkham_shard_export.schema import Column


@dataclass(frozen=True, slots=True)
class Grouping:
    """Records under a heading for each value of `column`; `titles` says how the values read, in their order.

    `named_by` is a column that holds the value's name.
    """

    column: str
    titles: Mapping[str, str] = field(default_factory=dict)
    without: str = "Other"
    named_by: str = ""

    def title(self, value: object) -> str:
        if value is None or value == "":
            return self.without
        return self.titles.get(str(value), str(value))

    def rank(self, value: object) -> int:
        """The place of a value's group; values without a title of their own come after those that have one."""
        known = list(self.titles)
        return known.index(str(value)) if value in known else len(known) + (value in (None, ""))


class Display(StrEnum):
    """How a report sets records: as blocks with a heading each, as short items, or as rows of a table."""

    BLOCKS = "blocks"
    ITEMS = "items"
    TABLE = "table"


class Drawing(StrEnum):
    """What an overview draws: the events over time by the date of their layout, or the network of nodes and edges."""

    EVENTS = "events"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class RecordLayout:
    """The records of one table, named in the plural; `one` of them, and a `note` on what they are. `title` names the columns of which the first that is filled heads a record.

    `facts` are short values in their order, `prose` those that are set as paragraphs; columns in neither follow the
    facts. `implied` columns repeat what is said by where the record stands (the key of the record it belongs to):
    a report leaves them out, a sheet needs them as links.
    """

    name: str
    one: str = "Record"
    note: str = ""
    title: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    prose: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    grouping: Grouping | None = None
    display: Display = Display.BLOCKS
    dated: str = ""
    tallied: tuple[str, ...] = ()
    relations: Mapping[str, RecordLayout] = field(default_factory=dict)

    def label(self, column: str) -> str:
        return self.labels.get(column) or default_label(column)

    def heading(self, column: Column) -> str:
        """What a column is called: as whoever chose it wants, or as it is declared here."""
        return column.label or self.label(column.name)

    def ordered(self, columns: Sequence[Column]) -> list[Column]:
        """The columns as they are shown: id, title, facts, prose, the rest; relations last, as they are declared.

        Columns that somebody has chosen stand as they were chosen.
        """
        if any(each.chosen for each in columns):
            return list(columns)
        dated = [self.dated] if self.dated else []
        order = ["id", *dated, *self.title, *self.facts, *self.prose]
        relations = list(self.relations)

        def place(column: Column) -> tuple[int, int]:
            if column.columns:
                known = column.name in relations
                return 2, relations.index(column.name) if known else len(relations)
            return (0, order.index(column.name)) if column.name in order else (1, 0)

        return sorted(columns, key=place)

    def relation(self, column: Column) -> RecordLayout:
        known = self.relations.get(column.name)
        layout = known or plain_layout(default_label(column.name), column.columns)
        return replace(layout, name=column.label) if column.label else layout


@dataclass(frozen=True, slots=True)
class TargetLayout:
    """A target as a report: its title, its sections by name, whether its pages are wide, and what its overview draws."""

    title: str
    sections: Mapping[str, RecordLayout]
    wide: bool = False
    drawing: Drawing | None = None

    def section(self, name: str, columns: Sequence[Column]) -> RecordLayout:
        return self.sections.get(name) or plain_layout(default_label(name), columns)

    @property
    def grouped_by(self) -> str | None:
        """The column that the records must be sorted by to stand under their headings."""
        grouping = next(iter(self.sections.values())).grouping if self.sections else None
        return grouping.column if grouping else None


_ACRONYMS = {"id": "ID", "ids": "IDs"}
_TITLE_COLUMNS = ("title", "name", "label", "filename", "text", "description", "id")


def default_label(column: str) -> str:
    """`source_document_id` becomes "Source document ID"; of a flattened column what follows the dot stays as it is."""
    name, dot, path = column.partition(".")
    words = [_ACRONYMS.get(word, word) for word in name.split("_") if word]
    text = " ".join(words) or name
    return f"{text[:1].upper()}{text[1:]}{dot}{path}"


def plain_layout(name: str, columns: Sequence[Column]) -> RecordLayout:
    """For records nobody described: of a source registered at run time, or of a relation that is new."""
    names = {each.name for each in columns if not each.columns}
    return RecordLayout(name, title=tuple(each for each in _TITLE_COLUMNS if each in names)[:1])


_AUDIT = ("created_at", "updated_at")
_MENTIONS = RecordLayout(
    "Mentions",
    title=("mention_text",),
    facts=("entity_id", "document_id", "start_offset", "end_offset", "confidence"),
)
_ENTITY_TYPES = {
    "PERSON": "People",
    "ORGANIZATION": "Organisations",
    "LOCATION": "Places",
    "DATE": "Dates",
    "MONEY": "Amounts of money",
    "EVENT": "Events",
    "PRODUCT": "Products",
    "DOCUMENT": "Documents",
    "CONCEPT": "Concepts",
    "OTHER": "Other entities",
}

LAYOUTS: dict[str, TargetLayout] = {
    "documents": TargetLayout(
        "Documents",
        {
            "records": RecordLayout(
                "Documents",
                one="Document",
                title=("filename",),
                facts=("status", "mime_type", "file_size", "page_count", "chunk_count", *_AUDIT, "processed_at"),
                prose=("error",),
                tallied=("status", "mime_type"),
                labels={"mime_type": "Media type", "file_size": "Size (bytes)", "page_count": "Number of pages",
                        "chunk_count": "Number of chunks"},
                relations={
                    "project": RecordLayout("Project", title=("name",), prose=("description",)),
                    "pages": RecordLayout(
                        "Pages",
                        facts=("page_number", "word_count", "width", "height", "image_path"),
                        prose=("text",),
                        implied=("document_id",),
                        labels={"page_number": "Page", "word_count": "Words"},
                    ),
                    "mentions": RecordLayout(
                        "Entities mentioned", title=("mention_text",), facts=_MENTIONS.facts, implied=("document_id",)
                    ),
                    "chunks": RecordLayout(
                        "Text chunks",
                        facts=("chunk_index", "page_number", "start_char", "end_char", "token_count"),
                        prose=("text",),
                        implied=("document_id",),
                        labels={"chunk_index": "Chunk", "page_number": "Page", "token_count": "Tokens"},
                    ),
                },
            )
        },
    ),
    "entities": TargetLayout(
        "Entities",
        {
            "records": RecordLayout(
                "Entities",
                one="Entity",
                title=("name",),
                facts=("entity_type", "aliases", "mention_count", "document_ids", "canonical_id", *_AUDIT),
                labels={"entity_type": "Type", "aliases": "Also known as", "mention_count": "Number of mentions",
                        "canonical_id": "Merged into", "document_ids": "In documents"},
                grouping=Grouping("entity_type", _ENTITY_TYPES, without="Entities without a type"),
                tallied=("entity_type",),
                relations={
                    "relationships": RecordLayout(
                        "Relationships",
                        note="one for each of the two entities that it relates, with its direction from there",
                        title=("relationship_type",),
                        facts=("direction", "source_id", "target_id", "confidence", *_AUDIT),
                        labels={"relationship_type": "Relationship", "source_id": "From", "target_id": "To"},
                    ),
                    "mentions": RecordLayout(
                        "Mentions", title=("mention_text",), facts=_MENTIONS.facts, implied=("entity_id",)
                    ),
                },
            )
        },
    ),
    "claims": TargetLayout(
        "Claims",
        {
            "records": RecordLayout(
                "Claims",
                one="Claim",
                title=("text",),
                facts=("status", "claim_type", "confidence", "evidence_count", "supporting_count", "refuting_count",
                       "source_document_id", "source_start_char", "source_end_char", "entity_ids", "extracted_by",
                       "extraction_model", *_AUDIT, "verified_at"),
                prose=("source_context",),
                tallied=("status", "claim_type"),
                labels={"claim_type": "Type", "text": "Claim", "source_document_id": "Source document",
                        "source_start_char": "From character", "source_end_char": "To character",
                        "entity_ids": "Entities", "evidence_count": "Evidence (number)",
                        "supporting_count": "Supporting", "refuting_count": "Refuting",
                        "source_context": "Context in the source"},
                relations={
                    "evidence": RecordLayout(
                        "Evidence",
                        title=("reference_title", "reference_id"),
                        facts=("relationship", "strength", "evidence_type", "reference_id", "added_by", "added_at"),
                        prose=("excerpt", "notes"),
                        implied=("claim_id",),
                        labels={"evidence_type": "Type", "reference_id": "Reference", "reference_title": "Title"},
                        grouping=Grouping(
                            "relationship",
                            {"supports": "Evidence that supports it", "refutes": "Evidence that refutes it",
                             "related": "Related evidence"},
                            without="Other evidence",
                        ),
                    )
                },
            )
        },
    ),
    "timeline": TargetLayout(
        "Timeline",
        {
            "records": RecordLayout(
                "Events",
                one="Event",
                title=("text",),
                facts=("date_start", "date_end", "precision", "event_type", "confidence", "document_id",
                       "entity_names", "entities", "span_start", "span_end"),
                dated="date_start",
                tallied=("event_type", "precision"),
                labels={"text": "Event", "date_start": "Start", "date_end": "End", "event_type": "Type",
                        "document_id": "Document", "entities": "Entity IDs", "entity_names": "Entities",
                        "span_start": "From character", "span_end": "To character"},
                relations={
                    "annotations": RecordLayout(
                        "Annotations", title=("author",), prose=("note",), facts=_AUDIT, implied=("event_id",)
                    )
                },
            ),
            "conflicts": RecordLayout(
                "Conflicts",
                title=("type",),
                display=Display.ITEMS,
                facts=("severity", "event_ids", "document_ids", "created_at"),
                prose=("description", "suggested_resolution"),
                labels={"event_ids": "Events", "document_ids": "Documents"},
            ),
            "gaps": RecordLayout(
                "Gaps",
                facts=("start_date", "end_date", "gap_days", "severity", "before_event_id", "after_event_id"),
                display=Display.TABLE,
                labels={"start_date": "From", "end_date": "To", "gap_days": "Days", "before_event_id": "Event before",
                        "after_event_id": "Event after"},
            ),
            "groups": RecordLayout(
                "Groups",
                title=("text",),
                facts=("key", "name", "event_id", "date_start"),
                implied=("key", "name"),
                grouping=Grouping("key", without="Events in no group", named_by="name"),
                display=Display.ITEMS,
                dated="date_start",
                labels={"key": "Group", "date_start": "Start", "event_id": "Event ID", "text": "Event"},
            ),
        },
        drawing=Drawing.EVENTS,
    ),
    "graph": TargetLayout(
        "Graph",
        {
            "nodes": RecordLayout(
                "Nodes",
                one="Node",
                title=("label",),
                display=Display.ITEMS,
                tallied=("entity_type",),
                facts=("entity_type", "degree", "document_count", "community_id", "centrality_score", "entity_id",
                       "graph_id", "created_at"),
                labels={"entity_type": "Type", "document_count": "Documents", "community_id": "Community",
                        "centrality_score": "Centrality", "entity_id": "Entity", "graph_id": "Graph"},
            ),
            "edges": RecordLayout(
                "Edges",
                one="Edge",
                title=("relationship_type",),
                display=Display.ITEMS,
                tallied=("relationship_type",),
                facts=("source_name", "target_name", "source_id", "target_id", "weight", "co_occurrence_count",
                       "document_ids", "graph_id", "created_at"),
                labels={"relationship_type": "Relationship", "source_name": "From", "target_name": "To",
                        "source_id": "From node", "target_id": "To node",
                        "co_occurrence_count": "Found together", "document_ids": "Documents", "graph_id": "Graph"},
            ),
        },
        drawing=Drawing.NETWORK,
    ),
    "matrix": TargetLayout(
        "Analyses of competing hypotheses",
        {
            "records": RecordLayout(
                "Matrices",
                one="Matrix",
                title=("title",),
                facts=("status", "project_id", "created_by", *_AUDIT),
                tallied=("status",),
                prose=("question", "description"),
                labels={"project_id": "Project"},
                relations={
                    "hypotheses": RecordLayout(
                        "Hypotheses",
                        title=("title",),
                        facts=("column_index", "is_lead", "author", *_AUDIT),
                        prose=("description", "notes"),
                        implied=("matrix_id",),
                        labels={"column_index": "Place", "is_lead": "Lead hypothesis"},
                    ),
                    "evidence": RecordLayout(
                        "Evidence",
                        title=("description",),
                        facts=("row_index", "evidence_type", "source", "credibility", "relevance",
                               "source_document_id", "source_page_number", "document_ids", "author", *_AUDIT),
                        prose=("source_quote", "notes"),
                        implied=("matrix_id",),
                        labels={"row_index": "Place", "evidence_type": "Type", "description": "Evidence",
                                "source_document_id": "Source document", "source_page_number": "Source page",
                                "document_ids": "Documents", "source_quote": "Quotation"},
                    ),
                    "ratings": RecordLayout(
                        "Ratings",
                        title=("rating",),
                        facts=("hypothesis_id", "evidence_id", "rated_by", *_AUDIT),
                        prose=("notes",),
                        implied=("matrix_id",),
                        labels={"hypothesis_id": "Hypothesis", "evidence_id": "Evidence"},
                    ),
                    "scores": RecordLayout(
                        "Scores",
                        title=("title",),
                        facts=("rank", "hypothesis_id", "inconsistency_count", "weighted_score", "normalised_score"),
                        labels={"hypothesis_id": "Hypothesis ID", "title": "Hypothesis",
                                "inconsistency_count": "Inconsistencies", "weighted_score": "Weighted score (-2 to 2)",
                                "normalised_score": "Normalised score (0 to 100)"},
                    ),
                },
            )
        },
        wide=True,
    ),
}  # fmt: skip


def layout_of(target: str) -> TargetLayout:
    """The declared layout, or one that shows whatever comes."""
    return LAYOUTS.get(target) or TargetLayout(default_label(target), {})
