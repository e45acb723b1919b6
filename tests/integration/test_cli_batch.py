"""`arkham-export batch` straight from real databases: several exports of one moment in one file."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.commands import Commands
from tests.conftest import new_database

RECORDS = 40


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def seeded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder, url = tmp_path_factory.mktemp("batch"), ""
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgres_server"))
        seed_postgres(url, RECORDS)
    else:
        seed_sqlite(folder, RECORDS)
    return folder, url


@pytest.fixture(autouse=True)
def place(seeded: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, url = seeded
    monkeypatch.setenv("ARKHAM_EXPORT_DATA", str(folder))
    monkeypatch.setenv("ARKHAM_EXPORT_DATABASE_URL", url)


def test_parts_in_words_become_the_files_of_a_zip(command: Commands, tmp_path: Path) -> None:
    ran = command(
        "batch", "--part", "claims json status=disputed status=verified sort_by=id name='Some claims'",
        "--part", "graph csv", "--part", "entities csv max_records=5 entity_types=PERSON,ORGANIZATION",
        "-o", str(tmp_path / "case.zip"), "--json",
    )  # fmt: skip
    assert ran.code == 0, ran
    told = ran.json
    content = (tmp_path / "case.zip").read_bytes()
    assert told["sha256"] == hashlib.sha256(content).hexdigest()
    assert stat.S_IMODE((tmp_path / "case.zip").stat().st_mode) == 0o600
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        claims = json.loads(archive.read("01-Some-claims.json"))["records"]
    assert {"02-graph/nodes.csv", "02-graph/edges.csv"} < set(names)
    assert {each["status"] for each in claims} == {"disputed", "verified"}
    assert [each["id"] for each in claims] == sorted(each["id"] for each in claims)
    assert [each["record_count"] for each in told["parts"]][::2] == [len(claims), 5]
    assert told["completeness"]["written"] == sum(each["record_count"] for each in told["parts"])
    assert f"part 1: {len(claims)} of {len(claims)} records, 01-Some-claims.json" in ran.said
    assert "  skipped " in ran.said
    assert ran.said.splitlines()[-1].endswith(f"SHA-256 {told['sha256']}")


def test_workbooks_become_one_in_a_folder_or_on_standard_output(command: Commands, tmp_path: Path) -> None:
    words = ("batch", "--part", "claims xlsx", "--part", "documents xlsx")
    assert command(*words, "-o", str(tmp_path)).code == 0
    book = openpyxl.load_workbook(tmp_path / "batch.xlsx")
    piped = command(*words)
    assert openpyxl.load_workbook(io.BytesIO(piped.output)).sheetnames == book.sheetnames
    assert f"part 1: {RECORDS} of {RECORDS} records, in the workbook" in piped.said


def test_parts_are_read_from_a_file_and_templates_in_them_are_expanded(
    command: Commands, tmp_path: Path
) -> None:
    parts: list[dict[str, Any]] = [
        {"template": "Claims for an editor", "format": "json", "options": {"max_records": 2}},
        {"template": {"template": "Graph for Gephi", "version": 1}, "name": "For Gephi"},
        {"target": "matrix", "format": "json", "options": {"date_range": "last_7_days"}},
    ]
    asked = tmp_path / "parts.json"
    for body in (parts, {"parts": parts, "continue_on_error": False}):
        asked.write_text(json.dumps(body))
        ran = command("batch", "--from", str(asked), "-o", str(tmp_path / "case.zip"), "-q")
        assert ran.code == 0, ran
        with zipfile.ZipFile(tmp_path / "case.zip") as archive:
            claims = json.loads(archive.read("01-claims.json"))["records"]
            assert "02-For-Gephi/edges.csv" in archive.namelist()
        moments = [each["created_at"] for each in claims]
        assert moments == sorted(moments, reverse=True)
        assert len(claims) == 2
    words = command(
        "batch", "--part", "template='Claims for an editor' max_records=2 name=Editor", "-o", str(tmp_path)
    )
    assert words.code == 0, words
    with zipfile.ZipFile(tmp_path / "batch.zip") as archive:
        assert any(name.startswith("01-Editor.docx") for name in archive.namelist())


def test_a_part_that_fails_ends_the_batch_or_is_left_out_and_told(
    command: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from arkham_shard_export.formats.pdf import PdfWriter

    monkeypatch.setattr(PdfWriter, "spec", replace(PdfWriter.spec, max_records=10))
    words = ("batch", "--part", "claims csv", "--part", "claims pdf", "-o", str(tmp_path / "x.zip"))
    ended = command(*words)
    assert ended.code == 1
    assert "Part 2 (Claims as PDF report) failed: " in ended.said
    assert not list(tmp_path.iterdir())
    went_on = command(*words, "--continue-on-error", "--json")
    assert went_on.code == 1
    assert went_on.json["completeness"]["failed_parts"] == [2]
    assert f"part 2 failed: {went_on.json['parts'][1]['error']}" in went_on.said
    assert f"{RECORDS} of {2 * RECORDS} records written, {RECORDS} skipped." in went_on.said
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert "01-claims.csv" in archive.namelist()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give the parts, either each with --part or all of them in a file with --from."),
        (("--part", "claims csv", "--from", "x.json"), "Give the parts, either"),
        (("--part", "claims"), "must begin with a target and a format"),
        (("--part", "status=disputed claims csv"), "must begin with a target and a format"),
        (("--part", "claims csv json"), "must begin with a target and a format"),
        (("--part", "claims 'csv"), "No closing quotation"),
        (("--part", "claims cvs"), "parts[0]: Format 'cvs' is not available for claims. Did you mean 'csv'?"),
        (
            ("--part", "graph csv", "--part", "clams csv"),
            "parts[1]: Target 'clams' is not available. Did you",
        ),
        (("--part", "claims csv stauts=disputed"), "no filter or option 'stauts'. Did you mean 'status'?"),
        (("--part", "claims csv max_recrods=1"), "Did you mean 'max_records'?"),
        (("--part", "claims csv status=dispute"), "Did you mean 'disputed'?"),
        (("--part", "claims csv flatten=true flatten=false"), "flatten is given twice"),
        (("--part", "claims csv", "--json"), "give -o FILE"),
        (("--prat", "claims csv"), "Did you mean '--part'?"),
    ],
)
def test_what_is_wrong_is_told_with_what_may_be_meant(
    words: tuple[str, ...], said: str, command: Commands
) -> None:
    ran = command("batch", *words)
    assert said in ran.said
    assert (ran.code, ran.output) == (2, b"")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{", "is no JSON in UTF-8"),
        ("3", "must hold a list of parts"),
        ("[]", "parts must be a list of 1 to"),
        ('{"parts": [], "continue_on_eror": true}', "Did you mean 'continue_on_error'?"),
        ('{"parts": [{}], "continue_on_error": "no"}', "continue_on_error must be true or false"),
        (
            '[{"target": "claims", "fromat": "csv"}]',
            "parts[0]: Unknown field 'fromat'. Did you mean 'format'?",
        ),
        ('[{"template": 5}]', "parts[0]: template must be the name or the id"),
        ('[{"template": {"template": "Graph for Gephi", "version": 9}}]', "has no version 9"),
    ],
)
def test_a_file_that_holds_no_parts_is_refused(
    body: str, said: str, command: Commands, tmp_path: Path
) -> None:
    (tmp_path / "parts.json").write_text(body)
    ran = command("batch", "--from", str(tmp_path / "parts.json"), "-o", str(tmp_path / "x.zip"))
    assert said in ran.said
    assert ran.code == 2
    assert not (tmp_path / "x.zip").exists()
