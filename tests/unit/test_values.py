"""Every value has one canonical form, and what has none is carried as text and counted."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.errors import SourceFailed
from arkham_shard_export.periods import parse_instant
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.values import Canonical, canonical_timestamp, clean_text
from tests.unit.memory import JSON_VALUES, no_constant


class Counting(Canonical):
    """A Canonical that shows what it counted."""

    def __init__(self) -> None:
        self.adjustments = Adjustments()
        super().__init__(self.adjustments)

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.adjustments.counts)


def loads(text: str | None) -> Any:
    assert text is not None
    text.encode()
    return json.loads(text, parse_constant=no_constant)


# Timestamps


@pytest.mark.parametrize(
    ("given_as", "canonical"),
    [
        ("2026-11-22", "2026-11-22T00:00:00+00:00"),
        ("2026-11-22T13:05", "2026-11-22T13:05:00+00:00"),
        ("2026-11-22 13:05:09", "2026-11-22T13:05:09+00:00"),
        ("2026-11-22T13:05:09Z", "2026-11-22T13:05:09+00:00"),
        ("2026-11-22T13:05:09z", "2026-11-22T13:05:09+00:00"),
        ("2026-11-22 13:05:09+00", "2026-11-22T13:05:09+00:00"),
        ("2026-11-22T13:05:09+0000", "2026-11-22T13:05:09+00:00"),
        ("2026-11-22T13:05:09-00:00", "2026-11-22T13:05:09+00:00"),
        ("2026-11-22T13:05:09+02", "2026-11-22T11:05:09+00:00"),
        ("2026-11-22T13:05:09+0530", "2026-11-22T07:35:09+00:00"),
        ("2026-11-22T13:05:09+05:30", "2026-11-22T07:35:09+00:00"),
        ("2026-11-22 13:05:09-03:30", "2026-11-22T16:35:09+00:00"),
        ("2026-11-22 13:05:09 +02:00", "2026-11-22T11:05:09+00:00"),
        ("1890-01-01 00:00:00+00:53:28", "1889-12-31T23:06:32+00:00"),
        ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00+00:00"),
        ("2024-02-29", "2024-02-29T00:00:00+00:00"),
        ("2000-02-29T23:59:59Z", "2000-02-29T23:59:59+00:00"),
        ("0001-01-01", "0001-01-01T00:00:00+00:00"),
        ("0001-01-01T00:00:00-01:00", "0001-01-01T01:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_every_common_form_of_a_timestamp_becomes_iso_8601_in_utc_with_an_offset(
    given_as: str, canonical: str
) -> None:
    assert canonical_timestamp(given_as) == canonical


@pytest.mark.parametrize("digits", range(1, 10))
@pytest.mark.parametrize("offset", ["", "Z", "+00:00", "+02:00"])
def test_a_fraction_of_one_to_nine_digits_is_kept_to_the_microsecond(digits: int, offset: str) -> None:
    fraction = "123456789"[:digits]
    day_hour = "2026-11-22T11" if offset == "+02:00" else "2026-11-22T13"
    assert canonical_timestamp(f"2026-11-22 13:00:00.{fraction}{offset}") == (
        f"{day_hour}:00:00.{fraction[:6]:0<6}+00:00"
    )


@pytest.mark.parametrize("fraction", ["0", "000", "000000", "000000000"])
@pytest.mark.parametrize("offset", ["", "Z", "+02:00"])
def test_a_fraction_of_nothing_is_left_out(fraction: str, offset: str) -> None:
    canonical = canonical_timestamp(f"2026-11-22T13:00:00.{fraction}{offset}")
    assert "." not in canonical
    assert canonical.endswith("+00:00")


def test_a_decimal_comma_is_read_as_iso_8601_allows_it() -> None:
    assert canonical_timestamp("2026-11-22T13:00:00,25Z") == "2026-11-22T13:00:00.250000+00:00"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-02-30",
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-10",
        "0000-01-01",
        "2024-01-01T25:00:00",
        "2024-01-01T10:60:00Z",
        "2024-01-01T10:00:61Z",
        "2024-01-01T10:00:00+24:00",
        "2024-01-01T10:00:00Z trailing",
        "about 2024-01-01",
        "spring 2024",
        "2024",
        "12:00",
        "now",
        "1700000000",
        "٢٠٢٤-٠١-٠١",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:00:00-05:00",
    ],
)
def test_text_that_is_no_date_stays_as_it_is(text: str) -> None:
    assert canonical_timestamp(text) == text


def test_a_line_end_after_a_date_is_not_lost() -> None:
    assert canonical_timestamp("2024-01-01\n") == "2024-01-01\n"


def test_a_fraction_of_a_minute_is_not_taken_for_a_fraction_of_a_second() -> None:
    """ISO 8601: 10:00.5 is half past the minute; whoever does not read it so must leave it alone."""
    canonical = canonical_timestamp("2024-01-01T10:00.5")
    assert canonical in ("2024-01-01T10:00.5", "2024-01-01T10:00:30+00:00")


def test_a_naive_datetime_means_utc() -> None:
    assert canonical_timestamp(datetime(2026, 11, 22, 13, 0, 0, 5)) == "2026-11-22T13:00:00.000005+00:00"


def test_an_aware_datetime_is_moved_to_utc() -> None:
    moment = datetime(2026, 11, 22, 1, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert canonical_timestamp(moment) == "2026-11-21T19:30:00+00:00"


def test_a_date_is_its_midnight() -> None:
    assert canonical_timestamp(date(2024, 2, 29)) == "2024-02-29T00:00:00+00:00"


def test_a_datetime_that_utc_cannot_hold_keeps_its_own_offset() -> None:
    moment = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    assert canonical_timestamp(moment) == "0001-01-01T00:00:00+02:00"


@settings(max_examples=150, deadline=None)
@given(
    st.datetimes(
        min_value=datetime(1, 1, 2),
        max_value=datetime(9999, 12, 30),
        timezones=st.none()
        | st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    ),
    st.sampled_from("T "),
)
def test_any_timestamp_keeps_its_moment_and_is_canonical_at_once(moment: datetime, separator: str) -> None:
    canonical = canonical_timestamp(moment.isoformat(separator))
    meant = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    assert parse_instant(canonical) == meant
    assert canonical == canonical_timestamp(moment)
    assert canonical_timestamp(canonical) == canonical


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789-:TZ .,+٣\n", max_size=30) | st.text(max_size=12))
def test_any_text_in_a_timestamp_column_is_either_kept_or_canonical(text: str) -> None:
    canonical = canonical_timestamp(text)
    assert canonical == text or parse_instant(canonical) is not None


def test_null_in_a_timestamp_column_stays_null() -> None:
    assert Counting().timestamp(None) is None


@pytest.mark.parametrize("value", ["", "2024-02-30", "soon", None, 5, 2.5])
def test_what_names_no_moment_has_none(value: object) -> None:
    assert parse_instant(value) is None


# Text


def test_text_is_carried_untouched() -> None:
    canonical = Counting()
    for text in ("", " ", "a\x00b", "\r\n\t", "e\u0301", "\ufeffx", "👩‍👩‍👧‍👦", "\u202eabc"):
        assert canonical.scalar(text) == text
    assert canonical.counts == {}


def test_lone_surrogates_become_replacement_characters_counted_once_a_text() -> None:
    canonical = Counting()
    assert canonical.scalar("a\ud800b\udfff") == "a\ufffdb\ufffd"
    assert canonical.counts == {"invalid_text": 1}


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet=st.characters(codec=None, categories=None), max_size=20))
def test_any_text_is_valid_utf_8_afterwards_and_as_long_as_before(text: str) -> None:
    adjustments = Adjustments()
    cleaned = clean_text(text, adjustments)
    cleaned.encode()
    assert len(cleaned) == len(text)
    assert (cleaned != text) == bool(adjustments.counts)


# Numbers and other scalars


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), Decimal("NaN"), Decimal("-Infinity")]
)
def test_a_number_that_is_not_finite_becomes_null_and_is_counted(value: Any) -> None:
    canonical = Counting()
    assert canonical.converter(Column("c", Kind.NUMBER))(value) is None
    assert canonical.counts == {"non_finite_number": 1}


@pytest.mark.parametrize(
    "value",
    [0, -1, 2**63, 2**200, 0.1, -0.0, 5e-324, 1.7976931348623157e308, Decimal("1.10"), Decimal("1E+400")],
)
def test_a_finite_number_stays_the_number_it_is(value: Any) -> None:
    canonical = Counting()
    carried = canonical.converter(Column("c", Kind.NUMBER))(value)
    assert (type(carried), str(carried)) == (type(value), str(value))
    assert canonical.counts == {}


def test_a_uuid_is_its_text() -> None:
    value = UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff")
    assert Counting().scalar(value) == "6f9619ff-8b86-d011-b42d-00c04fc964ff"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_carried_as_base64_without_line_breaks(kind: Any) -> None:
    data = bytes(range(256))
    assert Counting().scalar(kind(data)) == base64.b64encode(data).decode()


def test_a_moment_in_a_text_column_is_canonical_too() -> None:
    assert Counting().scalar(datetime(2026, 11, 22)) == "2026-11-22T00:00:00+00:00"
    assert Counting().scalar(date(2026, 11, 22)) == "2026-11-22T00:00:00+00:00"


def test_a_list_in_a_text_column_is_compact_json() -> None:
    assert Counting().scalar([1, {"a": None}]) == '[1,{"a":null}]'


@pytest.mark.parametrize(
    ("value", "carried"),
    [(0, False), (1, True), (False, False), (True, True), (0.0, False), (Decimal(1), True)],
)
def test_a_boolean_column_holds_true_and_false_whatever_the_database_says(value: Any, carried: bool) -> None:
    assert Counting().converter(Column("c", Kind.BOOLEAN))(value) is carried


@pytest.mark.parametrize("value", [None, 2, -1, "yes", ""])
def test_what_is_neither_0_nor_1_in_a_boolean_column_is_carried_as_it_is(value: Any) -> None:
    assert Counting().converter(Column("c", Kind.BOOLEAN))(value) == value


# JSON


def test_json_is_compact_and_keeps_the_order_of_its_keys() -> None:
    canonical = Counting()
    assert canonical.json(' {"b" : [1, 2 ,{ "z":0,"a":null}],\n "a":"x y" } ') == (
        '{"b":[1,2,{"z":0,"a":null}],"a":"x y"}'
    )
    assert canonical.json({"b": 1, "a": [True, None]}) == '{"b":1,"a":[true,null]}'
    assert canonical.counts == {}


@pytest.mark.parametrize(
    "number",
    [
        "123456789012345678901234567890",
        "-9223372036854775809",
        "0.1234567890123456789",
        "1e400",
        "1.10",
        "1E5",
        "-0.0",
    ],
)
@pytest.mark.parametrize("rest", ['"x"', '"\\u00e9"'])
def test_json_keeps_every_digit_of_its_numbers(number: str, rest: str) -> None:
    canonical = Counting()
    assert canonical.json(f'{{"n": {number}, "s": {rest}}}') == f'{{"n":{number},"s":{rest}}}'
    assert canonical.counts == {}


@pytest.mark.parametrize("number", ["0.1234567890123456789", "1e400", "123456789012345678901234567890"])
@pytest.mark.parametrize("repaired", ["NaN", '"\\ud800"'])
def test_json_that_is_repaired_keeps_every_digit_of_its_other_numbers(number: str, repaired: str) -> None:
    canonical = Counting()
    text = canonical.json(f'{{"bad":{repaired},"n":{number}}}')
    assert json.loads(text or "", parse_float=Decimal)["n"] == Decimal(number)
    assert sum(canonical.counts.values()) == 1


def test_json_keeps_an_integer_of_five_thousand_digits() -> None:
    digits = "9" * 5000
    for text in (f"[{digits}]", f'["\\u00e9",{digits}]'):
        canonical = Counting()
        assert canonical.json(text) == text
        assert canonical.counts == {}


def test_nan_and_infinities_in_json_become_null_and_each_is_counted() -> None:
    canonical = Counting()
    assert canonical.json('{"a":NaN,"b":[Infinity,-Infinity],"c":"NaN"}') == (
        '{"a":null,"b":[null,null],"c":"NaN"}'
    )
    assert canonical.counts == {"non_finite_number": 3}
    other = Counting()
    assert other.json({"a": float("nan"), "b": [Decimal("Infinity")]}) == '{"a":null,"b":[null]}'
    assert other.counts == {"non_finite_number": 2}


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", "[1,]", "{'a':1}", '{"a":1} x', "nul", "01", "1.", ".5", '"\x01"', '"a\nb"', '["\\x"]', "\ufeff{}",
     "[1]\x00", "\xa0[1]", "undefined", "=1+1"],
)  # fmt: skip
def test_text_that_is_no_json_is_carried_as_a_json_string_and_counted(text: str) -> None:
    canonical = Counting()
    assert loads(canonical.json(text)) == text
    assert canonical.counts == {"invalid_json": 1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":"\\ud800"}', {"a": "\ufffd"}),
        ('{"a":"x\ud800y"}', {"a": "x\ufffdy"}),
        ('{"\\udfff":1}', {"\ufffd": 1}),
        ('["\\ud83d\\ude00","\\ud83dx"]', ["😀", "\ufffdx"]),
    ],
)
def test_half_a_surrogate_pair_in_json_escaped_or_raw_becomes_a_replacement_character_and_is_counted(
    text: str, value: Any
) -> None:
    canonical = Counting()
    assert loads(canonical.json(text)) == value
    assert canonical.counts == {"invalid_text": 1}


def test_a_whole_surrogate_pair_is_no_fault() -> None:
    canonical = Counting()
    assert loads(canonical.json('"\\ud83d\\ude00"')) == "😀"
    assert canonical.counts == {}


def test_keys_that_differ_only_in_broken_characters_are_not_merged() -> None:
    value = loads(Counting().json('{"\\ud800":1,"\\udfff":2}'))
    assert sorted(value.values()) == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 5000 + "]" * 5000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        '{"a":' * 5000 + "NaN" + "}" * 5000,
        '["\\ud800",' * 5000 + "1" + "]" * 5000,
        "[" * 5000,
    ],
)
def test_json_of_five_thousand_levels_never_crashes_and_is_carried_one_way_or_the_other(text: str) -> None:
    canonical = Counting()
    carried = canonical.json(text)
    if carried != text:
        assert loads(carried) == text
        assert canonical.counts == {"invalid_json": 1}


@pytest.mark.parametrize("levels", [100, 300, 600, 900, 1200])
def test_what_could_not_be_repaired_is_not_counted_as_repaired(levels: int) -> None:
    canonical = Counting()
    carried = canonical.json("[NaN," + "[" * levels + "]" * levels + "]") or ""
    expected = "non_finite_number" if carried.startswith("[null") else "invalid_json"
    assert canonical.counts == {expected: 1}


def test_a_python_list_of_five_thousand_levels_fails_the_export_rather_than_be_dropped() -> None:
    nested: list[Any] = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(SourceFailed, match="nested too deeply"):
        Counting().json(nested)


def test_null_in_a_json_column_stays_null_and_a_json_null_a_json_null() -> None:
    assert Counting().json(None) is None
    assert Counting().json(" null ") == "null"


@settings(max_examples=200, deadline=None)
@given(JSON_VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_any_json_is_read_back_to_the_same_value(value: Any, ascii_only: bool, indent: int | None) -> None:
    canonical = Counting()
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert loads(canonical.json(text)) == value
    if isinstance(value, dict | list):
        assert loads(canonical.json(value)) == value
    assert canonical.counts == {}
    assert canonical.json(canonical.json(text)) == canonical.json(text)


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet='{}[]",:\\u0123dD89eE+-.truefalsnNI \t\n\x00é\ud800', max_size=24)
    | st.text(alphabet=st.characters(codec=None, categories=None), max_size=12)
)
def test_whatever_a_json_column_holds_the_outcome_is_valid_json(text: str) -> None:
    canonical = Counting()
    carried = canonical.json(text)
    value = loads(carried)
    try:
        meant = json.loads(text, parse_constant=no_constant)
    except ValueError:
        assert sum(canonical.counts.values()) > 0
    else:
        assert value == meant or "invalid_text" in canonical.counts or "non_finite_number" in canonical.counts
