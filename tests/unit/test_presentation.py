"""How an export is to look: what is well formed and means something is accepted, all else is refused by its field."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats import FORMATS, specs
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.pipeline import ExportRequest, check_request
from arkham_shard_export.presentation.delimiting import PRESETS, dialect_of
from arkham_shard_export.presentation.pictures import KEPT_BYTES, MAX_BYTES, made_anew, picture_of
from arkham_shard_export.targets import TARGETS


def check(format: str, target: str = "claims", **options: Any) -> ExportRequest:
    return check_request(format, TARGETS[target], {}, options)


def refused(format: str, target: str = "claims", **options: Any) -> dict[str, FieldProblem]:
    with pytest.raises(InvalidRequest) as caught:
        check(format, target, **options)
    json.dumps([each.value for each in caught.value.problems])
    return {problem.field: problem for problem in caught.value.problems}


# Columns


def test_a_list_of_columns_is_meant_for_the_records() -> None:
    assert check("csv", columns=["id", "text"]).options.columns == {"records": ["id", "text"]}


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ([], "options.columns"),
        ({}, "options.columns"),
        ("id", "options.columns"),
        (7, "options.columns"),
        ({"records": "id"}, "options.columns.records"),
        ([1], "options.columns[0]"),
        ([{"label": "x"}], "options.columns[0]"),
        ([{"name": "id", "colour": "red"}], "options.columns[0]"),
        (["id", "id"], "options.columns[1]"),
        (["id", {"name": "text", "label": "id"}], "options.columns[1]"),
        ([{"name": "id", "label": "a\nb"}], "options.columns[0].label"),
        ([{"name": "id", "label": "\ud800"}], "options.columns[0].label"),
        ([{"name": "id", "label": " "}], "options.columns[0].label"),
        ([{"name": "id", "label": "x" * 121}], "options.columns[0].label"),
        ([{"name": "id", "label": ["x"]}], "options.columns[0].label"),
        (["id", "colour"], "options.columns.records[1]"),
        (["tenant_id"], "options.columns.records[0]"),
        ({"records": ["id"], "pages": ["id"]}, "options.columns.pages"),
        ({"evidence": ["colour"]}, "options.columns.evidence[0]"),
        ({"../x": ["id"]}, "options.columns.../x"),
    ],
)
def test_columns_that_are_not_there_or_badly_formed_are_named(columns: Any, field: str) -> None:
    problem = refused("xlsx", columns=columns)[field]
    if "colour" in str(columns) and "name" not in str(columns):
        assert "id" in problem.valid


def test_a_graph_has_several_sections_and_a_list_does_not_say_which() -> None:
    problem = refused("csv", "graph", columns=["id"])["options.columns"]
    assert problem.valid == ("nodes", "edges")
    check("csv", "graph", columns={"nodes": ["id"], "edges": ["source_id", "target_id"]})


def test_columns_that_a_format_alone_has_are_refused_in_others() -> None:
    check("xlsx", "graph", columns={"edges": ["source_name"]})
    assert refused("json", "graph", columns={"edges": ["source_name"]})
    check("csv", "timeline", columns=["entity_names"])
    assert refused("json", "timeline", columns=["entity_names"])


def test_what_was_not_asked_for_has_no_columns_to_choose() -> None:
    assert refused("csv", columns=["id", "evidence"], include_relationships=False)
    assert refused("csv", "timeline", columns={"gaps": ["gap_days"]})
    check("csv", "timeline", columns={"gaps": ["gap_days"]}, include_gaps=True)


def test_labels_are_refused_where_nothing_is_called_by_them() -> None:
    labelled: list[Any] = [{"name": "id", "label": "No."}]
    assert [*refused("json", columns=labelled)] == ["options.columns.records[0].label"]
    assert [*refused("csv", columns={"evidence": labelled})] == ["options.columns.evidence[0].label"]
    for format in ("xlsx", "pdf", "docx"):
        check(format, columns={"records": [*labelled, "evidence"], "evidence": labelled})


def test_the_grid_of_a_matrix_keeps_what_it_is_made_of() -> None:
    assert [*refused("csv", "matrix", columns=["id"])] == ["options.columns"]
    assert [*refused("pdf", "matrix", columns={"evidence": ["id"]})] == ["options.columns.evidence"]
    everything = ["id", "title", "hypotheses", "evidence", "ratings"]
    assert [*refused("pdf", "matrix", columns=everything[1:])] == ["options.columns.records"]
    check("pdf", "matrix", columns=everything)
    check("pdf", "matrix", columns={"records": ["status", "evidence"], "evidence": ["id"]})
    check("json", "matrix", columns={"evidence": ["id"]})


def test_a_sheet_has_more_than_what_stands_on_other_sheets() -> None:
    assert [*refused("xlsx", columns=["evidence"])] == ["options.columns.records"]
    check("xlsx", "documents", columns=["project", "pages"])
    check("pdf", columns=["evidence"])


# The dialect of CSV


def test_presets_are_where_a_dialect_starts_from() -> None:
    assert dialect_of("excel").mark == b"\xef\xbb\xbf"
    assert dialect_of({"preset": "semicolon", "bom": False}).delimiter == ";"
    assert dialect_of({"encoding": "utf-16"}).mark == b"\xff\xfe"
    assert dialect_of({"preset": "excel", "encoding": "windows-1252"}).mark == b""
    assert dialect_of(None) == dialect_of("machine") == dialect_of({}) == PRESETS["machine"]


@pytest.mark.parametrize(
    ("csv", "field"),
    [
        ("Excel", "options.csv"),
        (["excel"], "options.csv"),
        ({"delimiter": "a"}, "options.csv.delimiter"),
        ({"delimiter": "\n"}, "options.csv.delimiter"),
        ({"delimiter": ""}, "options.csv.delimiter"),
        ({"quote": ","}, "options.csv.quote"),
        ({"quote": ["'"]}, "options.csv.quote"),
        ({"encoding": "idna"}, "options.csv.encoding"),
        ({"encoding": "utf-16", "bom": False}, "options.csv.bom"),
        ({"encoding": "windows-1252", "bom": True}, "options.csv.bom"),
        ({"bom": "yes"}, "options.csv.bom"),
        ({"line_end": "\r"}, "options.csv.line_end"),
        ({"preset": "tsv"}, "options.csv.preset"),
        ({"decimal": ","}, "options.csv.decimal"),
    ],
)
def test_a_dialect_that_there_is_not_is_refused_by_its_part(csv: Any, field: str) -> None:
    problem = refused("csv", csv=csv)[field]
    assert problem.valid or field.endswith("bom")


# What applies where


@pytest.mark.parametrize(
    ("name", "value", "formats"),
    [
        ("csv", "excel", {"csv"}),
        ("date_format", "date", {"csv", "xlsx", "pdf", "docx"}),
        ("time_zone", "Europe/Berlin", {"json", "csv", "xlsx", "pdf", "docx"}),
        ("columns", ["id"], {"json", "csv", "xlsx", "pdf", "docx"}),
        ("report", {"title": "x"}, {"xlsx", "pdf", "docx"}),
        ("report", {"paper": "letter"}, {"pdf", "docx"}),
        ("report", {"sections": {"charts": False}}, {"pdf", "docx"}),
    ],
)
def test_each_is_honoured_or_refused_with_its_name(name: str, value: Any, formats: set[str]) -> None:
    for format in FORMATS:
        if format in formats:
            check(format, **{name: value})
        else:
            (field,) = refused(format, **{name: value})
            assert field.startswith(f"options.{name}")


def test_a_workbook_without_its_first_sheet_has_no_place_for_a_title() -> None:
    assert [*refused("xlsx", report={"title": "x"}, include_metadata=False)] == ["options.report"]


@pytest.mark.parametrize(
    ("report", "field"),
    [
        ("x", "options.report"),
        ({"colour": "red"}, "options.report.colour"),
        ({"title": "a\nb"}, "options.report.title"),
        ({"title": "x" * 201}, "options.report.title"),
        ({"subtitle": 7}, "options.report.subtitle"),
        ({"paper": "../a4"}, "options.report.paper"),
        ({"paper": ["a4"]}, "options.report.paper"),
        ({"sections": ["contents"]}, "options.report.sections"),
        ({"sections": {"title": False}}, "options.report.sections.title"),
        ({"sections": {"contents": "off"}}, "options.report.sections.contents"),
    ],
)
def test_a_wrong_part_of_a_report_is_named(report: Any, field: str) -> None:
    assert field in refused("pdf", report=report)


@pytest.mark.parametrize("option", ["columns", "time_zone", "date_format", "csv", "report", "layout"])
@pytest.mark.parametrize(
    "value", [5, [], {}, [None], {"x": {}}, "x" * 5000, "\0", True, 1e99, {"logo": "x"}], ids=repr
)
def test_no_value_of_any_kind_does_more_than_being_refused(option: str, value: Any) -> None:
    for spec in specs():
        if value != {} or option not in ("csv", "report"):
            assert all(each.startswith("options.") for each in refused(spec.format, **{option: value}))
    assert ExportOptions(**{option: value})


# Logos


def uri(image: Image.Image, kind: str = "PNG", **more: Any) -> str:
    data = io.BytesIO()
    image.save(data, kind, **more)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(data.getvalue()).decode()}"


def raw(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def png_of(width: int, height: int) -> bytes:
    """A header that promises so many pixels, and nothing of them."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_a_logo_is_made_anew_and_brings_nothing_along() -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    exif[0x010E] = "secret place"
    given = (
        uri(Image.new("RGB", (900, 300), "red"), "JPEG", exif=exif)
        + base64.b64encode(b"xxPK\3\4hidden").decode()
    )
    given = raw(base64.b64decode(given.split(",")[1].split("=")[0] + "==") + b"PK\3\4hidden", "jpeg")
    made = made_anew(given)
    assert isinstance(made, str)
    picture = picture_of(made)
    assert (picture.width, picture.height) == (600, 200)
    assert b"secret" not in picture.data
    assert b"hidden" not in picture.data
    assert made_anew(made) == made


def test_a_logo_that_shows_through_stays_so() -> None:
    made = made_anew(uri(Image.new("RGBA", (40, 20), (255, 0, 0, 60))))
    assert isinstance(made, str)
    with Image.open(io.BytesIO(picture_of(made).data)) as image:
        assert image.getpixel((5, 5)) == (255, 0, 0, 60)
    assert picture_of(made).size == (30.0, 15.0)


def test_a_photograph_is_kept_small() -> None:
    noise = Image.effect_noise((1000, 400), 90).convert("RGB")
    made = made_anew(uri(noise, "JPEG"))
    assert isinstance(made, str)
    assert len(picture_of(made).data) <= KEPT_BYTES


@pytest.mark.parametrize(
    ("logo", "said"),
    [
        ("https://example.org/logo.png", "data URI"),
        ("data:image/svg+xml;base64,PHN2Zz4=", "data URI"),
        ("data:image/png;base64,@@@", "data URI"),
        ("data:image/png;base64,AAA", "base64"),
        ("data:image/png;base64,", "0 bytes"),
        (raw(b"x" * (MAX_BYTES + 1)), "bytes"),
        (raw(b"GIF89a"), "cannot be read as PNG"),
        (raw(b"\x89PNG\r\n\x1a\n" + b"\0" * 50), "cannot be read as PNG"),
        (raw(png_of(60_000, 60_000)), "cannot be read as PNG"),
        (raw(png_of(5_000, 10)), "5000 × 10 pixels"),
        (raw(png_of(100, 100)), "cannot be read as PNG"),
        (raw(b"\xff\xd8\xff\xe0", "jpeg"), "cannot be read as JPEG"),
        (5, "data URI"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_logo_that_cannot_be_one_is_refused_with_the_reason(logo: Any, said: str) -> None:
    problem = refused("pdf", report={"logo": logo})["options.report.logo"]
    assert said in problem.message
