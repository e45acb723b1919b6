"""Every target, as every format, over HTTP, in every host: complete and readable by others."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator

import pytest

from arkham_shard_export.peers import MATRICES
from arkham_shard_export.standalone.demo_case import demo_rows
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost
from tests.tools import needed

csv.field_size_limit(1 << 30)
ALL = list(TARGETS)


def ids_of(host: RunningHost, target: str) -> set[str]:
    return {
        row[0]
        for each in TARGETS[target].sets
        for row in host.query(f"SELECT id FROM {each.table.qualified}")
    }


def csv_rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))


def csv_files(content: bytes, extension: str) -> Iterator[tuple[str, list[list[str]]]]:
    if extension == ".csv":
        yield "", csv_rows(content)
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            yield name, csv_rows(archive.read(name))


@pytest.mark.parametrize("target", ALL)
def test_json_holds_every_record_exactly_once(host: RunningHost, target: str) -> None:
    job, file = host.export(target, "json")
    document = json.loads(file.content)
    expected = ids_of(host, target)
    records = document["nodes"] + document["edges"] if target == "graph" else document["records"]
    assert sorted(record["id"] for record in records) == sorted(expected)
    assert document["record_count"] == job["record_count"] == len(expected)
    assert job["metadata"]["completeness"]["expected"] == len(expected)
    assert job["metadata"]["completeness"]["skipped"] == 0


@pytest.mark.parametrize("target", ["documents", "entities", "claims", "timeline", "graph"])
def test_csv_holds_every_record_exactly_once(host: RunningHost, target: str) -> None:
    job, file = host.export(target, "csv")
    extension = ".zip" if target == "graph" else ".csv"
    assert job["metadata"]["file_name"].endswith(extension)
    found = [
        row[header.index("id")] for _, (header, *rows) in csv_files(file.content, extension) for row in rows
    ]
    assert sorted(found) == sorted(ids_of(host, target))
    assert job["record_count"] == len(found)


def test_a_graph_as_csv_is_a_zip_of_nodes_and_edges(host: RunningHost) -> None:
    _, file = host.export("graph", "csv")
    assert file.headers["content-type"] == "application/zip"
    assert [name for name, _ in csv_files(file.content, ".zip")] == ["nodes.csv", "edges.csv"]


def test_matrices_as_csv_are_one_grid_each(host: RunningHost) -> None:
    job, file = host.export("matrix", "csv")
    grids = list(csv_files(file.content, ".zip"))
    assert len(grids) == job["record_count"] == len(ids_of(host, "matrix"))
    (demo, *_) = demo_rows(MATRICES)
    matrix_id = demo["id"]
    (grid,) = [rows for name, rows in grids if name.endswith(f"{matrix_id}.csv")]
    titles = [
        row[0]
        for row in host.query(
            "SELECT title FROM arkham_ach.hypotheses WHERE matrix_id = ? ORDER BY column_index", (matrix_id,)
        )
    ]
    header, *rows = grid
    assert header[6:] == titles
    ratings = {
        (evidence, title): rating
        for evidence, title, rating in host.query(
            "SELECT r.evidence_id, h.title, r.rating FROM arkham_ach.ratings r"
            " JOIN arkham_ach.hypotheses h ON h.id = r.hypothesis_id WHERE r.matrix_id = ?",
            (matrix_id,),
        )
    }
    cells = {
        (row[0], title): cell.removeprefix("'")
        for row in rows
        for title, cell in zip(titles, row[6:], strict=True)
        if cell
    }
    assert cells == ratings
    assert [row[0] for row in rows] == [
        row[0]
        for row in host.query(
            "SELECT id FROM arkham_ach.evidence WHERE matrix_id = ? ORDER BY row_index", (matrix_id,)
        )
    ]


def test_one_matrix_as_csv_is_a_plain_csv(host: RunningHost) -> None:
    matrix_id = host.query("SELECT id FROM arkham_ach.matrices ORDER BY id LIMIT 1")[0][0]
    job, file = host.export("matrix", "csv", filters={"matrix_id": matrix_id})
    assert job["record_count"] == 1
    assert csv_rows(file.content)[0][:2] == ["evidence_id", "evidence"]


def test_relations_nest_in_their_record(host: RunningHost) -> None:
    _, file = host.export("claims", "json")
    for record in json.loads(file.content)["records"]:
        assert isinstance(record["evidence"], list)
    nested = [each["id"] for record in json.loads(file.content)["records"] for each in record["evidence"]]
    assert sorted(nested) == sorted(row[0] for row in host.query("SELECT id FROM arkham_claim_evidence"))


def test_documents_carry_project_pages_chunks_and_mentions(host: RunningHost) -> None:
    _, file = host.export("documents", "json")
    records = json.loads(file.content)["records"]
    for relation, table in (
        ("pages", "arkham_frame.pages"),
        ("chunks", "arkham_frame.chunks"),
        ("mentions", "arkham_entity_mentions"),
    ):
        nested = [each["id"] for record in records for each in record[relation]]
        known = host.query(
            f"SELECT id FROM {table} WHERE document_id IN (SELECT id FROM arkham_frame.documents)"
        )
        assert sorted(nested) == sorted(row[0] for row in known)
    for record in records:
        if record["project_id"] is not None:
            assert record["project"]["id"] == record["project_id"]


def test_relationships_are_read_in_both_directions(host: RunningHost) -> None:
    _, file = host.export("entities", "json")
    seen: dict[str, list[str]] = {}
    for record in json.loads(file.content)["records"]:
        for each in record["relationships"]:
            assert record["id"] == each["source_id" if each["direction"] == "outgoing" else "target_id"]
            seen.setdefault(each["id"], []).append(each["direction"])
    rows = host.query("SELECT id, source_id, target_id FROM arkham_entity_relationships")
    for relationship_id, source, target in rows:
        ways = ["outgoing"] if source == target else ["incoming", "outgoing"]
        assert sorted(seen[relationship_id]) == ways


def test_without_relationships_only_the_record_itself_is_written(host: RunningHost) -> None:
    _, file = host.export("claims", "json", options={"include_relationships": False})
    assert "evidence" not in json.loads(file.content)["records"][0]


def test_json_tells_what_it_is(host: RunningHost) -> None:
    _, file = host.export("claims", "json", filters={"status": "disputed"})
    document = json.loads(file.content)
    assert list(document) == [
        "target", "exported_at", "snapshot_at", "filters", "options", "records", "record_count",
    ]  # fmt: skip
    assert document["target"] == "claims"
    assert document["filters"] == {"status": "disputed"}
    assert document["options"]["include_metadata"] is True


def test_without_metadata_json_is_only_the_records(host: RunningHost) -> None:
    _, file = host.export("claims", "json", options={"include_metadata": False})
    assert list(json.loads(file.content)) == ["target", "records", "record_count"]


def test_all_hosts_write_timestamps_with_an_offset(host: RunningHost) -> None:
    _, file = host.export("documents", "json", options={"max_records": 20})
    for record in json.loads(file.content)["records"]:
        for name in ("created_at", "updated_at", "processed_at"):
            assert record[name] is None or record[name].endswith("+00:00"), record[name]


def test_the_timeline_carries_conflicts_gaps_groups_and_names_when_asked(host: RunningHost) -> None:
    options = {"include_conflicts": True, "include_gaps": True, "group_by": "month"}
    _, file = host.export("timeline", "json", options=options)
    document = json.loads(file.content)
    ids = [record["id"] for record in document["records"]]
    assert sorted(each for group in document["groups"] for each in group["event_ids"]) == sorted(ids)
    conflicts = host.query("SELECT id FROM arkham_timeline_conflicts")
    assert sorted(each["id"] for each in document["conflicts"]) == sorted(row[0] for row in conflicts)
    assert document["gaps"], "the demo case has years without events"
    by_id = {record["id"]: record for record in document["records"]}
    for gap in document["gaps"]:
        assert gap["gap_days"] >= 30
        assert by_id[gap["before_event_id"]]["date_start"] == gap["start_date"]
        assert by_id[gap["after_event_id"]]["date_start"] == gap["end_date"]
    names = dict(host.query("SELECT id, name FROM arkham_entities"))
    named = {each for record in document["records"] for each in record["entities"] or [] if each in names}
    assert document["entities"] == {each: names[each] for each in named}


def test_events_come_in_order_of_their_dates(host: RunningHost) -> None:
    _, file = host.export("timeline", "json")
    keys = [
        (record["date_start"] is None, record["date_start"] or "", record["id"])
        for record in json.loads(file.content)["records"]
    ]
    assert keys == sorted(keys)


def test_an_event_of_several_entities_is_in_each_of_their_groups(host: RunningHost) -> None:
    _, file = host.export("timeline", "json", options={"group_by": "entity"})
    document = json.loads(file.content)
    groups = {group["key"]: set(group["event_ids"]) for group in document["groups"]}
    for record in document["records"]:
        for key in record["entities"] or [None]:
            assert record["id"] in groups[key]


def test_a_timeline_with_annexes_as_csv_is_a_zip(host: RunningHost) -> None:
    options = {"include_conflicts": True, "include_gaps": True, "group_by": "entity"}
    _, file = host.export("timeline", "csv", options=options)
    names = [name for name, _ in csv_files(file.content, ".zip")]
    assert names == ["timeline.csv", "conflicts.csv", "gaps.csv", "groups.csv"]


def test_events_in_a_csv_name_their_entities(host: RunningHost) -> None:
    _, file = host.export("timeline", "csv")
    header, *rows = csv_rows(file.content)
    names = dict(host.query("SELECT id, name FROM arkham_entities"))
    named = 0
    for row in rows:
        ids = json.loads(row[header.index("entities")] or "[]")
        assert json.loads(row[header.index("entity_names")]) == [names.get(each) for each in ids]
        named += len(ids)
    assert named


def test_matrix_scores_follow_the_definition(host: RunningHost) -> None:
    _, file = host.export("matrix", "json")
    for record in json.loads(file.content)["records"]:
        evidence = {each["id"]: each for each in record["evidence"]}
        for score in record["scores"]:
            rated = [
                each
                for each in record["ratings"]
                if each["hypothesis_id"] == score["hypothesis_id"]
                and each["rating"] in ("++", "+", "N", "-", "--")
            ]
            assert score["inconsistency_count"] == sum(each["rating"] in ("-", "--") for each in rated)
            value = {"++": 2, "+": 1, "N": 0, "-": -1, "--": -2}
            weights = []
            for each in rated:
                row = evidence[each["evidence_id"]]
                weights.append(
                    (1.0 if row["credibility"] is None else row["credibility"])
                    * (1.0 if row["relevance"] is None else row["relevance"])
                )
            if sum(weights):
                total = sum(
                    value[each["rating"]] * weight for each, weight in zip(rated, weights, strict=True)
                )
                assert score["weighted_score"] == pytest.approx(total / sum(weights))
                assert score["normalised_score"] == pytest.approx((score["weighted_score"] + 2) / 4 * 100)
            else:
                assert score["weighted_score"] is None
        ranks = [each["rank"] for each in record["scores"]]
        assert not ranks or min(ranks) == 1


@pytest.mark.parametrize("target", ["entities", "claims", "graph"])
def test_flattened_objects_become_dotted_columns(host: RunningHost, target: str) -> None:
    _, file = host.export(target, "csv", options={"flatten": True})
    extension = ".zip" if target == "graph" else ".csv"
    for name, (header, *rows) in csv_files(file.content, extension):
        assert len(header) == len(set(header))
        assert all(len(row) == len(header) for row in rows)
        if name != "edges.csv":
            assert any("." in column for column in header), header


def test_spreadsheet_formulas_are_defused_and_counted(host: RunningHost) -> None:
    job, file = host.export("claims", "csv", options={"include_relationships": False})
    header, *rows = csv_rows(file.content)
    texts = dict(host.query("SELECT id, text FROM arkham_claims"))
    risky = [row for row in rows if (texts[row[0]] or " ")[0] in "=+-@\t\r"]
    assert risky
    for row in risky:
        assert row[header.index("text")] == "'" + texts[row[0]]
    (guard,) = [each for each in job["metadata"]["adjustments"] if each["kind"] == "formula_guard"]
    assert guard["count"] >= len(risky)


def test_spreadsheet_safety_can_be_switched_off(host: RunningHost) -> None:
    options = {"include_relationships": False, "spreadsheet_safe": False}
    job, file = host.export("claims", "csv", options=options)
    header, *rows = csv_rows(file.content)
    texts = dict(host.query("SELECT id, text FROM arkham_claims"))
    for row in rows:
        assert row[header.index("text")] == (texts[row[0]] or "")
    assert job["metadata"]["adjustments"] == []


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "zstd": lambda data: (
        subprocess.run([needed("zstd", "zstd"), "-dc"], input=data, capture_output=True, check=True).stdout
    ),
    "zip": lambda data: zipfile.ZipFile(io.BytesIO(data)).read(
        zipfile.ZipFile(io.BytesIO(data)).namelist()[0]
    ),
}
MEDIA = {
    "gzip": (".gz", "application/gzip"),
    "zstd": (".zst", "application/zstd"),
    "zip": (".zip", "application/zip"),
}


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize("compression", UNPACK)
def test_a_compressed_export_holds_what_the_other_one_holds(
    host: RunningHost, format: str, compression: str
) -> None:
    plain_job, plain = host.export("claims", format)
    job, file = host.export("claims", format, options={"compression": compression})
    extension, media_type = MEDIA[compression]
    unpacked = UNPACK[compression](file.content)
    if format == "csv":
        assert unpacked == plain.content
    else:
        assert json.loads(unpacked)["records"] == json.loads(plain.content)["records"]
        assert json.loads(unpacked)["options"] == json.loads(plain.content)["options"]
    assert job["file_size"] == len(file.content) < plain_job["file_size"]
    assert job["metadata"]["sha256"] == hashlib.sha256(file.content).hexdigest()
    assert job["options"]["compression"] == compression
    assert job["metadata"]["completeness"] == plain_job["metadata"]["completeness"]
    assert job["metadata"]["adjustments"] == plain_job["metadata"]["adjustments"]
    assert file.headers["content-type"] == media_type
    assert "content-encoding" not in file.headers
    name = job["metadata"]["file_name"]
    assert name.endswith(f".{format}{extension}")
    assert f'filename="{name}"' in file.headers["content-disposition"]
    assert job["file_path"].endswith(f".{format}{extension}")


def test_several_tables_as_csv_take_zip_for_what_they_are(host: RunningHost) -> None:
    job, file = host.export("graph", "csv", options={"compression": "zip"})
    assert file.content == host.export("graph", "csv")[1].content
    assert job["metadata"]["file_name"].endswith(".zip")
    assert ".csv.zip" not in job["metadata"]["file_name"]


def test_several_matrices_are_a_zip_that_is_compressed_as_asked_for(host: RunningHost) -> None:
    job, file = host.export("matrix", "csv", options={"compression": "gzip"})
    assert job["metadata"]["file_name"].endswith(".zip.gz")
    assert file.headers["content-type"] == "application/gzip"
    assert gzip.decompress(file.content) == host.export("matrix", "csv")[1].content


@pytest.mark.parametrize("format", ["csv", "json"])
def test_a_preview_of_a_compressed_export_estimates_a_smaller_file(host: RunningHost, format: str) -> None:
    sizes = {}
    for compression in ("none", *UNPACK):
        body = {"target": "claims", "format": format, "options": {"compression": compression}}
        answer = host.client.post("/api/export/preview", json={**body, "max_preview_records": 50})
        assert answer.status_code == 200, answer.text
        sizes[compression] = answer.json()["estimated_file_size_bytes"]
    assert all(0 < sizes[each] < sizes["none"] for each in UNPACK)


def test_csv_columns_come_in_declared_order(host: RunningHost) -> None:
    _, file = host.export("claims", "csv", options={"include_relationships": False, "max_records": 1})
    declared = [column.name for column in TARGETS["claims"].sets[0].table.columns]
    assert csv_rows(file.content)[0] == declared


def test_a_header_is_there_without_any_record(host: RunningHost) -> None:
    job, file = host.export("claims", "csv", filters={"document_id": "no-such-document"})
    assert job["record_count"] == 0
    assert len(csv_rows(file.content)) == 1


def test_max_records_leaves_the_rest_out_and_counts_it(host: RunningHost) -> None:
    total = len(ids_of(host, "claims"))
    job, file = host.export("claims", "json", options={"max_records": 7})
    assert len(json.loads(file.content)["records"]) == job["record_count"] == 7
    account = job["metadata"]["completeness"]
    assert (account["expected"], account["written"], account["skipped"]) == (total, 7, total - 7)
    assert account["skips"][0]["reason"] == "max_records is 7"


def test_a_record_limit_on_a_graph_takes_nodes_first(host: RunningHost) -> None:
    nodes = len(host.query("SELECT id FROM arkham_graph.nodes"))
    _, file = host.export("graph", "json", options={"max_records": nodes + 5})
    document = json.loads(file.content)
    assert (len(document["nodes"]), len(document["edges"])) == (nodes, 5)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("column", ["confidence", "created_at", "text", "evidence_count"])
def test_records_are_sorted_as_asked_with_ties_by_id(
    host: RunningHost, column: str, descending: bool
) -> None:
    options = {"sort_by": column, "sort_order": "desc" if descending else "asc"}
    _, file = host.export("claims", "json", options=options)
    records = json.loads(file.content)["records"]
    values = [(record[column], record["id"]) for record in records]
    known = [each for each in values if each[0] is not None]
    assert values == known + [each for each in values if each[0] is None], "empty ones come last"
    assert known == sorted(
        sorted(known, key=lambda each: each[1]), key=lambda each: each[0], reverse=descending
    )


def test_a_date_range_covers_the_whole_last_day(host: RunningHost) -> None:
    options = {"date_range_start": "1912-04-10", "date_range_end": "1912-04-15"}
    job, file = host.export("timeline", "json", options=options)
    records = json.loads(file.content)["records"]
    assert records
    assert all("1912-04-10" <= record["date_start"][:10] <= "1912-04-15" for record in records)
    rows = host.query(
        "SELECT id, CAST(date_start AS text) FROM arkham_timeline_events WHERE date_start IS NOT NULL"
    )
    expected = {key for key, date in rows if "1912-04-10" <= date[:10] <= "1912-04-15"}
    assert {record["id"] for record in records} == expected
    assert job["metadata"]["completeness"]["expected"] == len(expected)


@pytest.mark.parametrize(
    ("target", "filters", "where"),
    [
        ("documents", {"status": "processed"}, "status = 'processed'"),
        ("documents", {"mime_type": "application/pdf"}, "mime_type = 'application/pdf'"),
        ("entities", {"entity_type": ["PERSON", "LOCATION"]}, "entity_type IN ('PERSON', 'LOCATION')"),
        ("claims", {"status": ["verified", "disputed"]}, "status IN ('verified', 'disputed')"),
        ("claims", {"claim_type": "quantitative"}, "claim_type = 'quantitative'"),
        ("timeline", {"precision": "day", "event_type": "occurrence"}, "precision = 'day' AND event_type = 'occurrence'"),
        ("matrix", {"status": "active"}, "status = 'active'"),
    ],
)  # fmt: skip
def test_filters_choose_what_the_database_would(
    host: RunningHost, target: str, filters: dict[str, object], where: str
) -> None:
    table = TARGETS[target].sets[0].table.qualified
    expected = {row[0] for row in host.query(f"SELECT id FROM {table} WHERE {where}")}
    _, file = host.export(target, "json", filters=filters)
    assert {record["id"] for record in json.loads(file.content)["records"]} == expected


def test_filters_on_lists_look_inside_them(host: RunningHost) -> None:
    rows = host.query(
        "SELECT id, CAST(document_ids AS text) FROM arkham_entities WHERE document_ids IS NOT NULL"
    )
    lists = {key: json.loads(text) for key, text in rows}
    document = next(ids[0] for ids in lists.values() if ids)
    _, file = host.export("entities", "json", filters={"document_id": document})
    expected = {key for key, ids in lists.items() if document in ids}
    assert {record["id"] for record in json.loads(file.content)["records"]} == expected


def test_a_graph_can_be_chosen_by_its_project(host: RunningHost) -> None:
    graph, project = host.query("SELECT id, project_id FROM arkham_graph.graphs ORDER BY id LIMIT 1")[0]
    _, file = host.export("graph", "json", filters={"project_id": project})
    document = json.loads(file.content)
    for name in ("nodes", "edges"):
        ids = {
            row[0] for row in host.query(f"SELECT id FROM arkham_graph.{name} WHERE graph_id = ?", (graph,))
        }
        assert {each["id"] for each in document[name]} == ids
    assert [each["id"] for each in document["graphs"]] == [graph]


def test_entity_types_keep_only_edges_between_chosen_nodes(host: RunningHost) -> None:
    _, file = host.export("graph", "json", options={"entity_types": ["PERSON"]})
    document = json.loads(file.content)
    nodes = {node["id"] for node in document["nodes"]}
    assert nodes
    assert {node["entity_type"] for node in document["nodes"]} == {"PERSON"}
    assert all(edge["source_id"] in nodes and edge["target_id"] in nodes for edge in document["edges"])
