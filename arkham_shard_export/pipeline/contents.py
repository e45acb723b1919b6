"""What a batch says of itself: `contents.json` for programs, and `README.txt` for whoever opens the ZIP."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from arkham_shard_export.formats.account import changed, listed, moment_text
from arkham_shard_export.layouts import default_label
from arkham_shard_export.pipeline.account import completeness, part_account
from arkham_shard_export.pipeline.parts import PartResult

TITLE = "Export of an investigation"
WIDTH = 96
LISTED_FILES = 20
"""Of a folder, in the README; the others stand in the contents."""


@dataclass(frozen=True, slots=True)
class Told:
    """Of the batch as a whole. Times are ISO 8601 texts; `consistent`: all parts are of one state of the data."""

    exported_at: str
    snapshot_at: str
    consistent: bool
    continue_on_error: bool


def contents_json(results: Sequence[PartResult], told: Told) -> bytes:
    """UTF-8; each file with what was asked for and what is in it, each part with what became of it."""
    account = completeness(results)
    contents = {
        "exported_at": told.exported_at,
        "snapshot_at": told.snapshot_at,
        "consistent_snapshot": told.consistent,
        "continue_on_error": told.continue_on_error,
        "record_count": account["written"],
        "completeness": account,
        "parts": [_part(each) for each in results],
    }
    return msgspec.json.format(msgspec.json.encode(contents), indent=2) + b"\n"


def _part(result: PartResult) -> dict[str, Any]:
    request = result.part.request
    account = part_account(result)
    asked = {
        "part": account.pop("part"),
        "name": result.part.name or None,
        "target": request.target,
        "format": request.format,
        "filters": request.given_filters,
        "options": asdict(request.options),
    }
    del account["file"], account["file_size"], account["sha256"]
    return {**asked, **account, "sections": _sections(result), "files": list(_files(result))}


def _sections(result: PartResult) -> list[dict[str, Any]]:
    """The tables of a part, with their records and their columns as they are called in the data."""
    outcome = result.outcome
    if outcome is None:
        return []
    written: dict[str, int] = outcome.completeness["sections"]
    return [
        {"name": name, "records": count, "columns": outcome.columns[name]} for name, count in written.items()
    ]


def _files(result: PartResult) -> Iterator[dict[str, Any]]:
    """Of a folder each file is of one section; where a section has several, each holds one of its records."""
    outcome = result.outcome
    shared = Counter(each.section for each in result.files)
    for file in result.files:
        assert outcome is not None
        told: dict[str, Any] = {"path": file.path, "size": file.size, "sha256": file.sha256}
        if not file.section or len(result.files) == 1:
            yield {**told, "records": outcome.record_count}
        else:
            alone = shared[file.section] == 1
            records = outcome.completeness["sections"][file.section] if alone else 1
            yield {**told, "records": records, "section": file.section}


def readme(results: Sequence[PartResult], told: Told) -> bytes:
    """UTF-8 with the line ends that every system's editor shows."""
    return "\r\n".join(_lines(results, told)).encode() + b"\r\n"


def _lines(results: Sequence[PartResult], told: Told) -> Iterator[str]:
    account = completeness(results)
    yield from _heading(TITLE, "=")
    for label, value in facts(results, told):
        yield f"{label + ':':<20}{value}"
    yield ""
    yield from _wrapped(how_consistent(told))
    yield ""
    yield from _heading("The files")
    for result in results:
        yield from _part_lines(result)
        yield ""
    if account["failed_parts"]:
        yield from _heading("What could not be made")
        for result in results:
            if result.outcome is None:
                yield from _wrapped(failure(result))
        yield ""
    yield from _heading("Are these the files that were exported?")
    yield from _wrapped(
        "contents.json lists every file with its size and its SHA-256, a fingerprint: if one byte of a file is changed, it "
        "is another. To see the fingerprint of a file, unpack it and type, with its name instead of FILE:"
    )
    yield ""
    yield "    Windows   certutil -hashfile FILE SHA256"
    yield "    macOS     shasum -a 256 FILE"
    yield "    Linux     sha256sum FILE"
    yield ""
    yield from _heading("How to read them")
    yield from _wrapped(
        "Times are in UTC. contents.json also names the columns of each file, the filters and the options. Records refer to each other "
        "by id: the source_document_id of a claim is the id of a document."
    )


def facts(results: Sequence[PartResult], told: Told) -> list[tuple[str, str]]:
    account = completeness(results)
    made = sum(each.outcome is not None for each in results)
    found = [
        ("Parts", f"{made} of {len(results)}" if account["failed_parts"] else f"{made}"),
        ("Records", f"{account['written']:,}"),
    ]
    if account["skipped"]:
        found += [("Records that match", f"{account['expected']:,}"), ("Left out", f"{account['skipped']:,}")]
    return [
        *found,
        ("State of the data", moment_text(told.snapshot_at, {})),
        ("Exported", moment_text(told.exported_at, {})),
    ]


def how_consistent(told: Told) -> str:
    if told.consistent:
        return (
            "All parts were read from one state of the data, whatever was written meanwhile: what one refers to by id "
            "is as the others show it."
        )
    return (
        "Not all parts were read from one state of the data, because some come from a source that has no snapshots: "
        "what was written meanwhile may be in one part and not in another."
    )


def failure(result: PartResult) -> str:
    lost = "" if result.expected is None else f" {result.expected:,} records match it."
    return f"Part {result.number}, {result.part.title}: {result.error}{lost}"


def remarks(result: PartResult) -> list[str]:
    """What was left out of a part that was made, and what was changed in it."""
    assert result.outcome is not None
    left_out = [
        f"{skip['count']:,} left out of {default_label(skip['section']).lower()}: {skip['reason']}."
        for skip in result.outcome.completeness["skips"]
    ]
    return left_out + [f"{each['count']:,} × {each['reason']}." for each in result.outcome.adjustments]


def _part_lines(result: PartResult) -> Iterator[str]:
    request, outcome = result.part.request, result.outcome
    if outcome is None:
        yield f"Part {result.number} is missing: see below."
        return
    yield result.place or result.part.stem(result.number)
    records = f"{result.part.title}: {outcome.record_count:,} records."
    asked = [
        f"{label}: {text}."
        for label, values in (
            ("Filters", request.given_filters),
            ("Options", changed(asdict(request.options))),
        )
        if (text := listed(values))
    ]
    for line in (records, *asked, *remarks(result)):
        yield from _wrapped(line, "    ")
    if result.place and result.place.endswith("/"):
        names = [each.path.partition("/")[2] for each in result.files]
        more = f" and {len(names) - LISTED_FILES:,} more" if len(names) > LISTED_FILES else ""
        yield from _wrapped(f"In this folder: {', '.join(names[:LISTED_FILES])}{more}.", "    ")


def _heading(text: str, line: str = "-") -> list[str]:
    return [text, line * len(text), ""]


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
