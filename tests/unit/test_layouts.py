"""Layouts are data: what they name must exist, and what they do not name must still be shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arkham_shard_export.layouts import LAYOUTS, RecordLayout, default_label, layout_of, plain_layout
from arkham_shard_export.peers import TIMELINE_CONFLICTS
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.matrix import SCORES
from arkham_shard_export.sources.timeline import GAP_COLUMNS, GROUP_COLUMNS, MEMBER_COLUMNS
from arkham_shard_export.targets import TARGETS

ANNEXES = {
    "conflicts": TIMELINE_CONFLICTS.columns,
    "gaps": GAP_COLUMNS,
    "groups": (*GROUP_COLUMNS, *MEMBER_COLUMNS),
}


def described() -> Iterator[tuple[str, RecordLayout, set[str]]]:
    """Every layout with the columns that its records have."""
    for target, layout in LAYOUTS.items():
        sets = {each.name: each for each in TARGETS[target].sets}
        for name, section in layout.sections.items():
            if name in ANNEXES:
                yield f"{target}.{name}", section, {each.name for each in ANNEXES[name]}
                continue
            record_set = sets[name]
            relations = {
                each.name: {column.name for column in each.table.columns} for each in record_set.relations
            }
            relations["scores"] = {each.name for each in SCORES.columns}
            own = {each.name for each in record_set.table.columns}
            yield f"{target}.{name}", section, {*own, "entity_names", "source_name", "target_name"}
            for relation, inner in section.relations.items():
                yield f"{target}.{name}.{relation}", inner, {*relations[relation], "direction"}


CASES = list(described())


@pytest.mark.parametrize(("layout", "columns"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_layout_names_only_columns_that_there_are(layout: RecordLayout, columns: set[str]) -> None:
    named = {*layout.title, *layout.facts, *layout.prose, *layout.implied, *layout.tallied, *layout.labels}
    named |= {layout.dated} - {""}
    if layout.grouping is not None:
        named |= {layout.grouping.column, layout.grouping.named_by} - {""}
    assert named - columns == set()


def test_every_target_is_laid_out_with_all_of_its_sections_and_relations() -> None:
    assert list(LAYOUTS) == list(TARGETS)
    for target in TARGETS.values():
        for record_set in target.sets:
            section = LAYOUTS[target.name].sections[record_set.name]
            assert {each.name for each in record_set.relations} <= set(section.relations)


def test_a_column_that_no_layout_names_is_shown_after_those_that_are() -> None:
    columns = [
        Column("brand_new"),
        Column("text"),
        Column("evidence", Kind.RECORDS),
        Column("status"),
        Column("id"),
    ]
    ordered = layout_of("claims").section("records", columns).ordered(columns)
    assert [each.name for each in ordered] == ["id", "text", "status", "brand_new", "evidence"]
    assert layout_of("claims").section("records", columns).label("brand_new") == "Brand new"


def test_what_nobody_described_is_headed_by_what_looks_like_a_title() -> None:
    assert plain_layout("Memos", (Column("id"), Column("name"), Column("text"))).title == ("name",)
    assert plain_layout("Memos", (Column("number"),)).title == ()
    assert layout_of("custom").section("records", ()).name == "Records"


@pytest.mark.parametrize(
    ("column", "label"),
    [
        ("source_document_id", "Source document ID"),
        ("document_ids", "Document IDs"),
        ("metadata.a\\.b", "Metadata.a\\.b"),
        ("_", "_"),
        ("ünïcode", "Ünïcode"),
    ],
)
def test_a_label_is_made_of_the_name(column: str, label: str) -> None:
    assert default_label(column) == label
