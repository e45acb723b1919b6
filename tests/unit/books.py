"""Workbooks made in a line by tests, and read back by openpyxl, calamine and an XML parser."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date, datetime
from typing import Any
from xml.etree import ElementTree

import openpyxl
from python_calamine import CalamineWorkbook

from arkham_shard_export.peers import (
    ACH_EVIDENCE,
    CLAIM_EVIDENCE,
    CLAIMS,
    HYPOTHESES,
    RATINGS,
)
from arkham_shard_export.records import Row, Section
from arkham_shard_export.schema import Column, Kind, Layout
from arkham_shard_export.sources.matrix import SCORES, matrix_scores
from tests.unit.memory import MATRIX_COLUMNS, Written, nested, section_of

TWO = (Column("id"), Column("value"))
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
REFERENCE = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

# ECMA-376 part 1, annex A.2: the sequences of CT_Worksheet and CT_Workbook.
WORKSHEET = (
    "sheetPr dimension sheetViews sheetFormatPr cols sheetData sheetCalcPr sheetProtection protectedRanges scenarios "
    "autoFilter sortState dataConsolidate customSheetViews mergeCells phoneticPr conditionalFormatting dataValidations "
    "hyperlinks printOptions pageMargins pageSetup headerFooter rowBreaks colBreaks customProperties cellWatches "
    "ignoredErrors smartTags drawing legacyDrawing legacyDrawingHF picture oleObjects controls webPublishItems "
    "tableParts extLst"
)
WORKBOOK = (
    "fileVersion fileSharing workbookPr workbookProtection bookViews sheets functionGroups externalReferences "
    "definedNames calcPr oleSize customWorkbookViews pivotCaches smartTagPr smartTagTypes webPublishing fileRecoveryPr "
    "webPublishObjects extLst"
)
FORBIDDEN_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def opened(written: Written) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(written.data))


def unescaped(value: Any) -> Any:
    """openpyxl leaves the escapes of ST_Xstring as they are."""
    return value.replace("_x005F_", "_") if isinstance(value, str) else value


def plain(value: Any) -> Any:
    """Where calamine tells dates from times, and an empty cell from none, openpyxl does not."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return None if value == "" else value


def rows_of(written: Written, sheet: str) -> list[list[Any]]:
    """The rows of a sheet, which both readers must see alike."""
    rows = [[unescaped(cell.value) for cell in row] for row in opened(written)[sheet].iter_rows()]
    other = CalamineWorkbook.from_filelike(io.BytesIO(written.data)).get_sheet_by_name(sheet)
    assert [list(map(plain, row)) for row in other.to_python(skip_empty_area=False)] == rows
    return rows


def values(*cells: Any, kind: Kind = Kind.TEXT) -> Written:
    """A workbook with a record for each value."""
    return book([[str(number), cell] for number, cell in enumerate(cells)], kind=kind)


def book(rows: list[Row], *, kind: Kind = Kind.TEXT, **options: Any) -> Written:
    section = section_of((Column("id"), Column("value", kind)), rows)
    return Written("xlsx", section, target="custom", **options)


def read_back(written: Written) -> list[Any]:
    return [row[1] for row in rows_of(written, "Records")[1:]]


def types(written: Written, sheet: str = "Records") -> list[str]:
    return [row[1].data_type for row in opened(written)[sheet].iter_rows(min_row=2)]


def parts(written: Written) -> dict[str, ElementTree.Element]:
    with zipfile.ZipFile(io.BytesIO(written.data)) as archive:
        return {name: ElementTree.fromstring(archive.read(name)) for name in archive.namelist()}


def sheet_names(written: Written) -> list[str]:
    names: list[str] = opened(written).sheetnames
    assert CalamineWorkbook.from_filelike(io.BytesIO(written.data)).sheet_names == names
    return names


SCORED_COLUMNS = (*MATRIX_COLUMNS, SCORES)
SHEETS_OF_MATRICES = ["Matrices", "Hypotheses", "Evidence", "Ratings", "Scores"]


def matrix(id: str, title: str | None, hypotheses: Any = (), evidence: Any = (), ratings: Any = ()) -> Row:
    """`hypotheses` and `evidence` as dicts, `ratings` as triples of hypothesis, evidence and rating."""
    row: Row = [
        id,
        title,
        "described",
        "who?",
        [nested(HYPOTHESES, matrix_id=id, **each) for each in hypotheses],
        [nested(ACH_EVIDENCE, matrix_id=id, **each) for each in evidence],
        [nested(RATINGS, matrix_id=id, hypothesis_id=h, evidence_id=e, rating=r) for h, e, r in ratings],
    ]
    scores = matrix_scores(
        {
            "hypotheses": hypotheses,
            "evidence": evidence,
            "ratings": [{"hypothesis_id": h, "evidence_id": e, "rating": r} for h, e, r in ratings],
        }
    )
    return [*row, scores]


RATED = matrix(
    "m1",
    "Who paid",
    [{"id": "h1", "title": "The firm"}, {"id": "h2", "title": "=The state"}, {"id": "h3", "title": "The firm"}],
    [
        {"id": "e1", "description": "=Memo\nof May", "evidence_type": "document", "source": "leak",
         "credibility": 0.5, "relevance": 1},
        {"id": "e2", "description": None},
        {"id": "e3", "description": "Call", "credibility": True},
    ],
    [("h1", "e1", "++"), ("h2", "e1", "--"), ("h3", "e1", "N"), ("h1", "e2", "+"), ("h2", "e2", "-"),
     ("h3", "e2", "N/A"), ("h2", "e3", "maybe")],
)  # fmt: skip


def matrices(*rows: Row, **options: Any) -> Written:
    section = section_of(SCORED_COLUMNS, list(rows), layout=Layout.GRID)
    return Written("xlsx", section, target="matrix", **options)


def titled(*titles: str | None) -> Written:
    return matrices(*(matrix(f"m{number}", title) for number, title in enumerate(titles)))


def claims(*rows: Row, batch: int = 2) -> Section:
    evidence = Column("evidence", Kind.RECORDS, columns=CLAIM_EVIDENCE.columns)
    return section_of((*CLAIMS.columns, evidence), rows, batch=batch)


def long_rows(written: Written) -> list[list[Any]]:
    """The rows of that sheet without their row numbers, each of which must lead to a cut cell."""
    workbook = opened(written)
    rows = rows_of(written, "Long text")[1:]
    for sheet, number, *_ in rows:
        # A header belongs to no record.
        assert sheet is None or any("[cut: " in str(cell.value) for cell in workbook[sheet][number]), (
            sheet,
            number,
        )
    return [[sheet, *others] for sheet, _, *others in rows]


def moments(*texts: str | None) -> Written:
    return values(*texts, kind=Kind.TIMESTAMP)
