"""Several exports in one file, over sources in memory: what is in it, what it says of itself, and what a failure leaves."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkham_shard_export.archive import is_safe_name
from arkham_shard_export.bounds import MAX_PARTS
from arkham_shard_export.errors import (
    Cancelled,
    CrewFailed,
    DatabaseGone,
    FormatExceeded,
    InvalidRequest,
    PartFailed,
    SourceFailed,
    StoreFailed,
)
from arkham_shard_export.formats.spool import Spool
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.pipeline import ExportRequest, Outcome, export
from arkham_shard_export.pipeline.batch import export_batch
from arkham_shard_export.pipeline.export import Check
from arkham_shard_export.pipeline.parts import BatchRequest, Part, PartProgress, read_parts
from arkham_shard_export.pipeline.run import batch_to_store
from arkham_shard_export.records import Adjustments, Helpers, Row, Section, Skip, Source
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sinks.hashed import HashedSink
from arkham_shard_export.store_location import FolderLocation
from arkham_shard_export.targets import TARGETS
from tests.unit.memory import MOMENT, MemorySink, MemorySource, fixed_clock, section_of

COLUMNS = (Column("id"), Column("meta", Kind.JSON))
ROWS: list[Row] = [[str(number), '{"a":1}'] for number in range(5)]


class MemoryRecords:
    """Sources that live in memory, by part; says how often it had to recover, and whether it was closed."""

    def __init__(self, *sources: Callable[[], Source]) -> None:
        self._sources = sources
        self.recovered = 0
        self.closed = False

    def source(self, place: int, _adjustments: Adjustments, _check: Check) -> Source:
        return self._sources[place]()

    def helpers(self, _place: int) -> Helpers | None:
        return None

    def recover(self) -> None:
        self.recovered += 1

    def close(self) -> None:
        self.closed = True


def part(format: str = "json", target: str = "claims", name: str = "", **options: Any) -> Part:
    return Part(ExportRequest(format, target, {}, ExportOptions(**options)), TARGETS[target], name)


def source(*sections: Section, consistent: bool = True) -> Callable[[], Source]:
    def opened() -> Source:
        made = MemorySource(*(sections or (section_of(COLUMNS, ROWS),)))
        made.consistent = consistent
        return made

    return opened


def failing(error: BaseException, at: int = 1) -> Callable[[], Source]:
    def fail(number: int) -> None:
        if number == at:
            raise error

    return source(section_of(COLUMNS, ROWS, fails=fail))


def uncountable(error: BaseException) -> Callable[[], Source]:
    def opened() -> Source:
        raise error

    return opened


def written(
    parts: list[Part], sources: list[Callable[[], Source]], goes_on: bool = False, **others: Any
) -> tuple[bytes, Outcome]:
    sink = MemorySink()
    records = MemoryRecords(*sources)
    batch = BatchRequest(tuple(parts), goes_on)
    outcome = export_batch(batch, records, sink, exported_at=MOMENT, **others)
    assert records.recovered == len(outcome.completeness["failed_parts"])
    return sink.data, outcome


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert len(set(archive.namelist())) == len(archive.namelist())
        return {name: archive.read(name) for name in archive.namelist()}


def contents_of(data: bytes) -> dict[str, Any]:
    files = unpacked(data)
    contents: dict[str, Any] = json.loads(files["contents.json"])
    told = {file["path"]: file for each in contents["parts"] for file in each["files"]}
    assert told.keys() == files.keys() - {"contents.json", "README.txt"}
    for path, file in told.items():
        assert file["size"] == len(files[path])
        assert file["sha256"] == hashlib.sha256(files[path]).hexdigest()
    return contents


# What is in it

FOUR = [part(), part("csv"), part("csv", "graph"), part("csv", compression="gzip")]
GRAPH = source(section_of(COLUMNS, ROWS, "nodes"), section_of(COLUMNS, ROWS[:2], "edges"))
FOUR_SOURCES = [source(), source(), GRAPH, source()]


def test_each_part_is_a_file_or_where_it_is_several_a_folder() -> None:
    data, outcome = written(FOUR, FOUR_SOURCES)
    assert list(unpacked(data)) == [
        "01-claims.json",
        "02-claims.csv",
        "03-graph/nodes.csv",
        "03-graph/edges.csv",
        "04-claims.csv.gz",
        "contents.json",
        "README.txt",
    ]
    assert outcome.record_count == 22
    assert outcome.file_extension == ".zip"
    assert [each["file"] for each in outcome.parts] == [
        "01-claims.json",
        "02-claims.csv",
        "03-graph/",
        "04-claims.csv.gz",
    ]


def test_a_file_is_the_one_that_an_export_of_its_own_would_be() -> None:
    alone = MemorySink()
    export(part().request, source()(), alone, exported_at=MOMENT, adjustments=Adjustments())
    data, _ = written(FOUR, FOUR_SOURCES)
    assert unpacked(data)["01-claims.json"] == alone.data


def test_the_contents_tell_of_each_file() -> None:
    skips = (Skip("merged", 2, "merged into another"),)
    data, outcome = written(
        [part("csv", name="Disputed", max_records=5), part("csv", "graph")],
        [source(section_of(COLUMNS, ROWS, skips=skips)), GRAPH],
    )
    contents = contents_of(data)
    first, second = contents["parts"]
    assert (first["part"], first["name"], first["target"], first["format"]) == (
        1,
        "Disputed",
        "claims",
        "csv",
    )
    assert first["options"]["max_records"] == 5
    assert first["status"] == "completed"
    assert (first["expected"], first["record_count"], first["skipped"]) == (7, 5, 2)
    assert first["skips"] == [
        {"section": "records", "kind": "merged", "count": 2, "reason": "merged into another"}
    ]
    assert first["sections"] == [{"name": "records", "records": 5, "columns": ["id", "meta"]}]
    assert [(each["path"], each["records"], each["section"]) for each in second["files"]] == [
        ("02-graph/nodes.csv", 5, "nodes"),
        ("02-graph/edges.csv", 2, "edges"),
    ]
    assert contents["record_count"] == 12
    assert contents["completeness"] == outcome.completeness
    assert contents["consistent_snapshot"] is True
    assert contents["exported_at"] == contents["snapshot_at"] == MOMENT.isoformat()


def test_the_readme_tells_a_reader_what_lies_before_them() -> None:
    skips = (Skip("max_records", 3, "max_records is 5"),)
    data, _ = written(
        [part("csv", name="Strittig – متنازع", max_records=5), part("csv", "graph")],
        [source(section_of(COLUMNS, ROWS, skips=skips)), GRAPH],
    )
    text = unpacked(data)["README.txt"].decode()
    lines = text.split("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    for line in (
        "Records:            12",
        "Records that match: 15",
        "Left out:           3",
        "State of the data:  2026-11-22 13:00:00 UTC",
        "01-Strittig.csv",
        "    Strittig – متنازع as CSV: 5 records.",
        "    Options: Max records: 5.",
        "    3 left out of records: max_records is 5.",
        "02-graph/",
        "    In this folder: nodes.csv, edges.csv.",
        "    Linux     sha256sum FILE",
    ):
        assert line in lines, text
    assert "All parts were read from one state of the data" in text


def test_the_bytes_are_the_same_for_the_same_data_and_clock_whether_parts_wait_or_not() -> None:
    first, _ = written(FOUR, FOUR_SOURCES)
    again, _ = written(FOUR, FOUR_SOURCES)
    careful, _ = written(FOUR, FOUR_SOURCES, goes_on=True)
    assert first == again
    different = [name for name, data in unpacked(first).items() if unpacked(careful)[name] != data]
    assert different == ["contents.json"]


def test_a_part_that_is_asked_for_as_a_zip_lies_in_one() -> None:
    data, _ = written(
        [part("csv", compression="zip"), part("csv", "graph", compression="zip")], [source(), GRAPH]
    )
    assert list(unpacked(data))[:3] == ["01-claims.csv", "02-graph/nodes.csv", "02-graph/edges.csv"]


def test_the_account_is_the_sum_of_the_parts() -> None:
    skips = (Skip("merged", 2, "merged into another"),)
    _, outcome = written(
        [part(), part("csv", flatten=True), part("csv", "graph")],
        [source(section_of(COLUMNS, ROWS, skips=skips)), source(), GRAPH],
    )
    account = outcome.completeness
    assert account["expected"] == account["written"] + account["skipped"] == 19
    assert account["skips"] == [
        {"part": 1, "section": "records", "kind": "merged", "count": 2, "reason": "merged into another"}
    ]
    assert [each["record_count"] for each in outcome.parts] == [5, 5, 7]


def test_what_is_read_without_a_snapshot_is_said_to_be_and_counted_again_at_its_turn() -> None:
    sizes = iter([3, 5])

    def growing() -> Source:
        made = MemorySource(section_of(COLUMNS, ROWS[: next(sizes)]))
        made.consistent = False
        return made

    data, outcome = written([part(), part("csv")], [source(), growing])
    assert outcome.record_count == 10
    assert not outcome.consistent
    assert contents_of(data)["consistent_snapshot"] is False
    assert "Not all parts were read from one state" in " ".join(unpacked(data)["README.txt"].decode().split())


# Names

HOSTILE = [
    "../../etc/passwd",
    "C:\\boot.ini",
    "CON",
    "a" * 100,
    "‮fdp.exe",
    "Überblick",
    "عقد",
    "-rf *",
    ".",
    "a/b",
]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.isprintable()])
def test_a_name_makes_no_path(name: str) -> None:
    (asked,), _ = read_parts([{"target": "claims", "format": "csv", "name": name}], None)
    data, _ = written([part("csv", name=str(asked.name))] * 2, [source()] * 2)
    paths = list(unpacked(data))[:2]
    assert all(is_safe_name(path) and "/" not in path for path in paths)
    assert [path[:3] for path in paths] == ["01-", "02-"]
    assert all(len(path) <= 70 for path in paths)
    assert contents_of(data)["parts"][0]["name"] == name


@given(st.text(max_size=120))
def test_every_name_is_refused_or_harmless(name: str) -> None:
    try:
        read_parts([{"target": "claims", "format": "csv", "name": name}], None)
    except InvalidRequest as error:
        refused = [each.field for each in error.problems]
    else:
        refused = []
    assert refused == ["parts[0].name"] or is_safe_name(f"{part(name=name).stem(1)}.csv")


def test_names_join_letters_as_their_script_does_and_turn_no_writing_round() -> None:
    (asked,), _ = read_parts([{"target": "claims", "format": "csv", "name": "می‌خواهم"}], None)
    assert asked.name == "می‌خواهم"
    with pytest.raises(InvalidRequest, match=r"parts\[0\]: name must be a text"):
        read_parts([{"target": "claims", "format": "csv", "name": "‮fdp.exe"}], None)


@pytest.mark.parametrize("given", [None, [], "claims", {"target": "claims"}, [{}] * (MAX_PARTS + 1), 7])
def test_parts_are_a_list_of_some_but_not_too_many(given: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"parts must be a list of 1 to {MAX_PARTS} exports"):
        read_parts(given, None)


def test_every_malformed_part_is_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_parts(
            [{"target": "claims"}, 7, {"colour": "red", "name": ""}, {str(n): n for n in range(200)}], 1
        )
    fields = [each.field for each in refused.value.problems]
    assert fields == ["continue_on_error", "parts[1]", "parts[2].colour", "parts[2].name", "parts[3]"]


# One workbook


def test_parts_that_are_all_workbooks_become_one(tmp_path: Path) -> None:
    parts = [part("xlsx"), part("xlsx", name="Disputed"), part("xlsx", "graph")]
    data, outcome = written(parts, [source(), source(), GRAPH])
    careful, _ = written(parts, [source(), source(), GRAPH], goes_on=True)
    for each in (data, careful):
        book = openpyxl.load_workbook(io.BytesIO(each))
        assert book.sheetnames == ["About", "Claims", "Claims (2)", "Nodes", "Edges"]
        assert [book[name].max_row for name in book.sheetnames[1:]] == [6, 6, 6, 3]
        about = [row[0] for row in book["About"].iter_rows(values_only=True)]
        assert [each for each in about if str(each)[:1].isdigit()] == ["1. Claims", "2. Disputed", "3. Graph"]
    assert outcome.file_extension == ".xlsx"
    assert [each["file"] for each in outcome.parts] == [None, None, None]
    assert outcome.completeness["written"] == 17


def test_a_workbook_among_other_files_is_a_file() -> None:
    data, _ = written([part("xlsx"), part("csv")], [source()] * 2)
    inner = openpyxl.load_workbook(io.BytesIO(unpacked(data)["01-claims.xlsx"]))
    assert inner.sheetnames == ["About", "Claims"]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_workbook_has_nothing_of_a_part_that_failed(at: int) -> None:
    parts = [part("xlsx", "documents"), part("xlsx"), part("xlsx", "entities")]
    sources = [source()] * 3
    sources[at] = failing(SourceFailed("It broke."))
    data, outcome = written(parts, sources, goes_on=True)
    book = openpyxl.load_workbook(io.BytesIO(data))
    names = ["Documents", "Claims", "Entities"]
    assert book.sheetnames == ["About", *(name for place, name in enumerate(names) if place != at)]
    about = " ".join(str(cell) for row in book["About"].iter_rows(values_only=True) for cell in row)
    assert f"Part {at + 1}, {names[at]} as Excel workbook: It broke. 5 records match it." in about
    assert outcome.completeness["failed_parts"] == [at + 1]


def test_the_name_of_a_sheet_that_was_dropped_is_free_again() -> None:
    parts = [part("xlsx"), part("xlsx")]
    data, _ = written(parts, [failing(SourceFailed("It broke.")), source()], goes_on=True)
    assert openpyxl.load_workbook(io.BytesIO(data)).sheetnames == ["About", "Claims"]


# What fails

PARTS = [part("csv"), part("csv", "graph"), part()]
OF_A_PART = [
    SourceFailed("The view is broken."),
    FormatExceeded("Too many pages."),
    MemoryError(),
    LookupError("a bug"),
    CrewFailed("A process ended."),
]
OF_THE_WHOLE = [
    Cancelled("cancelled"),
    StoreFailed("The disk is full."),
    OSError(errno.EIO, "Input/output error"),
    DatabaseGone("The database is gone."),
]


@pytest.mark.parametrize("error", OF_A_PART, ids=repr)
def test_a_part_that_fails_fails_the_batch_which_says_which(error: Exception) -> None:
    with pytest.raises(PartFailed, match=r"^Part 2 \(Graph as CSV\) failed: ") as failed:
        written(PARTS, [source(), failing(error), source()])
    assert list(failed.value.reasons) == [2]
    assert failed.value.passing == isinstance(error, CrewFailed)


@pytest.mark.parametrize("error", OF_A_PART, ids=repr)
def test_where_the_others_go_on_the_part_is_marked_everywhere(error: Exception) -> None:
    data, outcome = written(PARTS, [source(), failing(error), source()], goes_on=True)
    contents, files = contents_of(data), unpacked(data)
    assert [name for name in files if name[:2].isdigit()] == ["01-claims.csv", "03-claims.json"]
    statuses = ["completed", "failed", "completed"]
    assert [each["status"] for each in contents["parts"]] == statuses
    assert [each["status"] for each in outcome.parts] == statuses
    reason = contents["parts"][1]["error"]
    assert contents["parts"][1]["files"] == []
    assert reason == outcome.parts[1]["error"]
    assert reason == str(error) or isinstance(error, MemoryError | LookupError)
    assert "a bug" not in json.dumps(contents)
    assert ("LookupError: a bug" in outcome.trace) == isinstance(error, LookupError)
    text = " ".join(files["README.txt"].decode().split())
    assert f"Part 2, Graph as CSV: {reason} 5 records match it." in text
    assert "Parts: 2 of 3" in text
    account = outcome.completeness
    assert account["expected"] == account["written"] + account["skipped"] == 15
    assert account["skips"] == [{"part": 2, "kind": "part_failed", "count": 5, "reason": reason.rstrip(".")}]
    assert account["failed_parts"] == [2]


def test_all_that_a_failed_part_would_have_held_or_left_out_is_counted() -> None:
    def fail(_number: int) -> None:
        raise SourceFailed("It broke.")

    skips = (Skip("max_records", 3, "max_records is 5"),)
    broken = source(section_of(COLUMNS, ROWS, skips=skips, fails=fail))
    _, outcome = written([part(), part(max_records=5)], [source(), broken], goes_on=True)
    account = outcome.completeness
    assert (account["expected"], account["written"], account["skipped"]) == (13, 5, 8)
    assert account["skips"] == [{"part": 2, "kind": "part_failed", "count": 8, "reason": "It broke"}]


@pytest.mark.parametrize("error", OF_THE_WHOLE, ids=repr)
def test_what_is_no_fault_of_a_part_ends_the_batch_in_any_case(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        written(PARTS, [source(), failing(error), source()], goes_on=True)
    assert raised.value is error


def test_what_may_go_well_another_time_ends_the_batch_while_there_is_another_time() -> None:
    with pytest.raises(CrewFailed):
        written(PARTS, [source(), failing(CrewFailed("x")), source()], goes_on=True, last_try=False)


def test_a_part_that_cannot_be_counted_fails_before_anything_is_written() -> None:
    broken = uncountable(SourceFailed("No such view."))
    with pytest.raises(PartFailed, match=r"Part 3 \(Claims as JSON\) failed: No such view\."):
        written(PARTS, [failing(AssertionError("written"), 0), GRAPH, broken])
    data, outcome = written(PARTS, [source(), GRAPH, broken], goes_on=True)
    assert outcome.completeness["uncounted_parts"] == outcome.completeness["failed_parts"] == [3]
    assert outcome.completeness["expected"] == 12
    assert contents_of(data)["parts"][2]["expected"] is None


def test_a_part_of_more_records_than_its_format_holds_fails_early() -> None:
    many = source(section_of(COLUMNS, (), matched=200_000))
    with pytest.raises(PartFailed, match=r"Part 2 .* holds at most 100,000 records"):
        written([part(), part("docx")], [failing(AssertionError("written"), 0), many])


def test_a_batch_whose_parts_all_fail_fails_and_says_why() -> None:
    broken = [failing(SourceFailed(f"Broken {number}.")) for number in range(5)]
    with pytest.raises(PartFailed) as failed:
        written([part()] * 5, broken, goes_on=True)
    assert failed.value.reasons == {n + 1: f"Broken {n}." for n in range(5)}
    assert str(failed.value).startswith("Part 1 (Claims as JSON) failed: Broken 0. Part 2 ")
    assert str(failed.value).endswith("2 other parts failed as well.")


def test_nothing_of_a_batch_that_failed_is_left_in_the_store(tmp_path: Path) -> None:
    records = MemoryRecords(source(), failing(SourceFailed("x")), source())
    with pytest.raises(PartFailed):
        batch_to_store(
            BatchRequest(tuple(PARTS)),
            lambda: records,
            FolderLocation(str(tmp_path)),
            "day",
            "job",
            clock=fixed_clock,
        )
    assert records.closed
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("format", ["csv", "xlsx", "docx"])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_full_disk_ends_the_batch_and_leaves_nothing(
    format: str, goes_on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: object, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(HashedSink, "_put", full)
    monkeypatch.setattr(Spool, "write", full)
    batch = BatchRequest((part(format), part(format)), goes_on)
    with pytest.raises(StoreFailed, match="disk of the export store is full"):
        batch_to_store(
            batch,
            lambda: MemoryRecords(source(), source()),
            FolderLocation(str(tmp_path)),
            "day",
            "job",
            clock=fixed_clock,
        )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_cancelling_in_the_midst_of_a_part_ends_the_batch(tmp_path: Path) -> None:
    done = iter(range(100))

    def check() -> None:
        if next(done) == 8:
            raise Cancelled("cancelled")

    records = MemoryRecords(*[source()] * 3)
    with pytest.raises(Cancelled):
        batch_to_store(
            BatchRequest(tuple(PARTS), True),
            lambda: records,
            FolderLocation(str(tmp_path)),
            "day",
            "job",
            clock=fixed_clock,
            check=check,
        )
    assert records.closed
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# How far it has come


def test_progress_is_that_of_the_whole_and_of_each_part() -> None:
    told: list[tuple[str, list[tuple[str, int, int | None]]]] = []

    def progress(phase: str, parts: list[PartProgress]) -> None:
        told.append((phase, [(each.status, each.done, each.expected) for each in parts]))

    written([part(), part("csv")], [source(), failing(SourceFailed("x"))], goes_on=True, progress=progress)
    phases = [phase for phase, _ in told]
    assert phases == sorted(phases, key=["counting", "writing", "finishing"].index)
    assert told[0][1] == [("pending", 0, None), ("pending", 0, None)]
    assert told[1][1] == [("pending", 0, 5), ("pending", 0, None)]
    assert ("writing", [("processing", 2, 5), ("pending", 0, 5)]) in told
    assert ("writing", [("completed", 5, 5), ("processing", 2, 5)]) in told
    assert told[-1] == ("finishing", [("completed", 5, 5), ("failed", 2, 5)])
