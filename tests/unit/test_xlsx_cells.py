"""Cells of workbooks, read back by others: texts, numbers and dates as they are, or counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arkham_shard_export.formats.workbook.cells import MAX_CELL_LENGTH
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.values import canonical_timestamp
from arkham_shard_export.standalone.seed_words import SAMPLES
from tests.unit.books import (
    FORBIDDEN_IN_XML,
    MAIN,
    RATED,
    book,
    long_rows,
    matrices,
    moments,
    opened,
    parts,
    read_back,
    rows_of,
    sheet_names,
    types,
    units,
    values,
)
from tests.unit.memory import Written, section_of

# Texts


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=2", "=", '=HYPERLINK("x")', "'=1", "1+1"]
)
def test_a_text_is_a_text_and_never_a_formula(text: str) -> None:
    written = values(text)
    assert read_back(written) == [text]
    assert types(written) == ["s"]
    assert written.counts == {}
    assert not any(list(part.iter(f"{MAIN}f")) for part in parts(written).values())


@pytest.mark.parametrize(("text", "quoted"), [("=1", True), ("-1", True), ("\t", True), ("1", False)])
def test_a_text_that_begins_like_a_formula_stays_text_when_its_cell_is_edited(
    text: str, quoted: bool
) -> None:
    assert bool(opened(values(text))["Records"]["B2"].quotePrefix) is quoted


def test_so_does_a_text_on_a_grid_in_a_header_and_on_the_first_sheet() -> None:
    workbook = opened(matrices(RATED, filters={"=1": "@x"}))
    grid = workbook["Who paid"]
    texts = [cell for sheet in workbook for row in sheet.iter_rows() for cell in row if cell.data_type == "s"]
    assert [bool(cell.quotePrefix) for cell in texts] == [cell.value[0] in "=+-@\t\r" for cell in texts]
    assert grid["H3"].value == "=The state"
    assert grid["H3"].font.b
    assert grid["H3"].quotePrefix


@pytest.mark.parametrize(
    "text", ["007", "1e5", "2024-02-29", "TRUE", "NULL", "123456789012345678", "3/4", "#N/A", " 1 "]
)
def test_a_text_that_looks_like_something_else_stays_the_text_it_is(text: str) -> None:
    written = values(text)
    assert read_back(written) == [text]
    assert types(written) == ["s"]


@pytest.mark.parametrize(
    "text",
    ["_x0041_", "_x000D_", "_x005F_x0041_", "a_x00e9_b", "_x0041_x0042_", "_x00zz_", "_X0041_", "__x0041_"],
)
def test_what_looks_like_an_escape_of_the_format_stays_as_it_is(text: str) -> None:
    # ST_Xstring: four digits between _x and _ stand for a character.
    assert read_back(values(text)) == [text]


@pytest.mark.parametrize(
    "text",
    ["a\rb", "a\nb", "a\r\nb", "\r\n", "\n", "a\tb\t", "  both  ", " ", "\u00a0", "a\u2028b", "\u0085\x7f"],
)
def test_line_ends_tabs_and_spaces_are_kept(text: str) -> None:
    written = values(text)
    assert read_back(written) == [text]
    assert written.counts == {}


def test_every_hostile_sample_is_read_back() -> None:
    written = values(*SAMPLES)
    assert read_back(written) == [sample or None for sample in SAMPLES]
    assert set(types(written)) == {"s", "n"}
    assert written.counts == {}


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=30), min_size=1, max_size=6))
@example(["\ud800", "\udfff\ud800", "\ufffe", "\uffff\x00", "\x1f\x0b\x0c"])
@example(["_x0041_\x00", "\x00_x0041_", "&<>\"'&amp;&#13;]]>"])
def test_any_text_is_read_back_but_for_characters_that_xml_cannot_carry_each_of_which_is_counted(
    texts: list[str],
) -> None:
    written = values(*texts)
    assert read_back(written) == [FORBIDDEN_IN_XML.sub("\ufffd", text) or None for text in texts]
    replaced = sum(len(FORBIDDEN_IN_XML.findall(text)) for text in texts)
    assert written.counts == ({"forbidden_characters": replaced} if replaced else {})


def test_null_and_the_empty_text_are_empty_cells() -> None:
    assert read_back(values(None, "", "x")) == [None, None, "x"]


# Texts that no cell holds


@pytest.mark.parametrize("character", ["x", "é", "東", "𠮷", "\n", "&", "\t"])
def test_a_text_that_just_fits_into_a_cell_is_not_cut(character: str) -> None:
    text = character * (MAX_CELL_LENGTH // units(character))
    written = values(text)
    assert read_back(written) == [text]
    assert written.counts == {}
    assert "Long text" not in sheet_names(written)


@pytest.mark.parametrize("text", ["x" * (MAX_CELL_LENGTH + 1), "x" * 6 + "𠮷" * 16_381, "é" * 32_766 + "𠮷"])
def test_a_text_of_one_utf_16_unit_too_many_is_cut(text: str) -> None:
    assert units(text) == MAX_CELL_LENGTH + 1
    written = values(text)
    assert "".join(row[4] for row in long_rows(written)) == text
    assert written.counts == {"long_text": 1}


@pytest.mark.parametrize("length", [MAX_CELL_LENGTH + 1, 48_000, 100_003])
@pytest.mark.parametrize("character", ["x", "𠮷", "👩\u200d👧", "\r\n", "<"])
def test_a_longer_text_is_cut_with_a_mark_and_whole_in_order_on_a_sheet_of_its_own(
    character: str, length: int
) -> None:
    text = "".join(f"{number}{character}" for number in range(length))[:length]
    written = book([["a", "short"], ["b", text], ["c", "x"]])
    short, cut, last = read_back(written)
    assert (short, last) == ("short", "x")
    head, _, mark = cut.partition(" … ")
    assert mark == f"[cut: {length:,} characters, whole on the sheet Long text]"
    assert text.startswith(head)
    assert len(head) > 10_000
    rows = long_rows(written)
    assert [row[:4] for row in rows] == [
        ["Records", "b", "Value", number] for number in range(1, len(rows) + 1)
    ]
    assert "".join(row[4] for row in rows) == text
    assert max(units(cell) for cell in [cut, *(row[4] for row in rows)]) <= MAX_CELL_LENGTH
    assert written.counts == {"long_text": 1}


def test_the_sheet_long_text_tells_where_each_text_belongs() -> None:
    section = section_of(
        (
            Column("text"),
            Column("id"),
            Column("evidence", Kind.RECORDS, columns=(Column("excerpt"), Column("claim_id"), Column("id"))),
        ),
        [["x" * 40_000, "c1", [["y" * 40_000, "c1", "e1"], ["z", "c1", "e2"]]], ["w" * 33_000, "c2", None]],
    )
    written = Written("xlsx", section)
    assert rows_of(written, "Long text")[0] == ["Sheet", "Row", "ID", "Column", "Part", "Text"]
    assert [row[:4] for row in long_rows(written)] == [
        *(["Claims", "c1", "Claim", number] for number in (1, 2, 3)),
        *(["Claims", "c2", "Claim", number] for number in (1, 2, 3)),
        *(["Evidence", "e1", "Excerpt", number] for number in (1, 2, 3)),
    ]
    assert written.counts == {"long_text": 3}


def test_characters_that_xml_cannot_carry_are_counted_once_in_a_text_that_is_cut() -> None:
    written = values("\x00" + "x" * 40_000 + "\ud800")
    assert written.counts == {"long_text": 1, "forbidden_characters": 2}
    assert "".join(row[4] for row in long_rows(written)) == "\ufffd" + "x" * 40_000 + "\ufffd"


def test_an_id_and_a_column_name_that_no_cell_holds_are_cut_where_they_only_tell_the_place() -> None:
    key, name = "k" * 40_000, "n" * 40_000
    section = section_of((Column("id"), Column(name)), [[key, "v" * 40_000]])
    written = Written("xlsx", section, target="custom")
    rows = long_rows(written)
    assert "".join(row[4] for row in rows if row[2] == "ID") == key
    assert "".join(row[4] for row in rows if row[4][0] == "v") == "v" * 40_000
    assert {row[1] for row in rows} <= {None, key[: MAX_CELL_LENGTH // 2]}
    assert written.counts == {"long_text": 3}


def test_a_long_json_text_is_whole_too() -> None:
    text = '["' + "a" * 50_000 + '"]'
    written = values(text, kind=Kind.JSON)
    assert "".join(row[4] for row in long_rows(written)) == text


# Numbers and booleans


@pytest.mark.parametrize(
    "number",
    [0, -1, 10**15 - 1, 1 - 10**15, 0.1, -0.5, 1e-300, 1e300, 0.30000000000000004, Decimal("1.10"), Decimal("1E+20"),
     Decimal("123456789012.345"), Decimal("0E-400")],
)  # fmt: skip
def test_a_number_that_a_spreadsheet_holds_is_a_number(number: float | Decimal) -> None:
    written = values(number, kind=Kind.NUMBER)
    assert read_back(written) == [float(number)]
    assert types(written) == ["n"]
    assert written.counts == {}


@pytest.mark.parametrize(
    "number",
    [10**15, -(10**15), 2**63, 10**40, 1.7e308, 5e-324, 1e-310, Decimal("1234567890.1234567"), Decimal("1E+400"),
     Decimal("1E-400"), Decimal("-1E-320")],
)  # fmt: skip
def test_a_number_that_a_spreadsheet_would_round_is_its_exact_text_and_counted(
    number: float | Decimal,
) -> None:
    written = values(number, kind=Kind.NUMBER)
    assert read_back(written) == [str(number)]
    assert types(written) == ["s"]
    assert written.counts == {"long_number": 1}


@settings(max_examples=200, deadline=None)
@given(
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
)
def test_any_number_is_read_back_with_every_digit(number: float | Decimal) -> None:
    written = values(number, kind=Kind.NUMBER)
    (read,) = read_back(written)
    if written.counts:
        assert (written.counts, read) == ({"long_number": 1}, str(number))
    elif isinstance(number, Decimal):
        # As many digits as a float gives back.
        assert Decimal(f"{read:.15g}") == number
    else:
        assert read == number


def test_booleans_are_booleans() -> None:
    written = values(True, False, None, kind=Kind.BOOLEAN)
    assert read_back(written) == [True, False, None]
    assert types(written) == ["b", "b", "n"]


def test_a_column_of_any_values_has_each_as_what_it_is() -> None:
    written = values(1, "1", True, None, [1, "a"], Decimal("1.5"), kind=Kind.VALUE)
    assert read_back(written) == [1, "1", True, None, '[1,"a"]', 1.5]
    assert types(written) == ["n", "s", "b", "n", "s", "n"]


# Dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-02-29T00:00:00+00:00", datetime(2024, 2, 29)),
        ("2024-02-29T12:34:56+00:00", datetime(2024, 2, 29, 12, 34, 56)),
        ("1900-03-01T00:00:00+00:00", datetime(1900, 3, 1)),
        ("1969-12-31T23:59:59.500000+00:00", datetime(1969, 12, 31, 23, 59, 59, 500_000)),
        ("9999-12-31T00:00:00+00:00", datetime(9999, 12, 31)),
        ("9999-12-31T23:59:59.999000+00:00", datetime(9999, 12, 31, 23, 59, 59, 999_000)),
    ],
)
def test_a_timestamp_is_a_date_in_utc_whose_header_says_so(text: str, expected: datetime) -> None:
    written = moments(text)
    assert rows_of(written, "Records") == [["ID", "Value (UTC)"], ["0", expected]]
    assert types(written) == ["d"]
    assert written.counts == {}


@settings(max_examples=150, deadline=None)
@given(st.datetimes(datetime(1900, 3, 1), datetime.max))
def test_any_moment_since_march_1900_is_read_back_to_the_millisecond(moment: datetime) -> None:
    written = moments(canonical_timestamp(moment.replace(tzinfo=UTC)))
    assert read_back(written) == [moment - timedelta(microseconds=moment.microsecond % 1000)]
    assert written.counts == ({"short_fraction": 1} if moment.microsecond % 1000 else {})


def test_the_last_moment_of_a_day_is_not_shown_as_the_next_day() -> None:
    written = moments("2024-02-29T23:59:59.999999+00:00", "2024-02-29T23:59:59+00:00")
    cells = [row[1] for row in opened(written)["Records"].iter_rows(min_row=2)]
    assert [cell.number_format.replace("\\", "") for cell in cells] == [
        "yyyy-mm-dd hh:mm:ss.000",
        "yyyy-mm-dd hh:mm:ss",
    ]
    assert cells[0].value == datetime(2024, 2, 29, 23, 59, 59, 999_000)


@pytest.mark.parametrize(
    "text",
    ["0001-01-01T00:00:00+00:00", "1899-12-31T12:00:00+00:00", "1900-02-28T00:00:00+00:00",
     "1900-02-28T23:59:59.999999+00:00"],
)  # fmt: skip
def test_a_date_before_march_1900_is_iso_8601_text_and_counted(text: str) -> None:
    written = moments(text)
    assert read_back(written) == [text]
    assert types(written) == ["s"]
    assert written.counts == {"early_date": 1}


@pytest.mark.parametrize(
    "text",
    ["about 2024", "2024-02-30T00:00:00+00:00", "2024-02-29T25:00:00+00:00", "2024-02-29T23:59:60+00:00",
     "2024-02-29Tnoon+00:00", "0000-01-01T00:00:00+00:00", "someday, nT+00:00", "2024-02-29", "=1",
     "2024-02-29T12:00:00", "99999-01-01T00:00:00+00:00"],
)  # fmt: skip
def test_a_text_that_is_no_date_stays_and_is_not_counted(text: str) -> None:
    written = moments(text)
    assert read_back(written) == [text]
    assert types(written) == ["s"]
    assert written.counts == {}


def test_dates_of_relations_are_dates_too() -> None:
    columns = (
        Column("id"),
        Column("many", Kind.RECORDS, columns=(Column("id"), Column("at", Kind.TIMESTAMP))),
    )
    written = Written(
        "xlsx", section_of(columns, [["1", [["a", "2024-02-29T00:00:00+00:00"]]]]), target="custom"
    )
    assert rows_of(written, "Many") == [
        ["Record ID", "ID", "At (UTC)"],
        ["1", "a", datetime(2024, 2, 29)],
    ]
