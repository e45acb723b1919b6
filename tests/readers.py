"""Files as foreign programs read them: openpyxl and calamine, python-docx, poppler and pypdf, LibreOffice."""

from __future__ import annotations

import io
import re
import subprocess
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pypdf
import python_calamine
from docx.oxml.ns import qn

from tests.tools import needed

_HEADER_POINTS, _FOOTER_POINTS = 66, 60


def squeezed(text: str) -> str:
    """What is left of a text for comparing: compatible forms, without spaces, format characters and controls.

    Hyphens go too: poppler takes one at the end of a line for a division of the word.
    """
    plain = unicodedata.normalize("NFKC", text).replace("-", "")
    return "".join(each for each in plain if unicodedata.category(each) not in ("Cf", "Cc", "Zs", "Zl", "Zp"))


def sheets(data: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every sheet by openpyxl; calamine must see as many."""
    book = openpyxl.load_workbook(io.BytesIO(data), read_only=True)
    found = {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}
    book.close()
    other = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data))
    assert other.sheet_names == list(found)
    for name, rows in found.items():
        assert len(other.get_sheet_by_name(name).to_python(skip_empty_area=False)) == len(rows), name
    return found


def table(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The rows of a sheet under its header."""
    header, *others = rows
    return [dict(zip(header, row, strict=False)) for row in others]


def pdf_text(data: bytes) -> str:
    """The text of all pages by poppler, without the running header and the page number.

    Twice: in the order of the page's lines, and in the order in which it was written, since poppler takes lines that
    happen to have gaps below each other for columns.
    """
    reader = pypdf.PdfReader(io.BytesIO(data))
    box = reader.pages[0].mediabox
    height = int(box.height) - _HEADER_POINTS - _FOOTER_POINTS
    area = ["-r", "72", "-x", "0", "-y", str(_HEADER_POINTS), "-W", str(int(box.width)), "-H", str(height)]
    command = [needed("pdftotext", "poppler-utils"), *area, "-enc", "UTF-8"]
    return "\n".join(
        subprocess.run(
            [*command, *order, "-", "-"], input=data, capture_output=True, check=True
        ).stdout.decode()
        for order in ([], ["-raw"])
    )


def docx_text(data: bytes) -> str:
    """The text of all paragraphs, those in tables among them, by python-docx."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    document = docx.Document(io.BytesIO(data))
    return "\n".join(_paragraphs(document.element.body))


def _paragraphs(body: Any) -> Iterator[str]:
    for paragraph in body.iter(qn("w:p")):
        yield "".join(each.text or "" for each in paragraph.iter(qn("w:t")))


def converted(files: list[Path], folder: Path) -> list[Path]:
    """The files as PDF by LibreOffice, which must not complain."""
    profile = f"-env:UserInstallation=file://{folder}/profile"
    command = [needed("soffice", "libreoffice-writer libreoffice-calc"), profile, "--headless", "--norestore"]
    command += ["--convert-to", "pdf", "--outdir", str(folder), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    complaints = re.findall(
        r"(?i)^.*(?:error|repair|corrupt|could not).*$", done.stdout + done.stderr, re.MULTILINE
    )
    assert complaints == []
    results = [folder / f"{each.stem}.pdf" for each in files]
    assert [each for each in results if not each.is_file()] == []
    return results
