"""The front and the paper of a report, as foreign readers find them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import docx
import pypdf
import pytest
from PIL import Image

from arkham_shard_export.peers import CLAIMS, MATRICES, TIMELINE_EVENTS
from tests.readers import docx_text, pdf_text, sheets, squeezed
from tests.unit.case import Case, opened

HOSTILE = "A <b>&amp; #let x = 1 {{ 7*7 }} =1+1 \\u{41} $x$ “x” قيمة"
POINTS = {"a4": (595, 842), "a3": (842, 1191), "letter": (612, 792), "legal": (612, 1008)}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with opened(tmp_path_factory.mktemp("front") / "case") as made:
        for number in range(3):
            made.add(CLAIMS, id=f"c{number}", text=f"Claim {number}", status="verified")
            made.add(
                TIMELINE_EVENTS, id=f"t{number}", text=f"Event {number}", date_start=f"2024-0{number + 1}-01"
            )
        made.add(MATRICES, id="m", title="Matrix")
        yield made


def logo(kind: str = "PNG") -> str:
    data = io.BytesIO()
    Image.new("RGB", (800, 400), "navy").save(data, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode()}"


def read(format: str, data: bytes) -> str:
    return pdf_text(data) if format == "pdf" else docx_text(data)


def page_points(format: str, data: bytes) -> tuple[int, int]:
    if format == "pdf":
        sizes = {
            (round(float(page.mediabox.width)), round(float(page.mediabox.height)))
            for page in pypdf.PdfReader(io.BytesIO(data)).pages
        }
        (size,) = sizes
        return size
    section = docx.Document(io.BytesIO(data)).sections[0]
    return round(section.page_width.pt), round(section.page_height.pt)


@pytest.mark.parametrize("format", ["pdf", "docx"])
def test_a_title_of_ones_own_is_text_everywhere_it_stands(case: Case, format: str) -> None:
    data = case.export(format, "claims", report={"title": HOSTILE, "subtitle": f"Under {HOSTILE}"})
    text = squeezed(read(format, data))
    shown = squeezed("A <b>&amp; #let x = 1 {{ 7*7 }} =1+1 \\u{41} $x$ “x”")
    assert text.count(shown) >= 2
    if format == "pdf":
        reader = pypdf.PdfReader(io.BytesIO(data))
        assert reader.xmp_metadata is not None
        assert reader.xmp_metadata.dc_title == {"x-default": HOSTILE}
        header = reader.pages[-1].extract_text()
    else:
        document = docx.Document(io.BytesIO(data))
        assert document.core_properties.title == HOSTILE
        header = document.sections[0].header.paragraphs[0].text
    assert shown[:20] in squeezed(header)
    assert case.last is not None
    assert case.last.adjustments == []


@pytest.mark.parametrize("format", ["pdf", "docx"])
@pytest.mark.parametrize("paper", POINTS)
def test_a_report_stands_on_the_paper_asked_for(case: Case, format: str, paper: str) -> None:
    data = case.export(format, "claims", report={"paper": paper})
    assert page_points(format, data) == POINTS[paper]
    wide = case.export(format, "matrix", report={"paper": paper})
    assert page_points(format, wide) == POINTS[paper][::-1]


@pytest.mark.parametrize("format", ["pdf", "docx"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_logo_stands_on_the_title_page_alone(case: Case, format: str, kind: str) -> None:
    data = case.export(format, "claims", report={"logo": logo(kind)})
    if format == "pdf":
        pages = pypdf.PdfReader(io.BytesIO(data)).pages
        assert [len(page.images) for page in pages] == [1] + [0] * (len(pages) - 1)
        picture = pages[0].images[0].image
        assert picture is not None
        assert picture.size == (480, 240)
    else:
        (shape,) = docx.Document(io.BytesIO(data)).inline_shapes
        assert (round(shape.width.pt), round(shape.height.pt)) == (136, 68)


@pytest.mark.parametrize("format", ["pdf", "docx"])
@pytest.mark.parametrize(
    ("off", "gone", "left"),
    [
        ("contents", "Contents", "Overview"),
        ("overview", "by type", "Contents"),
        ("charts", "3 dated events by", "Events by type"),
    ],
)
def test_sections_that_are_off_are_not_in_the_report(
    case: Case, format: str, off: str, gone: str, left: str
) -> None:
    whole = read(format, case.export(format, "timeline"))
    assert gone in whole
    some = read(format, case.export(format, "timeline", report={"sections": {off: False}}))
    assert gone not in some
    assert left in some
    assert "Event 2" in some


def test_a_pdf_without_contents_has_a_title_page_and_no_empty_one(case: Case) -> None:
    whole = pypdf.PdfReader(io.BytesIO(case.export("pdf", "claims")))
    some = pypdf.PdfReader(io.BytesIO(case.export("pdf", "claims", report={"sections": {"contents": False}})))
    assert len(some.pages) == len(whole.pages) - 1
    assert len(some.outline) == len(whole.outline)
    assert all(page.extract_text().strip() for page in some.pages)


def test_a_workbook_is_headed_by_its_title_and_subtitle(case: Case) -> None:
    import openpyxl

    data = case.export("xlsx", "claims", report={"title": HOSTILE, "subtitle": "=SUM(A1)"})
    about: list[Any] = sheets(data)["About"]
    assert about[0][0] == HOSTILE
    assert about[1][0] == "=SUM(A1)"
    book = openpyxl.load_workbook(io.BytesIO(data))
    assert book.properties.title == HOSTILE
    assert book["About"]["A2"].data_type != "f"
