"""One export over a source in memory: complete, or failed with nothing left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.errors import Cancelled, Incomplete, SourceFailed, StoreFailed
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.formats.csv import CsvWriter
from arkham_shard_export.formats.json import JsonWriter
from arkham_shard_export.jobs.running import execution, messages
from arkham_shard_export.jobs.running.execution import execute
from arkham_shard_export.jobs.running.messages import (
    Completed,
    Failed,
    Progressed,
    Run,
    decode_answer,
    decode_run,
)
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.pipeline import ExportRequest, StoredExport, check_request, export, export_to_store
from arkham_shard_export.records import Adjustments, Batch, Row, Section, Skip
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.location import PostgresLocation, SqliteLocation
from arkham_shard_export.store_location import FolderLocation, S3Location, StoreLocation
from arkham_shard_export.targets import TARGETS
from tests.unit.memory import MOMENT, MemorySink, MemorySource, fixed_clock, section_of

COLUMNS = (Column("id"), Column("meta", Kind.JSON))
ROWS: list[Row] = [[str(number), '{"a":1}'] for number in range(5)]


def request(format: str = "json", **options: Any) -> ExportRequest:
    return ExportRequest(format, "claims", {"status": "verified"}, ExportOptions(**options))


def stored(
    source: MemorySource, store: Path, request: ExportRequest | None = None, **others: Any
) -> StoredExport:
    return export_to_store(
        request or ExportRequest("json", "claims", {}, ExportOptions()),
        lambda _adjustments, _check: source,
        FolderLocation(str(store)),
        "2026-11-22",
        "job",
        clock=fixed_clock,
        **others,
    )


def left_in(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if not path.is_dir()]


def raising(error: BaseException, at: int) -> Callable[[int], None]:
    def fail(number: int) -> None:
        if number == at:
            raise error

    return fail


# What an export says of itself


def test_an_export_accounts_for_every_record() -> None:
    sink = MemorySink()
    skips = (Skip("merged", 2, "merged into another"), Skip("max_records", 3, "max_records is 5"))
    source = MemorySource(
        section_of(COLUMNS, ROWS, skips=skips),
        section_of(COLUMNS, ROWS[:2], "edges"),
        section_of(COLUMNS, ROWS[:1], "gaps", counted=False),
    )
    adjustments = Adjustments()
    adjustments.add("undated", 4)
    adjustments.add("formula_guard", 0)
    outcome = export(request(), source, sink, exported_at=MOMENT, adjustments=adjustments)
    assert outcome.record_count == 7
    assert outcome.file_extension == ".json"
    assert outcome.snapshot_at == MOMENT.isoformat()
    assert outcome.completeness == {
        "expected": 12,
        "written": 7,
        "skipped": 5,
        "skips": [
            {"section": "records", "kind": "merged", "count": 2, "reason": "merged into another"},
            {"section": "records", "kind": "max_records", "count": 3, "reason": "max_records is 5"},
        ],
        "sections": {"records": 5, "edges": 2, "gaps": 1},
    }
    assert outcome.adjustments == [
        {"kind": "undated", "count": 4, "reason": Adjustments.REASONS["undated"]},
    ]
    document = json.loads(sink.data)
    assert document["exported_at"] == MOMENT.isoformat()
    assert document["filters"] == {"status": "verified"}
    assert document["record_count"] == 7


def test_an_export_without_records_is_complete() -> None:
    outcome = export(
        request("csv"),
        MemorySource(section_of(COLUMNS, [])),
        MemorySink(),
        exported_at=MOMENT,
        adjustments=Adjustments(),
    )
    assert outcome.completeness == {
        "expected": 0,
        "written": 0,
        "skipped": 0,
        "skips": [],
        "sections": {"records": 0},
    }


def phases(**options: Any) -> list[tuple[str, int, int]]:
    told: list[tuple[str, int, int]] = []
    export(
        request(**options),
        MemorySource(section_of(COLUMNS, ROWS), section_of(COLUMNS, ROWS, "gaps", counted=False)),
        MemorySink(),
        exported_at=MOMENT,
        adjustments=Adjustments(),
        progress=lambda *told_now: told.append(told_now),
    )
    return told


def test_progress_goes_from_counting_over_writing_to_finishing() -> None:
    assert phases() == [
        ("counting", 0, 0),
        ("writing", 2, 5),
        ("writing", 4, 5),
        ("writing", 5, 5),
        ("writing", 5, 5),
        ("writing", 5, 5),
        ("writing", 5, 5),
        ("finishing", 5, 5),
    ]


def test_flattening_is_a_phase_of_its_own_that_never_goes_beyond_what_is_expected() -> None:
    told = phases(flatten=True)
    assert list(dict.fromkeys(phase for phase, _, _ in told)) == [
        "counting",
        "flattening",
        "writing",
        "finishing",
    ]
    assert all(done <= expected for phase, done, expected in told if phase != "counting")


def test_what_the_first_reading_of_a_flattened_export_repairs_is_counted_once() -> None:
    adjustments = Adjustments()

    def repair(_number: int) -> None:
        adjustments.add("invalid_json")

    source = MemorySource(section_of(COLUMNS, ROWS, fails=repair, batch=10))
    outcome = export(request(flatten=True), source, MemorySink(), exported_at=MOMENT, adjustments=adjustments)
    assert [(each["kind"], each["count"]) for each in outcome.adjustments] == [("invalid_json", 1)]


# Whole or nothing


def test_a_stored_export_is_a_whole_file_and_its_source_is_closed(tmp_path: Path) -> None:
    source = MemorySource(section_of(COLUMNS, ROWS))
    result = stored(source, tmp_path)
    assert left_in(tmp_path) == [tmp_path / "2026-11-22" / "job.json"]
    assert result.file.path == "2026-11-22/job.json"
    assert json.loads((tmp_path / result.file.path).read_bytes())["record_count"] == 5
    assert source.closed


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize(
    "error", [SourceFailed("gone"), RuntimeError("broken"), KeyboardInterrupt(), MemoryError()]
)
def test_a_source_that_fails_midway_leaves_nothing(
    format: str, flatten: bool, error: BaseException, tmp_path: Path
) -> None:
    source = MemorySource(section_of(COLUMNS, ROWS, fails=raising(error, 1)))
    with pytest.raises(type(error)):
        stored(source, tmp_path, request(format, flatten=flatten))
    assert left_in(tmp_path) == []
    assert source.closed


def test_a_source_that_cannot_be_opened_leaves_nothing(tmp_path: Path) -> None:
    def refuse(_adjustments: Adjustments, _check: object) -> MemorySource:
        raise SourceFailed("no such database")

    with pytest.raises(SourceFailed):
        export_to_store(
            request(), refuse, FolderLocation(str(tmp_path)), "2026-11-22", "job", clock=fixed_clock
        )
    assert left_in(tmp_path) == []


class BreakingWriter(JsonWriter):
    """Writes one batch and breaks at the second."""

    def write(self, batch: Batch) -> None:
        if self.written:
            raise RuntimeError("broken writer")
        super().write(batch)


class BreakingAtTheEnd(CsvWriter):
    def end(self) -> None:
        raise StoreFailed("no room for the end")


class ForgetfulWriter(JsonWriter):
    """Drops a record of each batch, as no writer may."""

    def write(self, batch: Batch) -> None:
        super().write(batch[1:])


class LyingWriter(JsonWriter):
    """Counts records that it was never given."""

    def end(self) -> None:
        self.written += 1
        super().end()


@pytest.mark.parametrize(
    ("writer", "error"),
    [
        ("BreakingWriter", RuntimeError),
        ("BreakingAtTheEnd", StoreFailed),
        ("ForgetfulWriter", Incomplete),
        ("LyingWriter", Incomplete),
    ],
)
def test_a_writer_that_fails_or_loses_records_leaves_nothing(
    writer: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "broken", f"{__name__}:{writer}")
    source = MemorySource(section_of(COLUMNS, ROWS))
    with pytest.raises(error):
        stored(source, tmp_path, request("broken"))
    assert left_in(tmp_path) == []
    assert source.closed


def uneven(matched: int, skips: tuple[Skip, ...] = ()) -> Section:
    return section_of(COLUMNS, ROWS, matched=matched, skips=skips)


@pytest.mark.parametrize(
    "sections",
    [
        [uneven(6)],
        [uneven(4)],
        [uneven(0)],
        [uneven(5, (Skip("merged", 1, "merged"),))],
        # Too many of one kind make no good for too few of the other.
        [uneven(6), section_of(COLUMNS, ROWS, "edges", matched=4)],
    ],
)
def test_counts_that_do_not_add_up_fail_the_export_and_leave_nothing(
    sections: list[Section], tmp_path: Path
) -> None:
    with pytest.raises(Incomplete, match="discarded"):
        stored(MemorySource(*sections), tmp_path)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("at", range(4))
def test_a_cancelled_export_ends_between_batches_and_leaves_nothing(
    format: str, flatten: bool, at: int, tmp_path: Path
) -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > at:
            raise Cancelled

    source = MemorySource(section_of(COLUMNS, ROWS))
    with pytest.raises(Cancelled):
        stored(source, tmp_path, request(format, flatten=flatten), check=check)
    assert calls == at + 1
    assert left_in(tmp_path) == []
    assert source.closed


def test_an_export_can_be_cancelled_until_its_end(tmp_path: Path) -> None:
    """Also an export without a single batch asks whether it is still wanted."""

    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        stored(MemorySource(section_of(COLUMNS, [])), tmp_path, check=check)
    assert left_in(tmp_path) == []


# As a job runs it


def executed(
    tmp_path: Path,
    source: MemorySource,
    tell: Callable[[Progressed], None] = lambda _told: None,
    check: Callable[[], None] = lambda: None,
    asked: ExportRequest | None = None,
) -> Completed | Failed:
    run = Run(asked or request(), TARGETS["claims"], FolderLocation(str(tmp_path)), "2026-11-22", "job", None)
    return execute(run, fixed_clock, tell, check, lambda _adjustments, _check: source)


def test_a_job_that_ends_well_answers_with_its_file_and_its_account(tmp_path: Path) -> None:
    answer = executed(tmp_path, MemorySource(section_of(COLUMNS, ROWS)))
    assert isinstance(answer, Completed)
    assert answer.file_path == "2026-11-22/job.json"
    assert answer.file_size == (tmp_path / answer.file_path).stat().st_size
    assert (answer.record_count, answer.completeness["written"]) == (5, 5)
    assert answer.snapshot_at == MOMENT.isoformat()
    assert answer.peak_memory_mib > 0


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (SourceFailed("The table vanished."), "The table vanished."),
        (RuntimeError("secret detail"), "The export failed unexpectedly (RuntimeError)."),
        (MemoryError(), "The export needs more memory than its worker may use."),
    ],
)
def test_a_job_that_fails_answers_with_a_sentence_and_keeps_the_trace_for_the_log(
    error: BaseException, sentence: str, tmp_path: Path
) -> None:
    answer = executed(tmp_path, MemorySource(section_of(COLUMNS, ROWS, fails=raising(error, 1))))
    assert isinstance(answer, Failed)
    assert answer.error == sentence
    assert type(error).__name__ in answer.trace
    assert left_in(tmp_path) == []


def test_a_cancelled_job_has_no_answer(tmp_path: Path) -> None:
    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        executed(tmp_path, MemorySource(section_of(COLUMNS, ROWS)), check=check)
    assert left_in(tmp_path) == []


def test_progress_is_told_at_each_phase_and_else_only_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Time:
        now = 1000.0

        def monotonic(self) -> float:
            self.now += execution.PROGRESS_SECONDS / 2
            return self.now

    monkeypatch.setattr(execution, "time", Time())
    told: list[Progressed] = []
    executed(tmp_path, MemorySource(section_of(COLUMNS, ROWS, batch=1)), tell=told.append)
    assert [(each.phase, each.done) for each in told] == [
        ("counting", 0),
        ("writing", 1),
        ("writing", 3),
        ("writing", 5),
        ("finishing", 5),
        ("storing", 5),
    ]


@pytest.mark.parametrize(
    ("format", "compression"),
    [
        *(
            (format, compression)
            for format in ("json", "csv")
            for compression in ("none", "gzip", "zstd", "zip")
        ),
        *((format, "none") for format in ("xlsx", "pdf", "docx")),
    ],
)
def test_the_bytes_told_last_are_those_of_the_file_that_is_stored(
    tmp_path: Path, format: str, compression: str
) -> None:
    told: list[Progressed] = []
    answer = executed(
        tmp_path,
        MemorySource(section_of(COLUMNS, ROWS)),
        tell=told.append,
        asked=request(format, compression=compression),
    )
    assert isinstance(answer, Completed), answer
    sizes = [each.bytes for each in told]
    assert sizes == sorted(sizes)
    assert told[0].bytes == 0
    assert (told[-1].phase, told[-1].bytes) == ("storing", answer.file_size)


# Over the wire to a worker


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "location", [SqliteLocation("/x.db", {"a": "/é b.db"}), PostgresLocation("postgresql:///x")]
)
@pytest.mark.parametrize("store", [FolderLocation("/é"), S3Location("arkham", "a/b")])
def test_a_run_survives_the_wire_for_every_target(
    target: str, location: SqliteLocation | PostgresLocation, store: StoreLocation
) -> None:
    checked = check_request("csv", TARGETS[target], None, {"max_records": 2**63 - 1}, tenant_id="t")
    run = Run(checked, TARGETS[target], store, "2026-11-22", "job.3", location, 2)
    line = messages.encode(run)
    assert b"\n" not in line
    assert decode_run(line) == run
    assert (decode_run(line).location, decode_run(line).store) == (location, store)


def test_every_answer_survives_the_wire(tmp_path: Path) -> None:
    completed = executed(tmp_path, MemorySource(section_of(COLUMNS, ROWS)))
    for answer in (completed, Failed("Line\nbreak", "trace\n"), Progressed("writing", 1, 2**62)):
        line = messages.encode(answer)
        assert b"\n" not in line
        assert decode_answer(line) == answer
