"""CSV in every dialect as LibreOffice and pandas open it, with the values intact."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from arkham_shard_export.peers import CLAIMS
from arkham_shard_export.presentation.delimiting import CHOICES, dialect_of
from tests.readers import sheets
from tests.tools import needed
from tests.unit.case import Case, opened

TEXTS = (
    "Grüße aus Köln: äöüß ÄÖÜ",
    "قال الشاهد: «لم أره»، ثم صمت",
    'He said "no"; then, "yes" | or \'maybe\'',
    "two\nlines, with\ttab; and more",
    "=1+1",
    "-5;x",
    "日本語 😀 é",
    " spaces ",
    "'quoted'",
)
IN_WINDOWS = "Grüße aus Köln: äöüß ÄÖÜ – “x” €"
CHARSETS = {"utf-8": "76", "utf-16": "65535", "windows-1252": "1"}


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with opened(tmp_path_factory.mktemp("dialects") / "case") as made:
        for number, text in enumerate(TEXTS):
            made.add(
                CLAIMS, id=f"c{number}", text=text, confidence=0.5 + number, status=None, source_context=""
            )
        yield made


def exported(case: Case, csv: Any, **options: Any) -> bytes:
    columns = ["id", "text", {"name": "confidence", "label": "Gewißheit"}, "status", "source_context"]
    if dialect_of(csv).encoding == "windows-1252":
        columns[2] = {"name": "confidence", "label": "Gewißheit €"}
    return case.export("csv", "claims", columns=columns, csv=csv, spreadsheet_safe=False, **options)


def by_pandas(data: bytes, csv: Any) -> pd.DataFrame:
    dialect = dialect_of(csv)
    encoding = {"utf-16": "utf-16", "windows-1252": "cp1252"}.get(
        dialect.encoding, "utf-8-sig" if dialect.bom else "utf-8"
    )
    return pd.read_csv(
        io.BytesIO(data),
        sep=dialect.delimiter,
        quotechar=dialect.quote,
        encoding=encoding,
        keep_default_na=False,
    )


def by_libreoffice(files: dict[str, tuple[bytes, str]], folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The first sheet of each file, opened by an import filter as its dialogue sets it: a run without one guesses nothing."""
    found = {}
    for name, (data, import_filter) in files.items():
        (folder / f"{name}.csv").write_bytes(data)
        command = [needed("soffice", "libreoffice-calc"), f"-env:UserInstallation=file://{folder}/profile"]
        command += [
            "--headless",
            "--norestore",
            *([f"--infilter=CSV:{import_filter}"] if import_filter else []),
        ]
        command += ["--convert-to", "xlsx", "--outdir", str(folder), str(folder / f"{name}.csv")]
        subprocess.run(command, capture_output=True, timeout=120, check=True)
        (found[name],) = sheets((folder / f"{name}.xlsx").read_bytes()).values()
    return found


def expected(text: str, csv: Any) -> str:
    if dialect_of(csv).encoding != "windows-1252":
        return text
    return "".join(each if _in_windows(each) else f"[U+{ord(each):04X}]" for each in text)


def _in_windows(character: str) -> bool:
    try:
        character.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


DIALECTS: tuple[Any, ...] = (
    "machine",
    "excel",
    "semicolon",
    {"delimiter": "\t", "quote": "'", "line_end": "lf"},
    {"delimiter": "|", "encoding": "utf-16"},
    {"preset": "semicolon", "encoding": "windows-1252"},
)


@pytest.mark.parametrize("csv", DIALECTS, ids=str)
def test_pandas_reads_every_value_as_it_was(case: Case, csv: Any) -> None:
    frame = by_pandas(exported(case, csv), csv)
    assert list(frame["id"]) == [f"c{number}" for number in range(len(TEXTS))]
    assert list(frame["text"]) == [expected(text, csv) for text in TEXTS]
    assert list(frame.iloc[:, 2]) == [0.5 + number for number in range(len(TEXTS))]
    assert frame.columns[2].startswith("Gewißheit")


def test_libreoffice_opens_every_dialect_with_its_values(case: Case, tmp_path: Path) -> None:
    files: dict[str, tuple[bytes, str]] = {}
    for number, csv in enumerate(DIALECTS):
        dialect = dialect_of(csv)
        chosen = f"{ord(dialect.delimiter)},{ord(dialect.quote)},{CHARSETS[dialect.encoding]},1"
        files[f"d{number}"] = (exported(case, csv), chosen)
    found = by_libreoffice(files, tmp_path)
    for number, csv in enumerate(DIALECTS):
        header, *rows = found[f"d{number}"]
        assert str(header[2]).startswith("Gewißheit"), csv
        assert len(rows) == len(TEXTS), csv
        for row, text, place in zip(rows, TEXTS, range(len(TEXTS)), strict=True):
            assert row[1] == expected(text, csv), csv
            assert row[2] == 0.5 + place, csv


def test_nothing_that_is_guarded_is_run_in_any_dialect(case: Case, tmp_path: Path) -> None:
    files = {}
    for number, delimiter in enumerate(CHOICES["delimiter"][1:3]):
        data = case.export("csv", "claims", columns=["text", "id"], csv={"delimiter": delimiter, "bom": True})
        assert case.last is not None
        assert {each["kind"]: each["count"] for each in case.last.adjustments} == {"formula_guard": 2}
        files[f"g{number}"] = (data, f"{ord(delimiter)},34,76,1")
    for rows in by_libreoffice(files, tmp_path).values():
        cells = [row[0] for row in rows[1:]]
        assert "'=1+1" in cells
        assert "'-5;x" in cells


def test_characters_that_the_encoding_lacks_are_counted_one_by_one(case: Case) -> None:
    exported(case, {"encoding": "windows-1252"})
    assert case.last is not None
    (counted,) = case.last.adjustments
    lacking = sum(not _in_windows(character) for text in TEXTS for character in text)
    assert (counted["kind"], counted["count"]) == ("unencodable", lacking)
    assert lacking > 20
    exported(case, {"encoding": "utf-16"})
    assert case.last.adjustments == []


def test_null_and_an_empty_text_differ_in_every_dialect(case: Case) -> None:
    for csv, line in (({"delimiter": ";", "quote": "'"}, ";''\r\n"), ({"line_end": "lf"}, ',""\n')):
        data = case.export("csv", "claims", columns=["status", "source_context"], csv=csv)
        assert data.decode().splitlines(keepends=True)[1] == line
    data = case.export("csv", "claims", columns=["status"], csv={"quote": "'", "line_end": "lf"})
    assert data == b"status\n" + b"''\n" * len(TEXTS)


def test_each_file_of_several_begins_with_the_mark(case: Case) -> None:
    import zipfile

    data = case.export("csv", "timeline", include_gaps=True, csv="excel")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [archive.read(name)[:3] for name in archive.namelist()] == [b"\xef\xbb\xbf"] * 2
    assert case.export("csv", "matrix", csv="excel").startswith(b"\xef\xbb\xbfevidence_id,")
