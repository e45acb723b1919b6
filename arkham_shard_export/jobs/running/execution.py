"""One export as a job runs it, with progress told no more often than anyone can read."""

from __future__ import annotations

import resource
import sys
import time
import traceback
from collections.abc import Callable

from arkham_shard_export.children import memory_mib
from arkham_shard_export.errors import Cancelled, ExportError
from arkham_shard_export.jobs.running.messages import Completed, Failed, Progressed, Run
from arkham_shard_export.pipeline import StoredExport, export_to_store, open_source
from arkham_shard_export.pipeline.export import Check
from arkham_shard_export.pipeline.run import OpenSource
from arkham_shard_export.ports import Clock
from arkham_shard_export.records import Adjustments, Source

PROGRESS_SECONDS = 0.25


def execute(
    run: Run,
    clock: Clock,
    tell: Callable[[Progressed], None],
    check: Check,
    open_records: OpenSource | None = None,
) -> Completed | Failed:
    """Run it to its end. Raises Cancelled if `check` did; every other error is an answer."""
    told = 0.0
    phase_told = ""

    def progress(phase: str, done: int, expected: int, size: int) -> None:
        nonlocal told, phase_told
        now = time.monotonic()
        if phase != phase_told or now - told >= PROGRESS_SECONDS:
            told, phase_told = now, phase
            tell(Progressed(phase, done, expected, size))

    def from_location(adjustments: Adjustments, _check: Check) -> Source:
        assert run.location is not None
        return open_source(run.request, run.target, run.location, adjustments, clock, run.processes)

    try:
        stored = export_to_store(
            run.request,
            open_records or from_location,
            run.store,
            run.folder,
            run.stem,
            clock=clock,
            progress=progress,
            check=check,
        )
    except Cancelled:
        raise
    except ExportError as error:
        return Failed(str(error), traceback.format_exc(), error.passing)
    except MemoryError:
        return Failed("The export needs more memory than its worker may use.", traceback.format_exc())
    except Exception as error:
        return Failed(f"The export failed unexpectedly ({type(error).__name__}).", traceback.format_exc())
    return completed(stored)


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
        peak_memory_mib=peak_memory_mib(),
    )


def peak_memory_mib() -> int:
    """The most this process has held resident. Linux: of this program, not of the host that it was forked from."""
    held = memory_mib("VmHWM")
    if held is not None:
        return held
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))
