"""Everything that can go wrong, as one tree.

ExportError
├── InvalidRequest          the request names something unknown, wrong or unsupported
├── JobNotFound             no such job for this caller
├── TemplateNotFound        no such template for this caller
├── ScheduleNotFound        no such schedule for this caller
├── NotAllowed              the caller may not see or change this
├── JobNotCompleted         the job has no file yet, or never will
├── FileExpired             the file's time is over
├── FileMissing             a completed job whose file is gone
├── KeyInUse                another request with this idempotency key is being accepted
├── PreconditionFailed      the file or template is not the one that was asked for
├── TooManyJobs             a user or a tenant has as many active jobs as are allowed
├── TooManySchedules        a user or a tenant has as many schedules as are allowed
├── TooManyListeners        as many listeners follow jobs as one process serves
├── TooManyRequests         a user or a tenant asks more often, or has more streams open, than is allowed
├── StoreFull               the store has no room for another export
├── ServiceUnavailable      a service of the host is missing or does not answer
├── SourceFailed            reading the records failed
│   ├── DatabaseGone        the connection was lost or cannot be had; another try may succeed
│   ├── SnapshotBusy        no consistent snapshot could be had in time
│   └── SourceChanged       the records changed under a source that has no snapshot
├── Incomplete              expected and written records differ
├── StoreFailed             writing the file failed
│   └── FormatExceeded      the records do not fit into one file of this format
├── PartFailed              a part of a batch failed, and the batch with it
├── WorkerDied              the worker process ended before its job did
├── CrewFailed              a process that shares the work of an export failed
├── TypesetterDied          a process that sets pages ended before it had answered
├── SourceRefused           the typesetter did not accept what we gave it
├── Withdrawn               a job that was to be made is no longer wanted
└── Cancelled               the job was cancelled while it ran
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "Cancelled",
    "CrewFailed",
    "DatabaseGone",
    "ExportError",
    "FieldProblem",
    "FileExpired",
    "FileMissing",
    "FormatExceeded",
    "Incomplete",
    "InvalidRequest",
    "JobNotCompleted",
    "JobNotFound",
    "KeyInUse",
    "NotAllowed",
    "PartFailed",
    "PreconditionFailed",
    "ScheduleNotFound",
    "ServiceUnavailable",
    "SnapshotBusy",
    "SourceChanged",
    "SourceFailed",
    "SourceRefused",
    "StoreFailed",
    "StoreFull",
    "TemplateNotFound",
    "TooManyJobs",
    "TooManyListeners",
    "TooManyRequests",
    "TooManySchedules",
    "TypesetterDied",
    "Withdrawn",
    "WorkerDied",
]


class ExportError(Exception):
    """Base of all errors of this package; its text is one readable sentence for a person.

    `passing`: the same export may succeed if it is tried again.
    """

    passing: bool = False


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong field of a request: what was given and, where the choice is closed, what is valid."""

    field: str
    value: object
    message: str
    valid: tuple[str, ...] = ()

    def sentence(self) -> str:
        choices = f" Valid: {', '.join(self.valid)}." if self.valid else ""
        return f"{self.message}{choices}"


class InvalidRequest(ExportError):
    """The request names something unknown, wrong or unsupported; `problems` lists every such field."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.sentence() for problem in self.problems))


class JobNotFound(ExportError):
    """No job of this id is visible to the caller."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__("There is no export job with this id. GET /api/export/jobs lists the jobs.")


class TemplateNotFound(ExportError):
    """No template of this name or id, or no such version of it, is visible to the caller."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(
            reason
            or "There is no template with this name or id. GET /api/export/templates lists the templates."
        )


class ScheduleNotFound(ExportError):
    """No schedule of this id is visible to the caller."""

    def __init__(self, schedule_id: str) -> None:
        self.schedule_id = schedule_id
        super().__init__("There is no schedule with this id. GET /api/export/schedules lists the schedules.")


class NotAllowed(ExportError):
    """The caller may not see what is over all tenants and users, or change what is another's."""


class JobNotCompleted(ExportError):
    """The job has no file: it has not ended, or ended without one."""


class FileExpired(ExportError):
    """The file was kept until its expiry and is no longer served."""


class FileMissing(ExportError):
    """The job completed but its file is no longer in the store."""


class KeyInUse(ExportError):
    """Another request with the same idempotency key has not been accepted or refused yet."""

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is being accepted at this moment; try again in a moment."
        )


class PreconditionFailed(ExportError):
    """The file or template is another, or newer, than the one that the request is about."""


class TooManyJobs(ExportError):
    """A user or a tenant has as many active jobs as are allowed at a time."""


class TooManySchedules(ExportError):
    """A user or a tenant has as many schedules as are allowed."""


class TooManyListeners(ExportError):
    """As many listeners follow jobs as one process serves."""


class TooManyRequests(ExportError):
    """A user or a tenant asks more often, or has more downloads open, than is allowed; again in `retry_seconds`."""

    def __init__(self, reason: str, retry_seconds: int) -> None:
        self.retry_seconds = retry_seconds
        super().__init__(reason)


class StoreFull(ExportError):
    """The store has no room for another export: its disk or its quota is nearly used up."""


class ServiceUnavailable(ExportError):
    """A service of the host is missing or does not answer."""

    def __init__(self, service: str, reason: str) -> None:
        self.service = service
        super().__init__(reason)


class SourceFailed(ExportError):
    """Reading the records failed; nothing of the export may be used."""


class DatabaseGone(SourceFailed):
    """The connection to the database was lost, or none can be had; another try may succeed."""

    passing = True


class SnapshotBusy(SourceFailed):
    """A writer held the database for so long that no consistent snapshot could be taken."""


class SourceChanged(SourceFailed):
    """Records changed while a source without snapshots was being read."""


class Incomplete(ExportError):
    """The records written and skipped do not add up to the records expected."""


class StoreFailed(ExportError):
    """The file could not be written to the export store."""


class FormatExceeded(StoreFailed):
    """The records do not fit into one file of this format, whatever room the store has."""


class PartFailed(ExportError):
    """A part of a batch failed, and the whole batch with it; `reasons` are those of all that failed, by their numbers
    from 1 on."""

    def __init__(self, reason: str, reasons: Mapping[int, str], passing: bool = False) -> None:
        self.reasons = dict(reasons)
        self.passing = passing
        super().__init__(reason)


def sentence_of(error: BaseException) -> str:
    """What went wrong, for the person whose export it was; nothing of what only a developer may see."""
    if isinstance(error, ExportError):
        return str(error)
    if isinstance(error, MemoryError):
        return "The export needs more memory than its worker may use."
    return f"The export failed unexpectedly ({type(error).__name__})."


class WorkerDied(ExportError):
    """The worker process ended before its job did."""

    passing = True


class CrewFailed(ExportError):
    """A process that shares the work of an export ended before it was done, or could not do it."""

    passing = True


class TypesetterDied(ExportError):
    """A process that sets pages ended before it had answered."""

    passing = True


class SourceRefused(ExportError):
    """Typst did not accept a source of ours; `diagnosis` is all that it says, and may quote what was exported."""

    def __init__(self, diagnosis: str) -> None:
        self.diagnosis = diagnosis
        reason = diagnosis.partition("\n")[0].removeprefix("error: ")
        super().__init__(f"The pages could not be set, which is a fault of this program: {reason}.")
        self.add_note(diagnosis)


class Withdrawn(ExportError):
    """A job that was to be made is no longer wanted; nothing was stored."""


class Cancelled(ExportError):
    """The job was cancelled while it ran."""
