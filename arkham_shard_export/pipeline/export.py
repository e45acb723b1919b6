"""Source → shape → writer → sink: one export, wherever it runs. Knows no jobs, no HTTP and no host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from arkham_shard_export.errors import Incomplete
from arkham_shard_export.formats import writer_class
from arkham_shard_export.formats.base import Document, InParts, Writer, in_parts
from arkham_shard_export.models import PRESENTATION, ExportOptions
from arkham_shard_export.pipeline.flatten import flattened
from arkham_shard_export.pipeline.portions import parts_of, rules_of
from arkham_shard_export.pipeline.request import ExportRequest, check_size
from arkham_shard_export.ports import Sink
from arkham_shard_export.records import Adjustments, Helpers, Part, Portions, Section, Source
from arkham_shard_export.sinks.compressing import compressed, compressed_extension

_DEFAULTS = asdict(ExportOptions())

Progress = Callable[[str, int, int], None]
"""Called with the phase, the records done and the records expected."""

Check = Callable[[], None]
"""Called between batches; it raises to end the export."""

_UNTOLD = ("compression", "date_range")
"""Options that no writer is told: how its bytes are compressed, and what the dates were asked for as."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an export wrote. `consistent`: all of it belongs to one state of the data. `completeness` and `adjustments` are as they stand in a job's metadata.

    `columns` names those of each section. Of a batch `parts` tells of each part, as it stands in a job's metadata, and
    `trace` of what failed, for the log.
    """

    record_count: int
    file_extension: str
    snapshot_at: str
    consistent: bool
    completeness: dict[str, Any]
    adjustments: list[dict[str, Any]] = field(default_factory=list)
    columns: dict[str, list[str]] = field(default_factory=dict)
    parts: list[dict[str, Any]] = field(default_factory=list)
    trace: str = ""


def export(
    request: ExportRequest,
    source: Source,
    sink: Sink,
    *,
    exported_at: datetime,
    adjustments: Adjustments,
    progress: Progress = lambda _phase, _done, _expected: None,
    check: Check = lambda: None,
    writer: Writer | None = None,
    begun: Callable[[Section], None] = lambda _section: None,
) -> Outcome:
    """Write every record of `source` to `sink`, or raise; what is in the sink after an error must be discarded.

    `check` is called between batches and raises to end the export. Raises Incomplete where the records written
    and skipped do not add up to those the source held. `writer` is that of the request's format unless one is given; `begun` is
    told of each section before it is written.
    """
    progress("counting", 0, 0)
    sections = source.sections()
    check_size(request, sections)
    expected = sum(section.expected or 0 for section in sections)
    done = 0
    if request.options.flatten:
        sections = _flattened(sections, expected, adjustments, progress, check)
    document = document_of(request, source, sections, exported_at)
    written: dict[str, int] = {}
    with writing(request, sink, writer) as (writer, output):
        writer.begin(document, output, adjustments)
        for section in sections:
            written[section.name] = 0
            begun(section)
            writer.begin_section(section)
            for rows in _write(section, writer, document, source.helpers, adjustments):
                check()
                written[section.name] += rows
                done += rows if section.counted else 0
                progress("writing", done, expected)
            writer.end_section()
        check()
        progress("finishing", done, expected)
        writer.end()
    return Outcome(
        record_count=writer.written,
        file_extension=compressed_extension(writer.file_extension, request.options.compression),
        snapshot_at=document.snapshot_at,
        consistent=source.consistent,
        completeness=completeness(sections, writer, written),
        adjustments=adjustments.report(),
        columns={section.name: [column.name for column in section.columns] for section in sections},
    )


@contextmanager
def writing(request: ExportRequest, sink: Sink, given: Writer | None = None) -> Iterator[tuple[Writer, Sink]]:
    """The request's writer, and what it is to write to; when the block has ended, all is in `sink`."""
    writer = given or writer_class(request.format)()
    with (
        compressed(
            sink, request.options.compression, lambda: f"{request.target}{writer.file_extension}"
        ) as output,
        closing(writer),
    ):
        yield writer, output


def _write(
    section: Section, writer: Writer, document: Document, helpers: Helpers | None, adjustments: Adjustments
) -> Iterator[int]:
    """Writes the section; gives the number of rows after each batch."""
    if section.portions is not None and in_parts(writer, section.layout):
        for part in _parts(section, section.portions, writer, document, helpers, adjustments):
            writer.splice(*part)
            yield part[1]
    else:
        for batch in section.read(None):
            writer.write(batch)
            yield len(batch)


def _parts(
    section: Section,
    portions: Portions,
    writer: InParts,
    document: Document,
    helpers: Helpers | None,
    adjustments: Adjustments,
) -> Iterator[Part]:
    if helpers is None:
        encode = writer.encoder(section, document.target, document.options, adjustments)
        for portion in portions.places:
            yield from parts_of(portions, portion, encode, rules_of(writer, document.options))
        return
    for report in helpers.parts(section.name, portions.places):
        if isinstance(report, dict):
            adjustments.counts.update(report)
        else:
            yield report


def document_of(
    request: ExportRequest, source: Source, sections: Sequence[Section], exported_at: datetime
) -> Document:
    """What a writer is told of an export. Its bytes are the same however they are compressed."""
    return Document(
        target=request.target,
        exported_at=exported_at.isoformat(),
        snapshot_at=source.snapshot_at.isoformat(),
        filters=request.given_filters,
        options={name: value for name, value in asdict(request.options).items() if _is_told(name, value)},
        sections=sections,
        include_metadata=request.options.include_metadata,
        layout=request.layout,
    )


def _is_told(name: str, value: Any) -> bool:
    return name not in _UNTOLD and (name not in PRESENTATION or value != _DEFAULTS[name])


def _flattened(
    sections: list[Section],
    expected: int,
    adjustments: Adjustments,
    progress: Progress,
    check: Check,
) -> list[Section]:
    seen = 0

    def observe(rows: int) -> None:
        nonlocal seen
        check()
        seen += rows
        progress("flattening", seen, expected)

    # What the first reading repairs is counted by the second.
    before = adjustments.counts.copy()
    sections = [
        flattened(section, adjustments, observe if section.counted else lambda _rows: check())
        for section in sections
    ]
    adjustments.counts = before
    return sections


def completeness(sections: list[Section], writer: Writer, written: dict[str, int]) -> dict[str, Any]:
    """The account of an export: expected = written + skipped, with a reason for each kind of skip."""
    counted = [section for section in sections if section.counted]
    expected = sum(section.matched or 0 for section in counted)
    skips = [
        {"section": section.name, "kind": skip.kind, "count": skip.count, "reason": skip.reason}
        for section in counted
        for skip in section.skips
    ]
    skipped = sum(int(str(skip["count"])) for skip in skips)
    for section in counted:
        if written[section.name] != section.expected:
            raise Incomplete(
                f"The source holds {section.expected} {section.name} to write, but {written[section.name]} were "
                "read; the file was discarded. Run the export again."
            )
    if writer.written + skipped != expected:
        raise Incomplete(
            f"Of {expected} records {writer.written} were written and {skipped} skipped; the file was discarded."
        )
    return {
        "expected": expected,
        "written": writer.written,
        "skipped": skipped,
        "skips": skips,
        "sections": written,
    }
