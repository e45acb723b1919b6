"""The workbook as a package: well-formed, complete, the same for the same input, and let go of when something fails."""

from __future__ import annotations

import gc
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from posixpath import dirname, normpath
from typing import IO

import pytest

from arkham_shard_export.formats import xlsx
from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.workbook import sheets
from arkham_shard_export.formats.xlsx import XlsxWriter
from arkham_shard_export.peers import (
    CLAIM_EVIDENCE,
    CLAIMS,
)
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Layout
from arkham_shard_export.standalone.seed_words import SAMPLES
from tests.unit.books import (
    MAIN,
    RATED,
    REFERENCE,
    SCORED_COLUMNS,
    TWO,
    WORKBOOK,
    WORKSHEET,
    book,
    claims,
    matrices,
    matrix,
    parts,
)
from tests.unit.memory import EXPORTED_AT, MemorySink, Written, nested, section_of

# The package


def full() -> Written:
    """A workbook with everything that a workbook can have."""
    long = [
        *nested(CLAIMS, id="c1", text="=x" * 20_000, created_at="2024-02-29T00:00:00+00:00", confidence=0.1)
    ]
    evidence = [
        nested(CLAIM_EVIDENCE, id=f"e{n}", claim_id="c1", excerpt=sample) for n, sample in enumerate(SAMPLES)
    ]
    return Written(
        "xlsx",
        claims([*long, evidence], [*nested(CLAIMS, id="c2"), []]),
        replace(
            section_of(SCORED_COLUMNS, [RATED, matrix("m2", "'<&>\"")], "matrices", layout=Layout.GRID),
            counted=False,
        ),
        section_of(TWO, [], "empty", counted=False),
        filters={"status": ["<&>"]},
    )


def stacked() -> Written:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xlsx, "GRID_SHEETS", 1)
        patch.setattr(sheets, "MAX_ROWS", 2)
        return matrices(RATED, matrix("m2", "b"), include_metadata=False)


BOOKS = {
    "full": full,
    "stacked": stacked,
    "empty": lambda: book([]),
    "bare": lambda: book([], include_metadata=False),
}


@pytest.fixture(scope="module", params=BOOKS)
def written(request: pytest.FixtureRequest) -> Written:
    return BOOKS[request.param]()


def test_every_part_is_well_formed_and_has_a_content_type(written: Written) -> None:
    types = parts(written)["[Content_Types].xml"]
    listed = {each.get("PartName", "").removeprefix("/") for each in types if each.tag.endswith("Override")}
    defaults = {
        each.get("Extension"): each.get("ContentType", "") for each in types if each.tag.endswith("Default")
    }
    assert listed <= set(parts(written))
    for name in set(parts(written)) - listed - {"[Content_Types].xml"}:
        kind = "worksheet" if name.startswith("xl/worksheets/") else "relationships"
        assert defaults[name.rpartition(".")[2]].endswith(f"{kind}+xml"), name


def test_the_part_that_programs_look_for_comes_first(written: Written) -> None:
    with zipfile.ZipFile(io.BytesIO(written.data)) as archive:
        assert archive.namelist()[0] == "[Content_Types].xml"


def test_every_relationship_leads_to_a_part_and_every_sheet_is_listed(written: Written) -> None:
    found = parts(written)
    targets = set()
    for name, part in found.items():
        if name.endswith(".rels"):
            folder = dirname(dirname(name))
            targets |= {normpath(f"{folder}/{each.get('Target')}").lstrip("/") for each in part}
            ids = [each.get("Id") for each in part]
            assert len(set(ids)) == len(ids)
    assert targets == {name for name in found if not name.endswith(".rels")} - {"[Content_Types].xml"}
    relations = {each.get("Id"): each.get("Target") for each in found["xl/_rels/workbook.xml.rels"]}
    listed = found["xl/workbook.xml"].findall(f"{MAIN}sheets/{MAIN}sheet")
    sheets_listed = [relations[each.get(REFERENCE)] for each in listed]
    assert sorted(map(str, sheets_listed)) == sorted(
        name.removeprefix("xl/") for name in found if name.startswith("xl/worksheets/")
    )


def test_elements_stand_in_the_order_of_the_schema(written: Written) -> None:
    found = parts(written)
    orders = {"xl/workbook.xml": WORKBOOK}
    orders |= {name: WORKSHEET for name in found if name.startswith("xl/worksheets/")}
    for name, order in orders.items():
        names = [each.tag.removeprefix(MAIN) for each in found[name]]
        assert names == sorted(set(names), key=order.split().index), name


def test_rows_and_cells_are_numbered_in_order_and_their_styles_exist(written: Written) -> None:
    found = parts(written)
    styles = found["xl/styles.xml"].find(f"{MAIN}cellXfs")
    assert styles is not None
    assert int(styles.get("count", "0")) == len(styles)
    for name in found:
        if name.startswith("xl/worksheets/"):
            numbers = []
            for row in found[name].iter(f"{MAIN}row"):
                numbers.append(int(row.get("r", "0")))
                places = [_place(cell.get("r", ""), numbers[-1]) for cell in row]
                assert places == sorted(set(places)), name
                assert {int(cell.get("s", "0")) for cell in row} <= set(range(len(styles)))
            assert numbers == sorted(set(numbers)), name


def _place(reference: str, row: int) -> int:
    assert reference.endswith(str(row))
    number = 0
    for letter in reference.removesuffix(str(row)):
        number = number * 26 + ord(letter) - 64
    return number


def test_counts_in_the_styles_are_true_and_what_they_refer_to_exists(written: Written) -> None:
    styles = parts(written)["xl/styles.xml"]
    lists = {each.tag.removeprefix(MAIN): each for each in styles}
    for each in styles:
        assert int(each.get("count", "-1")) == len(each), each.tag
    formats = {each.get("numFmtId") for each in lists["numFmts"]} | {"0", "2"}
    for style in lists["cellXfs"]:
        assert int(style.get("fontId", "-1")) in range(len(lists["fonts"]))
        assert int(style.get("fillId", "-1")) in range(len(lists["fills"]))
        assert int(style.get("borderId", "-1")) in range(len(lists["borders"]))
        assert style.get("numFmtId") in formats


def test_members_need_no_zip64_and_no_time_of_day(written: Written) -> None:
    with zipfile.ZipFile(io.BytesIO(written.data)) as archive:
        assert archive.testzip() is None
        for each in archive.infolist():
            assert (each.extra, each.extract_version, each.date_time) == (b"", 20, (1980, 1, 1, 0, 0, 0))
        assert len(set(archive.namelist())) == len(archive.namelist())


@pytest.mark.parametrize("name", BOOKS)
def test_the_same_input_gives_the_same_bytes(name: str) -> None:
    assert BOOKS[name]().data == BOOKS[name]().data


def test_the_writer_says_what_it_cannot_carry() -> None:
    assert XlsxWriter.spec.cannot_carry.endswith(".")


# When something fails


class WatchedSink(MemorySink):
    """Fails with the write of that number, and knows every scratch file it gave."""

    def __init__(self, failing: int = -1) -> None:
        super().__init__()
        self.failing = failing
        self.writes = 0
        self.files: list[IO[bytes]] = []

    def write(self, data: bytes) -> int:
        self.writes += 1
        if self.writes == self.failing:
            raise OSError("No space left on device")
        return super().write(data)

    def scratch(self) -> IO[bytes]:
        self.files.append(super().scratch())
        return self.files[-1]


def steps(writer: XlsxWriter, sink: MemorySink) -> Iterator[None]:
    """The writer's life, step by step."""
    row = [*nested(CLAIMS, id="c", text="x" * 40_000), [nested(CLAIM_EVIDENCE, id="e", claim_id="c")]]
    sections = [
        claims(row),
        section_of(SCORED_COLUMNS, [RATED], "matrices", layout=Layout.GRID, counted=False),
    ]
    document = Document("claims", EXPORTED_AT, EXPORTED_AT, {}, {}, sections)
    writer.begin(document, sink, Adjustments())
    yield
    for section in sections:
        writer.begin_section(section)
        yield
        for batch in section.read(None):
            writer.write(batch)
            yield
        writer.end_section()
        yield
    writer.end()
    yield


STEPS = 8


def test_a_writer_that_is_closed_too_early_leaves_no_file_open_and_writes_nothing_more() -> None:
    for taken in range(STEPS + 1):
        sink, writer = WatchedSink(), XlsxWriter()
        life = steps(writer, sink)
        for _ in range(taken):
            next(life)
        before = sink.data
        writer.close()
        assert sink.data == before
        assert [file.closed for file in sink.files] == [True] * len(sink.files)
        writer.close()
        life.close()
    gc.collect()
    assert len(sink.files) == 7
    with zipfile.ZipFile(io.BytesIO(sink.data)) as archive:
        assert archive.testzip() is None


def test_a_sink_that_fails_anywhere_leaves_no_file_open() -> None:
    whole = WatchedSink()
    assert len(list(steps(XlsxWriter(), whole))) == STEPS
    for failing in range(1, whole.writes + 1):
        sink, writer = WatchedSink(failing), XlsxWriter()
        with pytest.raises(OSError, match="No space left"):
            list(steps(writer, sink))
        writer.close()
        assert [file.closed for file in sink.files] == [True] * len(sink.files)
    gc.collect()


def test_a_writer_that_never_began_is_closed() -> None:
    XlsxWriter().close()


# Memory


MEMORY = """
import tempfile
from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.xlsx import XlsxWriter
from arkham_shard_export.records import Adjustments, Section
from arkham_shard_export.schema import Column, Kind

evidence = (Column("id"), Column("claim_id"), Column("excerpt"))
columns = (Column("id"), Column("text"), Column("created_at", Kind.TIMESTAMP), Column("n", Kind.NUMBER))
columns += (Column("evidence", Kind.RECORDS, columns=evidence),)

class Sink:
    def __init__(self):
        self.size = 0
    def write(self, data):
        self.size += len(data)
        return len(data)
    def scratch(self):
        return tempfile.TemporaryFile()

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

def export(records):
    section = Section("records", columns, iter, records)
    sink, writer = Sink(), XlsxWriter()
    writer.begin(Document("claims", "2026-11-22T13:00:00+00:00", "2026-11-22T13:00:00+00:00", {}, {}, [section]), sink,
                 Adjustments())
    writer.begin_section(section)
    for start in range(0, records, 500):
        writer.write([
            [f"c{n}", f"Claim {n} about money " * 10, f"20{n % 100:02}-01-{n % 28 + 1:02}T00:00:00+00:00", n / 7,
             [[f"e{n}", f"c{n}", f"Seen {n}. " * 20]]]
            for n in range(start, start + 500)
        ])
    writer.end_section()
    writer.end()
    writer.close()
    assert writer.written == records and sink.size > records * 50

export(1_000)
before = peak()
export(50_000)
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_records() -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEMORY],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert int(done.stdout) < 6 * 1024
