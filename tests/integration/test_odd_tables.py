"""Tables that are legal and unusual: names that collide, keys of other types, marks in names."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path

import psycopg
import pytest

from arkham_shard_export.peers import CLAIMS
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.tables import open_sqlite
from tests.hosts import RunningHost, arkhamframe, standalone
from tests.unit.case import opened


def test_a_column_named_like_a_relation_is_kept_beside_it(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, 20)
    with contextlib.closing(open_sqlite(tmp_path)) as connection:
        connection.execute("ALTER TABLE arkham_frame.documents ADD COLUMN pages INTEGER")
        connection.execute("UPDATE arkham_frame.documents SET pages = 7")
        connection.execute("ALTER TABLE arkham_ach.matrices ADD COLUMN evidence TEXT")
        connection.execute("UPDATE arkham_ach.matrices SET evidence = 'exhibit'")
        connection.execute("ALTER TABLE arkham_entity_relationships ADD COLUMN direction TEXT")
        connection.execute("UPDATE arkham_entity_relationships SET direction = 'north'")
    with standalone(tmp_path) as host:
        _, file = host.export("documents", "json")
        records = json.loads(file.content)["records"]
        assert {record["column.pages"] for record in records} == {7}
        assert any(record["pages"] for record in records)
        _, file = host.export("documents", "csv")
        header, *_ = csv.reader(io.StringIO(file.text, newline=""))
        assert len(header) == len(set(header))
        _, file = host.export("matrix", "json")
        for record in json.loads(file.content)["records"]:
            assert record["column.evidence"] == "exhibit"
            assert isinstance(record["evidence"], list)
            assert record["scores"]
        _, file = host.export("entities", "json")
        for record in json.loads(file.content)["records"]:
            for each in record["relationships"]:
                assert (each["column.direction"], each["direction"] in ("incoming", "outgoing")) == (
                    "north",
                    True,
                )


def test_keys_that_are_numbers_on_one_side_and_texts_on_the_other_meet(tmp_path: Path) -> None:
    with standalone(tmp_path) as host:
        host.query("DROP TABLE arkham_frame.documents")
        host.query("CREATE TABLE arkham_frame.documents (id INTEGER PRIMARY KEY, filename TEXT)")
        host.query("INSERT INTO arkham_frame.documents VALUES (1, 'one.pdf')")
        host.query("INSERT INTO arkham_frame.pages (id, document_id, page_number) VALUES ('p', '1', 1)")
        _, file = host.export("documents", "json")
        (record,) = json.loads(file.content)["records"]
        assert (record["id"], [page["id"] for page in record["pages"]]) == (1, ["p"])


def test_events_and_entities_with_numbers_for_keys_are_followed(tmp_path: Path) -> None:
    with standalone(tmp_path) as host:
        for statement in (
            "DROP TABLE arkham_entities",
            "CREATE TABLE arkham_entities (id INTEGER PRIMARY KEY, name TEXT)",
            "INSERT INTO arkham_entities VALUES (1, 'Ana')",
            "DROP TABLE arkham_timeline_events",
            "CREATE TABLE arkham_timeline_events (id INTEGER PRIMARY KEY, date_start TEXT, entities JSON)",
            "INSERT INTO arkham_timeline_events VALUES (10, '2024-01-01', '[\"1\"]'), (11, '2024-02-15', NULL)",
            "INSERT INTO arkham_timeline_conflicts (id, event_ids) VALUES ('c', '[\"10\"]')",
        ):
            host.query(statement)
        options = {"include_conflicts": True, "include_gaps": True, "group_by": "entity", "max_records": 1}
        _, file = host.export("timeline", "json", options=options)
        document = json.loads(file.content)
        assert [each["id"] for each in document["conflicts"]] == ["c"]
        assert [each["event_ids"] for each in document["groups"]] == [["10"]]
        _, file = host.export("timeline", "csv")
        header, first, _ = csv.reader(io.StringIO(file.text, newline=""))
        assert first[header.index("entity_names")] == '["Ana"]'


def test_a_matrix_as_json_is_flattened_too(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, 20)
    with standalone(tmp_path) as host:
        _, file = host.export("matrix", "json", options={"flatten": True})
        records = json.loads(file.content)["records"]
        assert any(name.startswith(("metadata.", "settings.")) for name in records[0])
        assert isinstance(records[0]["evidence"], list)


@pytest.fixture
def odd_host(tmp_path: Path, postgres_url: str) -> RunningHost:
    """ArkhamFrame with UUID keys, arrays, enumerations and a question mark in a column's name."""
    from tables import create_peer_tables

    create_peer_tables(postgres_url)
    seed_postgres(postgres_url, 12)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in (
            "ALTER TABLE arkham_claims ADD COLUMN \"ok? 100%%\" TEXT DEFAULT 'yes'",
            "CREATE TYPE claim_state AS ENUM ('unverified', 'verified', 'disputed', 'retracted', 'uncertain')",
            "ALTER TABLE arkham_claims ALTER COLUMN status TYPE claim_state USING status::claim_state",
            "TRUNCATE arkham_entities, arkham_timeline_events, arkham_timeline_conflicts",
            "ALTER TABLE arkham_entities ALTER COLUMN id TYPE UUID USING id::uuid",
            "ALTER TABLE arkham_timeline_events ALTER COLUMN id TYPE UUID USING id::uuid",
            "ALTER TABLE arkham_timeline_events ALTER COLUMN entities TYPE TEXT[] USING NULL",
            "INSERT INTO arkham_entities (id, name, entity_type) VALUES"
            " ('6f1f3bd0-93c6-4f0e-8d84-1c1c3d1e0001', 'Ana', 'PERSON')",
            "INSERT INTO arkham_timeline_events (id, date_start, text, entities) VALUES"
            " ('6f1f3bd0-93c6-4f0e-8d84-1c1c3d1e0002', '2024-01-01', 'first',"
            " ARRAY['6f1f3bd0-93c6-4f0e-8d84-1c1c3d1e0001', '6f1f3bd0-93c6-4f0e-8d84-1c1c3d1e0001', 'no uuid']),"
            " ('6f1f3bd0-93c6-4f0e-8d84-1c1c3d1e0003', '2024-05-01', 'second', NULL)",
            "UPDATE arkham_claims SET entity_ids = NULL",
            "TRUNCATE arkham_frame.pages",
            "ALTER TABLE arkham_frame.pages ALTER COLUMN document_id TYPE BIGINT USING NULL",
            "INSERT INTO arkham_frame.documents (id, filename) VALUES ('77', 'x.pdf')",
            "INSERT INTO arkham_frame.pages (id, document_id, page_number) VALUES ('p', 77, 1)",
            "INSERT INTO arkham_timeline_conflicts (id, event_ids) VALUES"
            " ('c', '[\"6f1f3bd0-93c6-4f0e-8d84-1c1c3d1e0002\"]')",
        ):
            connection.execute(statement.replace("%%", "%").encode())
    with arkhamframe(tmp_path, postgres_url) as host:
        yield host


def test_uuid_keys_and_arrays_of_postgresql_are_followed(odd_host: RunningHost) -> None:
    ana, first, second = (f"6f1f3bd0-93c6-4f0e-8d84-1c1c3d1e000{number}" for number in (1, 2, 3))
    options = {"include_conflicts": True, "include_gaps": True, "group_by": "entity"}
    _, file = odd_host.export("timeline", "json", options=options)
    document = json.loads(file.content)
    assert [record["id"] for record in document["records"]] == [first, second]
    assert document["records"][0]["entities"] == [ana, ana, "no uuid"]
    assert document["entities"] == {ana: "Ana"}
    assert [(each["key"], each["name"], each["event_ids"]) for each in document["groups"]] == [
        (ana, "Ana", [first]),
        ("no uuid", None, [first]),
        (None, None, [second]),
    ]
    assert [(gap["before_event_id"], gap["after_event_id"]) for gap in document["gaps"]] == [(first, second)]
    _, file = odd_host.export("timeline", "json", filters={"entity_id": ana}, options=options)
    document = json.loads(file.content)
    assert [record["id"] for record in document["records"]] == [first]
    assert [each["id"] for each in document["conflicts"]] == ["c"]
    _, file = odd_host.export("timeline", "csv")
    assert "Ana" in file.text


def test_relations_over_keys_of_two_types_meet(odd_host: RunningHost) -> None:
    _, file = odd_host.export("documents", "json")
    pages = {
        record["id"]: [page["id"] for page in record["pages"]]
        for record in json.loads(file.content)["records"]
    }
    assert pages.pop("77") == ["p"]
    assert not any(pages.values())


def test_enumerations_filter_by_their_text_and_any_column_name_is_read(odd_host: RunningHost) -> None:
    expected = {
        row[0] for row in odd_host.query("SELECT id FROM arkham_claims WHERE status::text = 'verified'")
    }
    _, file = odd_host.export("claims", "json", filters={"status": "verified"})
    records = json.loads(file.content)["records"]
    assert {record["id"] for record in records} == expected
    assert all(record["ok? 100%"] == "yes" for record in records)
    _, file = odd_host.export(
        "claims", "csv", options={"sort_by": "ok? 100%", "include_relationships": False}
    )
    assert "ok? 100%" in file.text.splitlines()[0]


@pytest.mark.parametrize(
    ("target", "option", "value", "column"),
    [
        ("entities", "entity_types", ["PERSON"], "entity_type"),
        ("claims", "date_range_start", "2024-01-01", "created_at"),
    ],
)
def test_an_option_whose_column_is_missing_is_refused(
    tmp_path: Path, target: str, option: str, value: object, column: str
) -> None:
    with standalone(tmp_path) as host:
        if target == "entities":
            host.query("DROP INDEX arkham_entities_entity_type_idx")
        host.query(f"ALTER TABLE arkham_{target} DROP COLUMN {column}")
        answer = host.post(target, "json", options={option: value})
        assert answer.status_code == 422
        assert column in answer.json()["detail"]
        assert host.export(target, "json")[0]["status"] == "completed"


@pytest.mark.parametrize("bad", [(0,), (499,), (500,), (700, 701, 1999)])
def test_text_that_is_not_utf_8_is_repaired_and_no_record_is_lost_or_read_twice(
    tmp_path: Path, bad: tuple[int, ...]
) -> None:
    with opened(tmp_path / "case") as case:
        for number in range(2000):
            case.add(CLAIMS, id=f"c{number:04}", text="said", source_context=f"é{number}")
        for number in bad:
            case.connection.execute(
                "UPDATE arkham_claims SET text = CAST(x'61ff62' AS TEXT) WHERE id = ?", [f"c{number:04}"]
            )
            case.connection.execute(
                "INSERT INTO arkham_claim_evidence (id, claim_id, notes) VALUES (?, ?, CAST(x'ff' AS TEXT))",
                [f"e{number}", f"c{number:04}"],
            )
        records = json.loads(case.export("json", "claims"))["records"]
    assert [record["id"] for record in records] == [f"c{number:04}" for number in range(2000)]
    repaired = [number for number, record in enumerate(records) if record["text"] == "a\ufffdb"]
    assert tuple(repaired) == bad
    assert [record["source_context"] for record in records] == [f"é{number}" for number in range(2000)]
    assert [each["notes"] for record in records for each in record["evidence"]] == ["\ufffd" for _ in bad]
    assert case.last is not None
    assert [each["count"] for each in case.last.adjustments] == [2 * len(bad)]
