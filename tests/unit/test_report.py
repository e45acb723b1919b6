"""Reports as blocks: complete, in order, under the right headings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest

from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.readable import json_text, shortened, timestamp
from arkham_shard_export.formats.report.ach import ACROSS
from arkham_shard_export.formats.report.blocks import (
    Block,
    Cell,
    Facts,
    Figure,
    Heading,
    Item,
    Paragraph,
    Rectangle,
    Subheading,
    Table,
    Tone,
)
from arkham_shard_export.formats.report.builder import LISTED_RANGES, LISTED_RECORDS, Report
from arkham_shard_export.formats.report.chart import events_over_time
from arkham_shard_export.formats.report.network import DRAWN_EDGES, DRAWN_NODES
from arkham_shard_export.formats.report.portions import PORTION_CHARACTERS, portions
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.records import Adjustments, Row, Section, Skip
from arkham_shard_export.schema import Column, Kind, Layout
from arkham_shard_export.sources.matrix import SCORES
from tests.unit.memory import EXPORTED_AT, section_of

CLAIM = (
    Column("id"),
    Column("text"),
    Column("status"),
    Column("confidence", Kind.NUMBER),
    Column("flag", Kind.BOOLEAN),
    Column("created_at", Kind.TIMESTAMP),
    Column("metadata", Kind.JSON),
)


class Built:
    """The blocks of a report over sections."""

    def __init__(
        self,
        *sections: Section,
        target: str = "claims",
        adjustments: Adjustments | None = None,
        filters: dict[str, Any] | None = None,
        metadata: bool = True,
        **options: Any,
    ) -> None:
        told = {**asdict(ExportOptions()), **options}
        document = Document(target, EXPORTED_AT, EXPORTED_AT, filters or {}, told, sections, metadata)
        self.report = Report(document, adjustments or Adjustments())
        self.body: list[Block] = []
        for section in sections:
            self.body += self.report.begin_section(section)
            for batch in section.read(None):
                self.body += self.report.records(batch)
            self.body += self.report.end_section()
        self.overview = self.report.overview()

    def headings(self, level: int) -> list[str]:
        return [each.text for each in self.body if isinstance(each, Heading) and each.level == level]

    def text(self) -> str:
        return "\n".join(map(repr, self.body))


def claims(*rows: Row, expected: int | None = None) -> Section:
    return section_of(CLAIM, rows, matched=expected)


def claim(number: int, text: str = "said", **values: Any) -> Row:
    record = {"id": f"c{number}", "text": text, **values}
    return [record.get(column.name) for column in CLAIM]


def test_every_filled_field_is_shown_and_only_those() -> None:
    row = claim(
        1,
        "It sank.",
        status="",
        confidence=0,
        flag=False,
        created_at="2024-02-29T12:30:00+00:00",
        metadata='{"a":0}',
    )
    built = Built(claims(row))
    assert built.headings(3) == ["1.  It sank."]
    (facts,) = [each for each in built.body if isinstance(each, Facts)]
    assert facts.pairs == (
        ("ID", "c1"),
        ("Confidence", "0"),
        ("Created at", "2024-02-29 12:30:00 UTC"),
        ("Flag", "no"),
        ("Metadata", "a: 0"),
    )


def test_a_title_that_a_heading_cannot_hold_follows_it_whole() -> None:
    long = "word " * 60
    built = Built(claims(claim(1, long), claim(2, "two\nlines"), claim(3, "   ")))
    assert [len(each) <= 120 for each in built.headings(3)] == [True, True, True]
    assert [each.text for each in built.body if isinstance(each, Paragraph) and each.lead] == [
        long,
        "two\nlines",
    ]
    assert built.headings(3)[2] == "3.  c3"
    assert ("Claim", "   ") in [pair for each in built.body if isinstance(each, Facts) for pair in each.pairs]


def test_long_values_and_those_of_several_lines_become_paragraphs() -> None:
    built = Built(claims(claim(1, status="x" * 200), claim(2, status="a\nb")))
    assert [each for each in built.body if isinstance(each, Paragraph)] == [
        Paragraph("x" * 200, "Status"),
        Paragraph("a\nb", "Status"),
    ]


EVIDENCE = (
    Column("id"),
    Column("claim_id"),
    Column("relationship"),
    Column("reference_title"),
    Column("excerpt"),
)


def test_evidence_stands_under_what_it_does_to_the_claim() -> None:
    columns = (Column("id"), Column("text"), Column("evidence", Kind.RECORDS, columns=EVIDENCE))
    evidence = [
        ["e1", "c", "refutes", "A letter", None],
        ["e2", "c", "supports", None, "words"],
        ["e3", "c", "refutes", "A log", None],
        ["e4", "c", "mentions", None, None],
        ["e5", "c", None, None, None],
    ]
    built = Built(section_of(columns, [["c", "It sank.", evidence]]))
    shown = [each for each in built.body if isinstance(each, Subheading | Item)]
    assert shown == [
        Subheading("Evidence that supports it (1)"),
        Item("e2", (), (Paragraph("words", "Excerpt"),)),
        Subheading("Evidence that refutes it (2)"),
        Item("A letter", (("ID", "e1"),)),
        Item("A log", (("ID", "e3"),)),
        Subheading("mentions (1)"),
        Item("e4"),
        Subheading("Other evidence (1)"),
        Item("e5"),
    ]


@pytest.mark.parametrize(
    ("records", "headings"), [(LISTED_RECORDS, 0), (LISTED_RECORDS + 1, 3), (100_000, 200)]
)
def test_a_long_report_lists_ranges_instead_of_records(records: int, headings: int) -> None:
    some = min(records, LISTED_RECORDS + 1)
    built = Built(claims(*(claim(number) for number in range(some)), expected=records))
    assert built.report.contents_depth == (2 if headings else 3)
    ranges = built.headings(2)
    assert len(ranges) == min(headings, 3 if records < 100_000 else 1)
    assert headings <= LISTED_RANGES
    assert ranges[:1] == (
        [] if not headings else ["Claims 1 to 100" if records < 1000 else "Claims 1 to 500"]
    )


ENTITY = (Column("id"), Column("name"), Column("entity_type"))


def test_entities_stand_under_their_types() -> None:
    rows = [["1", "Ann", "PERSON"], ["2", "Bob", "PERSON"], ["3", "Cherbourg", "LOCATION"], ["4", "x", None]]
    built = Built(section_of(ENTITY, rows), target="entities")
    assert built.headings(2) == ["People", "Places", "Entities without a type"]
    assert built.headings(3)[2] == "3.  Cherbourg"


def test_a_report_sorted_by_somebody_has_no_headings_of_its_own() -> None:
    rows = [["1", "Ann", "PERSON"], ["3", "Cherbourg", "LOCATION"], ["2", "Bob", "PERSON"]]
    assert Built(section_of(ENTITY, rows), target="entities", sort_by="name").headings(2) == []


GROUPED = (Column("key"), Column("name"), Column("event_id"), Column("text"))


def test_groups_of_one_name_stay_apart_and_say_which_they_are() -> None:
    rows = [
        ["e1", "John Smith", "1", "a"],
        ["e2", "John Smith", "2", "b"],
        ["e3", None, "3", "c"],
        [None, None, "4", "d"],
    ]
    built = Built(section_of(GROUPED, rows, "groups", counted=False), target="timeline", group_by="entity")
    assert built.headings(2) == ["John Smith  (e1)", "John Smith  (e2)", "e3", "Events in no group"]
    assert [each.title for each in built.body if isinstance(each, Item)] == ["a", "b", "c", "d"]


def test_annexes_do_not_flood_the_contents() -> None:
    conflicts = section_of(
        (Column("id"), Column("type")), [[str(n), "overlap"] for n in range(500)], "conflicts", counted=False
    )
    built = Built(section_of(EVENT, EVENTS), conflicts, target="timeline")
    assert len(built.headings(3)) == len(EVENTS)


def test_a_heading_whose_text_follows_whole_says_that_it_repeats() -> None:
    built = Built(claims(claim(1, "short"), claim(2, "long " * 60)))
    assert [each.repeated for each in built.body if isinstance(each, Heading) and each.level == 3] == [
        False,
        True,
    ]


# Portions


def test_what_is_large_is_told_in_portions_that_hold_all_of_it() -> None:
    text = "\n".join(f"line {number} " + "x" * 90 for number in range(6_000))
    parts = list(portions(Paragraph(text, "Text")))
    assert "\n".join(each.text for each in parts if isinstance(each, Paragraph)) == text
    assert [each.label for each in parts if isinstance(each, Paragraph)] == ["Text", *[""] * (len(parts) - 1)]
    item = Item("title", (("ID", "i"),), (Paragraph("x" * 900_000, "Text"), Paragraph("short")))
    shown = [each for each in portions(item) if isinstance(each, Item)]
    assert (shown[0].title, shown[0].pairs, shown[0].paragraphs) == ("title", (("ID", "i"),), ())
    assert "".join(each.paragraphs[0].text for each in shown[1:]) == "x" * 900_000 + "short"
    rows = tuple((Cell(str(number)), Cell("")) for number in range(5_000))
    tables = [
        each for each in portions(Table(("a", "b"), rows, (1, 1), "caption")) if isinstance(each, Table)
    ]
    assert sum((each.rows for each in tables), ()) == rows
    assert [each.caption for each in tables] == ["caption", *[""] * (len(tables) - 1)]
    assert max(len(each.text) for each in parts if isinstance(each, Paragraph)) <= PORTION_CHARACTERS


@pytest.mark.parametrize("block", [Heading(1, "x"), Paragraph("short"), Item("a"), Facts((("a", "b"),))])
def test_what_is_not_large_stays_as_it_is(block: Block) -> None:
    assert list(portions(block)) == [block]


EVENT = (Column("id"), Column("text"), Column("date_start", Kind.TIMESTAMP))
EVENTS: Sequence[Row] = [
    ["1", "sails", "1912-04-10T12:00:00+00:00"],
    ["2", "sinks", "1912-04-15T00:00:00+00:00"],
    ["3", "is found", "1985-09-01T00:00:00+00:00"],
    ["4", "is told", None],
]


@pytest.mark.parametrize(
    ("group_by", "headings"),
    [
        (None, []),
        ("month", ["1912-04", "1985-09", "Without a date"]),
        ("week", ["1912-W15", "1912-W16", "1985-W35", "Without a date"]),
        ("day", ["1912-04-10", "1912-04-15", "1985-09-01", "Without a date"]),
    ],
)
def test_events_stand_under_their_periods(group_by: str | None, headings: list[str]) -> None:
    built = Built(section_of(EVENT, EVENTS), target="timeline", group_by=group_by)
    assert built.headings(2) == headings
    assert built.headings(3)[:2] == ["1.  1912-04-10 12:00:00 UTC  sails", "2.  1912-04-15  sinks"]


def test_a_date_that_is_none_is_no_part_of_a_heading() -> None:
    built = Built(
        section_of(EVENT, [["1", "sails", "about " * 50], ["2", "sinks", "1912-04-15T00:00:00+00:00"]]),
        target="timeline",
    )
    assert built.headings(3) == ["1.  sails", "2.  1912-04-15  sinks"]
    assert Paragraph("about " * 50, "Start") in built.body
    assert [each.pairs for each in built.body if isinstance(each, Facts)] == [(("ID", "1"),), (("ID", "2"),)]


def test_an_annex_without_rows_says_so() -> None:
    gaps = section_of((Column("start_date"),), [], "gaps", counted=False)
    built = Built(section_of(EVENT, EVENTS), gaps, target="timeline")
    assert built.body[-2:] == [Heading(1, "Gaps"), Paragraph("There are none.")]


def test_the_title_page_tells_what_was_left_out_and_changed() -> None:
    adjustments = Adjustments()
    adjustments.add("missing_glyphs", 3)
    section = section_of(CLAIM, [claim(1)], skips=(Skip("max_records", 9, "max_records is 1"),))
    built = Built(
        section, adjustments=adjustments, filters={"status": ["disputed", "verified"]}, max_records=1
    )
    page = built.report.title_page(1)
    facts = dict(page.facts)
    assert (facts["Records in this file"], facts["Records that match"]) == ("1", "10")
    assert (facts["Filters"], facts["Options"]) == ("Status: disputed, verified", "Max records: 1")
    assert facts["State of the data"] == "2026-11-22 13:00:00 UTC"
    assert page.notes[0] == "9 left out of records: max_records is 1."
    assert page.notes[1].startswith("3 × characters that no font")


def test_without_metadata_the_title_page_counts_and_says_no_more() -> None:
    page = Built(claims(claim(1)), metadata=False).report.title_page(1)
    assert [label for label, _ in page.facts] == ["Records in this file", "How to read it"]


# The overview


def test_the_overview_counts_the_values_of_what_is_tallied() -> None:
    rows = [claim(n, status="verified" if n % 3 else None) for n in range(9)]
    (heading, table) = Built(claims(*rows)).overview
    assert heading == Heading(1, "Overview")
    assert isinstance(table, Table)
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["verified", "6", "66.7%"],
        ["(none)", "3", "33.3%"],
    ]


def test_many_different_values_are_counted_together_after_the_most_common() -> None:
    rows = [claim(n, status=f"s{n}") for n in range(30)]
    (_, table) = Built(claims(*rows)).overview
    assert isinstance(table, Table)
    assert [cell.text for cell in table.rows[-1]] == ["10 other values", "10", "33.3%"]
    assert len(table.rows) == 21


def test_events_are_drawn_over_time_and_the_fullest_bar_again() -> None:
    days = {f"1912-04-{day:02}": 5 for day in range(1, 20)} | {"1850-01-01": 1, "2012-04-15": 1}
    figures = events_over_time(days)
    assert [figure.caption for figure in figures] == [
        "97 dated events by decade, 1850s to 2010s",
        "95 dated events by day, 1912-04-01 to 1912-04-19",
    ]
    for figure in figures:
        assert isinstance(figure, Figure)
        for bar in (each for each in figure.shapes if isinstance(each, Rectangle)):
            assert 0 <= bar.x <= bar.x + bar.width <= figure.width
            assert 0 <= bar.y <= bar.y + bar.height <= figure.height


@pytest.mark.parametrize(
    "days", [{}, {"about 19": 3}, {"0001-01-01": 1, "9999-12-31": 1}, {"2024-02-29": 10**9}]
)
def test_any_days_can_be_drawn(days: dict[str, int]) -> None:
    figures = events_over_time(days)
    assert bool(figures) == any(key[0].isdigit() for key in days)


NODE = (Column("id"), Column("label"), Column("entity_type"), Column("community_id", Kind.INTEGER))
EDGE = (Column("id"), Column("source_id"), Column("target_id"), Column("relationship_type"))


def graph(nodes: int, edges: list[tuple[int, int]]) -> Built:
    rows: list[Row] = [[f"n{n}", f"Node {n}", "PERSON", n % 2] for n in range(nodes)]
    lines: list[Row] = [[f"e{n}", f"n{a}", f"n{b}", "KNOWS"] for n, (a, b) in enumerate(edges)]
    return Built(section_of(NODE, rows, "nodes"), section_of(EDGE, lines, "edges"), target="graph")


def test_a_small_network_is_drawn_within_its_frame() -> None:
    built = graph(5, [(0, 1), (0, 2), (3, 3), (0, 99)])
    (figure,) = [each for each in built.overview if isinstance(each, Figure)]
    assert {type(each).__name__ for each in figure.shapes} == {"Line", "Circle", "Label"}
    assert "Best connected: Node 0" in figure.alternative
    again = graph(5, [(0, 1), (0, 2), (3, 3), (0, 99)])
    assert figure in again.overview


@pytest.mark.parametrize(
    ("nodes", "edges"), [(DRAWN_NODES + 1, []), (3, [(0, 1)] * (DRAWN_EDGES + 1)), (1, []), (2, [])]
)
def test_a_network_too_large_to_read_says_so(nodes: int, edges: list[tuple[int, int]]) -> None:
    built = graph(nodes, edges)
    drawn = [each for each in built.overview if isinstance(each, Figure)]
    told = [each for each in built.overview if isinstance(each, Paragraph) and "not drawn" in each.text]
    assert (len(drawn), len(told)) == ((1, 0) if nodes <= 2 else (0, 1))


def test_degrees_and_communities_are_counted_over_all_nodes() -> None:
    built = graph(30, [(0, n) for n in range(1, 30)])
    tables = {each.caption: each for each in built.overview if isinstance(each, Table)}
    degrees = tables["Nodes by the number of their edges, the first 20 of 30 nodes"]
    assert [cell.text for cell in degrees.rows[0]] == ["Node 0", "PERSON", "29"]
    communities = tables["Communities by size"]
    assert [row[1].text for row in communities.rows] == ["15", "15"]
    assert "and 10 more" in communities.rows[0][2].text


# Competing hypotheses

MATRIX = (
    Column("id"),
    Column("title"),
    Column("hypotheses", Kind.RECORDS, columns=(Column("id"), Column("title"))),
    Column("evidence", Kind.RECORDS, columns=(Column("id"), Column("description"), Column("credibility"))),
    Column(
        "ratings", Kind.RECORDS, columns=(Column("evidence_id"), Column("hypothesis_id"), Column("rating"))
    ),
    SCORES,
)


def matrix(hypotheses: int, evidence: int, ratings: list[Row]) -> list[Table]:
    row: Row = [
        "m",
        "Who?",
        [[f"h{n}", f"Title {n}"] for n in range(hypotheses)],
        [[f"e{n}", f"Seen {n}", 0.5] for n in range(evidence)],
        ratings,
        [[f"h{n}", f"Title {n}", n, 0.25 * n, None, n + 1] for n in range(hypotheses)],
    ]
    built = Built(section_of(MATRIX, [row], layout=Layout.GRID), target="matrix")
    return [each for each in built.body if isinstance(each, Table)]


def test_a_matrix_is_a_grid_of_ratings_with_scores_below() -> None:
    grid, legend = matrix(2, 3, [["e0", "h1", "++"], ["e2", "h0", "--"], ["e1", "h0", "odd"]])
    assert grid.header == ("Evidence", "Weight", "Title 0", "Title 1")
    assert [(cell.text, cell.tone) for cell in grid.rows[0]][2:] == [
        ("", Tone.PLAIN),
        ("++", Tone.STRONGLY_CONSISTENT),
    ]
    assert (grid.rows[2][2].tone, grid.rows[1][2].text) == (Tone.STRONGLY_INCONSISTENT, "odd")
    assert grid.rows[0][1].text == "0.5 × –"
    assert [row[0].text.split(" (")[0] for row in grid.rows[3:]] == [
        "Inconsistencies", "Weighted score", "Normalised score", "Rank",
    ]  # fmt: skip
    assert [row[3].text for row in grid.rows[3:]] == ["1", "0.25", "–", "2"]
    assert legend.header == ()
    assert len(legend.rows[0]) == 6


def test_hypotheses_that_do_not_fit_side_by_side_continue_below() -> None:
    *grids, _ = matrix(2 * ACROSS + 1, 2, [])
    assert [len(each.header) - 2 for each in grids] == [ACROSS, ACROSS, 1]
    assert "hypotheses 13 to 13 of 13" in grids[-1].caption


@pytest.mark.parametrize(("hypotheses", "evidence"), [(0, 0), (0, 2), (2, 0)])
def test_a_matrix_that_was_only_begun_has_no_grid(hypotheses: int, evidence: int) -> None:
    assert matrix(hypotheses, evidence, []) == []


# Values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('["a","b"]', "a, b"),
        ('{"a":1.10,"b":[1,"x"],"c":{"d":null}}', 'a: 1.10; b: 1, x; c: {"d":null}'),
        ('"plain"', "plain"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("null", "null"),
        ("[]", ""),
        ("{}", ""),
        ('[{"deep":[[1]]}]', '{"deep":[[1]]}'),
        ('["Smith, John","Doe"]', '"Smith, John", Doe'),
        ('{"a":"1","b":1,"d":"x; e: y","f":"true","g":""}', 'a: "1"; b: 1; d: "x; e: y"; f: "true"; g: ""'),
        ('{"k: 2":"v","e":[]}', '"k: 2": v; e: []'),
        ('["https://a.org/x","10:30"]', "https://a.org/x, 10:30"),
        ('{"a":1e99999999999999999999}', '{"a":1e99999999999999999999}'),
        ('{"a":%s}' % ("9" * 5000), '{"a":%s}' % ("9" * 5000)),
    ],
)
def test_json_reads_like_text(text: str, shown: str) -> None:
    assert json_text(text) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2024-02-29T12:00:00+00:00", "2024-02-29 12:00:00 UTC"),
        ("2024-02-29T12:00:00.123456+00:00", "2024-02-29 12:00:00.123456 UTC"),
        ("2024-02-29T00:00:00+00:00", "2024-02-29"),
        ("0001-01-01T00:00:00+00:00", "0001-01-01"),
        ("about 1912", "about 1912"),
        ("+00:00", "+00:00"),
    ],
)
def test_times_read_like_times(value: str, shown: str) -> None:
    assert timestamp(value) == shown


def test_a_heading_is_cut_at_a_word_where_there_is_one() -> None:
    assert shortened("a  b\nc", 9) == "a b c"
    assert shortened("twelve words", 9) == "twelve…"
    assert shortened("x" * 20, 9) == "xxxxxxxx…"
