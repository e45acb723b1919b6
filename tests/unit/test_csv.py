"""CSV as RFC 4180 says it, read back by Python's own reader."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.formats.csv import CsvWriter
from arkham_shard_export.formats.grid import EVIDENCE_COLUMNS
from arkham_shard_export.peers import ACH_EVIDENCE, HYPOTHESES, RATINGS
from arkham_shard_export.records import Row, Section
from arkham_shard_export.schema import Column, Kind, Layout
from arkham_shard_export.standalone.seed_words import SAMPLES
from tests.unit.memory import JSON_VALUES, MATRIX_COLUMNS, TEXTS, Written, nested, section_of

TWO = (Column("a"), Column("b"))


def csv_rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def cell_bytes(data: bytes) -> list[list[bytes]]:
    """The raw cells of a CSV file, by a reader of RFC 4180's own grammar."""
    rows: list[list[bytes]] = [[]]
    position = 0
    for match in re.finditer(rb'("(?:[^"]|"")*"|[^",\r\n]*)(,|\r\n)', data):
        assert match.start() == position, f"no CSV at byte {position}"
        position = match.end()
        rows[-1].append(match[1])
        if match[2] != b",":
            rows.append([])
    assert position == len(data)
    return rows[:-1]


def unguarded(*rows: Row, columns: tuple[Column, ...] = TWO) -> Written:
    return Written("csv", section_of(columns, list(rows)), options={"spreadsheet_safe": False})


def shown(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


SCALARS = (
    st.none()
    | TEXTS
    | st.sampled_from(SAMPLES)
    | st.integers()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(SCALARS, min_size=2, max_size=2), max_size=6))
def test_any_rows_are_read_back_by_pythons_reader(rows: list[Row]) -> None:
    written = unguarded(*rows)
    header, *read = csv_rows(written.data)
    assert header == ["a", "b"]
    assert read == [[shown(cell) for cell in row] for row in rows]
    assert written.writer.written == len(rows)
    assert written.counts == {}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(SCALARS, min_size=2, max_size=2), max_size=6), st.booleans())
def test_any_rows_follow_the_grammar_of_rfc_4180_and_null_differs_from_the_empty_text(
    rows: list[Row], safe: bool
) -> None:
    data = Written("csv", section_of(TWO, rows), options={"spreadsheet_safe": safe}).data
    cells = cell_bytes(data)
    assert len(cells) == len(rows) + 1
    for row, raw in zip(rows, cells[1:], strict=True):
        assert [cell is None for cell in row] == [cell == b"" for cell in raw]
        assert [cell == "" for cell in row] == [cell == b'""' for cell in raw]


def test_null_is_an_empty_cell_and_the_empty_text_a_quoted_one() -> None:
    assert unguarded([None, ""], ["", None]).data == b'a,b\r\n,""\r\n"",\r\n'


def test_a_record_of_a_single_null_is_not_an_empty_line_which_readers_skip() -> None:
    data = unguarded([None], ["x"], [None], columns=(Column("only"),)).data
    assert len(list(csv.DictReader(io.StringIO(data.decode(), newline="")))) == 3


def test_a_file_without_records_has_its_header() -> None:
    assert unguarded().data == b"a,b\r\n"


def test_the_columns_come_in_declared_order_and_quoted_where_they_must_be() -> None:
    columns = (Column("z"), Column('say "a,b"'), Column("new\nline"))
    assert csv_rows(unguarded(columns=columns).data) == [["z", 'say "a,b"', "new\nline"]]


def test_the_file_is_utf_8_without_a_byte_order_mark() -> None:
    assert unguarded(["é", "𠮷"]).data == "a,b\r\né,𠮷\r\n".encode()


def test_numbers_are_written_with_every_digit() -> None:
    rows: list[Row] = [[2**70, 0.1], [Decimal("1.10"), -5]]
    assert unguarded(*rows).data == b"a,b\r\n1180591620717411303424,0.1\r\n1.10,-5\r\n"


def test_booleans_are_true_and_false() -> None:
    assert unguarded([True, False]).data == b"a,b\r\ntrue,false\r\n"


@settings(max_examples=100, deadline=None)
@given(JSON_VALUES)
def test_a_json_column_is_its_compact_json_in_the_cell(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    written = Written("csv", section_of((Column("a"), Column("j", Kind.JSON)), [["x", text]]))
    assert csv_rows(written.data)[1] == ["x", text]
    assert written.counts == {}


def test_related_records_are_compact_json_in_the_cell() -> None:
    inner = (Column("id"), Column("meta", Kind.JSON), Column("n", Kind.NUMBER))
    columns = (Column("many", Kind.RECORDS, columns=inner), Column("one", Kind.RECORD, columns=inner))
    rows: list[Row] = [
        [[["1", '{"b":1,"a":"é"}', Decimal("1.50")], ["2", None, None]], ["3", "[]", 0.5]],
        [[], None],
    ]
    data = Written("csv", section_of(columns, rows)).data
    assert csv_rows(data)[1:] == [
        [
            '[{"id":"1","meta":{"b":1,"a":"é"},"n":1.50},{"id":"2","meta":null,"n":null}]',
            '{"id":"3","meta":[],"n":0.5}',
        ],
        ["[]", ""],
    ]


# Formulas


@pytest.mark.parametrize(
    "text", ["=1+1", "+49 30", "-2+3", "@SUM(A1)", "\t=1", "\r=2", "=", "+", "-", "@", "-5 %", "-1e", "=é"]
)
def test_a_text_that_a_spreadsheet_would_run_gets_a_leading_apostrophe_and_is_counted(text: str) -> None:
    written = Written("csv", section_of(TWO, [[text, "x"]]))
    assert csv_rows(written.data)[1] == [f"'{text}", "x"]
    assert written.counts == {"formula_guard": 1}


@pytest.mark.parametrize("text", ["-5", "+1.5", "-.5", "-1e-10", "+3.", "-007"])
def test_a_number_written_as_text_is_spared(text: str) -> None:
    written = Written("csv", section_of(TWO, [[text, "x"]]))
    assert csv_rows(written.data)[1] == [text, "x"]
    assert written.counts == {}


@pytest.mark.parametrize(
    "value", [-5, -0.5, Decimal("-1.10"), -(2**70), 1e300, "a=1", " =1", "'=1", "1-2", "", None]
)
def test_numbers_and_harmless_texts_are_spared(value: Any) -> None:
    written = Written("csv", section_of(TWO, [[value, "x"]]))
    assert csv_rows(written.data)[1] == [shown(value), "x"]
    assert written.counts == {}


def test_spreadsheet_safe_false_leaves_every_text_as_it_is() -> None:
    written = unguarded(["=1+1", "@x"])
    assert csv_rows(written.data)[1] == ["=1+1", "@x"]
    assert written.counts == {}


def test_header_cells_are_defused_and_counted_too() -> None:
    columns = (Column("=evil"), Column("fine"))
    safe = Written("csv", section_of(columns, []))
    assert csv_rows(safe.data) == [["'=evil", "fine"]]
    assert safe.counts == {"formula_guard": 1}
    assert csv_rows(unguarded(columns=columns).data) == [["=evil", "fine"]]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(SCALARS, min_size=2, max_size=2), max_size=6))
def test_no_text_cell_begins_like_a_formula_and_the_count_is_exact(rows: list[Row]) -> None:
    written = Written("csv", section_of(TWO, rows))
    read = csv_rows(written.data)[1:]
    guarded = 0
    for row, cells in zip(rows, read, strict=True):
        for value, cell in zip(row, cells, strict=True):
            if isinstance(value, str):
                assert not cell.startswith(tuple("=+-@\t\r"))
                guarded += cell != value
                assert cell in (value, f"'{value}")
    assert written.counts.get("formula_guard", 0) == guarded


# Several tables


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names))
        return {name: archive.read(name) for name in names}


def two_tables() -> tuple[Section, Section]:
    nodes = section_of(TWO, [["=1", "é"]] * 3, "nodes")
    return nodes, section_of((Column("c"),), [["x"]], "edges")


def test_one_table_is_a_plain_file_and_several_are_an_archive_of_files() -> None:
    assert Written("csv", two_tables()[0], target="graph").writer.file_extension == ".csv"
    written = Written("csv", *two_tables(), target="graph")
    assert written.writer.file_extension == ".zip"
    assert members(written.data) == {
        "nodes.csv": "a,b\r\n'=1,é\r\n'=1,é\r\n'=1,é\r\n".encode(),
        "edges.csv": b"c\r\nx\r\n",
    }
    assert written.writer.written == 4


def test_the_main_table_is_named_for_its_target_and_a_timelines_for_its_events() -> None:
    annex = section_of(TWO, [], "gaps", counted=False)
    assert set(members(Written("csv", section_of(TWO, []), annex, target="claims").data)) == {
        "claims.csv",
        "gaps.csv",
    }
    assert set(members(Written("csv", section_of(TWO, []), annex, target="timeline").data)) == {
        "timeline.csv",
        "gaps.csv",
    }


def test_rows_of_an_annex_are_not_counted_as_records() -> None:
    annex = section_of(TWO, [["a", "b"]], "gaps", counted=False)
    assert Written("csv", section_of(TWO, [["x", "y"]]), annex).writer.written == 1


def test_the_same_rows_give_the_same_bytes_of_an_archive() -> None:
    assert Written("csv", *two_tables()).data == Written("csv", *two_tables()).data


# The grid of an analysis of competing hypotheses


def matrix(id: str, title: str | None, hypotheses: Any = (), evidence: Any = (), ratings: Any = ()) -> Row:
    return [
        id,
        title,
        None,
        None,
        [nested(HYPOTHESES, **each) for each in hypotheses],
        [nested(ACH_EVIDENCE, **each) for each in evidence],
        [nested(RATINGS, hypothesis_id=h, evidence_id=e, rating=rating) for h, e, rating in ratings],
    ]


def grids(*rows: Row) -> Written:
    return Written("csv", section_of(MATRIX_COLUMNS, list(rows), layout=Layout.GRID), target="matrix")


def test_one_matrix_is_its_grid_with_evidence_down_and_hypotheses_across() -> None:
    written = grids(
        matrix(
            "m1",
            "Who paid",
            [{"id": "h1", "title": "The firm"}, {"id": "h2", "title": "=The state"}],
            [
                {"id": "e1", "description": "Memo", "evidence_type": "document", "source": "leak",
                 "credibility": 0.5, "relevance": 1},
                {"id": "e2", "description": None},
            ],
            [("h1", "e1", "++"), ("h2", "e1", "--"), ("h2", "e2", "N/A")],
        )
    )  # fmt: skip
    assert written.writer.file_extension == ".csv"
    assert csv_rows(written.data) == [
        [*EVIDENCE_COLUMNS, "The firm", "'=The state"],
        ["e1", "Memo", "document", "leak", "0.5", "1", "'++", "'--"],
        ["e2", "", "", "", "", "", "", "N/A"],
    ]
    assert written.counts == {"formula_guard": 3}


def test_hypotheses_of_one_title_are_told_apart_and_none_looks_like_a_column_of_the_evidence() -> None:
    hypotheses = [
        {"id": "h1", "title": "Same"},
        {"id": "h2", "title": "Same"},
        {"id": "h3", "title": "source"},
        {"id": "h4", "title": None},
        {"id": "h5", "title": ""},
    ]
    header = csv_rows(grids(matrix("m", "t", hypotheses)).data)[0]
    assert header[len(EVIDENCE_COLUMNS) :] == ["Same (h1)", "Same (h2)", "source (h3)", "h4", "h5"]


def test_the_columns_of_a_grid_differ_even_where_a_title_looks_like_another_told_apart() -> None:
    titles = {"h1": "Same", "h2": "Same", "h3": "Same (h1)"}
    hypotheses = [{"id": id, "title": title} for id, title in titles.items()]
    header = csv_rows(grids(matrix("m", "t", hypotheses)).data)[0]
    assert len(set(header)) == len(header)


def test_what_a_grid_has_no_place_for_is_counted() -> None:
    row = matrix(
        "m",
        "t",
        [{"id": "h1", "title": "H", "notes": "n", "description": "d"}],
        [{"id": "e1", "notes": "n"}],
        [("h1", "elsewhere", "+")],
    )
    row[2], row[3] = "description", "question"
    assert grids(row).counts == {"not_in_grid": 6}


def test_no_matrix_gives_the_header_of_a_grid() -> None:
    assert csv_rows(grids().data) == [list(EVIDENCE_COLUMNS)]


HOSTILE_MATRICES = [
    ("../../etc/passwd", "../x"),
    ("..\\..\\x", "C:\\evil"),
    ("", "m-empty"),
    (None, "m-null"),
    ("Same", "m-1"),
    ("Same", "m-2"),
    ("same", "M-2"),
    ("x" * 300, "m-" + "y" * 300),
    ("x" * 300, "m-" + "y" * 301),
    ("東京都", "会"),
    ("مصفوفة", "م"),
    ("", ""),
    (".", "."),
    ("a/b\x00c\n", "m/1"),
]


def test_member_names_are_safe_and_unique_whatever_the_titles_and_ids_are() -> None:
    written = grids(*(matrix(id, title) for title, id in HOSTILE_MATRICES))
    names = list(members(written.data))
    assert len(names) == len(HOSTILE_MATRICES)
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*\.csv", name), name
        assert len(name) <= 140


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(TEXTS | st.sampled_from(["a", "A", "a-2", "a-3"]), TEXTS), min_size=2, max_size=8))
def test_any_titles_and_ids_give_as_many_members_as_matrices(matrices: list[tuple[str, str]]) -> None:
    written = grids(*(matrix(id, title) for title, id in matrices))
    names = list(members(written.data))
    assert len({name.lower() for name in names}) == len(matrices)


def test_a_name_that_was_numbered_does_not_meet_one_that_looks_numbered() -> None:
    ids = ["a-3", "a", "a!"]
    assert len(members(grids(*(matrix(id, "") for id in ids)).data)) == 3


def test_archives_of_grids_are_the_same_bytes_each_time() -> None:
    rows = [matrix(id, title, [{"id": "h", "title": "H"}]) for title, id in HOSTILE_MATRICES]
    assert grids(*rows).data == grids(*rows).data


def test_the_writer_says_what_it_cannot_carry() -> None:
    assert CsvWriter.spec.cannot_carry.endswith(".")
