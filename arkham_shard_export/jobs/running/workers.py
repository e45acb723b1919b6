"""Warm worker processes, reused from job to job and replaced when they have grown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable

from arkham_shard_export.children import environment, python_command
from arkham_shard_export.errors import WorkerDied
from arkham_shard_export.jobs.running.messages import (
    Completed,
    Failed,
    Progressed,
    Run,
    RunBatch,
    decode_answer,
    encode,
)

LINE_LIMIT_BYTES = 1 << 24
STOP_SECONDS = 2.0
_START = "from arkham_shard_export.jobs.running.worker import main; main({})"

log = logging.getLogger(__name__)


class WorkerPool:
    """Runs one export a process. The caller bounds how many run at a time; idle processes wait to be reused.

    A process that has held more than half of what it may hold is not: what it keeps would be missing to the next export.
    """

    def __init__(self, memory_limit_mib: int) -> None:
        self._memory_limit_mib = memory_limit_mib
        self._reused_up_to_mib = memory_limit_mib // 2
        self._idle: list[Process] = []
        self._all: set[Process] = set()

    async def run(self, run: Run | RunBatch, on_progress: Callable[[Progressed], None]) -> Completed | Failed:
        """The worker's answer; WorkerDied if it ended without one. Cancelling this call kills the worker."""
        process = await self._worker()
        try:
            answer = await self._converse(process, run, on_progress)
        except BaseException:
            await self._kill(process)
            raise
        if isinstance(answer, Failed) or answer.peak_memory_mib > self._reused_up_to_mib:
            await self._stop(process)
        else:
            self._idle.append(process)
        return answer

    async def warm(self) -> None:
        """Have one process ready, so that the first job need not wait for the interpreter."""
        self._idle.append(await self._worker())

    async def close(self) -> None:
        """End all processes; running exports are lost."""
        await asyncio.gather(*(self._stop(process) for process in list(self._all)))
        self._idle.clear()

    @property
    def pids(self) -> list[int]:
        """The process ids of all live workers."""
        return [process.pid for process in self._all if process.returncode is None]

    async def _worker(self) -> Process:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._all.discard(process)
        process = await asyncio.create_subprocess_exec(
            *python_command(_START.format(self._memory_limit_mib)),
            stdin=PIPE,
            stdout=PIPE,
            limit=LINE_LIMIT_BYTES,
            env=environment(),
        )
        self._all.add(process)
        return process

    async def _converse(
        self, process: Process, run: Run | RunBatch, on_progress: Callable[[Progressed], None]
    ) -> Completed | Failed:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if process.stdin.is_closing():
                # It died at birth. asyncio would write to nowhere, uvloop raises RuntimeError.
                raise BrokenPipeError
            process.stdin.write(encode(run) + b"\n")
            await process.stdin.drain()
            while line := await process.stdout.readline():
                answer = decode_answer(line)
                if not isinstance(answer, Progressed):
                    return answer
                on_progress(answer)
        except (BrokenPipeError, ConnectionResetError):
            pass
        raise WorkerDied("The worker process that ran this export ended unexpectedly.")

    async def _kill(self, process: Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await self._reap(process)

    async def _stop(self, process: Process) -> None:
        """Closing stdin asks an idle worker to end; one that does not is killed."""
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await self._reap(process)

    async def _reap(self, process: Process) -> None:
        await process.wait()
        self._all.discard(process)
        transport = getattr(process, "_transport", None)
        if transport is not None:
            transport.close()
