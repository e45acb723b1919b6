"""The parts of a batch: what is asked for in each, what becomes of each, and how far each has come."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from arkham_shard_export.bounds import MAX_NAMES, MAX_PARTS
from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.models import PartRequest
from arkham_shard_export.pipeline.export import Outcome
from arkham_shard_export.pipeline.request import ExportRequest
from arkham_shard_export.schema import Target

PART_FIELDS = tuple(each.name for each in fields(PartRequest))
MAX_PART_NAME = 100
PENDING, PROCESSING, COMPLETED, FAILED = "pending", "processing", "completed", "failed"
_UNSAFE = re.compile(r"[^A-Za-z0-9]+")
_MAX_SLUG = 60
_JOINERS = {0x200C: None, 0x200D: None}


@dataclass(frozen=True, slots=True)
class Part:
    """One export of a batch, checked; `name` is what its user calls it, or empty.

    `refused` says why it cannot be made, where that has turned out since it was asked for. `template` (`id, name,
    version`) is what it was made of.
    """

    request: ExportRequest
    target: Target
    name: str = ""
    refused: str = ""
    template: dict[str, Any] | None = None

    @property
    def subject(self) -> str:
        """What it is about, for a reader."""
        return self.name or self.request.source or self.target.title

    @property
    def title(self) -> str:
        return f"{self.subject} as {self.request.spec.name}"

    def stem(self, number: int) -> str:
        """The name of its file or folder without extension: safe on any system, and like that of no other part."""
        named = _slug(self.name) or _slug(self.request.source or "") or self.request.target
        return f"{number:02d}-{named}"


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Exports that are made together. `continue_on_error`: those that can be made are, whatever becomes of the others."""

    parts: tuple[Part, ...]
    continue_on_error: bool = False

    @property
    def one_workbook(self) -> bool:
        """Whether all parts are workbooks that show times alike: a workbook has one form of dates."""
        times = {(each.request.options.time_zone, each.request.options.date_format) for each in self.parts}
        return len(times) == 1 and all(each.request.format == "xlsx" for each in self.parts)


@dataclass(slots=True)
class PartProgress:
    """Records `done` of `expected`, which is None until they are counted."""

    status: str = PENDING
    phase: str = ""
    done: int = 0
    expected: int | None = None


@dataclass(slots=True)
class PartFile:
    """A file of the result; `sha256` is that of the file as it comes out of the ZIP, in hex."""

    path: str
    section: str = ""
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class PartResult:
    """How a part ended: with an outcome, or with an error. `expected`, what the source holds, is None
    where it could not be counted."""

    number: int
    part: Part
    files: tuple[PartFile, ...] = ()
    outcome: Outcome | None = None
    expected: int | None = None
    error: str = ""

    @property
    def status(self) -> str:
        return FAILED if self.outcome is None else COMPLETED

    @property
    def place(self) -> str | None:
        """The file, or the folder of the files; None without, and in a workbook."""
        if not self.files:
            return None
        folder, slash, _ = self.files[0].path.partition("/")
        return f"{folder}{slash}"


def read_parts(parts: object, continue_on_error: object) -> tuple[list[PartRequest], bool]:
    """What a request for a batch holds, as far as its form tells; InvalidRequest names all that is wrong with it."""
    problems: list[FieldProblem] = []
    read: list[PartRequest] = []
    if not isinstance(parts, Sequence) or isinstance(parts, str) or not 1 <= len(parts) <= MAX_PARTS:
        shown = f"{len(parts)}" if isinstance(parts, Sequence) and not isinstance(parts, str) else "none"
        message = f"parts must be a list of 1 to {MAX_PARTS} exports, not {shown}."
        problems.append(FieldProblem("parts", None, message))
        parts = ()
    if continue_on_error is not None and not isinstance(continue_on_error, bool):
        message = f"continue_on_error must be true or false, not {str(continue_on_error)[:60]!r}."
        problems.append(FieldProblem("continue_on_error", continue_on_error, message))
    for place, part in enumerate(parts):
        if isinstance(part, PartRequest):
            part = {name: getattr(part, name) for name in PART_FIELDS}
        found = _part_problems(part)
        problems += problems_of_part(place, found)
        if not found:
            read.append(PartRequest(**part))
    if problems:
        raise InvalidRequest(problems)
    return read, bool(continue_on_error)


def problems_of_part(place: int, problems: Sequence[FieldProblem]) -> list[FieldProblem]:
    """The problems of one part as those of the request, where parts are counted from 0."""
    at = f"parts[{place}]"
    return [
        FieldProblem(
            f"{at}.{each.field}" if each.field else at, each.value, f"{at}: {each.message}", each.valid
        )
        for each in problems
    ]


def _part_problems(part: object) -> list[FieldProblem]:
    if not isinstance(part, Mapping):
        return [
            FieldProblem("", part, "A part must be an object with target and format, filters and options.")
        ]
    if len(part) > MAX_NAMES:
        return [FieldProblem("", None, f"A part has {len(part)} names; at most {MAX_NAMES} are accepted.")]
    problems = [
        FieldProblem(str(name)[:60], part[name], f"Unknown field {str(name)[:60]!r}.", PART_FIELDS)
        for name in part
        if name not in PART_FIELDS
    ]
    if (problem := _name_problem(part.get("name"))) is not None:
        problems.append(problem)
    return problems


def _name_problem(name: Any) -> FieldProblem | None:
    if name is None or (isinstance(name, str) and 0 < len(name) <= MAX_PART_NAME and _is_plain(name)):
        return None
    message = f"name must be a text of 1 to {MAX_PART_NAME} printable characters, not {str(name)[:60]!r}."
    return FieldProblem("name", name, message)


def _is_plain(name: str) -> bool:
    """On one line, and nothing in it that turns the writing round; what joins letters, and parts them, is writing."""
    return name.translate(_JOINERS).isprintable() and bool(name.strip())


def _slug(text: str) -> str:
    """Letters and digits of ASCII: what more there is to a name stands in the contents."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _UNSAFE.sub("-", plain).strip("-")[:_MAX_SLUG].strip("-")
