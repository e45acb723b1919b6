"""One export as a job runs it, with progress told no more often than anyone can read."""

from __future__ import annotations

import resource
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from copy import copy

from arkham_shard_export.children import memory_mib
from arkham_shard_export.errors import Cancelled, ExportError, PartFailed, sentence_of
from arkham_shard_export.jobs.running.messages import Completed, Failed, Progressed, Run, RunBatch
from arkham_shard_export.pipeline import StoredExport, export_to_store, open_source
from arkham_shard_export.pipeline.batch import Records
from arkham_shard_export.pipeline.export import Check
from arkham_shard_export.pipeline.parts import PartProgress
from arkham_shard_export.pipeline.run import OpenRecords, OpenSource, SharedRecords, batch_to_store
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import Adjustments, Source

PROGRESS_SECONDS = 0.25


Tell = Callable[[Progressed], None]


def execute(
    run: Run | RunBatch,
    clock: Clock,
    tell: Tell,
    check: Check,
    open_records: OpenSource | None = None,
) -> Completed | Failed:
    """Run it to its end. Raises Cancelled if `check` did; every other error is an answer."""
    if isinstance(run, RunBatch):
        return execute_batch(run, clock, tell, check)
    telling = _Telling(tell)

    def from_location(adjustments: Adjustments, _check: Check) -> Source:
        assert run.location is not None
        return open_source(run.request, run.target, run.location, adjustments, clock, run.processes)

    return _answer(
        lambda: export_to_store(
            run.request,
            open_records or from_location,
            run.store,
            run.folder,
            run.stem,
            clock=clock,
            progress=lambda phase, done, expected, size: telling.told(
                (phase,), lambda: Progressed(phase, done, expected, size)
            ),
            check=check,
        )
    )


def execute_batch(
    run: RunBatch, clock: Clock, tell: Tell, check: Check, open_records: OpenRecords | None = None
) -> Completed | Failed:
    """As `execute`."""
    telling = _Telling(tell)

    def progress(phase: str, parts: Sequence[PartProgress], size: int) -> None:
        def progressed() -> Progressed:
            done, expected = sum(each.done for each in parts), sum(each.expected or 0 for each in parts)
            # The parts go on changing, and telling may be the affair of another thread.
            return Progressed(phase, done, expected, size, tuple(map(copy, parts)))

        telling.told((phase, *(each.status for each in parts)), progressed)

    def from_location() -> Records:
        assert run.location is not None
        return SharedRecords(run.batch, run.location, clock, run.processes)

    return _answer(
        lambda: batch_to_store(
            run.batch,
            open_records or from_location,
            run.store,
            run.folder,
            run.stem,
            clock=clock,
            progress=progress,
            check=check,
            last_try=run.last_try,
        )
    )


class _Telling:
    """Tells at once where the phase is another, that of a part too, and else no more often than anyone can read."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._told = 0.0
        self._phase: tuple[str, ...] = ()

    def told(self, phase: tuple[str, ...], progressed: Callable[[], Progressed]) -> None:
        now = time.monotonic()
        if phase != self._phase or now - self._told >= PROGRESS_SECONDS:
            self._told, self._phase = now, phase
            self._tell(progressed())


def _answer(work: Callable[[], StoredExport]) -> Completed | Failed:
    try:
        return completed(work())
    except Cancelled:
        raise
    except PartFailed as error:
        return Failed(str(error), traceback.format_exc(), error.passing, error.reasons)
    except Exception as error:
        passing = isinstance(error, ExportError) and error.passing
        return Failed(sentence_of(error), traceback.format_exc(), passing)


def completed(stored: StoredExport) -> Completed:
    outcome = stored.outcome
    return Completed(
        file_path=stored.file.path,
        file_size=stored.file.size,
        sha256=stored.file.sha256,
        record_count=outcome.record_count,
        snapshot_at=outcome.snapshot_at,
        consistent=outcome.consistent,
        completeness=outcome.completeness,
        adjustments=outcome.adjustments,
        parts=outcome.parts,
        trace=outcome.trace,
        peak_memory_mib=peak_memory_mib(),
    )


def peak_memory_mib() -> int:
    """The most this process has held resident. Linux: of this program, not of the host that it was forked from."""
    held = memory_mib("VmHWM")
    if held is not None:
        return held
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))
