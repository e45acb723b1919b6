"""The seed's rows, without a database."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from arkham_shard_export import peers as t
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.seed_rows import every_table
from arkham_shard_export.standalone.seed_values import Pools
from arkham_shard_export.standalone.seed_words import HOSTILE
from arkham_shard_export.targets import TARGETS

Row = dict[str, Any]

# What no row can do without: keys, references to the row's owner, places in an order, names, enumerations.
NEVER_NULL = {
    "id", "document_id", "claim_id", "event_id", "graph_id", "matrix_id", "hypothesis_id", "evidence_id", "entity_id",
    "source_id", "target_id", "page_number", "chunk_index", "column_index", "row_index", "name", "filename", "text",
    "title", "label", "status", "entity_type", "claim_type", "event_type", "precision", "relationship",
    "relationship_type", "rating", "evidence_type",
}  # fmt: skip
MAY_BE_NULL = {
    (t.CHUNKS, "page_number"), (t.TIMELINE_EVENTS, "document_id"), (t.NODES, "entity_id"),
    (t.ACH_EVIDENCE, "evidence_type"),
}  # fmt: skip
REFERENCES = {
    "project_id": t.PROJECTS, "document_id": t.DOCUMENTS, "source_document_id": t.DOCUMENTS, "entity_id": t.ENTITIES,
    "claim_id": t.CLAIMS, "event_id": t.TIMELINE_EVENTS, "graph_id": t.GRAPHS, "matrix_id": t.MATRICES,
    "hypothesis_id": t.HYPOTHESES, "evidence_id": t.ACH_EVIDENCE,
}  # fmt: skip
LISTS = {
    "document_ids": t.DOCUMENTS, "entity_ids": t.ENTITIES, "entities": t.ENTITIES, "event_ids": t.TIMELINE_EVENTS,
}  # fmt: skip
ENDS = {t.ENTITY_RELATIONSHIPS: t.ENTITIES, t.EDGES: t.NODES}
ENUMERATIONS = {
    (t.DOCUMENTS, "status"): t.DOCUMENT_STATUSES,
    (t.ENTITIES, "entity_type"): t.ENTITY_TYPES,
    (t.NODES, "entity_type"): t.ENTITY_TYPES,
    (t.CLAIMS, "claim_type"): t.CLAIM_TYPES,
    (t.CLAIMS, "status"): t.CLAIM_STATUSES,
    (t.TIMELINE_EVENTS, "event_type"): t.EVENT_TYPES,
    (t.TIMELINE_EVENTS, "precision"): t.PRECISIONS,
    (t.MATRICES, "status"): t.MATRIX_STATUSES,
    (t.RATINGS, "rating"): ("++", "+", "N", "-", "--", "N/A"),
}


@cache
def seeded(records: int, seed: int = 1) -> dict[t.Table, list[Row]]:
    return {
        each.table: [dict(zip((c.name for c in each.table.columns), row, strict=True)) for row in each.rows]
        for each in every_table(records, Pools(seed))
    }


@pytest.fixture(params=[1, 2, 3, 10, 200, 1009])
def records(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_every_target_has_exactly_the_records_asked_for(records: int) -> None:
    tables = seeded(records)
    for target in TARGETS.values():
        assert sum(len(tables[each.table]) for each in target.sets) == records, target.name
    assert all(entity["canonical_id"] is None for entity in tables[t.ENTITIES])


def test_the_count_announced_is_the_count_given(records: int) -> None:
    for each in every_table(records, Pools(1)):
        assert sum(1 for _ in each.rows) == each.count, each.table.qualified


def test_ids_are_unique_and_ratings_are_one_a_cell(records: int) -> None:
    for table, rows in seeded(records).items():
        assert len({row["id"] for row in rows}) == len(rows), table.qualified
    cells = Counter(
        (r["matrix_id"], r["hypothesis_id"], r["evidence_id"]) for r in seeded(records)[t.RATINGS]
    )
    assert max(cells.values()) == 1


def test_references_resolve(records: int) -> None:
    tables = seeded(records)
    ids = {table: {row["id"] for row in rows} for table, rows in tables.items()}
    for table, rows in tables.items():
        for row in rows:
            for column in row.keys() & REFERENCES.keys():
                assert row[column] is None or row[column] in ids[REFERENCES[column]], (table.qualified, row)
            for column in row.keys() & LISTS.keys():
                assert set(json.loads(row[column] or "[]")) <= ids[LISTS[column]], (table.qualified, row)
            if table in ENDS:
                assert {row["source_id"], row["target_id"]} <= ids[ENDS[table]], (table.qualified, row)


def test_edges_ratings_and_counts_agree_with_the_rows_they_speak_of(records: int) -> None:
    tables = seeded(records)
    graph_of = {node["id"]: node["graph_id"] for node in tables[t.NODES]}
    for edge in tables[t.EDGES]:
        assert edge["graph_id"] == graph_of[edge["source_id"]] == graph_of[edge["target_id"]]
    matrix_of = {row["id"]: row["matrix_id"] for row in (*tables[t.HYPOTHESES], *tables[t.ACH_EVIDENCE])}
    for rating in tables[t.RATINGS]:
        assert rating["matrix_id"] == matrix_of[rating["hypothesis_id"]] == matrix_of[rating["evidence_id"]]
    for parent, count, child, key in (
        (t.GRAPHS, "node_count", t.NODES, "graph_id"),
        (t.GRAPHS, "edge_count", t.EDGES, "graph_id"),
        (t.DOCUMENTS, "page_count", t.PAGES, "document_id"),
        (t.DOCUMENTS, "chunk_count", t.CHUNKS, "document_id"),
        (t.CLAIMS, "evidence_count", t.CLAIM_EVIDENCE, "claim_id"),
        (t.ENTITIES, "mention_count", t.ENTITY_MENTIONS, "entity_id"),
    ):
        found = Counter(row[key] for row in tables[child])
        for row in tables[parent]:
            assert row[count] in (None, found[row["id"]]), (count, row)


def test_matrices_have_two_or_three_hypotheses_two_to_four_evidence_and_unrated_cells() -> None:
    tables = seeded(200)
    hypotheses = Counter(row["matrix_id"] for row in tables[t.HYPOTHESES])
    evidence = Counter(row["matrix_id"] for row in tables[t.ACH_EVIDENCE])
    assert set(hypotheses.values()) == {2, 3}
    assert set(evidence.values()) == {2, 3, 4}
    cells = sum(hypotheses[matrix] * evidence[matrix] for matrix in hypotheses)
    assert cells * 0.8 < len(tables[t.RATINGS]) < cells


def test_enumerations_hold_every_valid_value_and_no_other() -> None:
    for (table, column), valid in ENUMERATIONS.items():
        assert {row[column] for row in seeded(200)[table]} == set(valid), (table.qualified, column)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    def rows(seed: int) -> list[list[tuple[Any, ...]]]:
        return [list(each.rows) for each in every_table(60, Pools(seed))]

    assert rows(7) == rows(7)
    assert all(ours != theirs for ours, theirs in zip(rows(7), rows(8), strict=True))


def test_fewer_records_are_the_beginning_of_more() -> None:
    claims = [{**claim, "source_document_id": 0, "entity_ids": 0} for claim in seeded(200)[t.CLAIMS][:10]]
    assert claims == [{**claim, "source_document_id": 0, "entity_ids": 0} for claim in seeded(10)[t.CLAIMS]]


@pytest.mark.parametrize("kind", HOSTILE)
def test_two_hundred_records_hold_each_hostile_sample_in_texts_and_names(kind: str) -> None:
    tables = seeded(200)
    texts = {row["text"] for row in tables[t.CLAIMS]} | {row["text"] for row in tables[t.TIMELINE_EVENTS]}
    names = {row["name"] for row in tables[t.ENTITIES]} | {row["filename"] for row in tables[t.DOCUMENTS]}
    values = {value for row in tables[t.DOCUMENTS] for value in strings(json.loads(row["metadata"] or "{}"))}
    for sample in HOSTILE[kind]:
        found = str.startswith if sample else str.__eq__
        assert any(found(text, sample) for text in texts), sample
        assert any(found(name, sample) for name in names), sample
    assert values & set(HOSTILE[kind])


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r"])
def test_cells_begin_with_what_a_spreadsheet_takes_for_a_formula(beginning: str) -> None:
    tables = seeded(200)
    assert any(row["text"].startswith(beginning) for row in tables[t.CLAIMS])
    assert any(row["name"].startswith(beginning) for row in tables[t.ENTITIES])
    metadata = (strings(json.loads(row["metadata"] or "{}")) for row in tables[t.CLAIMS])
    assert any(value.startswith(beginning) for values in metadata for value in values)


def test_one_text_in_about_five_hundred_is_long_and_claims_stay_near_800_bytes() -> None:
    claims = seeded(10_000)[t.CLAIMS]
    sizes = [len(claim["text"].encode()) for claim in claims]
    assert max(sizes[:200]) > 4_900
    assert 15 <= sum(size > 4_900 for size in sizes) <= 25
    assert 39_000 < max(sizes) < 41_000
    assert 650 < sum(len(str(value).encode()) for claim in claims for value in claim.values()) / 10_000 < 950


def test_metadata_nests_and_holds_every_json_type() -> None:
    values = [json.loads(row["metadata"]) for row in seeded(200)[t.DOCUMENTS] if row["metadata"]]
    found = {type(value) for each in values for value in walk(each)}
    assert found == {dict, list, str, int, float, bool, type(None)}
    assert max(depth(value) for value in values) >= 4
    assert any(
        not key.isascii()
        for each in values
        for value in walk(each)
        if isinstance(value, dict)
        for key in value
    )


def test_every_column_that_may_be_null_sometimes_is_and_the_others_never_are() -> None:
    for table, rows in seeded(200).items():
        for column in table.columns:
            may = column.name not in NEVER_NULL or (table, column.name) in MAY_BE_NULL
            has = any(row[column.name] is None for row in rows)
            # A table of a handful of rows has not every kind of value.
            assert has is may or (may and len(rows) <= 20), (table.qualified, column.name)


def test_no_text_holds_a_control_character_but_tab_and_line_ends() -> None:
    for rows in seeded(200).values():
        text = "".join(value for row in rows for value in row.values() if isinstance(value, str))
        assert {char for char in text if char < " " or "\x7f" <= char < "\xa0"} <= {"\t", "\n", "\r"}
        text.encode()


def test_times_are_iso_with_an_offset_in_claims_and_without_a_zone_elsewhere() -> None:
    for table, rows in seeded(200).items():
        for column in table.columns:
            if column.kind is not t.Kind.TIMESTAMP:
                continue
            texts = [row[column.name] for row in rows if row[column.name]]
            assert all(("T" in text) is column.in_text for text in texts)
            assert all(text.endswith("+00:00") is column.in_text for text in texts)
            assert all((datetime.fromisoformat(text).tzinfo is not None) is column.in_text for text in texts)
    created = [row["created_at"] for row in seeded(200)[t.DOCUMENTS] if row["created_at"]]
    assert {len("2021-01-01 00:00:00"), len("2021-01-01 00:00:00.000000")} == {len(text) for text in created}


def test_events_go_from_1900_to_2030_and_some_have_no_date() -> None:
    starts = [row["date_start"] for row in seeded(1009)[t.TIMELINE_EVENTS]]
    years = {int(start[:4]) for start in starts if start}
    assert None in starts
    assert (min(years), max(years)) == (1900, 2030)
    assert not [year for year, following in pairwise(sorted(years)) if following - year > 5]


@pytest.mark.parametrize("records", [0, -5])
def test_fewer_than_one_record_is_refused_by_its_number(records: int, tmp_path: Any) -> None:
    with pytest.raises(ValueError, match=f"cannot seed {records} records"):
        seed_sqlite(tmp_path / "data", records)
    with pytest.raises(ValueError, match=f"cannot seed {records} records"):
        seed_postgres("postgresql://nowhere.invalid/none", records)
    assert not (tmp_path / "data").exists()


def walk(value: object) -> list[object]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(each for part in inner for each in walk(part))]


def strings(value: object) -> list[str]:
    return [each for each in walk(value) if isinstance(each, str)]


def depth(value: object) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0
