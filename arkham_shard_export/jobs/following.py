"""Waiting for jobs: one look for all who wait in this process, and nothing at all while nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from arkham_shard_export.background import begin, end
from arkham_shard_export.errors import ExportError, TooManyListeners
from arkham_shard_export.jobs.operating.watching import Flight
from arkham_shard_export.jobs.table.states import JobState, JobStates
from arkham_shard_export.jobs.table.store import JobStore
from arkham_shard_export.models import ExportJob

LOOK_SECONDS = 0.5
"""Between looks at jobs that nothing was heard of: what other processes do is seen this late."""
MOST_AT_ONCE = 200
"""Jobs in one statement, which may hold up the host's event loop while it runs."""

log = logging.getLogger(__name__)


class Following:
    """What one listener knows of one job. `job` is the whole of it, once it has ended."""

    def __init__(self, job_id: str, followed: _Followed) -> None:
        self.job_id = job_id
        self._followed = followed
        self._changed = asyncio.Event()

    @property
    def state(self) -> JobState | None:
        """As it was seen last; None before the first look."""
        return self._followed.state

    @property
    def job(self) -> ExportJob | None:
        return self._followed.job

    @property
    def gone(self) -> bool:
        """Whether the job was removed from the table."""
        return self._followed.gone

    @property
    def over(self) -> bool:
        """Whether there is nothing more to wait for: the job has ended, or is gone, or this process stops."""
        return self._followed.over

    def nudge(self) -> None:
        """Have `change` return."""
        self._changed.set()

    async def change(self, seconds: float) -> bool:
        """Wait until there is something new since the last call; false where so many seconds pass without."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        changed = self._changed.is_set()
        self._changed.clear()
        return changed


@dataclass(slots=True, eq=False)
class _Followed:
    """One job, for all who listen to it."""

    state: JobState | None = None
    job: ExportJob | None = None
    gone: bool = False
    stopped: bool = False
    listeners: set[Following] = field(default_factory=set)

    @property
    def over(self) -> bool:
        return self.settled or self.stopped

    @property
    def settled(self) -> bool:
        """There is nothing left to look for."""
        return self.job is not None or self.gone

    def tell(self) -> None:
        for each in self.listeners:
            each.nudge()


class Follower:
    """Looks every LOOK_SECONDS at the jobs that are followed, and at once at one whose change it has heard of.

    It looks on while the database fails: who waits keeps what was known, and waits no longer for it.
    """

    def __init__(self, store: JobStore, states: JobStates, most_listeners: int) -> None:
        self._store = store
        self._states = states
        self._most_listeners = most_listeners
        self.listeners = 0
        self.stopping: Callable[[], bool] = _never
        """Whether the server has been told to stop, which it may tell the application only when all have been answered."""
        self._followed: dict[str, _Followed] = {}
        self._due: set[str] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._look = Flight(self._look_at_due, "arkham-export-look")
        self._stopped = False

    def admit(self) -> None:
        """TooManyListeners where as many as are served listen already."""
        if self._most_listeners and self.listeners >= self._most_listeners:
            raise TooManyListeners(
                f"As many as {self._most_listeners} listeners follow jobs here already; ask for the job itself now "
                "and then, or try again later."
            )

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Count one who may listen for hours."""
        self.listeners += 1
        try:
            yield
        finally:
            self.listeners -= 1

    @contextlib.contextmanager
    def follow(self, job_id: str) -> Iterator[Following]:
        """Follow a job until the block ends."""
        followed = self._followed.get(job_id)
        if followed is None:
            followed = self._followed[job_id] = _Followed(stopped=self._stopped)
            self.heard(job_id)
        following = Following(job_id, followed)
        followed.listeners.add(following)
        if not self._stopped and (self._task is None or self._task.done()):
            self._task = begin(self._watch(), "arkham-export-follow")
        try:
            yield following
        finally:
            followed.listeners.discard(following)
            if not followed.listeners:
                del self._followed[job_id]
            if not self._followed:
                self._wake.set()

    def heard(self, job_id: str) -> None:
        """Something has become of this job, which is looked at now if anybody follows it."""
        if job_id in self._followed:
            self._due.add(job_id)
            self._wake.set()

    async def stop(self) -> None:
        """Answer all who wait, and look no more."""
        self._tell_all_to_stop()
        await end(self._task)
        self._look.stop()

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        looked = loop.time()
        while self._followed and not self._stopped:
            self._wake.clear()
            try:
                await self._look.answer(LOOK_SECONDS)
            except (TimeoutError, ExportError):
                # What is not answered in time stays under way; who waits is told when it is there.
                pass
            except Exception:
                log.exception("Export jobs that are waited for cannot be looked at now.")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(looked + LOOK_SECONDS):
                    await self._wake.wait()
            if self.stopping():
                self._tell_all_to_stop()
            if loop.time() - looked >= LOOK_SECONDS:
                looked = loop.time()
                self._due.update(self._followed)

    async def _look_at_due(self) -> None:
        due, self._due = self._due, set()
        ids = [each for each in due if each in self._followed and not self._followed[each].settled]
        for start in range(0, len(ids), MOST_AT_ONCE):
            chunk = ids[start : start + MOST_AT_ONCE]
            states = await self._states.look(chunk)
            for job_id in chunk:
                # Who followed it may have gone meanwhile.
                if followed := self._followed.get(job_id):
                    # One that cannot be read to its end keeps nobody from hearing of the others.
                    with contextlib.suppress(ExportError):
                        await self._seen(job_id, followed, states.get(job_id))

    async def _seen(self, job_id: str, followed: _Followed, state: JobState | None) -> None:
        if state == followed.state and state is not None and not state.ended:
            return
        if state is None:
            followed.gone = True
        elif state.ended:
            # All who listen are told of the end together with the job as it has ended.
            ended = await self._store.stored(job_id)
            followed.job, followed.gone = (None, True) if ended is None else (ended.job, False)
        followed.state = state or followed.state
        followed.tell()

    def _tell_all_to_stop(self) -> None:
        self._stopped = True
        for followed in self._followed.values():
            followed.stopped = True
            followed.tell()


def _never() -> bool:
    """No server is known that could stop."""
    return False
