"""The first records of an export, by the very source, shape and writer that a job would use."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from arkham_shard_export.formats.nesting import Nesting
from arkham_shard_export.layouts import layout_of
from arkham_shard_export.pipeline.export import document_of, writing
from arkham_shard_export.pipeline.flatten import flattened
from arkham_shard_export.pipeline.request import ExportRequest
from arkham_shard_export.records import Adjustments, Batch, Section, Source
from arkham_shard_export.sinks.measure import MeasuringSink


@dataclass(frozen=True, slots=True)
class Preview:
    """`estimated_record_count` is counted, not guessed; the size in bytes is extrapolated from the records shown.

    That of a compressed file is rather too large: few records compress less well than many. `estimated_seconds` is
    for whoever knows of earlier exports. `headings` say for each section what its columns are called in the file, in
    their order; where those are the names themselves, as in JSON, there are none.
    """

    format: str
    target: str
    estimated_record_count: int
    preview_records: list[dict[str, Any]]
    estimated_file_size_bytes: int
    estimated_seconds: float | None = None
    headings: dict[str, dict[str, str]] = field(default_factory=dict)


def preview(request: ExportRequest, counting: Source, sample: Source, exported_at: datetime) -> Preview:
    """`counting` is the source as a job would open it, `sample` the same one limited to the records to show."""
    total = sum(section.expected or 0 for section in counting.sections() if section.counted)
    sections = [section for section in sample.sections() if section.counted]
    if request.options.flatten:
        sections = [flattened(section, Adjustments()) for section in sections]
    batches = [list(section.read(None)) for section in sections]
    records = [
        json.loads(line)
        for section, read in zip(sections, batches, strict=True)
        for batch in read
        for line in Nesting(section.columns).lines(batch).splitlines()
    ]
    empty = _size(request, sample, sections, [[] for _ in sections], exported_at)
    full = _size(request, sample, sections, batches, exported_at)
    per_record = (full - empty) / len(records) if records else 0.0
    size = round(empty + per_record * total)
    return Preview(
        request.format, request.target, total, records, size, headings=_headings(request, sections)
    )


def _headings(request: ExportRequest, sections: list[Section]) -> dict[str, dict[str, str]]:
    if not request.spec.headings:
        return {}
    found: dict[str, dict[str, str]] = {}
    for section in sections:
        layout = layout_of(request.target).section(section.name, section.columns)
        found[section.name] = {
            each.name: layout.heading(each) if request.spec.laid_out else each.heading
            for each in (layout.ordered(section.columns) if request.spec.laid_out else section.columns)
        }
    return found


def _size(
    request: ExportRequest,
    source: Source,
    sections: list[Section],
    batches: list[list[Batch]],
    exported_at: datetime,
) -> int:
    sink = MeasuringSink()
    counts = [sum(len(batch) for batch in read) for read in batches]
    planned = [
        replace(section, matched=rows, skips=()) for section, rows in zip(sections, counts, strict=True)
    ]
    with writing(request, sink) as (writer, output):
        writer.begin(document_of(request, source, planned, exported_at), output, Adjustments())
        for section, read in zip(planned, batches, strict=True):
            writer.begin_section(section)
            for batch in read:
                writer.write(batch)
            writer.end_section()
        writer.end()
    return sink.size
