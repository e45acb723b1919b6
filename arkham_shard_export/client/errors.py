"""What can go wrong between a client and a host.

ClientError
├── Refused             the host refused: its problem (RFC 9457), with the fields that are wrong
├── Unreachable         no answer, or one that broke off, for longer than the client was patient
├── UnexpectedAnswer    what answers is no export host, or one that this client does not know
├── JobFailed           the export ended without a file
└── DigestMismatch      the bytes that came are not those that were exported
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arkham_shard_export.client.answers import Job


class ClientError(Exception):
    """Base of all errors of the client; its text is one sentence for a person."""


class Refused(ClientError):
    """The host's problem: `type` and `status` for programs, `detail` for people, `errors` the wrong fields."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.type = str(problem.get("type", "about:blank"))
        self.detail = str(problem.get("detail", f"The host answered {status}."))
        self.errors: list[dict[str, Any]] = list(problem.get("errors") or [])
        super().__init__(self.detail)

    @property
    def name(self) -> str:
        """The last part of `type`, such as job-not-found."""
        return self.type.rpartition(":")[2]


class Unreachable(ClientError):
    """The host gave no answer, or broke off in the middle of one."""


class UnexpectedAnswer(ClientError):
    """What answers at this address does not speak as an export host does."""


class JobFailed(ClientError):
    """The job has ended as failed or cancelled; `job` says why."""

    def __init__(self, job: Job) -> None:
        self.job = job
        super().__init__(f"The export {job.id} is {job.status.value}: {job.error or 'it has no file.'}")


class DigestMismatch(ClientError):
    """What was received was thrown away."""

    def __init__(self, expected: str, received: str) -> None:
        self.expected = expected
        self.received = received
        super().__init__(
            f"The file's SHA-256 is {received}, and the export's {expected}: it was altered on its way. Fetch it again."
        )
