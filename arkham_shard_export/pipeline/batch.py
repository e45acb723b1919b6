"""Several exports over one state of the data, into one file. Knows no jobs, no HTTP and no host."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from arkham_shard_export.errors import (
    Cancelled,
    DatabaseGone,
    ExportError,
    FieldProblem,
    FormatExceeded,
    InvalidRequest,
    PartFailed,
    StoreFailed,
    sentence_of,
)
from arkham_shard_export.pipeline.account import outcome_of
from arkham_shard_export.pipeline.bundle import Bundle, WorkbookBundle, ZipBundle
from arkham_shard_export.pipeline.contents import Told
from arkham_shard_export.pipeline.export import Check, Outcome, export
from arkham_shard_export.pipeline.parts import (
    COMPLETED,
    FAILED,
    PROCESSING,
    BatchRequest,
    PartProgress,
    PartResult,
)
from arkham_shard_export.pipeline.request import check_size
from arkham_shard_export.ports import Sink
from arkham_shard_export.records import Adjustments, Helpers, Section, Source

TOLD_FAILURES = 3
"""Where every part failed; the others are counted."""
_T = TypeVar("_T")
BatchProgress = Callable[[str, Sequence[PartProgress]], None]
"""Called with the phase of the whole, and how far each part has come."""


class Records(Protocol):
    """What the parts of a batch are read from: one snapshot, for all that lies in tables."""

    def source(self, place: int, adjustments: Adjustments, check: Check) -> Source:
        """The records of the part, counted from 0; it is not to be closed, and may be asked for again."""
        ...

    def helpers(self, place: int) -> Helpers | None:
        """Who helps to read and encode the part now."""
        ...

    def recover(self) -> None:
        """Go on after a part that failed; SourceFailed where the snapshot was lost with it."""
        ...

    def close(self) -> None: ...


def export_batch(
    batch: BatchRequest,
    records: Records,
    sink: Sink,
    *,
    exported_at: datetime,
    progress: BatchProgress = lambda _phase, _parts: None,
    check: Check = lambda: None,
    last_try: bool = True,
) -> Outcome:
    """Write every part to `sink`, or raise; what is in the sink after an error must be discarded.

    A part that fails ends the batch with PartFailed. With `continue_on_error` it is left out and told of, and the batch
    fails only if all of its parts do. What is no fault of a part ends the batch in any case: a full disk, a database that is gone, and, unless
    this is the `last_try`, whatever may go well another time.
    """
    bundle = _bundle(batch, sink)
    with closing(bundle):
        run = _Run(batch, records, bundle, exported_at, progress, check, last_try)
        run.count()
        return run.write()


def _bundle(batch: BatchRequest, sink: Sink) -> Bundle:
    careful = batch.continue_on_error
    if batch.one_workbook:
        return WorkbookBundle(sink, careful, batch.parts[0].request.options)
    return ZipBundle(sink, careful)


@dataclass(slots=True)
class _Counted:
    """A source whose records have been counted."""

    snapshot_at: datetime
    consistent: bool
    known: list[Section]
    adjustments: Adjustments
    helpers: Helpers | None = None

    def sections(self) -> list[Section]:
        return self.known

    def close(self) -> None:
        """The snapshot is that of all parts."""


class _Run:
    def __init__(
        self,
        batch: BatchRequest,
        records: Records,
        bundle: Bundle,
        exported_at: datetime,
        progress: BatchProgress,
        check: Check,
        last_try: bool,
    ) -> None:
        self._batch = batch
        self._records = records
        self._bundle = bundle
        self._exported_at = exported_at
        self._progress = progress
        self._check = check
        self._last_try = last_try
        self._parts = [PartProgress() for _ in batch.parts]
        self._counted: list[_Counted | None] = [None for _ in batch.parts]
        self._matched: dict[int, int] = {}
        self._reasons: dict[int, str] = {}
        self._traces: list[str] = []

    def count(self) -> None:
        """Count what each part will hold before any is written, so that what cannot be made is known early."""
        for place, part in enumerate(self._batch.parts):
            self._check()
            self._progress("counting", self._parts)
            counted = self._attempt(place, partial(self._count, place))
            self._counted[place] = counted
            if counted is not None:
                self._attempt(place, partial(check_size, part.request, counted.known))

    def write(self) -> Outcome:
        results = [self._result(place) for place in range(len(self._batch.parts))]
        if len(self._reasons) == len(results):
            raise PartFailed(self._all_failed(), {each.number: each.error for each in results})
        self._check()
        self._progress("finishing", self._parts)
        outcome = outcome_of(results, self._bundle.file_extension, "\n".join(self._traces))
        told = Told(
            self._exported_at.isoformat(),
            outcome.snapshot_at,
            outcome.consistent,
            self._batch.continue_on_error,
        )
        self._bundle.end(results, told)
        return outcome

    def _count(self, place: int) -> _Counted:
        adjustments = Adjustments()
        if refused := self._batch.parts[place].refused:
            raise InvalidRequest([FieldProblem("parts", None, refused)])
        source = self._records.source(place, adjustments, self._check)
        counted = _Counted(source.snapshot_at, source.consistent, source.sections(), adjustments)
        self._parts[place].expected = sum(each.expected or 0 for each in counted.known)
        self._matched[place] = sum(each.matched or 0 for each in counted.known if each.counted)
        return counted

    def _result(self, place: int) -> PartResult:
        part, result = self._batch.parts[place], None
        if place not in self._reasons:
            result = self._attempt(place, partial(self._written, place))
        # Its source and its sections are of no more use.
        self._counted[place] = None
        if result is not None:
            self._parts[place].status = COMPLETED
            return result
        return PartResult(place + 1, part, expected=self._matched.get(place), error=self._reasons[place])

    def _written(self, place: int) -> PartResult:
        counted = self._counted[place]
        if counted is None or not counted.consistent:
            # What was counted when the batch began may have changed.
            counted = self._count(place)
        counted.helpers = self._records.helpers(place)
        outcome = self._export(place, counted)
        return PartResult(place + 1, self._batch.parts[place], self._bundle.keep(), outcome)

    def _export(self, place: int, counted: _Counted) -> Outcome:
        part, shown = self._batch.parts[place], self._parts[place]
        shown.status = PROCESSING

        def told(phase: str, done: int, expected: int) -> None:
            shown.phase, shown.done = phase, done
            if phase != "counting":
                shown.expected = expected
            self._progress("writing", self._parts)

        writer, sink = self._bundle.begin(place + 1, part)
        return export(
            part.request,
            counted,
            sink,
            exported_at=self._exported_at,
            adjustments=counted.adjustments,
            progress=told,
            check=self._check,
            writer=writer,
            begun=self._bundle.begin_section,
        )

    def _attempt(self, place: int, work: Callable[[], _T]) -> _T | None:
        """What fails fails this part, or, unless others are to go on, the batch; None where the part has failed."""
        try:
            return work()
        except Exception as error:
            if not _is_of_the_part(error, self._last_try):
                raise
            reason = sentence_of(error)
            if not self._batch.continue_on_error:
                passing = isinstance(error, ExportError) and error.passing
                raise PartFailed(self._told(place, reason), {place + 1: reason}, passing) from error
            self._reasons[place] = reason
            if not isinstance(error, ExportError):
                self._traces.append("".join(traceback.format_exception(error)))
        self._parts[place].status = FAILED
        self._bundle.drop()
        # Cursors that the part has left open are closed with what held them, as long as they are there.
        gc.collect()
        self._records.recover()
        return None

    def _told(self, place: int, reason: str) -> str:
        return f"Part {place + 1} ({self._batch.parts[place].title}) failed: {reason}"

    def _all_failed(self) -> str:
        told = [self._told(place, reason) for place, reason in self._reasons.items()]
        more = (
            f" {len(told) - TOLD_FAILURES} other parts failed as well." if len(told) > TOLD_FAILURES else ""
        )
        return " ".join(told[:TOLD_FAILURES]) + more


def _is_of_the_part(error: Exception, last_try: bool) -> bool:
    """Whether the other parts can be made all the same."""
    if isinstance(error, FormatExceeded):
        return True
    if isinstance(error, Cancelled | StoreFailed | DatabaseGone | OSError):
        return False
    return last_try or not (isinstance(error, ExportError) and error.passing)
