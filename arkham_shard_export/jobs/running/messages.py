"""What a host and its worker processes say to each other: one JSON object a line, over stdin and stdout."""

from __future__ import annotations

from typing import Any

import msgspec

from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.pipeline.parts import BatchRequest, PartProgress
from arkham_shard_export.schema import Target
from arkham_shard_export.sources.location import Location
from arkham_shard_export.store_location import StoreLocation


class Run(msgspec.Struct, frozen=True, tag="run"):
    """Export into `<store>/<folder>/<stem><extension>`, by as many as `processes` where that helps.

    Without a location only the host's process can read the records.
    """

    request: ExportRequest
    target: Target
    store: StoreLocation
    folder: str
    stem: str
    location: Location | None
    processes: int = 1


class RunBatch(msgspec.Struct, frozen=True, tag="batch"):
    """As `Run`, several exports into one file. `last_try`: what may go well another time will have none."""

    batch: BatchRequest
    store: StoreLocation
    folder: str
    stem: str
    location: Location | None
    processes: int = 1
    last_try: bool = True


class Progressed(msgspec.Struct, frozen=True, tag="progress"):
    phase: str
    done: int
    expected: int
    bytes: int = 0
    """Of the file so far, as it will be stored."""
    parts: tuple[PartProgress, ...] = ()
    """Of a batch; the other figures are those of the whole."""


class Completed(msgspec.Struct, frozen=True, tag="completed"):
    file_path: str
    file_size: int
    sha256: str
    record_count: int
    snapshot_at: str
    consistent: bool
    completeness: dict[str, Any]
    adjustments: list[dict[str, Any]]
    parts: list[dict[str, Any]] = []
    """The account of each part of a batch."""
    trace: str = ""
    """For the log, of parts that failed while others went on."""
    peak_memory_mib: int = 0
    """The most that this process has held resident so far."""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """`error` is for the user, `trace` only for the log; `passing`: another try may succeed; `parts` of a batch are
    those that failed, by their numbers, with the reasons."""

    error: str
    trace: str = ""
    passing: bool = False
    parts: dict[int, str] = {}


Answer = Progressed | Completed | Failed

encode = msgspec.json.Encoder().encode
_runs: msgspec.json.Decoder[Run | RunBatch] = msgspec.json.Decoder(Run | RunBatch)
_answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def decode_run(line: bytes) -> Run | RunBatch:
    return _runs.decode(line)


def decode_answer(line: bytes) -> Answer:
    return _answers.decode(line)
