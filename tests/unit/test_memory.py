"""Memory does not grow with the number of records, whatever is nested in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RECORDS = """
import sys
import tempfile
from arkham_shard_export.formats import writer_class
from arkham_shard_export.formats.base import Document
from arkham_shard_export.records import Adjustments, Columns, Section
from arkham_shard_export.schema import Column, Kind

evidence = (Column("id"), Column("claim_id"), Column("excerpt"))
columns = (Column("id"), Column("text"), Column("created_at", Kind.TIMESTAMP), Column("metadata", Kind.JSON))
columns += (Column("source", Kind.RECORD, columns=evidence), Column("evidence", Kind.RECORDS, columns=evidence))

class Sink:
    size = 0
    def write(self, data):
        self.size += len(data)
        return len(data)
    def scratch(self):
        return tempfile.TemporaryFile()

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

def batch(start):
    numbers = range(start, start + 500)
    return Columns([
        [f"c{n}" for n in numbers],
        [f"Claim {n} about money " * 10 for n in numbers],
        [f"20{n % 100:02}-01-{n % 28 + 1:02}T00:00:00+00:00" for n in numbers],
        ['{"n":%d}' % n for n in numbers],
        [[f"s{n}", f"c{n}", f"Source {n}."] for n in numbers],
        [[[f"e{n}", f"c{n}", f"Seen {n}. " * 20]] for n in numbers],
    ], 500)

"""
EXPORTING = """
def export(records):
    section = Section("records", columns, iter, records)
    sink, writer = Sink(), writer_class(sys.argv[1])()
    moment = "2026-11-22T13:00:00+00:00"
    writer.begin(Document("claims", moment, moment, {}, {}, [section]), sink, Adjustments())
    writer.begin_section(section)
    for start in range(0, records, 500):
        writer.write(batch(start))
    writer.end_section()
    writer.end()
    writer.close()
    assert writer.written == records and sink.size > records * 100

export(1_000)
before = peak()
export(40_000)
print(peak() - before)
"""
BATCHING = """
from datetime import UTC, datetime
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.pipeline.batch import export_batch
from arkham_shard_export.pipeline.parts import BatchRequest, Part
from arkham_shard_export.targets import TARGETS

moment = datetime(2026, 11, 22, tzinfo=UTC)

class Source:
    snapshot_at, consistent, helpers = moment, True, None
    def __init__(self, records):
        self.records = records
    def sections(self):
        def read(_names):
            yield from map(batch, range(0, self.records, 500))
        return [Section("records", columns, read, self.records)]

class Records:
    def __init__(self, records):
        self.records = records
    def source(self, place, adjustments, check):
        return Source(self.records)
    def helpers(self, place):
        return None

def export(records):
    formats, goes_on = sys.argv[1].split("+"), sys.argv[2] == "careful"
    parts = [Part(ExportRequest(each, "claims", {}, ExportOptions()), TARGETS["claims"]) for each in formats]
    outcome = export_batch(BatchRequest(tuple(parts), goes_on), Records(records), Sink(), exported_at=moment)
    assert outcome.record_count == records * len(parts)

export(1_000)
before = peak()
export(20_000)
print(peak() - before)
"""
GROWTH_KIB = 6 * 1024


def growth(program: str, *arguments: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", RECORDS + program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    return int(done.stdout)


@pytest.mark.parametrize("format", ["csv", "json"])
def test_memory_does_not_grow_with_the_records(format: str) -> None:
    assert growth(EXPORTING, format) < GROWTH_KIB


@pytest.mark.parametrize("kind", ["streamed", "careful"])
@pytest.mark.parametrize("formats", ["csv+json", "xlsx+xlsx"])
def test_memory_does_not_grow_with_the_records_of_a_batch(formats: str, kind: str) -> None:
    assert growth(BATCHING, formats, kind) < GROWTH_KIB
