"""Gaps, groups and conflicts of a timeline, from real SQLite files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.peers import ENTITIES, TIMELINE_CONFLICTS, TIMELINE_EVENTS
from arkham_shard_export.periods import period_key
from arkham_shard_export.sources.timeline import GAP_COLUMNS, GAP_DAYS, severity
from tests.unit.case import Case, opened

START = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with opened(tmp_path / "case") as case:
        yield case


def add_events(case: Case, *dates: str | None, **others: Any) -> None:
    for number, date in enumerate(dates):
        case.add(TIMELINE_EVENTS, id=f"e{number}", text="x", date_start=date, **others)


def document(case: Case, filters: dict[str, Any] | None = None, **options: Any) -> Any:
    return json.loads(case.export("json", "timeline", filters, **options))


# Keys of groups


@pytest.mark.parametrize(
    ("day", "week"),
    [
        ("2020-12-31", "2020-W53"),
        ("2021-01-01", "2020-W53"),
        ("2021-01-03", "2020-W53"),
        ("2021-01-04", "2021-W01"),
        ("2018-12-30", "2018-W52"),
        ("2018-12-31", "2019-W01"),
        ("2019-01-01", "2019-W01"),
        ("2016-01-03", "2015-W53"),
        ("2024-12-29", "2024-W52"),
        ("2024-12-30", "2025-W01"),
        ("0001-01-01", "0001-W01"),
        ("9999-12-31", "9999-W52"),
    ],
)
def test_a_week_is_that_of_iso_8601_with_its_own_year(day: str, week: str) -> None:
    assert period_key("week", datetime.fromisoformat(day).replace(tzinfo=UTC)) == week


@pytest.mark.parametrize(("group_by", "key"), [("day", "0987-02-28"), ("month", "0987-02")])
def test_days_and_months_sort_as_texts(group_by: str, key: str) -> None:
    assert period_key(group_by, datetime(987, 2, 28, 23, 59, tzinfo=UTC)) == key


@pytest.mark.parametrize("group_by", ["day", "week", "month"])
def test_an_event_without_a_date_has_no_key(group_by: str) -> None:
    assert period_key(group_by, None) is None


# Gaps


@pytest.mark.parametrize(
    ("days", "name"),
    [(30, "low"), (89, "low"), (90, "medium"), (364, "medium"), (365, "high"), (100_000, "high")],
)
def test_the_severity_of_a_gap_follows_its_days(days: int, name: str) -> None:
    assert severity(days) == name


@pytest.mark.parametrize(
    ("days", "found"),
    [(29, None), (30, "low"), (89, "low"), (90, "medium"), (364, "medium"), (365, "high")],
)
def test_a_gap_has_at_least_thirty_days(days: int, found: str | None, case: Case) -> None:
    add_events(case, "2024-01-01T00:00:00Z", (START + timedelta(days=days)).isoformat())
    gaps = document(case, include_gaps=True)["gaps"]
    assert [each["severity"] for each in gaps] == ([found] if found else [])
    if found:
        assert gaps == [
            {
                "start_date": "2024-01-01T00:00:00+00:00",
                "end_date": (START + timedelta(days=days)).isoformat(),
                "gap_days": days,
                "severity": found,
                "before_event_id": "e0",
                "after_event_id": "e1",
            }
        ]
        assert list(gaps[0]) == [column.name for column in GAP_COLUMNS]


def test_a_gap_is_counted_in_whole_days(case: Case) -> None:
    almost = START + timedelta(days=GAP_DAYS) - timedelta(microseconds=1)
    add_events(case, START.isoformat(), almost.isoformat())
    assert document(case, include_gaps=True)["gaps"] == []


def test_gaps_lie_between_starts_in_their_order_and_events_without_a_date_do_not_matter(case: Case) -> None:
    add_events(case, "2024-06-01", None, "2024-01-01", "soon", "2024-03-01", "2024-03-15")
    gaps = document(case, include_gaps=True)["gaps"]
    assert [(each["before_event_id"], each["after_event_id"], each["gap_days"]) for each in gaps] == [
        ("e2", "e4", 60),
        ("e5", "e0", 78),
    ]


@pytest.mark.parametrize("form", ["{}", "{} 00:00:00", "{}T00:00:00Z", "{} 00:00:00+00", "{} 02:00:00+02"])
def test_gaps_are_found_in_whatever_form_the_dates_are_kept(form: str, case: Case) -> None:
    add_events(case, "2024-01-01T00:00:00+00:00", form.format("2024-02-15"), "2024-06-01T00:00:00+00:00")
    gaps = document(case, include_gaps=True)["gaps"]
    assert [each["gap_days"] for each in gaps] == [45, 107]


def test_gaps_are_those_between_the_events_that_are_exported(case: Case) -> None:
    add_events(case, "2024-01-01", "2024-02-15", "2024-06-01")
    case.connection.execute("UPDATE arkham_timeline_events SET document_id = 'd' WHERE id <> 'e1'")
    gaps = document(case, {"document_id": "d"}, include_gaps=True)["gaps"]
    assert [each["gap_days"] for each in gaps] == [152]


# Groups


@pytest.mark.parametrize("group_by", ["day", "week", "month"])
def test_every_event_is_in_exactly_one_group_of_a_date_and_no_group_comes_twice(
    group_by: str, case: Case
) -> None:
    add_events(
        case, "2024-03-01", "2024-02-30", "2024-02-29T23:00:00-02:00", None, "soon", "2024-02-28", "now",
        "2024-03-01 00:00:00+00", "2023-02-29",
    )  # fmt: skip
    groups = document(case, group_by=group_by)["groups"]
    keys = [each["key"] for each in groups]
    assert len(set(keys)) == len(keys)
    assert sorted(id for each in groups for id in each["event_ids"]) == [f"e{n}" for n in range(9)]
    assert all(each["record_count"] == len(each["event_ids"]) for each in groups)


def test_an_event_with_several_entities_is_in_the_group_of_each(case: Case) -> None:
    case.add(ENTITIES, id="a", name="=Ann")
    add_events(case, "2024-01-02", "2024-01-01", "2024-01-03")
    case.connection.execute("UPDATE arkham_timeline_events SET entities = '[\"a\",\"b\"]' WHERE id <> 'e2'")
    assert document(case, group_by="entity")["groups"] == [
        {"key": "a", "name": "=Ann", "record_count": 2, "event_ids": ["e1", "e0"]},
        {"key": "b", "name": None, "record_count": 2, "event_ids": ["e1", "e0"]},
        {"key": None, "name": None, "record_count": 1, "event_ids": ["e2"]},
    ]


# Together with other options


@pytest.mark.parametrize("format", ["json", "csv"])
@pytest.mark.parametrize(
    "options",
    [{"include_conflicts": True}, {"include_gaps": True}, {"group_by": "month"}, {"group_by": "entity"}],
)
def test_a_flattened_timeline_may_have_annexes(format: str, options: dict[str, Any], case: Case) -> None:
    add_events(case, "2024-01-01", "2024-06-01", entities='["a"]', metadata='{"k":1}')
    case.add(TIMELINE_CONFLICTS, id="c", type="gap", event_ids='["e1"]', metadata='{"k":1}')
    assert case.export(format, "timeline", flatten=True, **options)
    assert case.last is not None
    assert case.last.record_count == 2


def test_a_reader_of_an_annex_gives_only_the_columns_it_is_asked_for(case: Case) -> None:
    """The contract of `Section.read`, which flattening relies on."""
    from arkham_shard_export.pipeline import check_request, open_source
    from arkham_shard_export.records import Adjustments
    from arkham_shard_export.schema import Layout
    from arkham_shard_export.targets import TARGETS
    from tests.unit.memory import fixed_clock

    add_events(case, "2024-01-01", "2024-06-01", entities='["a"]', metadata='{"k":1}')
    case.add(TIMELINE_CONFLICTS, id="c", type="gap", event_ids='["e1"]')
    case.add(ENTITIES, id="a", name="Ann")
    options = {"include_conflicts": True, "include_gaps": True, "group_by": "month"}
    request = check_request("json", TARGETS["timeline"], None, options)
    source = open_source(request, TARGETS["timeline"], case.location, Adjustments(), fixed_clock)
    try:
        for section in source.sections():
            if section.layout is Layout.INDEX:
                continue
            chosen = [section.columns[-1].name]
            rows = [row for batch in section.read(chosen) for row in batch]
            assert rows, section.name
            assert {len(row) for row in rows} == {1}, section.name
    finally:
        source.close()


def test_a_timeline_whose_table_lacks_the_entities_is_exported_without_them(case: Case) -> None:
    case.connection.execute("ALTER TABLE arkham_timeline_events DROP COLUMN entities")
    add_events(case, "2024-01-01")
    assert b"e0" in case.export("csv", "timeline")
    assert b"e0" in case.export("json", "timeline", group_by="entity")


def test_a_timeline_with_annexes_is_an_archive_of_tables(case: Case) -> None:
    add_events(case, "2024-01-01", "2024-06-01")
    data = case.export("csv", "timeline", include_gaps=True, include_conflicts=True, group_by="month")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["timeline.csv", "conflicts.csv", "gaps.csv", "groups.csv"]
