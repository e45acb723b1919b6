"""Formats and targets are declarations; what they declare must exist."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields

import pytest

from arkham_shard_export.formats import FORMATS, specs, writer_class
from arkham_shard_export.jobs.files import MEDIA_TYPES
from arkham_shard_export.models import ExportFormat, ExportOptions, ExportTarget
from arkham_shard_export.peers import ENTITY_TYPES, TABLES
from arkham_shard_export.schema import Kind, RecordSet, Table, Target
from arkham_shard_export.targets import TARGETS

OPTIONS = {each.name for each in fields(ExportOptions)}
SETS = [(target, each) for target in TARGETS.values() for each in target.sets]


def names(table: Table) -> set[str]:
    return {column.name for column in table.columns}


# Formats


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_declares_all_there_is_to_say(name: str) -> None:
    spec = writer_class(name).spec
    assert spec.format == name
    assert spec.name
    assert spec.description.endswith(".")
    assert spec.cannot_carry.endswith(".")
    assert spec.file_extension.startswith(".")
    assert "/" in spec.mime_type
    assert spec.max_records is None or spec.max_records > 0
    assert set(spec.options) <= OPTIONS
    assert spec.file_extension in MEDIA_TYPES


@pytest.mark.parametrize("name", FORMATS)
def test_every_writer_keeps_the_contract_of_writers(name: str) -> None:
    writer = writer_class(name)()
    assert writer.written == 0
    assert writer.file_extension == writer.spec.file_extension
    for method in ("begin", "begin_section", "write", "end_section", "end"):
        assert callable(getattr(writer, method))


def test_specs_come_in_the_order_of_the_registry_and_no_extension_twice() -> None:
    assert [spec.format for spec in specs()] == list(FORMATS)
    assert len({spec.file_extension for spec in specs()}) == len(FORMATS)


def test_the_formats_of_the_contract_keep_their_names() -> None:
    assert {"json", "csv"} <= set(FORMATS) & {each.value for each in ExportFormat}


def test_an_unknown_format_has_no_writer() -> None:
    with pytest.raises(KeyError):
        writer_class("xml")


OPTIONAL = ("psycopg", "psycopg_pool", "uvicorn", "openpyxl", "docx", "reportlab", "weasyprint", "pandas")


def test_formats_targets_and_the_pipeline_are_imported_without_optional_libraries_and_without_a_web_server() -> (
    None
):
    program = f"""
import sys
for name in {(*OPTIONAL, "fastapi", "starlette", "arkham_frame")!r}:
    sys.modules[name] = None
from arkham_shard_export.formats import specs
import arkham_shard_export.pipeline.direct, arkham_shard_export.jobs.running.execution
assert [each.format for each in specs()]
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# Targets


def test_the_targets_of_the_contract_are_there_under_their_names() -> None:
    assert set(TARGETS) == {each.value for each in ExportTarget} - {"custom"}
    assert all(name == target.name for name, target in TARGETS.items())


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_every_target_describes_itself_and_knows_its_options(target: Target) -> None:
    assert target.title
    assert target.description.endswith(".")
    assert set(target.options) <= OPTIONS
    section_names = [each.name for each in target.sets]
    assert len(set(section_names)) == len(section_names) > 0
    assert not {"target", "exported_at", "snapshot_at", "filters", "options", "record_count"} & set(
        section_names
    )


@pytest.mark.parametrize(("target", "record_set"), SETS, ids=lambda each: each.name)
def test_every_filter_names_a_column_that_exists(target: Target, record_set: RecordSet) -> None:
    assert len(set(target.filter_names)) == len(target.filters)
    for each in target.filters:
        if each.in_parent:
            assert record_set.parent is not None
        table = record_set.parent.table if each.in_parent and record_set.parent else record_set.table
        column = next((column for column in table.columns if column.name == each.column), None)
        assert column is not None, each.name
        assert (column.kind is Kind.JSON) == each.member


@pytest.mark.parametrize(("target", "record_set"), SETS, ids=lambda each: each.name)
def test_every_relation_joins_columns_that_exist_and_is_indexed(
    target: Target, record_set: RecordSet
) -> None:
    taken = names(record_set.table)
    for each in record_set.relations:
        assert each.name not in taken
        assert each.local_key in names(record_set.table)
        assert set(each.foreign_keys) <= names(each.table)
        assert set(each.order) <= names(each.table)
        assert each.order[-1] == "id"
        assert each.table in TABLES
        for key in each.foreign_keys:
            assert key == "id" or key in each.table.indexes, f"{each.table.name}.{key}"
        assert 1 <= len(each.foreign_keys) <= 2


@pytest.mark.parametrize(("target", "record_set"), SETS, ids=lambda each: each.name)
def test_every_column_that_a_record_set_names_exists(target: Target, record_set: RecordSet) -> None:
    columns = {column.name: column for column in record_set.table.columns}
    assert record_set.table in TABLES
    if record_set.main_date is not None:
        assert columns[record_set.main_date].kind is Kind.TIMESTAMP
    assert set(record_set.order) <= set(columns)
    if record_set.parent is not None:
        assert record_set.parent.foreign_key in columns
        assert record_set.parent.table in TABLES
    if record_set.exclusion is not None:
        assert record_set.exclusion.column in columns
        assert record_set.exclusion.unless_filter in target.filter_names
        assert record_set.exclusion.reason
    if record_set.entity_types_column is not None:
        assert record_set.entity_types_column in columns
        assert "entity_types" in target.options
    if record_set.ends_in is not None:
        assert set(record_set.ends_in) <= set(columns)
        assert target.sets.index(record_set) > 0


def test_merged_entities_are_left_out_by_the_column_that_says_so() -> None:
    exclusion = TARGETS["entities"].sets[0].exclusion
    assert exclusion is not None
    assert (exclusion.kind, exclusion.column) == ("merged", "canonical_id")


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_a_target_that_takes_entity_types_has_a_column_for_them(target: Target) -> None:
    takes = "entity_types" in target.options
    assert takes == any(each.entity_types_column for each in target.sets)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.qualified)
def test_every_table_has_a_key_indexes_on_columns_and_no_column_twice(table: Table) -> None:
    assert table.columns[0].name == "id"
    assert set(table.indexes) <= names(table)
    assert len(names(table)) == len(table.columns)
    assert "tenant_id" not in names(table)
    assert all(column.kind not in (Kind.RECORD, Kind.RECORDS) for column in table.columns)


def test_no_table_is_declared_twice() -> None:
    qualified = [table.qualified for table in TABLES]
    assert len(set(qualified)) == len(qualified)


def test_the_types_of_entities_are_those_of_the_peers() -> None:
    assert len(set(ENTITY_TYPES)) == len(ENTITY_TYPES) == 10
