"""The seed's rows of every peer table: columns as streams, zipped to rows as they are written.

A table lists only the columns that are more than a value of their kind: keys, references, counts, enumerations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, repeat
from typing import Any

from arkham_shard_export import peers as t
from arkham_shard_export.schema import Table
from arkham_shard_export.standalone.seed_streams import Stream, Streams, numbered, one_null, same
from arkham_shard_export.standalone.seed_values import Pools

Special = dict[str, Stream]

PAGES_OF_DOCUMENT = (1, 0, 2, 1, 0, 3, 1, 0, 1, 1, 2, 0, 1)
CHUNKS_OF_DOCUMENT = (1, 2, 0, 1, 3, 0, 1, 1, 0, 1, 1)
MENTIONS_OF_ENTITY = (1, 2, 0, 1, 1, 3, 0, 0, 1, 1, 1)
EVIDENCE_OF_CLAIM = (
    ("supports", "refutes"), ("supports",), ("related", "refutes", "supports"), (), ("supports", "supports"),
    ("refutes", "related", "supports", "supports"), ("refutes", "refutes"),
)  # fmt: skip
HYPOTHESES_AND_EVIDENCE = ((2, 3), (3, 3), (2, 4), (3, 2), (2, 2), (3, 4), (2, 3))
PROJECTS = GRAPHS = 8


@dataclass(frozen=True, slots=True)
class TableRows:
    """All rows of a table, in the order of its columns; `rows` can be taken once."""

    table: Table
    count: int
    rows: Iterator[tuple[Any, ...]]


def every_table(records: int, pools: Pools) -> Iterator[TableRows]:
    """The rows of every peer table for `records` records per target; nothing is made before it is asked for."""
    seed = SeedRows(records, pools)
    for table in t.TABLES:
        rows, special = seed.recipes[table]()
        names = [column.name for column in table.columns]
        streams = [
            special[name] if name in special else seed.usual(table, table.columns[i])
            for i, name in enumerate(names)
        ]
        # The id comes first; most of the other streams never end.
        yield TableRows(table, rows, zip(*streams, strict=False))


class SeedRows(Streams):
    """For each table the number of its rows and its special columns."""

    def __init__(self, records: int, pools: Pools) -> None:
        super().__init__(records, pools)
        self.nodes = (records + 2) // 3
        self.edges = records - self.nodes
        self.projects = min(PROJECTS, records)
        self.graphs = min(GRAPHS, self.nodes)
        self.recipes: dict[Table, Callable[[], tuple[int, Special]]] = {
            t.PROJECTS: self._projects, t.DOCUMENTS: self._documents, t.PAGES: self._pages, t.CHUNKS: self._chunks,
            t.ENTITIES: self._entities, t.ENTITY_RELATIONSHIPS: self._relationships,
            t.ENTITY_MENTIONS: self._mentions, t.CLAIMS: self._claims, t.CLAIM_EVIDENCE: self._claim_evidence,
            t.TIMELINE_EVENTS: self._events, t.TIMELINE_CONFLICTS: self._conflicts,
            t.TIMELINE_ANNOTATIONS: self._annotations, t.GRAPHS: self._graphs, t.NODES: self._nodes,
            t.EDGES: self._edges, t.MATRICES: self._matrices, t.HYPOTHESES: self._hypotheses,
            t.ACH_EVIDENCE: self._matrix_evidence, t.RATINGS: self._ratings,
        }  # fmt: skip

    def _projects(self) -> tuple[int, Special]:
        return self.projects, {
            "id": self.ids("project", self.projects),
            "name": self.pools.cycle(self.pools.names, "projects"),
        }

    def _project_of(self, turn: str) -> Stream:
        ids = list(self.ids("project", self.projects))
        return self.pools.cycle([*ids, None, *ids, *ids], turn)

    def _documents(self) -> tuple[int, Special]:
        pools = self.pools
        extensions = ("pdf", "docx", "xlsx", "eml", "jpg")
        mime_types = (
            "application/pdf",
            "text/plain",
            None,
            "message/rfc822",
            "image/jpeg",
            "text/html; charset=utf-8",
        )
        return self.records, {
            "id": self.ids("document", self.records),
            "filename": pools.cycle(
                [f"{name}.{extensions[i % 5]}" if name else "" for i, name in enumerate(pools.names)],
                "filename",
            ),
            "storage_id": self.references("storage", self.records, 1, null_every=17),
            "project_id": self._project_of("documents"),
            "status": pools.cycle(t.DOCUMENT_STATUSES, "documents"),
            "mime_type": pools.cycle(mime_types, "mime"),
            "file_size": pools.cycle([None if i % 19 == 8 else i**5 for i in range(109)], "size"),
            "page_count": pools.cycle(one_null(PAGES_OF_DOCUMENT)),
            "chunk_count": pools.cycle(one_null(CHUNKS_OF_DOCUMENT)),
            "error": pools.cycle(
                [text if i % 5 == 0 else None for i, text in enumerate(pools.texts)], "error"
            ),
        }

    def _pages(self) -> tuple[int, Special]:
        return self.total(PAGES_OF_DOCUMENT), {
            "id": self.of_parents("page", numbered(PAGES_OF_DOCUMENT)),
            "document_id": self.of_parents("document", same(PAGES_OF_DOCUMENT)),
            "page_number": self.pools.cycle([n + 1 for each in PAGES_OF_DOCUMENT for n in range(each)]),
            "text": self.joined("pages"),
        }

    def _chunks(self) -> tuple[int, Special]:
        starts, ends = self.spans("chunks")
        return self.total(CHUNKS_OF_DOCUMENT), {
            "id": self.of_parents("chunk", numbered(CHUNKS_OF_DOCUMENT)),
            "document_id": self.of_parents("document", same(CHUNKS_OF_DOCUMENT)),
            "chunk_index": self.pools.cycle([n for each in CHUNKS_OF_DOCUMENT for n in range(each)]),
            "text": self.joined("chunks"),
            "start_char": starts,
            "end_char": ends,
            "vector_id": self.references("vector", self.total(CHUNKS_OF_DOCUMENT), 1, null_every=9),
        }

    def _entities(self) -> tuple[int, Special]:
        pools = self.pools
        return self.records, {
            "id": self.ids("entity", self.records),
            "name": pools.cycle(pools.names),
            "entity_type": pools.cycle((*t.ENTITY_TYPES, "PERSON", "PERSON", "ORGANIZATION"), "entities"),
            "canonical_id": repeat(self.null),
            "aliases": pools.cycle(pools.name_lists, "aliases"),
            "mention_count": pools.cycle(one_null(MENTIONS_OF_ENTITY)),
            "document_ids": self.reference_lists("document", 7),
        }

    def _relationships(self) -> tuple[int, Special]:
        kinds = ("WORKS_FOR", "LOCATED_IN", "MEMBER_OF", "OWNS", "RELATED_TO", "MENTIONED_WITH", "knows; met")
        return self.records, {
            "id": self.ids("relationship", self.records),
            "source_id": self.references("entity", self.records, 1),
            "target_id": self.references("entity", self.records, 7_919),
            "relationship_type": self.pools.cycle(kinds, "relationships"),
        }

    def _mentions(self) -> tuple[int, Special]:
        starts, ends = self.spans("mentions")
        return self.total(MENTIONS_OF_ENTITY), {
            "id": self.of_parents("mention", numbered(MENTIONS_OF_ENTITY)),
            "entity_id": self.of_parents("entity", same(MENTIONS_OF_ENTITY)),
            "document_id": self.references("document", self.records, 104_729),
            "start_offset": starts,
            "end_offset": ends,
        }

    def _claims(self) -> tuple[int, Special]:
        pools = self.pools
        starts, ends = self.spans("claims")
        counts = [len(each) for each in EVIDENCE_OF_CLAIM]
        return self.records, {
            "id": self.ids("claim", self.records),
            "text": self.joined("claims"),
            "claim_type": pools.cycle((*t.CLAIM_TYPES, "factual", "factual"), "claim_type"),
            "status": pools.cycle((*t.CLAIM_STATUSES, "unverified", "verified"), "claim_status"),
            "source_document_id": self.references("document", self.records, 15_485_863, null_every=14),
            "source_start_char": starts,
            "source_end_char": ends,
            "extracted_by": pools.cycle(("llm", "manual", None, "regex"), "by"),
            "extraction_model": pools.cycle(("model-a:8b", None, "model-b", "=model"), "model"),
            "entity_ids": self.reference_lists("entity", 11),
            "evidence_count": pools.cycle(one_null(counts)),
            "supporting_count": pools.cycle(one_null([each.count("supports") for each in EVIDENCE_OF_CLAIM])),
            "refuting_count": pools.cycle(one_null([each.count("refutes") for each in EVIDENCE_OF_CLAIM])),
        }

    def _claim_evidence(self) -> tuple[int, Special]:
        pools = self.pools
        counts = [len(each) for each in EVIDENCE_OF_CLAIM]
        return self.total(counts), {
            "id": self.of_parents("claim-evidence", numbered(counts)),
            "claim_id": self.of_parents("claim", same(counts)),
            "evidence_type": pools.cycle(("document", "entity", "external", "claim"), "evidence"),
            "reference_id": self.references("document", self.records, 15_485_863, null_every=12),
            "relationship": pools.cycle([word for each in EVIDENCE_OF_CLAIM for word in each]),
            "strength": pools.cycle(("strong", "moderate", "weak", None, "weak"), "evidence"),
        }

    def _events(self) -> tuple[int, Special]:
        pools = self.pools
        span_starts, span_ends = self.spans("events")
        starts, ends, precisions = zip(*pools.dates(), strict=True)
        return self.records, {
            "id": self.ids("event", self.records),
            "document_id": self.references("document", self.records, 1, null_every=23),
            "text": self.joined("events"),
            "date_start": pools.cycle(starts, "dates"),
            "date_end": pools.cycle(ends, "dates"),
            "precision": pools.cycle(precisions, "dates"),
            "entities": self.reference_lists("entity", 13),
            "event_type": pools.cycle(t.EVENT_TYPES, "events"),
            "span_start": span_starts,
            "span_end": span_ends,
        }

    def _conflicts(self) -> tuple[int, Special]:
        pools, rows = self.pools, (self.records + 49) // 50
        return rows, {
            "id": self.ids("conflict", rows),
            "type": pools.cycle(("contradiction", "inconsistency", "gap", "overlap"), "conflicts"),
            "severity": pools.cycle(("low", "medium", "high", "critical", "low"), "conflicts"),
            "event_ids": self.reference_lists("event", 50),
            "document_ids": self.reference_lists("document", 50),
        }

    def _annotations(self) -> tuple[int, Special]:
        rows = (self.records + 9) // 10
        return rows, {
            "id": self.ids("annotation", rows),
            "event_id": self.references("event", self.records, 104_729),
        }

    def _graphs(self) -> tuple[int, Special]:
        graphs = self.graphs
        return graphs, {
            "id": self.ids("graph", graphs),
            "project_id": self.ids("project", graphs),
            "node_count": iter([_share(self.nodes, graphs, graph) for graph in range(graphs)]),
            "edge_count": iter([_share(self.edges, graphs, graph) for graph in range(graphs)]),
        }

    def _nodes(self) -> tuple[int, Special]:
        pools = self.pools
        return self.nodes, {
            "id": self.ids("node", self.nodes),
            "graph_id": self.references("graph", self.graphs, 1),
            "entity_id": self.references("entity", self.records, 3, null_every=31),
            "entity_type": pools.cycle(t.ENTITY_TYPES, "nodes"),
            "label": pools.cycle(pools.names, "nodes"),
            "community_id": pools.cycle([0, 1, None, 2, 3], "nodes"),
        }

    def _edges(self) -> tuple[int, Special]:
        kinds = ("co_occurrence", "WORKS_FOR", "OWNS", "MENTIONED_WITH", "RELATED_TO")
        return self.edges, {
            "id": self.ids("edge", self.edges),
            "graph_id": self.references("graph", self.graphs, 1),
            "source_id": self._edge_ends(1),
            "target_id": self._edge_ends(7),
            "relationship_type": self.pools.cycle(kinds, "edges"),
            "document_ids": self.reference_lists("document", 17),
        }

    def _edge_ends(self, step: int) -> Stream:
        """Nodes of the graph that the edge is in: like the nodes, the edges go round the graphs."""
        key, graphs = self.key("node"), self.graphs
        nodes = [_share(self.nodes, graphs, graph) for graph in range(graphs)]
        for i in count():
            turn, graph = divmod(i, graphs)
            yield f"{key}{turn * step % nodes[graph] * graphs + graph:07d}"

    def _matrices(self) -> tuple[int, Special]:
        pools = self.pools
        return self.records, {
            "id": self.ids("matrix", self.records),
            "title": pools.cycle(pools.names, "matrices"),
            "project_id": self._project_of("matrices"),
            "status": pools.cycle((*t.MATRIX_STATUSES, "active"), "matrices"),
        }

    def _hypotheses(self) -> tuple[int, Special]:
        counts = [hypotheses for hypotheses, _ in HYPOTHESES_AND_EVIDENCE]
        return self.total(counts), {
            "id": self.of_parents("hypothesis", numbered(counts)),
            "matrix_id": self.of_parents("matrix", same(counts)),
            "title": self.pools.cycle(self.pools.names, "hypotheses"),
            "column_index": self.pools.cycle([n for each in counts for n in range(each)]),
        }

    def _matrix_evidence(self) -> tuple[int, Special]:
        counts = [evidence for _, evidence in HYPOTHESES_AND_EVIDENCE]
        return self.total(counts), {
            "id": self.of_parents("evidence", numbered(counts)),
            "matrix_id": self.of_parents("matrix", same(counts)),
            "evidence_type": self.pools.cycle(
                ("document", "testimony", "fact", None, "assumption"), "matrix_evidence"
            ),
            "row_index": self.pools.cycle([n for each in counts for n in range(each)]),
            "document_ids": self.reference_lists("document", 3),
            "source_document_id": self.references("document", self.records, 1, null_every=6),
        }

    def _ratings(self) -> tuple[int, Special]:
        # One cell in eight has no row: nobody has rated it.
        cells = [
            [(h, e) for h in range(hypotheses) for e in range(evidence) if (h * 3 + e * 5 + turn) % 8 != 6]
            for turn, (hypotheses, evidence) in enumerate(HYPOTHESES_AND_EVIDENCE)
        ]
        counts = [len(each) for each in cells]
        ratings = ("++", "-", "+", "N", "--", "N/A", "+", "-", "--", "N", "++")
        return self.total(counts), {
            "id": self.of_parents("rating", [[f"-{h}-{e}" for h, e in each] for each in cells]),
            "matrix_id": self.of_parents("matrix", same(counts)),
            "hypothesis_id": self.of_parents("hypothesis", [[f"-{h}" for h, _ in each] for each in cells]),
            "evidence_id": self.of_parents("evidence", [[f"-{e}" for _, e in each] for each in cells]),
            "rating": self.pools.cycle(ratings, "ratings"),
        }


def _share(total: int, graphs: int, graph: int) -> int:
    return (total + graphs - 1 - graph) // graphs
