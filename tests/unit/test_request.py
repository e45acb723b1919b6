"""A request is checked whole: what is wrong is named, with what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.peers import CLAIM_STATUSES, CLAIMS, DOCUMENTS, ENTITY_TYPES, GRAPHS, NODES
from arkham_shard_export.pipeline import ExportRequest, check_request
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.request import (
    GROUPINGS,
    MAX_FILTER_VALUES,
    MAX_TEXT_LENGTH,
    check_format,
)
from arkham_shard_export.targets import TARGETS


def check(
    target: str = "claims",
    filters: object = None,
    options: object = None,
    format: object = "json",
    **others: Any,
) -> ExportRequest:
    return check_request(format, TARGETS[target], filters, options, **others)


def refused(*args: Any, **kwargs: Any) -> dict[str, FieldProblem]:
    """The problems of a request by field."""
    with pytest.raises(InvalidRequest) as caught:
        check(*args, **kwargs)
    problems = {problem.field: problem for problem in caught.value.problems}
    assert len(problems) == len(caught.value.problems)
    for problem in problems.values():
        assert problem.sentence() in str(caught.value)
    return problems


# What is accepted


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("options", [None, {}, ExportOptions(), asdict(ExportOptions())], ids=str)
def test_the_defaults_are_accepted_everywhere_however_they_are_given(
    format: str, target: str, options: object
) -> None:
    request = check(target, None, options, format)
    assert request == ExportRequest(format, target, {}, ExportOptions())


@pytest.mark.parametrize("target", TARGETS)
def test_every_declared_filter_is_accepted_as_a_text_or_a_list_and_kept_as_it_was_given(target: str) -> None:
    for each in TARGETS[target].filters:
        values = list(each.valid) or ["x", "é=1"]
        assert check(target, {each.name: values[0]}).filters == {each.name: values[0]}
        request = check(target, {each.name: values})
        assert request.filters == {each.name: values}
        assert request.selection().filters == {each.name: tuple(values)}


def test_a_filter_of_null_asks_for_nothing() -> None:
    assert check(filters={"status": None}).filters == {}


@pytest.mark.parametrize(
    ("target", "format", "options"),
    [
        ("documents", "json", {"flatten": True}),
        ("documents", "csv", {"flatten": True, "spreadsheet_safe": False}),
        ("matrix", "json", {"flatten": True}),
        ("claims", "json", {"include_metadata": False, "include_relationships": False}),
        ("claims", "json", {"max_records": 1}),
        ("claims", "json", {"max_records": 2**63 - 1}),
        ("claims", "csv", {"sort_by": "confidence", "sort_order": "desc"}),
        ("timeline", "json", {"sort_order": "desc"}),
        ("timeline", "csv", {"include_conflicts": True, "include_gaps": True}),
        *(("timeline", "json", {"group_by": each}) for each in GROUPINGS),
        ("entities", "json", {"entity_types": list(ENTITY_TYPES)}),
        ("graph", "csv", {"entity_types": ["PERSON"]}),
        ("claims", "json", {"date_range_start": "2026-11-22", "date_range_end": "2026-11-22"}),
        ("claims", "json", {"date_range_start": "2026-11-22T13:00:00+02:00"}),
        ("claims", "json", {"date_range_end": "2026-11-22T13:00:00Z"}),
        ("claims", "json", {"date_range_start": "0001-01-01", "date_range_end": "9999-12-30"}),
    ],
)
def test_what_a_target_and_a_format_can_do_may_be_asked_for(
    target: str, format: str, options: dict[str, Any]
) -> None:
    checked = check(target, None, options, format).options
    assert checked == ExportOptions(**options)


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_can_be_sorted_by_each_of_its_columns(target: str) -> None:
    for record_set in TARGETS[target].sets:
        for column in record_set.table.columns:
            assert check(target, None, {"sort_by": column.name}).selection().sort_by == column.name


# Formats and filters


@pytest.mark.parametrize("format", ["xml", "odt", "", None, 5, ["json"], {}, "JSON", "json "])
def test_an_unknown_format_is_refused_with_those_there_are(format: object) -> None:
    problems = refused(format=format)
    assert problems["format"].valid == tuple(FORMATS)
    assert problems["format"].value == format
    assert check_format(format) is not None


@pytest.mark.parametrize("filters", ["status", 5, ["status"], True])
def test_filters_that_are_no_object_are_refused(filters: object) -> None:
    assert set(refused(filters=filters)) == {"filters"}


@pytest.mark.parametrize("target", TARGETS)
def test_an_unknown_filter_is_refused_with_those_the_target_has(target: str) -> None:
    problem = refused(target, {"nonsense": "x"})["filters.nonsense"]
    assert problem.valid == TARGETS[target].filter_names


@pytest.mark.parametrize("value", [5, True, {}, [], [5], ["verified", None], [["verified"]]])
def test_a_filter_must_be_a_text_or_a_list_of_texts(value: object) -> None:
    problem = refused(filters={"status": value})["filters.status"]
    assert problem.value == value
    assert problem.valid == CLAIM_STATUSES


def test_a_filter_takes_a_thousand_values_and_no_more() -> None:
    assert check(filters={"document_id": ["x"] * MAX_FILTER_VALUES})
    assert set(refused(filters={"document_id": ["x"] * (MAX_FILTER_VALUES + 1)})) == {"filters.document_id"}


@pytest.mark.parametrize(
    ("target", "name"),
    [(target.name, each.name) for target in TARGETS.values() for each in target.filters if each.valid],
)
def test_a_value_outside_a_closed_choice_is_refused_with_the_choices(target: str, name: str) -> None:
    valid = next(each.valid for each in TARGETS[target].filters if each.name == name)
    problem = refused(target, {name: [valid[0], "nonsense"]})[f"filters.{name}"]
    assert (problem.value, problem.valid) == ("nonsense", valid)


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800", "x" * (MAX_TEXT_LENGTH + 1)])
def test_a_text_that_no_database_holds_is_refused(text: str) -> None:
    problem = refused(filters={"document_id": ["fine", text]})["filters.document_id"]
    assert "document_id" in problem.message


def test_a_text_of_the_greatest_length_is_accepted() -> None:
    assert check(filters={"document_id": "é" * MAX_TEXT_LENGTH})


# Options


@pytest.mark.parametrize("options", ["flatten", 5, ["flatten"], True])
def test_options_that_are_no_object_are_refused(options: object) -> None:
    assert set(refused(options=options)) == {"options"}


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    problem = refused(options={"pretty": True})["options.pretty"]
    assert set(problem.valid) == set(asdict(ExportOptions()))


BOOLEANS = [name for name, default in asdict(ExportOptions()).items() if isinstance(default, bool)]


@pytest.mark.parametrize("name", BOOLEANS)
@pytest.mark.parametrize("value", [None, 0, 1, "true", "", [], {}])
def test_a_switch_is_true_or_false_and_nothing_else(name: str, value: object) -> None:
    assert "true or false" in refused(options={name: value})[f"options.{name}"].message


@pytest.mark.parametrize("value", [0, -1, True, "10", 1.5, 2**63, [], float("nan")])
def test_max_records_is_a_whole_number_of_at_least_one(value: object) -> None:
    assert "at least 1" in refused(options={"max_records": value})["options.max_records"].message


@pytest.mark.parametrize("name", ["date_range_start", "date_range_end"])
@pytest.mark.parametrize(
    "value",
    ["", "soon", "2026-02-30", "2026-13-01", "22.11.2026", 20261122, True, [], {}, "2026-11-22T25:00"],
)
def test_a_date_must_be_iso_8601(name: str, value: object) -> None:
    assert "ISO 8601" in refused(options={name: value})[f"options.{name}"].message


@pytest.mark.parametrize("value", [[], "PERSON", ["PERSON", "ALIEN"], [5], [None], [[]], {"PERSON": 1}, True])
def test_entity_types_is_a_list_of_those_there_are(value: object) -> None:
    assert refused("entities", None, {"entity_types": value})["options.entity_types"].valid == ENTITY_TYPES


@pytest.mark.parametrize("value", [None, "", "ASC", "up", 1, []])
def test_a_sort_order_is_asc_or_desc(value: object) -> None:
    assert refused(options={"sort_order": value})["options.sort_order"].valid == ("asc", "desc")


@pytest.mark.parametrize("value", ["", "year", "DAY", 1, ["day"]])
def test_a_timeline_is_grouped_by_what_there_is(value: object) -> None:
    assert refused("timeline", None, {"group_by": value})["options.group_by"].valid == GROUPINGS


@pytest.mark.parametrize("value", [5, True, ["id"], {}])
def test_sort_by_is_the_name_of_a_column(value: object) -> None:
    assert set(refused(options={"sort_by": value})) == {"options.sort_by"}


@pytest.mark.parametrize("value", ["nonsense", "", "tenant_id", "id; DROP TABLE x", 'id"', "x" * 5000])
def test_a_column_that_is_not_there_cannot_be_sorted_by(value: str) -> None:
    problem = refused(options={"sort_by": value})["options.sort_by"]
    assert problem.valid == tuple(column.name for column in CLAIMS.columns)
    assert len(problem.message) < 200


@pytest.mark.parametrize("name", ["entity_types", "include_conflicts", "include_gaps", "group_by"])
@pytest.mark.parametrize("target", TARGETS)
def test_an_option_that_a_target_does_not_know_is_refused_and_one_that_it_knows_accepted(
    name: str, target: str
) -> None:
    value: dict[str, Any] = {"entity_types": ["PERSON"], "group_by": "month"}
    options = {name: value.get(name, True)}
    if name in TARGETS[target].options:
        assert check(target, None, options)
    else:
        assert "does not apply" in refused(target, None, options)[f"options.{name}"].message


def test_spreadsheet_safe_applies_only_where_there_are_spreadsheets() -> None:
    assert set(refused(options={"spreadsheet_safe": False})) == {"options.spreadsheet_safe"}
    assert check(options={"spreadsheet_safe": False}, format="csv")


@pytest.mark.parametrize("value", ["brotli", "GZIP", "", None, True, 1, ["gzip"], {}])
def test_an_unknown_compression_is_told_the_known_ones(value: object) -> None:
    problem = refused(options={"compression": value})["options.compression"]
    assert problem.valid == ("none", "gzip", "zstd", "zip")


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd", "zip"])
@pytest.mark.parametrize("target", TARGETS)
def test_json_of_every_target_can_be_compressed(target: str, compression: str) -> None:
    assert check(target, None, {"compression": compression}).options.compression == compression


@pytest.mark.parametrize("compression", ["gzip", "zstd", "zip"])
@pytest.mark.parametrize("format", ["xlsx", "pdf", "docx"])
def test_what_is_compressed_already_is_not_compressed_again(format: str, compression: str) -> None:
    problem = refused(options={"compression": compression}, format=format)["options.compression"]
    assert "is compressed already" in problem.message
    assert problem.valid == ("none",)
    assert check(options={"compression": "none"}, format=format)


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("graph", {}),
        ("timeline", {"include_conflicts": True}),
        ("timeline", {"include_gaps": True}),
        ("timeline", {"group_by": "day"}),
    ],
)
def test_several_tables_as_csv_are_a_zip_and_nothing_else(target: str, options: dict[str, Any]) -> None:
    for compression in ("gzip", "zstd"):
        asked = {**options, "compression": compression}
        problem = refused(target, None, asked, format="csv")["options.compression"]
        assert "several tables as CSV come as a ZIP" in problem.message
        assert problem.valid == ("none", "zip")
        assert check(target, None, asked)
    assert check(target, None, {**options, "compression": "zip"}, format="csv")


@pytest.mark.parametrize("target", ["claims", "timeline", "matrix"])
def test_one_table_as_csv_can_be_compressed(target: str) -> None:
    assert check(target, None, {"compression": "gzip"}, format="csv")


def test_a_matrix_in_a_grid_cannot_be_flattened() -> None:
    assert set(refused("matrix", None, {"flatten": True}, "csv")) == {"options.flatten"}


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "timeline"])
def test_a_descending_order_needs_a_column_where_records_have_no_order_of_their_own(target: str) -> None:
    assert set(refused(target, None, {"sort_order": "desc"})) == {"options.sort_order"}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-23", "2026-11-22"),
        ("2026-11-22T13:00:01Z", "2026-11-22T13:00:00Z"),
        ("2026-11-22T00:00:00-01:00", "2026-11-22T00:00:00Z"),
    ],
)
def test_a_reversed_date_range_is_refused(start: str, end: str) -> None:
    problems = refused(options={"date_range_start": start, "date_range_end": end})
    assert "reversed" in problems["options.date_range_start"].message


def test_a_range_of_one_moment_is_a_range() -> None:
    moment = "2026-11-22T13:00:00Z"
    assert check(options={"date_range_start": moment, "date_range_end": moment})


# Several at once


def test_every_wrong_field_is_reported_at_once() -> None:
    problems = refused(
        "claims",
        {"nonsense": "x", "status": "gone", "document_id": 5, "claim_type": ["factual"]},
        {"flatten": 1, "max_records": 0, "sort_order": "up", "pretty": True, "date_range_end": "soon"},
        "xml",
    )
    assert set(problems) == {
        "format",
        "filters.nonsense",
        "filters.status",
        "filters.document_id",
        "options.flatten",
        "options.max_records",
        "options.sort_order",
        "options.pretty",
        "options.date_range_end",
    }


def test_options_that_do_not_apply_are_all_reported() -> None:
    options = {"group_by": "day", "include_gaps": True, "sort_by": "nonsense", "spreadsheet_safe": False}
    assert set(refused(options=options)) == {f"options.{name}" for name in options}


def test_options_that_do_not_apply_are_reported_beside_what_is_wrong() -> None:
    assert set(refused("claims", {"nonsense": "x"}, {"group_by": "day", "sort_by": "nonsense"})) == {
        "filters.nonsense",
        "options.group_by",
        "options.sort_by",
    }


# What a request means


def selection(**options: Any) -> Any:
    return check(options=options).selection()


def test_a_date_without_a_time_starts_at_its_midnight_in_utc_and_ends_with_its_day() -> None:
    chosen = selection(date_range_start="2026-11-22", date_range_end="2026-11-22")
    assert chosen.start == datetime(2026, 11, 22, tzinfo=UTC)
    assert chosen.before == datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2024-02-28", "2024-02-29", "2023-12-31", "20231231"])
def test_the_day_of_an_end_is_a_whole_one_at_any_boundary(text: str) -> None:
    day = datetime.fromisoformat(text).replace(tzinfo=UTC)
    assert selection(date_range_end=text).before == day + timedelta(days=1)


@pytest.mark.parametrize("text", ["2026-11-22T13:00:00+02:00", "2026-11-22T11:00:00Z", "2026-11-22 11:00"])
def test_an_end_with_a_time_includes_that_moment(text: str) -> None:
    assert selection(date_range_end=text).before == datetime(2026, 11, 22, 11, 0, 0, 1, tzinfo=UTC)


def test_the_last_day_there_is_may_end_a_range() -> None:
    assert selection(date_range_end="9999-12-31").before.year == 9999


def test_a_request_tells_its_source_what_to_choose_and_in_which_order() -> None:
    request = check(
        "entities",
        {"entity_type": "PERSON"},
        {"entity_types": ["PERSON"], "sort_by": "name", "sort_order": "desc", "max_records": 3},
        tenant_id="t1",
    )
    chosen = request.selection()
    assert chosen.filters == {"entity_type": ("PERSON",)}
    assert chosen.entity_types == ("PERSON",)
    assert (chosen.sort_by, chosen.descending, chosen.max_records, chosen.tenant_id) == (
        "name",
        True,
        3,
        "t1",
    )


@pytest.mark.parametrize(("format", "tabular"), [("json", False), ("csv", True)])
def test_a_request_tells_its_source_what_belongs_to_the_records(format: str, tabular: bool) -> None:
    options = {
        "include_relationships": False,
        "include_conflicts": True,
        "include_gaps": True,
        "group_by": "week",
    }
    extent = check("timeline", None, options, format).extent(annexes=False)
    assert extent.tabular is tabular
    assert (extent.relationships, extent.conflicts, extent.gaps) == (False, True, True)
    assert (extent.group_by, extent.annexes) == ("week", False)


# The database as it really is


def lacking(target: str, **catalogs: Mapping[str, str] | None) -> TargetCatalogs:
    return TargetCatalogs(
        TARGETS[target], {name: dict(each) if each else None for name, each in catalogs.items()}
    )


def test_a_filter_on_a_column_that_the_database_lacks_is_refused() -> None:
    database = TargetCatalogs(TARGETS["documents"], {DOCUMENTS.qualified: {"id": "TEXT", "status": "TEXT"}})
    problem = refused("documents", {"mime_type": "x", "status": "failed"}, database=database)
    assert set(problem) == {"filters.mime_type"}
    assert "lacks" in problem["filters.mime_type"].message


def test_a_filter_on_a_parents_column_looks_at_the_parents_table() -> None:
    catalogs = {GRAPHS.qualified: {"id": "TEXT"}, NODES.qualified: {"id": "TEXT", "project_id": "TEXT"}}
    database = TargetCatalogs(TARGETS["graph"], catalogs)
    assert set(refused("graph", {"project_id": "p"}, database=database)) == {"filters.project_id"}


def test_a_column_that_the_database_has_besides_can_be_sorted_by_and_one_that_it_lacks_cannot() -> None:
    database = lacking("claims", arkham_claims={"id": "TEXT", "rating": "INTEGER", "tenant_id": "TEXT"})
    assert database.sortable() == ["id", "rating"]
    assert check(options={"sort_by": "rating"}, database=database)
    problem = refused(options={"sort_by": "text"}, database=database)["options.sort_by"]
    assert problem.valid == ("id", "rating")


def test_a_missing_table_refuses_nothing() -> None:
    database = lacking("claims", arkham_claims=None)
    assert check(filters={"status": "verified"}, options={"sort_by": "text"}, database=database)
