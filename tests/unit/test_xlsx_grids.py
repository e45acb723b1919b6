"""Competing hypotheses on sheets, read back by others."""

from __future__ import annotations

import re

import pytest

from arkham_shard_export.formats import xlsx
from arkham_shard_export.formats.grid import LEGEND
from arkham_shard_export.formats.workbook import grids
from arkham_shard_export.schema import Layout
from tests.unit.books import (
    RATED,
    SCORED_COLUMNS,
    SHEETS_OF_MATRICES,
    long_rows,
    matrices,
    matrix,
    opened,
    rows_of,
    sheet_names,
    titled,
)
from tests.unit.memory import Written, section_of

# The grid of an analysis of competing hypotheses


def test_a_grid_has_hypotheses_across_evidence_down_and_scores_below() -> None:
    rows = rows_of(matrices(RATED), "Who paid")
    assert rows[0][:2] == ["Who paid", None]
    assert rows[1][0] == "Matrix m1"
    assert rows[2] == [*grids.FIXED, "The firm (h1)", "=The state", "The firm (h3)"]
    assert rows[3:6] == [
        ["=Memo\nof May", "e1", "document", "leak", 0.5, 1, "++", "--", "N"],
        [None, "e2", None, None, None, None, "+", "-", "N/A"],
        ["Call", "e3", None, None, "True", None, None, "maybe", None],
    ]
    scores = {row[0]: row[6:9] for row in rows[6:10]}
    assert scores["Inconsistencies (number of - and --)"] == [0, 2, 0]
    assert scores["Weighted score (-2 to 2)"] == [pytest.approx(4 / 3), pytest.approx(-4 / 3), 0]
    assert scores["Normalised score (0 to 100)"] == [pytest.approx(250 / 3), pytest.approx(50 / 3), 50]
    assert scores["Rank (1: least inconsistent)"] == [1, 3, 2]
    assert rows[10] == [None] * 9
    assert [row[:2] for row in rows[11:18]] == [
        *([meaning, rating] for rating, meaning in LEGEND.items()),
        ["not rated", None],
    ]


def test_each_rating_has_its_colour_in_the_grid_and_in_the_legend() -> None:
    sheet = opened(matrices(RATED))["Who paid"]
    shades = ("A8D5A2", "D9EED5", "F2F2F2", "FADBD3", "F0A797", "E4E4EE")
    colours = dict(zip(LEGEND, shades, strict=True))
    seen = {}
    for row in sheet.iter_rows(min_row=4, max_row=6, min_col=7):
        for cell in row:
            seen[cell.value] = cell.fill.fgColor.rgb
    assert seen.pop(None) == seen.pop("maybe") == "00000000"
    assert seen == {rating: f"FF{colour}" for rating, colour in colours.items()}
    legend = [(row[1].value, row[1].fill.fgColor.rgb) for row in sheet.iter_rows(min_row=12, max_row=17)]
    assert legend == [(rating, f"FF{colour}") for rating, colour in colours.items()]


def test_the_header_and_the_evidence_of_a_grid_stay_in_sight() -> None:
    workbook = opened(matrices(RATED))
    assert workbook["Who paid"].freeze_panes == "B4"
    assert [cell.font.b for cell in workbook["Who paid"][3]] == [True] * 9


def test_two_matrices_are_two_sheets_before_the_tables_of_all() -> None:
    written = matrices(matrix("m1", "First"), matrix("m2", "Second"))
    assert sheet_names(written) == ["About", "First", "Second", *SHEETS_OF_MATRICES]
    assert [row[0] for row in rows_of(written, "Matrices")] == ["ID", "m1", "m2"]
    assert written.writer.written == 2


def test_what_a_grid_has_no_place_for_is_on_the_other_sheets() -> None:
    written = matrices(
        matrix("m1", "T", [{"id": "h1", "title": "H", "notes": "hn"}], [{"id": "e1", "notes": "en"}], [("h1", "gone", "+")])
    )  # fmt: skip
    assert written.counts == {}
    (header, *hypotheses) = rows_of(written, "Hypotheses")
    assert hypotheses[0][header.index("Notes")] == "hn"
    assert rows_of(written, "Matrices")[1] == ["m1", "T", "who?", "described"]
    assert "gone" in rows_of(written, "Ratings")[1]


def test_more_matrices_than_a_workbook_has_room_for_as_sheets_are_stacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(xlsx, "GRID_SHEETS", 2)
    assert sheet_names(titled("a", "b")) == ["About", "a", "b", *SHEETS_OF_MATRICES]
    written = matrices(RATED, matrix("m2", "Second"), matrix("m3", "Third", [{"id": "h", "title": "H"}]))
    assert sheet_names(written) == ["About", "Grids", *SHEETS_OF_MATRICES]
    rows = rows_of(written, "Grids")
    assert [row[0] for row in rows if str(row[0]).startswith("Matrix ")] == [
        "Matrix m1",
        "Matrix m2",
        "Matrix m3",
    ]
    starts = [number for number, row in enumerate(rows) if row[0] in ("Who paid", "Second", "Third")]
    assert [rows[start + 2][6:9] for start in starts] == [
        ["The firm (h1)", "=The state", "The firm (h3)"],
        [None] * 3,
        ["H", None, None],
    ]
    assert opened(written)["Grids"].freeze_panes == "B1"


def test_stacked_grids_go_on_on_a_further_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "GRID_SHEETS", 0)
    monkeypatch.setattr(grids, "MAX_ROWS", 60)
    written = matrices(*(matrix(f"m{n}", f"T{n}", [], [{"id": "e", "description": "E"}]) for n in range(5)))
    names = [name for name in sheet_names(written) if name.startswith("Grids")]
    assert len(names) > 1
    found = [row[0] for name in names for row in rows_of(written, name) if re.fullmatch(r"T\d", str(row[0]))]
    assert found == [f"T{n}" for n in range(5)]
    assert max(opened(written)[name].max_row for name in names) <= 60


def test_a_matrix_without_hypotheses_is_a_grid_of_its_evidence() -> None:
    rows = rows_of(matrices(matrix("m1", "T", [], [{"id": "e1", "description": "E"}])), "T")
    assert rows[2] == list(grids.FIXED)
    assert rows[3][:2] == ["E", "e1"]
    assert not any(str(row[0]).startswith("Rank") for row in rows)


def test_matrices_without_relations_are_a_table_and_no_grid() -> None:
    section = section_of(SCORED_COLUMNS[:4], [["m1", "T", "d", "q"]], layout=Layout.GRID)
    written = Written("xlsx", section, target="matrix")
    assert sheet_names(written) == ["About", "Matrices"]
    assert rows_of(written, "Matrices")[1] == ["m1", "T", "q", "d"]


def test_a_text_that_the_grid_shows_again_is_kept_and_counted_once() -> None:
    text = "d\x00" + "x" * 40_000
    written = matrices(
        matrix("m1", "T", [{"id": "h"}], [{"id": "e1", "description": text, "credibility": 10**20}])
    )
    assert written.counts == {"long_text": 1, "forbidden_characters": 1, "long_number": 1}
    assert {tuple(row[:3]) for row in long_rows(written)} == {("Evidence", "e1", "Evidence")}
    assert rows_of(written, "T")[3][0].endswith("…")
