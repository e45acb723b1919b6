"""A process of a crew: encodes portions of an export that another process writes.

python -P -c "from arkham_shard_export.pipeline.crew_member import main; main()"
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import asdict
from typing import IO

import msgspec

from arkham_shard_export.children import own_stdout
from arkham_shard_export.errors import DatabaseGone, ExportError, SourceFailed
from arkham_shard_export.formats import writer_class
from arkham_shard_export.formats.base import InParts
from arkham_shard_export.pipeline.crew import (
    Assignment,
    Begin,
    Part,
    PortionDone,
    Ready,
    Refused,
    Report,
    Work,
    encode,
)
from arkham_shard_export.pipeline.portions import parts_of, rules_of
from arkham_shard_export.ports import system_clock
from arkham_shard_export.records import Adjustments
from arkham_shard_export.sources.opening import join_snapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.sources.tables import TableSource

_orders: msgspec.json.Decoder[Work | Begin | Assignment] = msgspec.json.Decoder(Work | Begin | Assignment)


def main() -> None:
    """Work until stdin ends, which it does with the employer, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reports = own_stdout()
    with suppress(BrokenPipeError):
        try:
            _serve(sys.stdin.buffer, reports)
        except ExportError as error:
            _tell(
                reports, Refused(str(error), isinstance(error, SourceFailed), isinstance(error, DatabaseGone))
            )
        except BrokenPipeError:
            raise
        except MemoryError:
            _tell(reports, Refused("The export needs more memory than its processes may use.", False))
        except Exception:
            # At once, lest those of several members be told through each other.
            os.write(sys.stderr.fileno(), traceback.format_exc().encode())
            os._exit(1)


def _serve(lines: Iterable[bytes], reports: IO[bytes]) -> None:
    orders = map(_orders.decode, lines)
    work = next(orders, None)
    if not isinstance(work, Work):
        return
    _tell(reports, Ready())
    begin = next(orders, None)
    if not isinstance(begin, Begin):
        return
    with closing(join_snapshot(work.location, begin.shared, system_clock)) as snapshot:
        _tell(reports, Ready())
        for order in orders:
            if isinstance(order, Assignment):
                _encode_portions(work, order, snapshot, reports)


def _encode_portions(work: Work, assignment: Assignment, snapshot: Snapshot, reports: IO[bytes]) -> None:
    share = work.shares[assignment.share]
    request = share.request
    writer = writer_class(request.format)()
    assert isinstance(writer, InParts)
    options = asdict(request.options)
    adjustments = Adjustments()
    source = TableSource(snapshot, share.target, request.selection(), request.extent(), adjustments)
    section, portions = source.apart(assignment.section)
    encode_batch = writer.encoder(section, request.target, options, adjustments)
    for portion in assignment.portions[work.member :: work.members]:
        adjustments.counts.clear()
        for part, rows in parts_of(portions, portion, encode_batch, rules_of(writer, options)):
            reports.write(encode(Part(rows, len(part))) + b"\n")
            reports.write(part)
        _tell(reports, PortionDone(dict(adjustments.counts)))


def _tell(reports: IO[bytes], report: Report) -> None:
    reports.write(encode(report) + b"\n")
    reports.flush()
