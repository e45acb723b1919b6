"""Word documents that a foreign reader finds whole, and that Word would not have to repair."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import docx
import pytest
from docx.oxml.ns import qn
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.errors import StoreFailed
from arkham_shard_export.formats import docx as module
from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.docx import DocxWriter
from arkham_shard_export.formats.report.blocks import (
    Block,
    Cell,
    Circle,
    Facts,
    Figure,
    Heading,
    Item,
    Label,
    Line,
    Paragraph,
    Rectangle,
    Subheading,
    Table,
    TitlePage,
    Tone,
)
from arkham_shard_export.formats.report.direction import directed, is_rtl
from arkham_shard_export.formats.wordprocessing import stretch
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.presentation.reports import ReportFront
from arkham_shard_export.records import Adjustments, Batch, Section
from arkham_shard_export.schema import Column, Kind
from tests.unit.memory import EXPORTED_AT, MemorySink, section_of

TWIP = 635
ARABIC = "وقّعت الشركة العقد رقم 4471 مع Meridian في بيروت."
HEBREW = "החברה חתמה על ההסכם"
RECORDS = section_of((Column("id"),), [["a"], ["b"], ["c"]])
FIGURE = Figure(
    200,
    100,
    (Line(0, 90, 200, 10), Rectangle(10, 20, 30, 70), Circle(100, 50, 8), Label(100, 60, "1912 & after")),
    "Events by year",
    'Most events, "47", are in 1912.',
)
GRID = Table(
    ("Evidence", "H1"),
    (
        (Cell("Bank statement"), Cell("++", Tone.STRONGLY_CONSISTENT, strong=True)),
        (Cell("x" * 700), Cell("--", Tone.STRONGLY_INCONSISTENT)),
    ),
    widths=(3.0, 1.0),
    caption="Ratings",
    centred=(1,),
)
EVERYTHING: tuple[Block, ...] = (
    Heading(1, "Claims"),
    Heading(2, "Verified"),
    Heading(3, "1.  A transfer"),
    Paragraph("Money was sent.", lead=True),
    Facts((("Status", "verified"), ("Name", HEBREW))),
    Paragraph(ARABIC, label="Context"),
    Subheading("Evidence (2)"),
    Item("Bank statement", (("Strength", "strong"),), (Paragraph("Booked on 12 March.", "Excerpt"),)),
    Item(HEBREW, (), (Paragraph(ARABIC),)),
    GRID,
    FIGURE,
)


class FakeReport:
    """Gives the blocks it was made for with the first batch."""

    title = "Claims & evidence"
    contents_depth = 2

    def __init__(self, blocks: Sequence[Block], overview: Sequence[Block], wide: bool) -> None:
        self.front = ReportFront()
        self.wide = wide
        self._blocks = blocks
        self._overview = overview

    def begin_section(self, _section: Section) -> list[Block]:
        return []

    def records(self, _batch: Batch) -> Iterator[Block]:
        yield from self._blocks
        self._blocks = ()

    def end_section(self) -> list[Block]:
        return []

    def overview(self) -> list[Block]:
        return list(self._overview)

    def title_page(self, written: int) -> TitlePage:
        facts = (("Records in this file", str(written)), ("Exported", "today"))
        return TitlePage(self.title, "Export of an investigation", facts, ("3 were left out.",))


class Written:
    """A document made of sections by the report of the package, or of `blocks`."""

    def __init__(
        self,
        *blocks: Block,
        overview: Sequence[Block] = (),
        wide: bool = False,
        section: Section = RECORDS,
        include_metadata: bool = True,
    ) -> None:
        sink, self.adjustments = MemorySink(), Adjustments()
        options = asdict(ExportOptions())
        document = Document("claims", EXPORTED_AT, EXPORTED_AT, {}, options, [section], include_metadata)
        self.writer = DocxWriter()
        with pytest.MonkeyPatch.context() as patch:
            if blocks:
                patch.setattr(module, "Report", lambda *_: FakeReport(blocks, overview, wide))
            self.writer.begin(document, sink, self.adjustments)
        try:
            self.writer.begin_section(section)
            for batch in section.read(None):
                self.writer.write(batch)
            self.writer.end_section()
            self.writer.end()
        finally:
            self.writer.close()
        self.data = sink.data
        self.archive = zipfile.ZipFile(io.BytesIO(self.data))
        self.document: Any = docx.Document(io.BytesIO(self.data))

    def part(self, name: str) -> Any:
        return ElementTree.fromstring(self.archive.read(name))

    @property
    def body(self) -> Any:
        return self.document.element.body

    @property
    def text_width(self) -> int:
        """In EMU."""
        section: Any = self.document.sections[0]
        width: int = section.page_width - section.left_margin - section.right_margin
        return width

    @property
    def texts(self) -> list[str]:
        return [paragraph.text for paragraph in self.document.paragraphs]

    def find(self, path: str) -> list[Any]:
        return list(self.body.xpath(path))

    def paragraph(self, text: str) -> Any:
        return next(each for each in self.document.paragraphs if text in each.text)


@pytest.fixture(scope="module")
def everything() -> Written:
    return Written(*EVERYTHING, overview=(Heading(1, "Overview"), FIGURE, GRID))


def text_of(element: Any) -> str:
    return "".join(element.xpath(".//w:t/text()"))


def test_headings_have_the_styles_that_word_knows(everything: Written) -> None:
    styles = {each.text: each.style.name for each in everything.document.paragraphs}
    assert styles["Claims & evidence"] == "Title"
    assert styles["Export of an investigation"] == "Subtitle"
    assert styles["Claims"] == styles["Overview"] == "Heading 1"
    assert styles["Verified"] == "Heading 2"
    assert styles["1.  A transfer"] == "Heading 3"
    assert styles["Evidence (2)"] == "Related heading"
    assert styles["Money was sent."] == "Lead"
    assert styles["Bank statement"] == "Related item"
    assert styles["3 were left out."] == "List Bullet"


def test_every_style_that_is_used_is_defined(everything: Written) -> None:
    styles = everything.part("word/styles.xml")
    defined = {each.get(qn("w:styleId")) for each in styles.findall(qn("w:style"))}
    tags = ("w:pStyle", "w:rStyle", "w:tblStyle", "w:basedOn", "w:next")
    parts = [
        everything.part(f"word/{name}.xml")
        for name in ("document", "styles", "header", "footer", "numbering")
    ]
    used = {each.get(qn("w:val")) for part in parts for tag in tags for each in part.iter(qn(tag))}
    assert used <= defined


def test_only_headings_are_in_the_outline(everything: Written) -> None:
    styles = everything.part("word/styles.xml").findall(qn("w:style"))
    outlined = [
        each.get(qn("w:styleId")) for each in styles if each.find(f".//{qn('w:outlineLvl')}") is not None
    ]
    assert outlined == ["Heading1", "Heading2", "Heading3"]


def test_each_entry_of_the_contents_leads_to_the_bookmark_at_its_heading(everything: Written) -> None:
    links = {link.get(qn("w:anchor")): text_of(link) for link in everything.find("//w:hyperlink")}
    marks = {mark.get(qn("w:name")): mark for mark in everything.find("//w:bookmarkStart")}
    assert list(links.values()) == ["Overview", "Claims", "Verified"]
    assert links == {name: text_of(mark.getparent()) for name, mark in marks.items()}
    ids = [mark.get(qn("w:id")) for mark in marks.values()]
    assert len(set(ids)) == len(ids) == len(everything.find("//w:bookmarkEnd"))
    pages = [each.text.split()[1] for each in everything.find("//w:instrText") if "PAGEREF" in each.text]
    assert pages == list(links)


def test_the_contents_are_a_field_that_word_refreshes(everything: Written) -> None:
    begin = everything.find("//w:sdt//w:fldChar[@w:dirty]")
    assert [each.get(qn("w:dirty")) for each in begin] == ["true"]
    codes = [each.text.strip() for each in everything.find("//w:sdt//w:instrText")]
    assert codes[0] == r'TOC \o "1-2" \h \z \u'


def test_fields_begin_separate_and_end(everything: Written) -> None:
    for name in ("document", "footer"):
        depth = []
        for mark in everything.part(f"word/{name}.xml").iter(qn("w:fldChar")):
            kind = mark.get(qn("w:fldCharType"))
            if kind == "begin":
                depth.append(kind)
            else:
                assert depth.pop() == {"separate": "begin", "end": "separate"}[kind]
                depth += ["separate"] * (kind == "separate")
        assert depth == []


def test_a_report_without_headings_has_no_contents() -> None:
    assert Written(Paragraph("Alone.")).find("//w:sdt") == []


def test_tables_and_figures_are_numbered_in_the_order_of_the_document(everything: Written) -> None:
    captions = [each.text for each in everything.document.paragraphs if each.style.name == "Caption"]
    assert captions == [
        "Figure 1. Events by year",
        "Table 1. Ratings",
        "Table 2. Ratings",
        "Figure 2. Events by year",
    ]
    assert {"SEQ Table \\* ARABIC", "SEQ Figure \\* ARABIC"} <= {
        each.text.strip() for each in everything.find("//w:instrText")
    }


def test_nothing_of_a_long_text_is_cut() -> None:
    text = "".join(f"word{number} " for number in range(5_000))
    assert len(text) > 40_000
    written = Written(Heading(3, text), Paragraph(text), Facts((("A", text),)), Item(text), Heading(1, text))
    assert sum(text in each for each in written.texts) == 5


def test_line_breaks_tabs_and_spaces_are_kept() -> None:
    texts = Written(Paragraph("  a\r\n\tb  c\rd\n\n e ")).texts
    assert "  a\n\tb  c\nd\n\n e " in texts


@given(st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    written = Written(Paragraph(f"<{text}>"))
    forbidden = {*map(chr, range(32)), "\ufffe", "\uffff"} - {"\t", "\n", "\r"}
    shown = "".join("\ufffd" if each in forbidden else each for each in text)
    shown = shown.replace("\r\n", "\n").replace("\r", "\n")
    assert f"<{shown}>" in written.texts
    assert written.adjustments.counts["forbidden_characters"] == sum(each in forbidden for each in text)


def test_a_character_that_xml_cannot_carry_is_counted_once_though_its_heading_is_in_the_contents() -> None:
    written = Written(Heading(1, "a\x00b"))
    assert written.adjustments.counts == {"forbidden_characters": 1}
    assert [text_of(each) for each in written.find("//w:hyperlink")] == ["a\ufffdb"]


def test_a_right_to_left_paragraph_says_so_and_its_runs_are_split_by_direction() -> None:
    written = Written(Paragraph(ARABIC), Paragraph(f"He said {HEBREW} twice"), Paragraph("Plain"))
    arabic, mixed, plain = (written.paragraph(each) for each in (ARABIC, HEBREW, "Plain"))
    assert [bool(each._p.xpath("w:pPr/w:bidi")) for each in (arabic, mixed, plain)] == [True, False, False]
    runs = [(run.text, bool(run._r.xpath("w:rPr/w:rtl"))) for run in mixed.runs]
    assert runs == [("He said ", False), (HEBREW, True), (" twice", False)]
    assert [run.text for run in arabic.runs if not run._r.xpath("w:rPr/w:rtl")] == ["Meridian"]
    languages = {each.get(qn("w:bidi")) for each in written.find("//w:p//w:lang")}
    assert languages == {"ar-SA", "he-IL"}


@pytest.mark.parametrize(
    ("text", "rtl"),
    [("", False), ("12 ", False), (HEBREW, True), (f"4. {ARABIC}", True), (f"a {HEBREW}", False),
     (f"\u2066abc\u2069 {HEBREW}", True), ("é", False), ("中文", False)],
)  # fmt: skip
def test_a_paragraph_reads_as_its_first_strong_character_does(text: str, rtl: bool) -> None:
    assert is_rtl(text) is rtl


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("אב 12, גד", [("אב 12, גד", True)]),
        ("a, אב, b", [("a, ", False), ("אב", True), (", b", False)]),
        ("אב, b, ג", [("אב, ", True), ("b", False), (", ג", True)]),
        ("אב abc.", [("אב ", True), ("abc", False), (".", True)]),
        ("12 אב", [("12 אב", True)]),
    ],
)
def test_neutral_characters_follow_both_neighbours_or_the_paragraph(
    text: str, parts: list[tuple[str, bool]]
) -> None:
    assert directed(text) == parts


@given(st.text(alphabet="aב م1٢ ,.\n\u0301(\u200f", max_size=30))
def test_the_directed_parts_are_the_text(text: str) -> None:
    parts = directed(text)
    assert "".join(part for part, _ in parts) == text
    assert all(one != other for (_, one), (_, other) in pairwise(parts))


def test_cells_are_shaded_by_tone_and_the_header_is_repeated(everything: Written) -> None:
    table = everything.document.tables[-1]
    assert table.style.name == "Report Table"
    fills = [[each.get(qn("w:fill")) for each in row._tr.xpath("w:tc/w:tcPr/w:shd")] for row in table.rows]
    assert fills == [[], ["A8D5A2"], ["F0A797"]]
    assert [bool(row._tr.xpath("w:trPr/w:tblHeader")) for row in table.rows] == [True, False, False]
    assert [bool(row._tr.xpath("w:trPr/w:cantSplit")) for row in table.rows] == [True, True, False]
    assert table.cell(1, 1).paragraphs[0].runs[0].bold


@pytest.mark.parametrize(("wide", "text_width"), [(False, 9412), (True, 14570)])
def test_tables_and_header_take_the_whole_text_width(wide: bool, text_width: int) -> None:
    written = Written(GRID, wide=wide)
    assert written.text_width == text_width * TWIP
    assert (
        sum(int(each.get(qn("w:w"))) for each in written.find("//w:tbl[last()]/w:tblGrid/w:gridCol"))
        == text_width
    )
    styles = written.part("word/styles.xml").iter(qn("w:tab"))
    assert {each.get(qn("w:pos")) for each in styles} == {str(text_width)}


def test_two_tables_in_a_row_stay_two() -> None:
    tables = Written(GRID, Table((), ((Cell("a"),),), (1.0,)), GRID).find("w:body/w:tbl | w:tbl")
    assert len(tables) == 4
    assert all(each.getnext().tag == qn("w:p") for each in tables)


def test_a_figure_says_in_words_what_it_shows_and_its_labels_are_text(everything: Written) -> None:
    descriptions = everything.find("//wp:docPr/@descr")
    assert descriptions == [FIGURE.alternative, FIGURE.alternative]
    assert everything.find("//w:txbxContent//w:t/text()") == ["1912 & after", "1912 & after"]
    ids = everything.find("//@id[parent::*[local-name()='docPr' or local-name()='cNvPr']]")
    assert len(ids) == len(set(ids)) == 10


@pytest.mark.parametrize("wide", [False, True])
def test_a_figure_larger_than_the_page_is_made_smaller(wide: bool) -> None:
    written = Written(Figure(3000, 2000, (Label(1500, 9, "x", size=40),), "Big", "Big"), wide=wide)
    extent = written.find("//wp:extent")[0]
    assert int(extent.get("cx")) <= written.text_width
    assert int(extent.get("cx")) / int(extent.get("cy")) == pytest.approx(1.5, rel=1e-3)
    assert int(written.find("//w:txbxContent//w:sz/@w:val")[0]) < 20


def test_the_title_page_has_no_header_and_the_others_tell_the_state_of_the_data(everything: Written) -> None:
    section = everything.document.sections[0]
    assert section.different_first_page_header_footer
    assert (
        section.header.paragraphs[0].text == "Claims & evidence\tState of the data: 2026-11-22 13:00:00 UTC"
    )
    assert section.footer.paragraphs[0].text == "Page 1 of 1"
    codes = everything.part("word/footer.xml").iter(qn("w:instrText"))
    assert [each.text.strip() for each in codes] == ["PAGE", "NUMPAGES"]


def test_the_properties_name_the_report_and_the_time_of_the_export(everything: Written) -> None:
    properties = everything.document.core_properties
    assert properties.title == "Claims & evidence"
    assert properties.subject == "Export of an investigation"
    assert properties.author == "arkham-shard-export"
    assert properties.comments == "3 records. State of the data: 2026-11-22 13:00:00 UTC"
    assert properties.language == "en-GB"
    assert properties.created == properties.modified == datetime(2026, 11, 22, 13, tzinfo=UTC)


def test_without_metadata_no_time_is_told() -> None:
    written = Written(Paragraph("Alone."), include_metadata=False)
    assert (
        "dcterms"
        not in written.archive.read("docProps/core.xml").decode().partition(">")[2].partition("<dc:title>")[2]
    )
    assert "2026" not in "".join(written.archive.read(name).decode() for name in written.archive.namelist())


def test_the_same_input_gives_the_same_bytes() -> None:
    assert Written(*EVERYTHING).data == Written(*EVERYTHING).data


def test_every_part_has_a_type_and_every_relationship_a_target(everything: Written) -> None:
    names = set(everything.archive.namelist())
    types = everything.part("[Content_Types].xml")
    declared = {each.get("PartName").lstrip("/") for each in types if each.tag.endswith("Override")}
    assert declared == {name for name in names if not name.endswith(".rels")} - {"[Content_Types].xml"}
    for relations, folder in (("_rels/.rels", ""), ("word/_rels/document.xml.rels", "word/")):
        targets = {folder + each.get("Target") for each in everything.part(relations)}
        assert targets <= names
    identities = {each.get("Id") for each in everything.part("word/_rels/document.xml.rels")}
    assert set(everything.find("//@r:id")) <= identities


ORDERS = {
    "w:pPr": "pStyle keepNext keepLines pageBreakBefore widowControl numPr pBdr shd tabs bidi spacing ind "
    "contextualSpacing jc outlineLvl rPr sectPr",
    "w:rPr": "rStyle rFonts b bCs i iCs caps smallCaps color spacing sz szCs u rtl cs lang",
    "w:tblPr": "tblStyle tblStyleRowBandSize tblW jc tblInd tblBorders tblLayout tblCellMar tblLook",
    "w:tcPr": "tcW gridSpan tcBorders shd noWrap tcMar vAlign",
    "w:tcBorders": "top left bottom right insideH insideV",
    "w:tblBorders": "top left bottom right insideH insideV",
    "w:tblCellMar": "top left bottom right",
    "w:pBdr": "top left bottom right between",
    "w:sectPr": "headerReference footerReference type pgSz pgMar cols titlePg docGrid",
    "w:settings": "zoom hideSpellingErrors hideGrammaticalErrors defaultTabStop characterSpacingControl compat "
    "themeFontLang decimalSymbol listSeparator",
    "w:style": "name basedOn next link autoRedefine uiPriority semiHidden unhideWhenUsed qFormat pPr rPr tblPr trPr "
    "tcPr tblStylePr",
    "w:tblStylePr": "pPr rPr tblPr trPr tcPr",
    "w:font": "altName panose1 charset family pitch",
    "w:abstractNum": "multiLevelType lvl",
    "w:lvl": "start numFmt pStyle suff lvlText lvlJc pPr rPr",
    "w:tbl": "tblPr tblGrid tr",
    "w:sdt": "sdtPr sdtContent",
}
"""The order of children that the schema demands (ECMA-376 part 1, annex A), as far as they are used here."""


@pytest.mark.parametrize("parent", ORDERS)
def test_properties_stand_in_the_order_of_the_schema(parent: str, everything: Written) -> None:
    order = ORDERS[parent].split()
    found = 0
    for name in everything.archive.namelist():
        if name.startswith("word/") and name.endswith(".xml"):
            for element in everything.part(name).iter(qn(parent)):
                children = [each.tag.rpartition("}")[2] for each in element]
                assert children == sorted(children, key=order.index), f"{parent} in {name}"
                found += 1
    assert found


CLAIMS = (
    *(Column(name) for name in ("id", "text", "status", "confidence")),
    Column(
        "evidence", Kind.RECORDS, columns=tuple(Column(name) for name in ("id", "relationship", "excerpt"))
    ),
)


def test_records_are_counted_and_set_with_what_belongs_to_them() -> None:
    rows = [[f"c{number}", f"Claim {number}", "disputed", 0.5, [[f"e{number}", "supports", f"Seen {number}"]]]
            for number in range(7)]  # fmt: skip
    written = Written(section=section_of(CLAIMS, rows))
    assert written.writer.written == 7
    text = "\n".join(written.texts)
    for number in range(7):
        assert f"Claim {number}" in text
        assert f"Seen {number}" in text
    links = [text_of(each) for each in written.find("//w:hyperlink")]
    assert links[0] == "Overview"
    assert "1.  Claim 0" in links


def test_a_document_too_large_for_its_readers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretch, "MAX_BYTES", 2_000)
    with pytest.raises(StoreFailed, match="JSON, CSV or XLSX"):
        Written(*(Paragraph("text " * 100) for _ in range(10)))


def test_memory_does_not_grow_with_the_records() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", MEMORY],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert int(result.stdout) < 40 * 1024


MEMORY = """
import io, tempfile
from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.docx import DocxWriter
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.records import Adjustments, Section
from tests.unit.test_docx import CLAIMS, EXPORTED_AT, asdict

class Sink:
    def __init__(self):
        self.file = tempfile.TemporaryFile()
    def write(self, data):
        return self.file.write(data)
    def scratch(self):
        return tempfile.TemporaryFile()

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

section = Section("records", CLAIMS, iter, 20_000)
sink, writer = Sink(), DocxWriter()
before = peak()
writer.begin(Document("claims", EXPORTED_AT, EXPORTED_AT, {}, asdict(ExportOptions()), [section]), sink, Adjustments())
writer.begin_section(section)
for start in range(0, 20_000, 500):
    writer.write([
        [f"c{n}", f"Claim {n} " + "about money " * 20, "disputed", 0.5, [[f"e{n}", "supports", "Seen. " * 30]] * 2]
        for n in range(start, start + 500)
    ])
writer.end_section()
writer.end()
writer.close()
print(peak() - before)
sink.file.close()
"""
