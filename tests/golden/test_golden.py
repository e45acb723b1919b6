"""One hostile case through the real pipeline, byte for byte as it was agreed.

After a change that is meant, `ARKHAM_UPDATE_GOLDEN=1 pytest tests/golden` writes the files anew; read the difference.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

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
from arkham_shard_export.targets import TARGETS
from tests.unit.case import Case, opened
from tests.unit.memory import no_constant

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


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with opened(tmp_path_factory.mktemp("golden") / "case") as case:
        fill(case)
        yield case


EVERYTHING: dict[str, dict[str, Any]] = {
    name: {"include_conflicts": True, "include_gaps": True, "group_by": "week"} if name == "timeline" else {}
    for name in TARGETS
}
FLATTENED = tuple(name for name in TARGETS if name not in ("timeline", "matrix"))


def agreed(name: str, data: bytes) -> None:
    path = FOLDER / name
    if UPDATING:
        path.write_bytes(data)
    assert path.read_bytes() == data, f"{name} differs; ARKHAM_UPDATE_GOLDEN=1 writes it anew"


def tables(data: bytes) -> dict[str, bytes]:
    """The CSV files of an export; how an archive packs them is the business of its zlib."""
    if not data.startswith(b"PK\x03\x04"):
        return {"": data}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {f"-{name.removesuffix('.csv')}": archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize("target", TARGETS)
def test_a_json_export_is_what_was_agreed_byte_for_byte(target: str, case: Case) -> None:
    data = case.export("json", target, **EVERYTHING[target])
    assert json.loads(data, parse_constant=no_constant)["target"] == target
    agreed(f"{target}.json", data)


@pytest.mark.parametrize("target", TARGETS)
def test_a_csv_export_is_what_was_agreed_byte_for_byte(target: str, case: Case) -> None:
    found = tables(case.export("csv", target, **EVERYTHING[target]))
    for name, data in found.items():
        agreed(f"{target}{name}.csv", data)


@pytest.mark.parametrize("format", ["json", "csv"])
@pytest.mark.parametrize("target", FLATTENED)
def test_a_flattened_export_is_what_was_agreed_byte_for_byte(target: str, format: str, case: Case) -> None:
    data = case.export(format, target, flatten=True)
    for name, table in {"": data}.items() if format == "json" else tables(data).items():
        agreed(f"{target}-flattened{name}.{format}", table)


@pytest.mark.parametrize("format", ["json", "csv"])
def test_what_was_changed_on_the_way_is_counted_as_agreed(format: str, case: Case) -> None:
    counts = {}
    for target in TARGETS:
        case.export(format, target, **EVERYTHING[target])
        assert case.last is not None
        counts[target] = {"completeness": case.last.completeness, "adjustments": case.last.adjustments}
    agreed(f"account-{format}.json", json.dumps(counts, indent=2, ensure_ascii=False).encode() + b"\n")


def test_every_hostile_text_arrives_as_it_is(case: Case) -> None:
    document = json.loads(case.export("json", "claims"))
    assert [record["text"] for record in document["records"]] == list(SAMPLES)
    data = case.export("csv", "claims", spreadsheet_safe=False).decode()
    rows = csv.DictReader(io.StringIO(data, newline=""))
    assert [row["text"] for row in rows] == list(SAMPLES)


def test_json_and_csv_carry_the_same_records(case: Case) -> None:
    for target in ("documents", "entities", "claims"):
        records = json.loads(case.export("json", target))["records"]
        data = case.export("csv", target, spreadsheet_safe=False).decode()
        rows = list(csv.DictReader(io.StringIO(data, newline="")))
        assert [row["id"] for row in rows] == [record["id"] for record in records]
        for row, record in zip(rows, records, strict=True):
            assert list(row) == list(record)
            for name, value in record.items():
                if isinstance(value, str) and not name.endswith(("metadata", "aliases")):
                    assert row[name] == value
                elif isinstance(value, dict | list):
                    assert json.loads(row[name]) == value


@pytest.mark.skipif(UPDATING, reason="the files are being written")
def test_no_golden_file_is_left_over(case: Case) -> None:
    expected = {f"{target}.json" for target in TARGETS} | {"account-json.json", "account-csv.json"}
    expected |= {f"{target}-flattened.json" for target in FLATTENED}
    for target in TARGETS:
        expected |= {
            f"{target}{name}.csv" for name in tables(case.export("csv", target, **EVERYTHING[target]))
        }
    for target in FLATTENED:
        expected |= {
            f"{target}-flattened{name}.csv" for name in tables(case.export("csv", target, flatten=True))
        }
    assert {path.name for path in FOLDER.iterdir() if path.suffix in (".json", ".csv")} == expected
