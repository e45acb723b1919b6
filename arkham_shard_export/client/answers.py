"""Answers of a host as typed values; fields that a newer host adds are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from arkham_shard_export.client.errors import UnexpectedAnswer
from arkham_shard_export.models import (
    ExportJobAnswer,
    ExportSchedule,
    ExportScheduleRun,
    ExportStatus,
    TemplateSummary,
)

_T = TypeVar("_T")


@dataclass(slots=True)
class Job(ExportJobAnswer):
    """A job, and while it runs how far it has come."""

    @property
    def ended(self) -> bool:
        return self.status not in (ExportStatus.PENDING, ExportStatus.PROCESSING)

    @property
    def sha256(self) -> str | None:
        """Of the file as it is stored, in hex."""
        return self.metadata.get("sha256")


@dataclass(frozen=True, slots=True)
class Page:
    jobs: list[Job]
    total: int


@dataclass(frozen=True, slots=True)
class TemplatePage:
    templates: list[TemplateSummary]
    total: int


@dataclass(frozen=True, slots=True)
class SchedulePage:
    schedules: list[ExportSchedule]
    total: int


@dataclass(frozen=True, slots=True)
class VersionPage:
    versions: list[TemplateSummary]


@dataclass(frozen=True, slots=True)
class RunPage:
    runs: list[ExportScheduleRun]
    total: int


@dataclass(frozen=True, slots=True)
class Preview:
    """The first records of an export, how many there are, and the bytes that the file would have, by estimate."""

    estimated_record_count: int
    preview_records: list[dict[str, Any]]
    estimated_file_size_bytes: int


def decode(body: bytes, type: type[_T]) -> _T:
    try:
        return msgspec.json.decode(body, type=type)
    except msgspec.DecodeError as error:
        raise UnexpectedAnswer(
            f"What answers is no export host, or one of a version that this client does not know ({error})."
        ) from error


def convert(value: Any, type: type[_T]) -> _T:
    return msgspec.convert(value, type)
