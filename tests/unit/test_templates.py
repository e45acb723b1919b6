"""What a template may say of itself, and what becomes of a template and a request together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.jobs.table.templates import name_key
from arkham_shard_export.jobs.templates.built_in import BUILT_IN
from arkham_shard_export.jobs.templates.checking import description_problem, name_problem
from arkham_shard_export.jobs.templates.references import Reference, merged, reference_of
from arkham_shard_export.models import ExportOptions, ExportTemplate, JobRequest
from arkham_shard_export.pipeline import check_request
from arkham_shard_export.targets import TARGETS

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize(
    "name",
    ["Weekly", "Claims (disputed), 2nd desk: #4 & more!", "東京の主張", "الأسبوع", "Ärger über Ö", "a", "x" * 100, "v1.2",
     "लोग", "l’été", "2026-11", "[draft] A+B"],
)  # fmt: skip
def test_names_for_people_are_taken(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize(
    "name",
    ["", "x" * 101, " a", "a ", ".", "..", ".hidden", "../../etc/passwd", "a/b", "a\\b", "C:\\x", "/etc", "a\0b", "a\nb", "a\tb",
     "\x1b[2J", "\u202egnp.exe", "\ufeffa", "a\u200bb", "\ud800", "\x85", "{0.__class__}", "%s", "%n%n", "${jndi:ldap://e}",
     "{{7*7}}", "<b>", "&lt;<", "a|b", "$(id)", "`id`", '"', "a?b", "*", "a=b", "~root", "---", "()", "preview", "PREVIEW", "İ" * 101,
     "0be6f659-3c3c-4b2a-9f0e-6a4f8f0d3a11", "0BE6F6593C3C4B2A9F0E6A4F8F0D3A11", "urn:uuid:0be6f659-3c3c-4b2a-9f0e-6a4f8f0d3a11",
     7, None, True, ["a"], {"a": 1}],
)  # fmt: skip
def test_names_that_lead_elsewhere_or_mean_something_to_a_program_are_refused_with_a_reason(
    name: object,
) -> None:
    problem = name_problem(name)
    assert problem is not None
    assert problem.field == "name"
    assert problem.message.endswith(".")
    assert all(each.isprintable() for each in problem.message), problem.message


@given(st.text(max_size=120))
def test_whatever_name_is_taken_can_stand_in_a_path_a_line_and_a_tag(name: str) -> None:
    if name_problem(name) is None:
        assert name.isprintable()
        assert not set(name) & set('/\\<>{}%$"`|*?~^=\0')
        assert name.strip() == name
        assert name.encode().decode() == name


@given(st.text(max_size=50))
def test_names_that_differ_in_case_or_width_are_one(name: str) -> None:
    assert name_key(name_key(name)) == name_key(name)
    assert name_key(name.casefold()) == name_key(name)


@pytest.mark.parametrize(
    "text", ["", "For Monday.\nAnd for Tuesday.", "{0} %s <b> ${x} ../..", "\u202b\u00a0", "x" * 1000]
)
def test_a_description_is_any_text(text: str) -> None:
    """It is shown as text, and never formatted, followed or run."""
    assert description_problem(text) is None


@pytest.mark.parametrize("text", ["\0", "\x1b[2J", "\ud800", "a\x7f", "\r", "x" * 1001, None, 7, ["a"]])
def test_a_description_that_is_no_text_to_show_is_refused(text: object) -> None:
    problem = description_problem(text)
    assert problem is not None
    assert problem.field == "description"


@pytest.mark.parametrize(
    ("given_", "found"),
    [
        ("Weekly", Reference("Weekly")),
        ({"template": "Weekly"}, Reference("Weekly")),
        ({"template": "Weekly", "version": None}, Reference("Weekly")),
        ({"template": "Weekly", "version": 3}, Reference("Weekly", 3)),
    ],
)
def test_a_template_is_named_with_or_without_a_version(given_: Any, found: Reference) -> None:
    assert reference_of(given_) == found


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ("", "template"), (7, "template"), (True, "template"), ([], "template"), ({}, "template.template"),
        ({"template": 7}, "template"), ({"template": None}, "template"), ({"version": 1}, "template.template"),
        ({"template": "a", "version": 0}, "template.version"), ({"template": "a", "version": "1"}, "template.version"),
        ({"template": "a", "version": True}, "template.version"), ({"template": "a", "version": 1.0}, "template.version"),
        ({"template": "a", "colour": 1}, "template.colour"), ({"template": "a", "x" * 5000: 1}, "template." + "x" * 191),
    ],
)  # fmt: skip
def test_what_names_no_template_is_refused_and_the_field_named(given_: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        reference_of(given_)
    assert [each.field for each in refused.value.problems] == [field]


TEMPLATE = ExportTemplate(
    id="t", name="Weekly", description="", target="claims", format="csv", retention_hours=5.0, shared=True, created_by="ann",
    version=1, created_at=NOW, updated_at=NOW, updated_by="ann", built_in=False,
    filters={"status": "disputed", "claim_type": ["factual"]}, options={"max_records": 5, "date_range": "last_7_days"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {}),
        ({"format": "json"}, {"format": "json"}),
        ({"target": "graph"}, {"target": "graph"}),
        ({"retention_hours": 0}, {"retention_hours": 0}),
        ({"filters": {"status": "verified"}}, {"filters": {"status": "verified", "claim_type": ["factual"]}}),
        ({"filters": {"status": None}}, {"filters": {"status": None, "claim_type": ["factual"]}}),
        ({"filters": {}}, {}),
        ({"filters": ["wrong"]}, {"filters": ["wrong"]}),
        ({"options": {"sort_by": "id"}}, {"options": {"max_records": 5, "date_range": "last_7_days", "sort_by": "id"}}),
        ({"options": {"max_records": None}}, {"options": {"max_records": None, "date_range": "last_7_days"}}),
        ({"options": {"date_range": "today"}}, {"options": {"max_records": 5, "date_range": "today"}}),
        ({"options": {"date_range_end": "2026-01-01"}}, {"options": {"max_records": 5, "date_range_end": "2026-01-01"}}),
        ({"options": {"date_range_end": None}}, {"options": {"max_records": 5, "date_range": "last_7_days", "date_range_end": None}}),
        ({"options": ExportOptions(flatten=True)}, {"options": {"max_records": 5, "date_range": "last_7_days", "flatten": True}}),
        ({"options": "wrong"}, {"options": "wrong"}),
    ],
)  # fmt: skip
def test_what_a_request_gives_itself_overrides_the_template(
    asked: dict[str, Any], expected: dict[str, Any]
) -> None:
    usual = {
        "format": "csv",
        "target": "claims",
        "filters": TEMPLATE.filters,
        "options": TEMPLATE.options,
        "retention_hours": 5.0,
    }
    assert merged(TEMPLATE, JobRequest(template="Weekly", **asked)) == JobRequest(**{**usual, **expected})


def test_a_relative_range_takes_the_place_of_dates_of_the_template() -> None:
    dated = replace(TEMPLATE, options={"date_range_start": "2026-01-01", "date_range_end": "2026-02-01"})
    found = merged(dated, JobRequest(options={"date_range": "today"}))
    assert found.options == {"date_range": "today"}


def test_neither_template_nor_request_is_changed_by_what_becomes_of_both() -> None:
    before = repr(TEMPLATE)
    asked = JobRequest(filters={"status": None}, options={"date_range": "today"})
    merged(TEMPLATE, asked)
    assert repr(TEMPLATE) == before
    assert asked.filters == {"status": None}


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda each: each.id)
def test_what_comes_with_the_program_asks_for_what_there_is(template: ExportTemplate) -> None:
    assert name_problem(template.name) is None
    assert description_problem(template.description) is None
    assert template.description.endswith(".")
    assert template.built_in
    assert template.shared
    assert template.version >= 1
    target = TARGETS[template.target]
    checked = check_request(template.format, target, template.filters, template.options, now=NOW)
    assert checked.format == template.format


def test_what_comes_with_the_program_has_names_and_ids_of_its_own() -> None:
    keys = [key for each in BUILT_IN for key in {each.id, name_key(each.name)}]
    assert len(keys) == len({*keys})
    assert {each.target for each in BUILT_IN} == {*TARGETS}
