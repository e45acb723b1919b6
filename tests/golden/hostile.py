"""The hostile case, and the files that were agreed for it."""

from __future__ import annotations

import json
import os
from itertools import cycle
from pathlib import Path

from arkham_shard_export.peers import (
    ACH_EVIDENCE,
    CHUNKS,
    CLAIM_EVIDENCE,
    CLAIMS,
    DOCUMENTS,
    EDGES,
    ENTITIES,
    ENTITY_MENTIONS,
    ENTITY_RELATIONSHIPS,
    GRAPHS,
    HYPOTHESES,
    MATRICES,
    NODES,
    PAGES,
    PROJECTS,
    RATINGS,
    TIMELINE_ANNOTATIONS,
    TIMELINE_CONFLICTS,
    TIMELINE_EVENTS,
)
from arkham_shard_export.standalone.seed_words import SAMPLES
from tests.unit.case import Case

FOLDER = Path(__file__).parent
UPDATING = os.environ.get("ARKHAM_UPDATE_GOLDEN") == "1"

JSONS = (
    '{"b": 1, "a": [1.10, 123456789012345678901234567890, null]}',
    '{"nested": {"a.b": {"back\\\\slash": "=1+1"}}, "tags": ["x", "y"]}',
    '{"bad": NaN, "half": "\\ud800"}',
    "not JSON",
    '"a string"',
    None,
    "[]",
    "{}",
)
MOMENTS = (
    "2024-02-29",
    "2024-02-29 12:00:00.123456",
    "2024-02-29T12:00:00Z",
    "2024-02-29T12:00:00+05:30",
    "about 2024",
    "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.999999",
    None,
)


def fill(case: Case) -> None:
    """Every hostile sample in every target, and a row of every table."""
    samples = cycle(SAMPLES)
    for number, (sample, json_text, moment) in enumerate(
        zip(SAMPLES, cycle(JSONS), cycle(MOMENTS), strict=False)
    ):
        key = f"{number:03}"
        case.add(
            DOCUMENTS,
            id=f"d{key}",
            filename=sample,
            project_id="p" if number % 2 else None,
            status="parsed",
            file_size=2**40 + number,
            created_at=moment,
            metadata=json_text,
            error=next(samples),
        )
        case.add(
            ENTITIES,
            id=f"n{key}",
            name=sample,
            entity_type="PERSON",
            canonical_id="n000" if number % 9 == 8 else None,
            aliases=json.dumps([sample, next(samples)]),
            metadata=json_text,
            mention_count=number,
            created_at=moment,
        )
        case.add(
            CLAIMS,
            id=f"c{key}",
            text=sample,
            claim_type="factual",
            status="verified",
            confidence=number / 8,
            source_context=next(samples),
            entity_ids='["n000"]',
            created_at=moment,
            metadata=json_text,
        )
        case.add(
            TIMELINE_EVENTS,
            id=f"e{key}",
            text=sample,
            date_start=moment,
            precision="day",
            confidence=0.5,
            entities='["n000","nowhere"]' if number % 2 else "[]",
            event_type="occurrence",
            metadata=json_text,
        )
        case.add(
            NODES,
            id=f"k{key}",
            graph_id="g",
            entity_id="n000",
            entity_type="PERSON",
            label=sample,
            degree=number,
            properties=json_text,
            centrality_score=1 / (number + 3),
            created_at=moment,
        )
    case.add(PROJECTS, id="p", name="=Project", description=None, created_at="2024-01-01")
    case.add(PAGES, id="pg", document_id="d001", page_number=1, text="\x00\x01\x7f", metadata='{"k": 1}')
    case.add(CHUNKS, id="ch", document_id="d001", chunk_index=0, text="a,b\r\n")
    case.add(
        ENTITY_MENTIONS, id="m", entity_id="n000", document_id="d001", mention_text="-1", confidence=9e999
    )
    case.add(
        ENTITY_RELATIONSHIPS,
        id="r1",
        source_id="n000",
        target_id="n001",
        relationship_type="OWNS",
        confidence=1e-7,
    )
    case.add(
        ENTITY_RELATIONSHIPS, id="r2", source_id="n000", target_id="n000", relationship_type="RELATED_TO"
    )
    case.add(CLAIM_EVIDENCE, id="ce", claim_id="c000", evidence_type="document", excerpt='"', metadata="NaN")
    case.add(TIMELINE_CONFLICTS, id="tc", type="gap", severity="low", event_ids='["e000"]', description="@x")
    case.add(TIMELINE_ANNOTATIONS, id="ta", event_id="e001", note="\t=1", created_at="2024-01-01")
    case.add(GRAPHS, id="g", project_id="p", node_count=2, metadata="{}")
    case.add(
        EDGES, id="x", graph_id="g", source_id="k000", target_id="k001", relationship_type="OWNS", weight=0.1
    )
    for number, title in enumerate(("../x", "東京", "Same")):
        case.add(
            MATRICES,
            id=f"m{number}",
            title=title,
            description="d",
            question="?",
            status="draft",
            created_at="2024-01-01",
        )
    for number, title in enumerate(("=H", "H", "H", "source")):
        case.add(
            HYPOTHESES, id=f"h{number}", matrix_id="m0", title=title, column_index=number, is_lead=number == 1
        )
    for number, sample in enumerate(SAMPLES[:6]):
        case.add(
            ACH_EVIDENCE,
            id=f"v{number}",
            matrix_id="m0",
            description=sample,
            row_index=number,
            credibility=0.5,
            relevance=number / 5,
            document_ids="[]",
            notes="n" if number else None,
        )
        case.add(RATINGS, id=f"t{number}", matrix_id="m0", hypothesis_id=f"h{number % 4}", evidence_id=f"v{number}",
                 rating=("++", "+", "N", "-", "--", "N/A")[number])  # fmt: skip


def agreed(name: str, data: bytes) -> None:
    path = FOLDER / name
    if UPDATING:
        path.write_bytes(data)
    assert path.read_bytes() == data, f"{name} differs; ARKHAM_UPDATE_GOLDEN=1 writes it anew"
