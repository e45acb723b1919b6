"""What a workbook calls its sheets and says of itself, read back by others."""

from __future__ import annotations

import re
from datetime import datetime
from itertools import takewhile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.formats import xlsx
from arkham_shard_export.formats.account import NOTES_TITLE
from arkham_shard_export.formats.workbook import sheets
from arkham_shard_export.peers import (
    CLAIMS,
)
from arkham_shard_export.records import Adjustments, Skip
from arkham_shard_export.schema import Column, Kind
from tests.unit.books import (
    FORBIDDEN_IN_XML,
    SHEETS_OF_MATRICES,
    book,
    claims,
    matrices,
    matrix,
    opened,
    rows_of,
    sheet_names,
    titled,
    units,
    values,
)
from tests.unit.memory import EXPORTED_AT, Written, nested, section_of

# Names of sheets


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Who paid?", "Who paid"),
        ("a/b\\c:d*e?f[g]h", "a b c d e f g h"),
        ("History", "History (2)"),
        ("hISTORY", "hISTORY (2)"),
        ("'quoted'", "quoted"),
        ("O'Neill's", "O'Neill's"),
        ("x" * 40, "x" * 31),
        ("x" * 30 + "'y", "x" * 30),
        ("x" * 30 + " y", "x" * 30),
        ("👩" * 16, "👩" * 15),
        ("東京都", "東京都"),
        ("a\nb\tc\x00d", "a b c d"),
        ("  ", "Sheet"),
        ("'''", "Sheet"),
        ("[]", "Sheet"),
        ("", "m0"),
        (None, "m0"),
        ("\ud800x\uffff", "x"),
        ("<&>\"", "<&>\""),
    ],
)  # fmt: skip
def test_a_sheet_is_named_for_its_matrix_as_far_as_excel_allows(title: str | None, name: str) -> None:
    written = titled(title)
    assert sheet_names(written) == ["About", name, *SHEETS_OF_MATRICES]
    assert rows_of(written, name)[0][0] == (FORBIDDEN_IN_XML.sub("\ufffd", title) if title else "m0")


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        (["Same", "same", "SAME"], ["Same", "same (2)", "SAME (3)"]),
        (["x" * 40, "x" * 50], ["x" * 31, "x" * 27 + " (2)"]),
        (["👩" * 20, "👩" * 21], ["👩" * 15, "👩" * 13 + " (2)"]),
        (["Matrices", "about"], ["Matrices (2)", "about"]),
        (["Straße", "STRASSE"], ["Straße", "STRASSE (2)"]),
        (["Caf\u00e9", "Cafe\u0301"], ["Caf\u00e9", "Cafe\u0301 (2)"]),
    ],
)
def test_no_two_sheets_have_one_name_whatever_its_case(titles: list[str], names: list[str]) -> None:
    assert sheet_names(titled(*titles))[1 : 1 + len(names)] == names


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(max_size=40) | st.sampled_from(["a", "A", "a (2)", "About", "'", "x" * 31]), max_size=6)
)
def test_any_titles_give_as_many_sheets_with_names_that_excel_takes(titles: list[str]) -> None:
    names = sheet_names(titled(*titles))
    assert len(names) == 6 + len(titles)
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert 1 <= units(name) <= 31, name
        assert re.search(r"[\[\]:*?/\\\x00-\x1f]", name) is None, name
        assert name.strip("'") == name, name
        assert name.lower() != "history"


# About


def about(written: Written) -> dict[Any, Any]:
    return {row[0]: row[1] for row in rows_of(written, "About")}


def test_the_first_sheet_tells_what_the_workbook_is_and_when_it_was_true() -> None:
    written = Written(
        "xlsx",
        claims([*nested(CLAIMS, id="c"), []]),
        filters={"status": ["disputed", "verified"], "document_id": "=1+1"},
        options={"max_records": 5, "sort_by": "id"},
    )
    assert sheet_names(written)[0] == "About"
    assert rows_of(written, "About")[0] == ["Claims", None]
    facts = about(written)
    assert facts["Records in this file"] == "1"
    assert facts["State of the data"] == facts["Exported"] == "2026-11-22 13:00:00 UTC"
    assert facts["Filters"] == "Status: disputed, verified; Document ID: =1+1"
    assert facts["Options"] == "Max records: 5; Sort by: id"
    assert facts["How to read it"] == xlsx.HOW_TO_READ


def test_the_first_sheet_tells_what_is_not_in_the_workbook_and_what_was_changed() -> None:
    section = section_of(
        (Column("id"), Column("value", Kind.VALUE)),
        [["1", 10**20], ["2", "\x00"], ["3", "x" * 40_000]],
        skips=(Skip("max_records", 4, "max_records is 3"),),
    )
    written = Written("xlsx", section, target="custom")
    notes = [row[1] for row in rows_of(written, "About")]
    assert about(written)["Records that match"] == "7"
    assert "4 left out of records: max_records is 3." in notes
    for kind in ("long_number", "forbidden_characters", "long_text"):
        assert f"1 × {Adjustments.REASONS[kind]}." in notes


def test_without_anything_left_out_or_changed_there_is_no_such_heading() -> None:
    assert NOTES_TITLE not in about(values("x"))
    assert NOTES_TITLE in about(values("\x00"))


def test_the_first_sheet_leads_to_every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "MAX_ROWS", 2)
    written = matrices(
        matrix("m1", "O'Neill's <&> \"case\"", [{"id": f"h{n}", "title": "H"} for n in range(3)]),
        matrix("m2", "=東京"),
    )
    workbook = opened(written)
    links = {
        cell.hyperlink.location: (cell.value, row[1].value)
        for row in workbook["About"].iter_rows()
        if (cell := row[0]).hyperlink
    }
    assert list(links) == ["'" + name.replace("'", "''") + "'!A1" for name in workbook.sheetnames[1:]]
    assert [name for name, _ in links.values()] == workbook.sheetnames[1:]
    assert links["'Hypotheses'!A1"][1] == "2 rows"
    assert links["'Hypotheses (2)'!A1"][1] == "1 rows"
    assert links["'=東京'!A1"][1] == "grid: evidence against hypotheses"


def test_filters_that_no_cell_holds_go_on_in_further_rows_of_the_first_sheet() -> None:
    ids = [f"{number:036}" for number in range(1000)]
    written = book([["1", "x"]], filters={"document_id": ids})
    assert sheet_names(written) == ["About", "Records"]
    rows = rows_of(written, "About")
    first = next(place for place, row in enumerate(rows) if row[0] == "Filters")
    parts = [rows[first][1], *(row[1] for row in takewhile(lambda row: row[0] is None, rows[first + 1 :]))]
    assert "".join(parts) == f"Document ID: {', '.join(ids)}"
    assert len(parts) > 1
    assert written.counts == {}


def test_without_metadata_there_is_no_such_sheet() -> None:
    written = book([["1", "\x00"]], include_metadata=False)
    assert sheet_names(written) == ["Records"]
    assert rows_of(written, "Records") == [["ID", "Value"], ["1", "\ufffd"]]


def test_the_properties_name_the_target_and_the_time_of_the_export() -> None:
    properties = opened(book([])).properties
    assert (properties.title, properties.creator) == ("Custom", "arkham-shard-export")
    assert properties.created == datetime.fromisoformat(EXPORTED_AT).replace(tzinfo=None)
