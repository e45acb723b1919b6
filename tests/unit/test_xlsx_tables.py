"""Tables in workbooks, read back by others: relations, widths, filters, further sheets."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.worksheet.worksheet import Worksheet

from arkham_shard_export.formats.workbook import sheets
from arkham_shard_export.peers import (
    CLAIM_EVIDENCE,
    CLAIMS,
    ENTITIES,
    ENTITY_MENTIONS,
    ENTITY_RELATIONSHIPS,
    PROJECTS,
)
from arkham_shard_export.records import Row
from arkham_shard_export.schema import Column, Kind
from tests.unit.books import MAIN, TWO, book, claims, opened, parts, rows_of, sheet_names
from tests.unit.memory import Written, nested, section_of

# Relations


def test_the_evidence_of_claims_is_a_sheet_with_the_ids_of_its_claims() -> None:
    evidence = [
        [
            nested(CLAIM_EVIDENCE, id=f"e{claim}{number}", claim_id=f"c{claim}", excerpt="seen")
            for number in range(2)
        ]
        for claim in range(3)
    ]
    written = Written(
        "xlsx", claims(*([*nested(CLAIMS, id=f"c{n}", text="T"), rows] for n, rows in enumerate(evidence)))
    )
    assert sheet_names(written) == ["About", "Claims", "Evidence"]
    header, *rows = rows_of(written, "Evidence")
    assert header[:2] == ["ID", "Claim ID"]
    assert [row[:2] for row in rows] == [[f"e{c}{n}", f"c{c}"] for c in range(3) for n in range(2)]
    assert [row[header.index("Excerpt")] for row in rows] == ["seen"] * 6
    assert [row[0] for row in rows_of(written, "Claims")] == ["ID", "c0", "c1", "c2"]
    assert written.writer.written == 3


def test_a_relation_that_may_point_both_ways_begins_with_the_id_of_its_entity() -> None:
    columns = (*ENTITY_RELATIONSHIPS.columns, Column("direction"))
    relationships = Column("relationships", Kind.RECORDS, columns=columns)
    mentions = Column("mentions", Kind.RECORDS, columns=ENTITY_MENTIONS.columns)
    row = [*nested(ENTITY_RELATIONSHIPS, id="r1", source_id="n2", target_id="n1"), "incoming"]
    written = Written(
        "xlsx",
        section_of(
            (*ENTITIES.columns, relationships, mentions),
            [[*nested(ENTITIES, id="n1", name="Ann"), [row], []]],
        ),
        target="entities",
    )
    assert sheet_names(written) == ["About", "Entities", "Relationships", "Mentions"]
    header, related = rows_of(written, "Relationships")
    assert (header[:2], related[:2]) == (["Entity ID", "ID"], ["n1", "r1"])
    assert [related[header.index(label)] for label in ("From", "To", "Direction")] == ["n2", "n1", "incoming"]
    assert rows_of(written, "Mentions")[0][:2] == ["ID", "Entity ID"]


def test_a_single_related_record_is_spread_beside_its_record() -> None:
    project = Column("project", Kind.RECORD, columns=PROJECTS.columns)
    moment = {"created_at": "2024-02-29T00:00:00+00:00"}
    written = Written(
        "xlsx",
        section_of(
            (Column("id"), project, Column("filename")),
            [["d1", nested(PROJECTS, id="p", name="=Leak", **moment), "a.pdf"], ["d2", None, "b.pdf"]],
        ),
        target="documents",
    )
    header, first, second = rows_of(written, "Documents")
    assert header[:2] == ["ID", "Filename"]
    record = dict(zip(header, first, strict=True))
    assert record["Project: ID"] == "p"
    assert record["Project: Name"] == "=Leak"
    assert record["Project: Created at (UTC)"] == datetime(2024, 2, 29)
    assert second == ["d2", "b.pdf", *[None] * (len(header) - 2)]


def test_relations_of_records_without_an_id_are_sheets_all_the_same() -> None:
    columns = (Column("name"), Column("parts", Kind.RECORDS, columns=(Column("part"),)))
    written = Written("xlsx", section_of(columns, [["a", [["x"], ["y"]]], ["b", None]]), target="custom")
    assert rows_of(written, "Parts") == [["Part"], ["x"], ["y"]]


def test_empty_sections_and_relations_are_sheets_with_a_header_only() -> None:
    written = Written("xlsx", claims(), section_of(TWO, [], "gaps", counted=False))
    assert sheet_names(written) == ["About", "Claims", "Evidence", "Gaps"]
    for name in ("Claims", "Evidence", "Gaps"):
        (header,) = rows_of(written, name)
        assert header[0] == "ID"
        assert None not in header
    assert written.writer.written == 0


def test_rows_of_an_annex_are_not_counted_as_records() -> None:
    annex = section_of(TWO, [["1", "b"]] * 5, "gaps", counted=False)
    assert Written("xlsx", section_of(TWO, [["x", "y"]]), annex).writer.written == 1


def test_a_writer_does_not_change_the_rows_it_is_given() -> None:
    rows: list[Row] = [["1", '{"a":1}', [["y", None]], ["z"]]]
    columns = (
        Column("id"),
        Column("json", Kind.JSON),
        Column("many", Kind.RECORDS, columns=TWO),
        Column("one", Kind.RECORD, columns=(Column("c"),)),
    )
    Written("xlsx", section_of(columns, rows))
    assert rows == [["1", '{"a":1}', [["y", None]], ["z"]]]


# What a table looks like


def test_a_table_has_a_frozen_bold_header_and_a_filter_over_all_of_it() -> None:
    written = book([[str(n), "x"] for n in range(7)])
    sheet: Worksheet = opened(written)["Records"]
    assert (sheet.freeze_panes, sheet.sheet_view.pane.state) == ("A2", "frozen")
    assert sheet.auto_filter.ref == "A1:B8"
    assert [cell.font.b for cell in sheet[1]] == [True, True]
    assert [cell.font.b for cell in sheet[2]] == [False, False]


def test_each_filter_has_the_hidden_name_that_excel_keeps_for_it() -> None:
    written = Written("xlsx", claims(), section_of(TWO, [["1", "x"]], "nobody's"), target="claims")
    names = parts(written)["xl/workbook.xml"].findall(f"{MAIN}definedNames/{MAIN}definedName")
    assert [(each.get("name"), each.get("hidden"), each.get("localSheetId")) for each in names] == [
        ("_xlnm._FilterDatabase", "1", str(place)) for place in (1, 2, 3)
    ]
    last = sheets.letters(len(CLAIMS.columns) - 1)
    assert [each.text for each in names] == [
        f"'Claims'!$A$1:${last}$1",
        f"'Evidence'!$A$1:${sheets.letters(len(CLAIM_EVIDENCE.columns) - 1)}$1",
        "'Nobody''s'!$A$1:$B$2",
    ]


def test_columns_are_as_wide_as_what_is_in_most_of_their_cells_and_never_wider_than_a_page() -> None:
    columns = (
        Column("id"),
        Column("middle"),
        Column("long"),
        Column("when", Kind.TIMESTAMP),
        Column("a_rather_long_label_of_a_column"),
    )
    rows: list[Row] = [
        [str(n), "x" * 30, "y" * 500 + "\n\n", "2024-02-29T12:00:00.123456+00:00", None] for n in range(20)
    ]
    rows[0][1] = "x" * 5_000
    written = Written("xlsx", section_of(columns, rows, batch=20), target="custom")
    widths = {name: each.width for name, each in opened(written)["Records"].column_dimensions.items()}
    assert widths == {"A": 9, "B": 32, "C": 60, "D": 24, "E": 24}
    assert len("2024-02-29 12:00:00.123") < widths["D"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.none() | st.text() | st.integers() | st.floats(), min_size=2, max_size=2), max_size=5
    )
)
def test_every_width_is_between_the_narrowest_and_the_widest(rows: list[Row]) -> None:
    columns = parts(book(rows, kind=Kind.VALUE))["xl/worksheets/sheet1.xml"].findall(f"{MAIN}cols/{MAIN}col")
    assert [9 <= float(each.get("width", "0")) <= 60 for each in columns] == [True, True]


def test_columns_beyond_z_are_named_as_spreadsheets_name_them() -> None:
    columns = tuple(Column(f"c{number}") for number in range(800))
    written = Written("xlsx", section_of(columns, [list(map(str, range(800)))]), target="custom")
    sheet = opened(written)["Records"]
    assert sheet.auto_filter.ref == "A1:ADT2"
    assert [cell.value for cell in sheet[2]] == list(map(str, range(800)))


def test_a_column_without_a_name_has_an_empty_header() -> None:
    written = Written("xlsx", section_of((Column("id"), Column("")), [["1", "x"]]), target="custom")
    assert rows_of(written, "Records") == [["ID", None], ["1", "x"]]


@pytest.mark.parametrize("batch", [1, 7, 199, 1000])
def test_the_bytes_do_not_depend_on_how_many_records_come_at_once(batch: int) -> None:
    rows = [
        [
            *nested(
                CLAIMS,
                id=f"c{number}",
                text="T" * (number // 5),
                source_document_id="x" * 40_000 * (number == 300),
            ),
            [nested(CLAIM_EVIDENCE, id=f"e{number}", excerpt="s" * (number // 9))] * (number % 3),
        ]
        for number in range(450)
    ]
    assert Written("xlsx", claims(*rows, batch=batch)).data == Written("xlsx", claims(*rows, batch=450)).data


# Full sheets


def test_a_full_sheet_is_followed_by_another_with_the_header_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 3)
    written = book([[str(n), f"v{n}"] for n in range(7)])
    assert sheet_names(written) == ["About", "Records", "Records (2)", "Records (3)"]
    pages = [rows_of(written, name) for name in sheet_names(written)[1:]]
    assert [page[0] for page in pages] == [["ID", "Value"]] * 3
    assert [len(page) - 1 for page in pages] == [3, 3, 1]
    assert [row[0] for page in pages for row in page[1:]] == list("0123456")
    assert [sheet.auto_filter.ref for sheet in opened(written).worksheets[1:]] == ["A1:B4", "A1:B4", "A1:B2"]
    assert written.writer.written == 7


def test_a_sheet_that_is_just_full_is_followed_by_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 4)
    assert sheet_names(book([[str(n), "x"] for n in range(4)])) == ["About", "Records"]


def test_full_sheets_of_relations_and_long_texts_go_on_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 2)
    rows = [
        [
            *nested(CLAIMS, id=f"c{n}"),
            [nested(CLAIM_EVIDENCE, id=f"e{n}", claim_id=f"c{n}", notes="n" * 40_000)],
        ]
        for n in range(3)
    ]
    written = Written("xlsx", claims(*rows))
    assert sheet_names(written) == [
        "About", "Claims", "Claims (2)", "Evidence", "Evidence (2)", *(f"Long text{n}" for n in ("", " (2)", " (3)", " (4)", " (5)")),
    ]  # fmt: skip
    pages = [rows_of(written, name)[1:] for name in sheet_names(written) if name.startswith("Long text")]
    assert [[row[0], row[2], row[4]] for page in pages for row in page] == [
        [sheet, key, number]
        for sheet, key in (("Evidence", "e0"), ("Evidence", "e1"), ("Evidence (2)", "e2"))
        for number in (1, 2, 3)
    ]


def test_a_sheet_whose_xml_is_large_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_BYTES", 10_000)
    written = book([[str(n), "x" * 3_000] for n in range(10)])
    assert sheet_names(written) == ["About", "Records", "Records (2)", "Records (3)"]
    assert [row[0] for name in sheet_names(written)[1:] for row in rows_of(written, name)[1:]] == list(
        "0123456789"
    )


def test_a_single_batch_of_long_texts_does_not_make_a_sheet_much_larger_than_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sheets, "MAX_BYTES", 100_000)
    section = section_of(TWO, [[str(n), "東" * 10_000] for n in range(60)], batch=60)
    written = Written("xlsx", section, target="custom")
    with zipfile.ZipFile(io.BytesIO(written.data)) as archive:
        sizes = [each.file_size for each in archive.infolist() if "worksheets" in each.filename]
    assert len(sizes) > 10
    assert max(sizes) < 140_000
    assert sum(sheet.max_row - 1 for sheet in opened(written).worksheets[1:]) == 60
