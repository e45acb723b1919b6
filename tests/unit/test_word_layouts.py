"""Word files as layouts: what somebody made in Word is kept and filled, and what may do harm is refused with the reason."""

from __future__ import annotations

import contextlib
import io
import re
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, RGBColor

from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.formats import wordlayout
from arkham_shard_export.formats.wordlayout import MAX_LAYOUT_BYTES, check_layout, checking
from arkham_shard_export.peers import CLAIM_EVIDENCE, CLAIMS
from tests.readers import converted, docx_text, pdf_text, squeezed
from tests.unit.case import Case, opened

HOSTILE = 'A <w:b/> & "b" {{ 7*7 }} {% x %} ’قيمة’'
Change = Callable[[dict[str, bytes]], None]


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with opened(tmp_path_factory.mktemp("layouts") / "case") as made:
        for number in range(3):
            made.add(CLAIMS, id=f"c{number}", text=f"Claim {number} {HOSTILE}", status="verified")
            made.add(
                CLAIM_EVIDENCE,
                id=f"e{number}",
                claim_id=f"c{number}",
                relationship="supports",
                excerpt="Seen",
            )
        yield made


def letterhead(*paragraphs: str, german: bool = False) -> bytes:
    """As somebody makes it in Word: a field in runs, in the header, in a table; a heading of their own look."""
    made = docx.Document()
    section = made.sections[0]
    section.page_width, section.page_height, section.left_margin = Mm(216), Mm(279), Mm(40)
    heading = made.styles["Heading 1"]
    heading.font.color.rgb = RGBColor(0x8B, 0, 0)
    made.core_properties.author = "J. Secret"
    made.core_properties.title = "{{ 7*7 }}"
    header = section.header.paragraphs[0]
    header.text = "Müller & Partner: {{ ti"
    header.add_run("tle }}").bold = True
    section.footer.paragraphs[0].text = "{{ exported_at }}"
    title = made.add_paragraph(style="Title")
    title.add_run("{{ title")
    title.add_run(" }}")
    table = made.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Records", "{{ record_count }}"
    for text in paragraphs or ("{{ contents }}", "{{ records }}", "The end."):
        made.add_paragraph(text)
    if german:
        heading.element.set(qn("w:styleId"), "berschrift1")
        for name, own in (("Foo", "Heading1"), ("Bar", "Lead")):
            made.styles.element.append(
                parse_xml(
                    f'<w:style {nsdecls("w")} w:type="paragraph" w:customStyle="1" w:styleId="{own}"><w:name w:val="{name}"/>'
                    "<w:rPr><w:i/></w:rPr></w:style>"
                )
            )
        made.add_paragraph("In the style Foo")._p.get_or_add_pPr().append(
            parse_xml(f'<w:pStyle {nsdecls("w")} w:val="Heading1"/>')
        )
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def changed(data: bytes, change: Change) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return stream.getvalue()


def in_body(xml: str) -> Change:
    """Puts something in front of the text."""

    def change(parts: dict[str, bytes]) -> None:
        parts["word/document.xml"] = parts["word/document.xml"].replace(
            b"<w:body>", b"<w:body>" + xml.encode(), 1
        )

    return change


def relation(kind: str, target: str, mode: str = "External") -> Change:
    def change(parts: dict[str, bytes]) -> None:
        office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        added = f'<Relationship Id="rX" Type="{office}/{kind}" Target="{target}" TargetMode="{mode}"/></Relationships>'
        name = "word/_rels/document.xml.rels"
        parts[name] = parts[name].replace(b"</Relationships>", added.encode())

    return change


def part(name: str, content_type: str, data: bytes = b"x") -> Change:
    def change(parts: dict[str, bytes]) -> None:
        parts[name] = data
        types = "[Content_Types].xml"
        added = f'<Override PartName="/{name}" ContentType="{content_type}"/></Types>'
        parts[types] = parts[types].replace(b"</Types>", added.encode())

    return change


def retyped(before: str, after: str) -> Change:
    def change(parts: dict[str, bytes]) -> None:
        types = "[Content_Types].xml"
        assert before.encode() in parts[types]
        parts[types] = parts[types].replace(before.encode(), after.encode())

    return change


def paragraph(runs: str) -> str:
    return f"<w:p>{runs}</w:p>"


def text(words: str) -> str:
    return paragraph(f"<w:r><w:t>{words}</w:t></w:r>")


def field(instruction: str, inner: str = "") -> str:
    mark = '<w:r><w:fldChar w:fldCharType="{}"/></w:r>'
    return (
        f"{mark.format('begin')}<w:r><w:instrText> {instruction} </w:instrText></w:r>{inner}"
        f"{mark.format('separate')}<w:r><w:t>x</w:t></w:r>{mark.format('end')}"
    )


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        check_layout(data, "file")
    (problem,) = caught.value.problems
    assert problem.field == "file"
    return problem.message


# What is accepted


def test_a_letterhead_is_accepted_and_told_of() -> None:
    info = check_layout(letterhead())
    assert info.fields == ("contents", "exported_at", "record_count", "records", "title")
    assert info.paper == "216 × 279 mm"
    assert len(info.sha256) == 64


def test_a_report_stands_in_the_layout_with_its_fields_filled(case: Case) -> None:
    layout = letterhead("{{ subtitle }}", "{{ contents }}", "{{ records }}", "The end.")
    front = {"title": HOSTILE, "subtitle": "Volume <1>"}
    data = case.laid_out(
        layout,
        "docx",
        "claims",
        layout="x",
        report=front,
        columns=["text", "status", "evidence"],
        max_records=2,
    )
    found = docx_text(data).splitlines()
    assert found[0] == HOSTILE
    assert found[1:4] == ["Records", "2", "Volume <1>"]
    assert found[-1] == "The end."
    order = [
        len(found) - found[::-1].index(each)
        for each in ("Contents", "What is not in this file, or was changed", "Claims")
    ]
    assert order == sorted(order)
    assert any(each.startswith("– 1 left out of records: max_records is 2.") for each in found)
    document = docx.Document(io.BytesIO(data))
    assert document.sections[0].header.paragraphs[0].text == f"Müller & Partner: {HOSTILE}"
    assert document.sections[0].footer.paragraphs[0].text == "2026-11-22 13:00:00 UTC"
    assert round(document.sections[0].page_width.mm) == 216
    properties = document.core_properties
    assert (properties.title, properties.author) == (HOSTILE, "arkham-shard-export")
    assert b"Secret" not in data
    headings = [each.text for each in document.paragraphs if each.style.name == "Heading 1"]
    assert headings == ["Overview", "Claims"]
    assert document.styles["Heading 1"].font.color.rgb == RGBColor(0x8B, 0, 0)
    assert document.styles["Fact label"]


def test_it_is_the_same_bytes_each_time_and_all_libreoffice_needs(case: Case, tmp_path: Path) -> None:
    layout = letterhead()
    data = case.laid_out(layout, "docx", "claims", layout="x", report={"title": HOSTILE})
    assert case.laid_out(layout, "docx", "claims", layout="x", report={"title": HOSTILE}) == data
    (tmp_path / "report.docx").write_bytes(data)
    (pdf,) = converted([tmp_path / "report.docx"], tmp_path)
    words = squeezed(pdf_text(pdf.read_bytes()))
    for expected in ("Records 3", 'Claim 2 A <w:b/> & "b" {{ 7*7 }}', "The end."):
        assert squeezed(expected) in words


def test_styles_are_found_by_their_names_whatever_their_ids(case: Case) -> None:
    data = case.laid_out(letterhead(german=True), "docx", "claims", layout="x")
    document = docx.Document(io.BytesIO(data))
    by_name = {each.name: each for each in document.styles}
    assert by_name["Heading 1"].style_id == "Heading1"
    assert by_name["Heading 1"].font.color.rgb == RGBColor(0x8B, 0, 0)
    (own,) = (each for each in document.paragraphs if each.text == "In the style Foo")
    assert own.style.name == "Foo"
    assert own.style.font.italic
    assert [each.text for each in document.paragraphs if each.style.name == "Heading 1"] == [
        "Overview",
        "Claims",
    ]
    ids = [each.style_id for each in document.styles]
    assert len(ids) == len(set(ids))
    assert by_name["Lead"].style_id == "Lead"


def test_conditions_and_loops_over_lists_keep_paragraphs(case: Case) -> None:
    layout = letterhead(
        "{%p if notes %}", "Left out:", "{%p for note in notes %}", "* {{ note }}", "{%p endfor %}", "{%p endif %}",
        "{{ records }}", "{%p for fact in facts %}", "{{ fact.name }} = {{ fact.value }}", "{%p endfor %}",
    )  # fmt: skip
    found = docx_text(case.laid_out(layout, "docx", "claims", layout="x", max_records=1)).splitlines()
    assert found[3:5] == ["Left out:", "* 2 left out of records: max_records is 1."]
    assert "Records in this file = 1" in found
    assert "What is not in this file, or was changed" not in found
    found = docx_text(case.laid_out(layout, "docx", "claims", layout="x")).splitlines()
    assert "Left out:" not in found


def test_a_landscape_section_gives_tables_their_width(case: Case) -> None:
    def widen(parts: dict[str, bytes]) -> None:
        parts["word/document.xml"] = re.sub(
            rb"<w:pgSz [^>]*/>",
            b'<w:pgSz w:w="20000" w:h="10000" w:orient="landscape"/>',
            parts["word/document.xml"],
        )

    data = case.laid_out(changed(letterhead(), widen), "docx", "claims", layout="x")
    (grid,) = {
        sum(int(each.get(qn("w:w"))) for each in table._tbl.tblGrid)
        for table in docx.Document(io.BytesIO(data)).tables[1:]
    }
    assert 20000 - 2 * 2268 - 400 < grid < 20000


def test_sections_of_the_report_can_be_off_in_a_layout_too(case: Case) -> None:
    off = {"sections": {"contents": False, "overview": False}}
    found = docx_text(case.laid_out(letterhead(), "docx", "claims", layout="x", report=off))
    assert "Contents" not in found
    assert "Overview" not in found
    assert "Claim 2" in found


@pytest.mark.parametrize("report", [{"logo": "data:image/png;base64,AAAA"}, {"paper": "a4"}])
def test_what_the_layout_has_itself_is_not_asked_for_besides(case: Case, report: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        case.laid_out(letterhead(), "docx", "claims", layout="x", report=report)
    assert f"options.report.{next(iter(report))}" in {each.field for each in caught.value.problems}


def test_a_layout_needs_its_library_and_a_format_that_has_layouts(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest, match="does not apply to PDF report"):
        case.export("pdf", "claims", layout="x")
    with pytest.raises(InvalidRequest, match="There is no layout"):
        case.export("docx", "claims", layout="x")
    monkeypatch.setattr(checking, "find_spec", lambda _name: None)
    assert "pip install arkham-shard-export[word]" in refusal(letterhead())
    with pytest.raises(InvalidRequest, match=r"arkham-shard-export\[word\]"):
        case.laid_out(letterhead(), "docx", "claims", layout="x")
    assert wordlayout.missing_library() is not None


# What is refused


def bomb() -> bytes:
    return changed(
        letterhead(), part("word/media/image9.png", "image/png", b"\x89PNG\r\n\x1a\n" + b"\0" * (51 << 20))
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no Word document"),
        (b"PK\3\4 and nothing", "no Word document"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "old form"),
        (b"x" * (MAX_LAYOUT_BYTES + 1), "at most 5 MiB"),
    ],
    ids=["empty", "cut", "doc", "large"],
)
def test_what_is_no_word_document_is_refused(data: bytes, said: str) -> None:
    assert said in refusal(data)


def test_what_unpacks_to_too_much_is_refused_without_unpacking_it() -> None:
    data = bomb()
    assert len(data) < 1 << 20
    assert "unpacks to too much" in refusal(data)
    many = changed(letterhead(), lambda parts: parts.update({f"word/x{n}.xml": b"<a/>" for n in range(600)}))
    assert "parts" in refusal(many)
    large = changed(letterhead(), in_body(text("x" * (3 << 20))))
    assert "unpacks to too much" in refusal(large)


MAIN = "wordprocessingml.document.main+xml"
HOSTILE_FILES: tuple[tuple[str, Change, str], ...] = (
    ("macros", part("word/vbaProject.bin", "application/vnd.ms-office.vbaProject"), "macros"),
    ("docm", retyped(f"application/vnd.openxmlformats-officedocument.{MAIN}",
                     "application/vnd.ms-word.document.macroEnabled.main+xml"), "macros"),
    ("dotx", retyped(MAIN, "wordprocessingml.template.main+xml"), "template"),
    ("object", part("word/embeddings/o.bin", "application/vnd.openxmlformats-officedocument.oleObject"), "embedded object"),
    ("activex", part("word/activeX/a.xml", "application/vnd.ms-office.activeX+xml", b"<a/>"), "ActiveX"),
    ("html", part("word/a.html", "text/html"), "no layout may have"),
    ("emf", part("word/media/i.emf", "image/x-emf"), "no layout may have"),
    ("false picture", part("word/media/i.png", "image/png", b"MZ"), "none of the kind"),
    ("untyped", lambda parts: parts.update({"word/evil.bin": b"x"}), "no layout may have"),
    ("path", lambda parts: parts.update({"../evil.xml": b"<a/>"}), "no layout has"),
    ("remote template", relation("attachedTemplate", "https://example.org/t.dotm"), "attached to a template"),
    ("remote picture", relation("image", "https://example.org/i.png"), "outside of it"),
    ("file link", relation("hyperlink", "file:///etc/passwd"), "outside of it"),
    ("script link", relation("hyperlink", "javascript:alert(1)"), "outside of it"),
    ("ole link", relation("oleObject", "file:///c:/x.xls"), "refers to something that no layout may"),
    ("sub document", relation("subDocument", "x.docx"), "refers to something that no layout may"),
    ("missing part", relation("image", "media/none.png", "Internal"), "a part that it has not"),
    ("above the root", relation("image", "../../../etc/passwd", "Internal"), "a part that it has not"),
    ("DTD", lambda parts: parts.update({"word/document.xml": b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + parts["word/document.xml"]}),
     "document type"),
    ("no XML", lambda parts: parts.update({"word/document.xml": b"<w:document"}), "no XML"),
    ("instruction", in_body("<?arkham-export records?>"), "instructions in its XML"),
    ("comment", in_body("<!-- x -->"), "instructions in its XML"),
    ("strict", lambda parts: parts.update({"word/document.xml": parts["word/document.xml"].replace(
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main", b"http://purl.oclc.org/ooxml/wordprocessingml/main")}),
     "Strict"),
    ("alien chunk", in_body('<w:altChunk r:id="rId1"/>'), "embedded"),
    ("DDE", in_body(paragraph(field('DDEAUTO c:\\\\cmd.exe "/k calc"'))), "Word field DDEAUTO"),
    ("DDE in pieces", in_body(paragraph(
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>DD</w:instrText></w:r>'
        '<w:r><w:instrText>E x</w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>')), "Word field DDE"),
    ("simple field", in_body(paragraph('<w:fldSimple w:instr="INCLUDETEXT c:/x"/>')), "INCLUDETEXT"),
    ("remote field", in_body(paragraph(field('INCLUDEPICTURE "http://example.org/x.png"'))), "INCLUDEPICTURE"),
    ("recursive field", in_body(paragraph(field("QUOTE", field("PAGE")))), "recursive field"),
    ("unended field", in_body(paragraph('<w:r><w:fldChar w:fldCharType="begin"/></w:r>')), "does not end"),
    ("unbegun field", in_body(paragraph('<w:r><w:fldChar w:fldCharType="end"/></w:r>')), "out of order"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"), [each[1:] for each in HOSTILE_FILES], ids=[each[0] for each in HOSTILE_FILES]
)
def test_what_may_do_harm_is_refused_with_the_reason(change: Change, said: str) -> None:
    assert said in refusal(changed(letterhead(), change))


def test_fields_of_word_that_show_the_document_itself_are_kept() -> None:
    for instruction in ("PAGE", "NUMPAGES", 'STYLEREF "Heading 1"', 'DATE \\@ "d.M.yyyy"'):
        check_layout(changed(letterhead(), in_body(paragraph(field(instruction)))))
    check_layout(changed(letterhead(), relation("hyperlink", "https://example.org/contact")))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("{{ colour }}", "unknown field, 'colour'. There are: title"),
        ("{{ title.__class__ }}", "may not do (Getattr)"),
        ("{{ title.__class__.__mro__ }}", "may not do"),
        ("{{ title | upper }}", "may not do (Filter)"),
        ("{{ range(1000000000) }}", "may not do (Call)"),
        ("{{ 'x' * 1000000000 }}", "may not do (Mul)"),
        ("{{ 7 }}", "may not do (Const)"),
        ("{{ self }}", "unknown field"),
        ("{{ cycler }}", "unknown field"),
        ("{{ {{ title }} }}", "ends in one paragraph"),
        ("{{ title", "ends in one paragraph"),
        ("title }}", "ends in one paragraph"),
        ("{# comment #}", "ends in one paragraph"),
        ("{{ }}", "cannot be read"),
        ("{% if %}x{% endif %}", "cannot be read"),
        ("{% endif %}", "cannot be read"),
        ("{% set x = 1 %}", "may not do (Assign)"),
        ("{% include '/etc/passwd' %}", "may not do (Include)"),
        ("{% import 'x' as y %}", "may not do (Import)"),
        ("{% macro m() %}{% endmacro %}", "may not do (Macro)"),
        ("{% for x in title %}{% endfor %}", "not plainly over one of notes, facts"),
        ("{% for x in notes recursive %}{{ x }}{% endfor %}", "not plainly"),
        ("{% for x in notes if title %}{{ x }}{% endfor %}", "not plainly"),
        ("{% for x in notes %}{% for y in facts %}{% endfor %}{% endfor %}", "loop within a loop"),
        ("{% for title in notes %}{% endfor %}", "which is a field"),
        ("{% for x in facts %}{{ x.__class__ }}{% endfor %}", "A fact has no '__class__'"),
        ("{% for x in notes %}{{ loop.index }}{% endfor %}", "may not do"),
        ("{{p title }}", "another kind"),
        ("{{r title }}", "another kind"),
        ("{%- if notes %}{% endif %}", "another kind"),
        ("{% vm %}", "another kind"),
        ("{% colspan title %}", "another kind"),
        ("see {{ records }}", "must stand alone"),
        ("{{ records }}", "must stand alone"),
        ("{% if records %}x{% endif %}", "must stand alone"),
    ],
)  # fmt: skip
def test_a_field_that_there_is_not_is_named(words: str, said: str) -> None:
    assert said in refusal(letterhead(words, "{{ records }}"))


def test_records_have_one_place_of_their_own() -> None:
    assert "no place for the records" in refusal(letterhead("{{ title }}"))
    assert "condition or a loop" in refusal(letterhead("{%p if notes %}", "{{ records }}", "{%p endif %}"))
    in_a_header = letterhead("{{ records }}")

    def into_header(parts: dict[str, bytes]) -> None:
        name = next(each for each in parts if each.startswith("word/header"))
        parts[name] = parts[name].replace(b"</w:hdr>", text("{{ records }}").encode() + b"</w:hdr>")

    assert "must stand alone" in refusal(changed(in_a_header, into_header))


def test_conditions_that_would_tear_tables_apart_are_refused() -> None:
    torn = "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>{% if notes %}</w:t></w:r></w:p></w:tc></w:tr></w:tbl>" + text(
        "{% endif %}"
    )
    assert "keep paragraphs and tables whole" in refusal(changed(letterhead(), in_body(torn)))


def test_a_field_in_an_attribute_is_refused() -> None:
    drawing = '<w:p><w:bookmarkStart w:id="1" w:name="{{ title }}"/><w:bookmarkEnd w:id="1"/></w:p>'
    assert "{{" in refusal(changed(letterhead(), in_body(drawing)))


@pytest.mark.parametrize(
    "xml",
    [
        text("{{ title }} ") * 199,
        text("{{ title }} " * 1000),
        text("{" * 100_000),
        "<w:tbl><w:tblGrid/><w:tr>" + "<w:tc><w:p/></w:tc>" * 25_000 + "</w:tr></w:tbl>",
        paragraph("<w:r><w:t>x</w:t></w:r>" * 20_000),
        "<w:p>" * 200 + "</w:p>" * 200,
        "<w:p>" * 5_000 + "</w:p>" * 5_000,
    ],
    ids=["many fields", "too many fields", "braces", "cells", "runs", "deep", "too deep"],
)
def test_nothing_that_is_large_in_a_small_file_takes_long(xml: str) -> None:
    """Some seconds of one core are what a check may take: the bounds of a layout are set by that."""
    began = time.process_time()
    with contextlib.suppress(InvalidRequest):
        check_layout(changed(letterhead(), in_body(xml)))
    assert time.process_time() - began < 60
