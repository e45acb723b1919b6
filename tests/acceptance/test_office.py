"""Workbooks and reports of every target: complete, true and readable by the programs people open them with."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import docx
import pypdf
import pytest

from arkham_shard_export.schema import RecordSet
from arkham_shard_export.standalone.seed import seed_sqlite
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost, standalone
from tests.readers import converted, docx_text, pdf_text, sheets, squeezed, table
from tests.tools import seeded_records

ALL = list(TARGETS)
REPORTS = ["pdf", "docx"]
SHEETS = {
    "documents": {"records": "Documents"},
    "entities": {"records": "Entities"},
    "claims": {"records": "Claims"},
    "timeline": {"records": "Events"},
    "graph": {"nodes": "Nodes", "edges": "Edges"},
    "matrix": {"records": "Matrices"},
}
SEEDED = seeded_records(default=150)


@pytest.fixture(scope="module")
def seeded_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    data_dir = tmp_path_factory.mktemp("seeded")
    seed_sqlite(data_dir, SEEDED, seed=11)
    with standalone(data_dir) as host:
        yield host


@pytest.fixture
def single(tmp_path: Path) -> Iterator[RunningHost]:
    """A fresh host with the demo case."""
    with standalone(tmp_path, demo=True) as host:
        yield host


def ids_of(host: RunningHost, record_set: RecordSet) -> list[str]:
    return sorted(row[0] for row in host.query(f"SELECT id FROM {record_set.table.qualified}"))


def texts_of(host: RunningHost, target: str) -> list[str]:
    """The texts that make a record what it is."""
    column, table = {
        "documents": ("text", "arkham_frame.pages"),
        "entities": ("name", "arkham_entities"),
        "claims": ("text", "arkham_claims"),
        "timeline": ("text", "arkham_timeline_events"),
        "graph": ("label", "arkham_graph.nodes"),
        "matrix": ("description", "arkham_ach.evidence"),
    }[target]
    return [row[0] for row in host.query(f"SELECT {column} FROM {table}") if row[0]]


def report_text(format: str, data: bytes) -> str:
    return squeezed(pdf_text(data) if format == "pdf" else docx_text(data))


@pytest.mark.parametrize("target", ALL)
def test_a_workbook_holds_every_record_exactly_once(host: RunningHost, target: str) -> None:
    job, file = host.export(target, "xlsx")
    found = sheets(file.content)
    assert next(iter(found)) == "About"
    total = 0
    for record_set in TARGETS[target].sets:
        rows = table(found[SHEETS[target][record_set.name]])
        assert sorted(row["ID"] for row in rows) == ids_of(host, record_set)
        total += len(rows)
    assert job["record_count"] == total
    assert job["metadata"]["completeness"]["skipped"] == 0


@pytest.mark.parametrize("format", REPORTS)
@pytest.mark.parametrize("target", ALL)
def test_a_report_holds_every_record_with_its_full_text(host: RunningHost, target: str, format: str) -> None:
    job, file = host.export(target, format)
    text = report_text(format, file.content)
    expected = [key for each in TARGETS[target].sets for key in ids_of(host, each)]
    assert [key for key in expected if squeezed(key) not in text] == []
    assert job["record_count"] == len(expected)
    # Poppler gives right-to-left lines in an order of its own: their words are looked for one by one.
    whole = [each for each in texts_of(host, target) if each.isascii() or format == "docx"]
    words = [word for each in texts_of(host, target) for word in each.split() if not word.isascii()]
    assert [each for each in whole if squeezed(each) not in text] == []
    assert [each for each in words if squeezed(each) not in text and format == "docx"] == []


@pytest.mark.parametrize("target", ALL)
def test_seeded_records_are_all_in_the_workbook_with_their_texts(
    seeded_host: RunningHost, target: str
) -> None:
    job, file = seeded_host.export(target, "xlsx")
    assert job["record_count"] == SEEDED
    found = sheets(file.content)
    for record_set in TARGETS[target].sets:
        rows = table(found[SHEETS[target][record_set.name]])
        assert sorted(row["ID"] for row in rows) == ids_of(seeded_host, record_set)
    cells = {
        squeezed(cell) for rows in found.values() for row in rows for cell in row if isinstance(cell, str)
    }
    short = [each for each in texts_of(seeded_host, target) if len(each) < 30_000]
    assert [each for each in short if squeezed(each) not in cells and squeezed(each)] == []


@pytest.mark.parametrize("format", REPORTS)
@pytest.mark.parametrize("target", ALL)
def test_seeded_records_are_all_in_the_report(seeded_host: RunningHost, target: str, format: str) -> None:
    job, file = seeded_host.export(target, format)
    assert job["record_count"] == SEEDED
    text = report_text(format, file.content)
    for record_set in TARGETS[target].sets:
        assert [key for key in ids_of(seeded_host, record_set) if squeezed(key) not in text] == []
    whole = [each for each in texts_of(seeded_host, target) if format == "docx" or _is_plain(each)]
    assert [each for each in whole if squeezed(each) not in text] == []


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def test_libreoffice_opens_every_workbook_and_document(single: RunningHost, tmp_path: Path) -> None:
    files = []
    for target in ALL:
        for format in ("xlsx", "docx"):
            _, file = single.export(target, format)
            files.append(tmp_path / f"{target}-{format}.{format}")
            files[-1].write_bytes(file.content)
    for result in converted(files, tmp_path):
        assert len(pypdf.PdfReader(result).pages) > 1


SCRIPTS = {
    "Latin": "Grüße, naïveté",
    "Cyrillic": "Затонул пароход",
    "Greek": "Το πλοίο βυθίστηκε",
    "Chinese": "郵輪沉沒於大西洋",
    "Japanese": "タイタニック号の沈没",
    "Korean": "타이타닉호 침몰",
    "Arabic": "غرقت السفينة في المحيط",
    "Persian": "کشتی چگونه غرق شد",
    "Hebrew": "הספינה טבעה באוקיינוס",
    "Devanagari": "जहाज़ क्षत्रिय समुद्र",
    "Thai": "เรือจมลงในมหาสมุทร",
    "emoji": "🚢 🧊 👨‍👩‍👧",
}


@pytest.mark.parametrize("format", ["xlsx", *REPORTS])
def test_every_script_comes_out_as_text_that_can_be_searched(single: RunningHost, format: str) -> None:
    whole = " · ".join(SCRIPTS.values())
    single.run(
        single.frame.database.execute(
            "INSERT INTO arkham_claims (id, text, status) VALUES ('scripts', :text, 'retracted')",
            {"text": whole},
        )
    )
    job, file = single.export("claims", format, filters={"status": "retracted"})
    if format == "xlsx":
        text = squeezed(" ".join(str(cell) for row in sheets(file.content)["Claims"] for cell in row))
    else:
        text = report_text(format, file.content)
    missing = [
        name for name, words in SCRIPTS.items() if any(squeezed(word) not in text for word in words.split())
    ]
    assert missing == []
    assert job["metadata"]["adjustments"] == []


def test_a_report_says_what_was_left_out_and_changed(single: RunningHost) -> None:
    single.run(
        single.frame.database.execute(
            "INSERT INTO arkham_claims (id, text) VALUES ('aa', 'A glyph of no font: 𓀀 and a bell: \x07')"
        )
    )
    for format in REPORTS:
        job, file = single.export("claims", format, options={"max_records": 5, "sort_by": "id"})
        text = report_text(format, file.content)
        assert job["record_count"] == 5
        assert squeezed("left out of records: max_records is 5") in text.lower().replace(",", "")
        assert job["metadata"]["adjustments"] != []
        for each in job["metadata"]["adjustments"]:
            assert squeezed(each["reason"]) in text


def test_a_pdf_names_itself_and_can_be_navigated(single: RunningHost) -> None:
    _, file = single.export("claims", "pdf")
    reader = pypdf.PdfReader(io.BytesIO(file.content))
    assert reader.metadata is not None
    assert reader.metadata.title == "Claims"
    assert reader.trailer["/Root"]["/Lang"] == "en"
    titles = [each.title for each in reader.outline if not isinstance(each, list)]
    assert titles == ["Overview", "Claims"]
    assert reader.page_labels[:3] == ["i", "ii", "iii"] or reader.page_labels[0] == "i"
    assert "1" in reader.page_labels


def test_a_word_document_has_real_styles_and_properties(single: RunningHost) -> None:
    _, file = single.export("claims", "docx")
    document = docx.Document(io.BytesIO(file.content))
    used = {each.style.name for each in document.paragraphs}
    assert {"Title", "Heading 1", "Heading 3", "Caption"} <= used
    assert document.core_properties.title == "Claims"
    assert document.tables


@pytest.mark.parametrize("format", REPORTS)
def test_a_report_above_its_limit_is_refused_before_it_starts(
    single: RunningHost, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from arkham_shard_export.formats import writer_class

    writer = writer_class(format)
    listed = {each["format"]: each for each in single.client.get("/api/export/formats").json()}
    assert listed[format]["max_records"] >= 100_000
    monkeypatch.setattr(writer, "spec", replace(writer.spec, max_records=10))
    answer = single.post("claims", format)
    assert answer.status_code == 422
    detail = answer.json()["detail"]
    assert "at most 10 records" in detail
    assert "json, csv, xlsx" in detail
    assert single.post("claims", format, options={"max_records": 10}).status_code == 201


@pytest.mark.parametrize("format", REPORTS)
def test_a_format_whose_library_is_missing_is_listed_with_the_remedy_and_refused(
    single: RunningHost, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from arkham_shard_export.formats import writer_class

    writer = writer_class(format)
    monkeypatch.setattr(writer, "spec", replace(writer.spec, libraries=("no_such_library",)))
    (listed,) = [each for each in single.client.get("/api/export/formats").json() if each["format"] == format]
    assert listed["available"] is False
    assert "pip install arkham-shard-export[office]" in listed["description"]
    for target in single.client.get("/api/export/targets").json():
        assert format not in target["available_formats"]
    answer = single.post("claims", format)
    assert answer.status_code == 422
    assert "no_such_library" in answer.json()["detail"]
    assert "pip install" in answer.json()["detail"]
