"""Chosen columns in every format, as foreign readers find them: which, in which order, under which labels."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.formats import specs
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.peers import CLAIM_EVIDENCE, CLAIMS, EDGES, GRAPHS, MATRICES, NODES, TIMELINE_EVENTS
from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.run import source_of
from arkham_shard_export.records import Adjustments
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.targets import TARGETS
from tests.golden.hostile import fill
from tests.readers import docx_text, pdf_text, sheets, squeezed, table
from tests.unit.case import Case, opened
from tests.unit.memory import fixed_clock

HOSTILE = "<w:b/>&amp; =1+1 {0.__class__} %n #let “x” قيمة"
AUTUMN = ("2024-10-27T00:30:00+00:00", "2024-10-27T01:30:00+00:00", "1912-04-15T00:00:00+00:00", "soon")


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with opened(tmp_path_factory.mktemp("chosen") / "case") as made:
        for number, moment in enumerate(AUTUMN):
            made.add(
                CLAIMS, id=f"c{number}", text=f"Claim {number}", status="verified", created_at=moment,
                metadata='{"page": 7}',
            )  # fmt: skip
            made.add(
                CLAIM_EVIDENCE, id=f"e{number}", claim_id=f"c{number}", relationship="supports", excerpt=f"Passage {number}",
                notes="kept back", added_at=moment,
            )  # fmt: skip
        made.add(GRAPHS, id="g", project_id="p")
        for name in ("a", "b"):
            made.add(
                NODES, id=name, graph_id="g", label=f"Node {name}", entity_type="PERSON", created_at=AUTUMN[0]
            )
        made.add(EDGES, id="e", graph_id="g", source_id="a", target_id="b", relationship_type="OWNS")
        made.add(MATRICES, id="m", title="Matrix", question="Who?", status="draft")
        yield made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with opened(tmp_path_factory.mktemp("names") / "case") as made:
        fill(made)
        made.connection.execute('ALTER TABLE arkham_claims ADD COLUMN "evidence" TEXT')
        made.connection.execute('ALTER TABLE arkham_entity_relationships ADD COLUMN "direction" TEXT')
        made.connection.execute('ALTER TABLE arkham_claims ADD COLUMN "a.b" TEXT')
        yield made


CHOICE: dict[str, Any] = {
    "records": [
        {"name": "text", "label": HOSTILE},
        "created_at",
        {"name": "evidence", "label": "Proof"},
        "id",
    ],
    "evidence": [{"name": "excerpt", "label": "Passage read"}, "added_at", "claim_id"],
}


def plain(choice: dict[str, Any], *labelled: str) -> dict[str, Any]:
    """The choice without its labels, but in the sections named."""
    return {
        section: [each if section in labelled or isinstance(each, str) else each["name"] for each in columns]
        for section, columns in choice.items()
    }


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", ["case", "hostile"])
def test_the_columns_that_can_be_chosen_are_those_that_files_have(
    name: str, target: str, request: pytest.FixtureRequest
) -> None:
    """What is checked without a snapshot agrees with what the source gives, in every format and extent."""
    case: Case = request.getfixturevalue(name)
    asked = {"include_conflicts": True, "include_gaps": True} if target == "timeline" else {}
    for spec in specs():
        for group_by in ("week", "entity") if target == "timeline" else (None,):
            for relations in (True, False):
                options = ExportOptions(**asked, group_by=group_by, include_relationships=relations)
                asks = ExportRequest(spec.format, target, {}, options)
                snapshot = open_snapshot(case.location, fixed_clock)
                source = source_of(asks, TARGETS[target], snapshot, Adjustments())
                tables = TargetCatalogs.tables(TARGETS[target], related=True)
                catalogs = {each.qualified: snapshot.catalog(each) for each in tables}
                found: dict[str, tuple[str, ...]] = {}
                for section in source.sections():
                    if section.name != "entities" or section.counted:
                        found[section.name] = tuple(each.name for each in section.columns)
                    for column in section.columns:
                        if column.columns:
                            found[column.name] = tuple(each.name for each in column.columns)
                source.close()
                assert TargetCatalogs(TARGETS[target], catalogs).columns(asks.extent()) == found


def test_json_has_the_chosen_keys_in_their_order(case: Case) -> None:
    document = json.loads(case.export("json", "claims", columns=plain(CHOICE)))
    first = document["records"][0]
    assert list(first) == ["text", "created_at", "evidence", "id"]
    assert first["evidence"] == [{"excerpt": "Passage 0", "added_at": AUTUMN[0], "claim_id": "c0"}]
    assert document["options"]["columns"] == plain(CHOICE)
    assert not {"time_zone", "date_format", "csv", "report", "layout"} & document["options"].keys()


def test_csv_has_the_labels_in_its_header(case: Case) -> None:
    data = case.export("csv", "claims", columns=plain(CHOICE, "records")).decode()
    header, first, *_ = csv.reader(io.StringIO(data, newline=""))
    assert header == [HOSTILE, "created_at", "Proof", "id"]
    assert first[0] == "Claim 0"
    assert json.loads(first[2]) == [{"excerpt": "Passage 0", "added_at": AUTUMN[0], "claim_id": "c0"}]


def test_a_label_that_is_a_formula_is_defused_in_csv_and_stays_text_in_a_workbook(case: Case) -> None:
    columns = [{"name": "text", "label": "=HYPERLINK(1)"}]
    assert case.export("csv", "claims", columns=columns).startswith(b"'=HYPERLINK(1)\r\n")
    assert sheets(case.export("xlsx", "claims", columns=columns))["Claims"][0] == ("=HYPERLINK(1)",)


def test_a_workbook_has_sheets_columns_and_labels_as_chosen(case: Case) -> None:
    found = sheets(case.export("xlsx", "claims", columns=CHOICE))
    assert list(found) == ["About", "Claims", "Proof"]
    assert found["Claims"][0] == (HOSTILE, "Created at (UTC)", "ID")
    assert found["Proof"][0] == ("Passage read", "Added at (UTC)", "Claim ID")
    assert found["Proof"][1] == ("Passage 0", datetime(2024, 10, 27, 0, 30), "c0")
    told = "\n".join(str(cell) for row in found["About"] for cell in row if cell)
    assert "Not chosen, and so not in claims: Type, Status, Confidence" in told
    assert "Not chosen, and so not in proof: ID, Type, Reference" in told


def test_related_rows_that_do_not_name_their_record_get_its_id(case: Case) -> None:
    found = sheets(case.export("xlsx", "entities", columns={"relationships": ["direction", "id"]}))
    assert found["Relationships"][0] == ("Entity ID", "Direction", "ID")


def test_a_workbook_does_not_speak_of_ids_that_it_has_not(case: Case) -> None:
    found = sheets(case.export("xlsx", "claims", columns=["text"]))
    assert list(found) == ["About", "Claims"]
    assert "linked by their ids" not in str(found["About"])
    assert "linked by their ids" in str(sheets(case.export("xlsx", "claims", columns=["id"]))["About"])


@pytest.mark.parametrize("format", ["pdf", "docx"])
def test_a_report_has_the_chosen_fields_under_their_labels(case: Case, format: str) -> None:
    data = case.export(
        format, "claims", columns={**CHOICE, "records": ["text", "status", *CHOICE["records"][1:3]]}
    )
    text = pdf_text(data) if format == "pdf" else docx_text(data)
    for expected in (
        "Claim 0",
        "Passage read",
        "Passage 3",
        "Not chosen, and so not in claims: ID, Type",
        "not in proof",
    ):
        assert squeezed(expected) in squeezed(text), expected
    assert "kept back" not in text
    assert "metadata" not in text.lower().replace("metadata.", "")


def test_a_label_is_text_in_a_report_whatever_it_looks_like(case: Case) -> None:
    columns = ["text", {"name": "status", "label": HOSTILE}]
    for format, read in (("pdf", pdf_text), ("docx", docx_text)):
        text = squeezed(read(case.export(format, "claims", columns=columns)))
        assert squeezed("<w:b/>&amp; =1+1 {0.__class__} %n #let “x”") in text, format


def test_flattened_columns_stand_in_the_place_and_under_the_label_of_theirs(case: Case) -> None:
    columns = ["id", {"name": "metadata", "label": "Meta"}, "text"]
    data = case.export("csv", "claims", flatten=True, columns=columns).decode()
    assert data.splitlines()[:2] == ["id,Meta.page,text", "c0,7,Claim 0"]


def test_a_column_of_the_table_that_is_named_like_a_relation_is_chosen_by_its_own_name(hostile: Case) -> None:
    first = json.loads(hostile.export("json", "claims", columns=["column.evidence", "evidence", "a.b"]))[
        "records"
    ][0]
    assert list(first) == ["column.evidence", "evidence", "a.b"]
    assert isinstance(first["evidence"], list)
    told = sheets(hostile.export("xlsx", "claims", columns=["id", "evidence"]))["About"]
    assert "Column.evidence" in str(told)


def test_records_may_be_sorted_and_filtered_by_what_is_not_in_the_file(case: Case) -> None:
    data = case.export(
        "csv", "claims", {"status": "verified"}, columns=["text"], sort_by="created_at", sort_order="desc",
        date_range_start="2024-10-27T01:00:00Z",
    )  # fmt: skip
    assert data == b"text\r\nClaim 1\r\n"


def test_scores_and_names_are_right_though_what_they_follow_from_is_left_out(hostile: Case) -> None:
    whole = json.loads(hostile.export("json", "matrix"))["records"]
    some = json.loads(hostile.export("json", "matrix", columns=["scores"]))["records"]
    assert some == [{"scores": each["scores"]} for each in whole]
    whole = list(csv.DictReader(io.StringIO(hostile.export("csv", "timeline").decode(), newline="")))
    some_rows = hostile.export("csv", "timeline", columns=["entity_names"]).decode()
    names = [row["entity_names"] for row in csv.DictReader(io.StringIO(some_rows, newline=""))]
    assert names == [each["entity_names"] for each in whole]


def test_a_matrix_without_its_parts_has_no_grid_and_with_them_the_same(hostile: Case) -> None:
    bare = sheets(hostile.export("xlsx", "matrix", columns=["title", "question"]))
    assert list(bare) == ["About", "Matrices"]
    whole = sheets(hostile.export("xlsx", "matrix"))
    few = sheets(
        hostile.export(
            "xlsx",
            "matrix",
            columns={"hypotheses": ["title", "id"], "ratings": ["rating", "hypothesis_id", "evidence_id"]},
        )
    )
    grids = [
        name
        for name in whole
        if name not in ("About", "Matrices", "Hypotheses", "Evidence", "Ratings", "Scores")
    ]
    assert {name: few[name] for name in grids} == {name: whole[name] for name in grids}
    assert few["Ratings"][0] == ("Matrix ID", "Rating", "Hypothesis", "Evidence")


def test_a_network_is_told_only_where_it_is_known(case: Case) -> None:
    told = pdf_text(case.export("pdf", "graph", columns={"nodes": ["id", "label"]}))
    assert "The network has 2 nodes and 1 edges." in told
    for columns in ({"nodes": ["label"]}, {"edges": ["id", "source_id"]}):
        assert "The network has" not in pdf_text(case.export("pdf", "graph", columns=columns))


def test_events_grouped_by_a_date_that_is_left_out_still_have_their_groups(case: Case) -> None:
    case.add(TIMELINE_EVENTS, id="t1", text="Event one", date_start="2024-10-27T23:30:00")
    try:
        text = docx_text(case.export("docx", "timeline", columns=["text"], group_by="day"))
        assert "Groups" in text
        assert "2024-10-27" in text
    finally:
        case.connection.execute("DELETE FROM arkham_timeline_events")


# Zones


def test_json_and_csv_say_the_offset_of_every_time(case: Case) -> None:
    moved = ["2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00", "1912-04-15T00:00:00+00:00", "soon"]
    records = json.loads(case.export("json", "claims", time_zone="Europe/Berlin"))["records"]
    assert [each["created_at"] for each in records] == moved
    assert [each["evidence"][0]["added_at"] for each in records] == moved
    rows = case.export("csv", "claims", time_zone="Europe/Berlin", columns=["created_at"]).decode()
    assert rows.splitlines() == ["created_at", *moved]
    assert case.last is not None
    assert case.last.adjustments == []


def test_where_the_offset_is_not_written_the_heading_has_the_zone_and_doubtful_times_are_counted(
    case: Case,
) -> None:
    options: dict[str, Any] = {"time_zone": "Europe/Berlin", "date_format": "%d.%m.%Y %H:%M"}
    rows = case.export("csv", "claims", columns=["created_at"], **options).decode().splitlines()
    assert rows == ["created_at (Europe/Berlin)", *["27.10.2024 02:30"] * 2, "15.04.1912 00:00", "soon"]
    assert counts(case) == {"repeated_hour": 2}
    rows = case.export(
        "csv", "claims", columns=["created_at"], **{**options, "date_format": "%d.%m. %z"}
    ).decode()
    assert rows.splitlines()[:3] == ["created_at", "27.10. +02:00", "27.10. +01:00"]
    assert counts(case) == {}


def counts(case: Case) -> dict[str, int]:
    assert case.last is not None
    return {each["kind"]: each["count"] for each in case.last.adjustments}


def test_a_workbook_holds_local_dates_that_are_dates(case: Case) -> None:
    import openpyxl

    data = case.export(
        "xlsx", "claims", columns={"records": ["id", "created_at", "evidence"], "evidence": ["added_at"]},
        time_zone="Europe/Berlin", date_format="%d.%m.%Y",
    )  # fmt: skip
    found = sheets(data)
    header, *rows = found["Claims"]
    assert header == ("ID", "Created at (Europe/Berlin)")
    local = [datetime(2024, 10, 27, 2, 30)] * 2 + [datetime(1912, 4, 15), "soon"]
    assert [row[1] for row in rows] == local
    assert [row[1] for row in found["Evidence"][1:]] == local
    assert counts(case) == {"repeated_hour": 4}
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book["Claims"]["B2"].number_format.replace("\\", "") == "dd.mm.yyyy"
    assert "Times are in Europe/Berlin" in str(found["About"])


@pytest.mark.parametrize("format", ["pdf", "docx"])
def test_a_report_names_the_offset_and_its_title_page_the_zone(case: Case, format: str) -> None:
    data = case.export(format, "claims", time_zone="Europe/Berlin")
    text = pdf_text(data) if format == "pdf" else docx_text(data)
    for expected in ("2024-10-27 02:30:00 CEST", "2024-10-27 02:30:00 CET", "1912-04-15", "Times are in Europe/Berlin",
                     "2026-11-22 14:00:00 CET"):  # fmt: skip
        assert squeezed(expected) in squeezed(text), expected
    assert counts(case) == {}


def test_groups_stay_those_of_utc_and_the_file_says_so(case: Case) -> None:
    case.add(TIMELINE_EVENTS, id="t1", text="Late event", date_start="2024-10-27T23:30:00")
    try:
        options: dict[str, Any] = {"time_zone": "Europe/Berlin", "group_by": "day"}
        assert json.loads(case.export("json", "timeline", **options))["groups"][0]["key"] == "2024-10-27"
        text = docx_text(case.export("docx", "timeline", **options))
        assert "2024-10-28 00:30:00 CET" in text
        assert "groups are those of UTC" in text
        assert [line for line in text.splitlines() if line.startswith("2024-10-2")][-1] == "2024-10-27"
    finally:
        case.connection.execute("DELETE FROM arkham_timeline_events")


def test_a_column_that_is_not_there_is_refused_before_anything_is_read(case: Case) -> None:
    with pytest.raises(InvalidRequest) as caught:
        case.export("csv", "claims", columns=["id", "a.b"])
    assert [each.field for each in caught.value.problems] == ["options.columns.records[1]"]
    assert replace(caught.value.problems[0], value=None).valid[:2] == ("id", "text")


def test_a_table_that_is_not_there_has_its_declared_columns(tmp_path: Path) -> None:
    with opened(tmp_path / "bare") as bare:
        bare.connection.execute("DROP TABLE arkham_claims")
        assert bare.export("csv", "claims", columns=["text", "evidence", "id"]) == b"text,id\r\n"
        assert table([("a",), (1,)]) == [{"a": 1}]
