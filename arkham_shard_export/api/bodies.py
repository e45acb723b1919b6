"""What requests carry."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from arkham_shard_export.bounds import MAX_JSON_DEPTH, MAX_NAMES
from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.jobs.service import MAX_PREVIEW

# A text that is never ended is matched too, so that each byte is looked at once.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


def check_depth(body: bytes) -> None:
    """InvalidRequest where lists and objects lie deeper in each other than a request needs, before JSON is read."""
    if body.count(b"[") + body.count(b"{") <= MAX_JSON_DEPTH:
        return
    depth = 0
    for token in _TOKEN.finditer(body):
        each = token[0]
        depth += (each in b"[{") - (each in b"]}")
        if depth > MAX_JSON_DEPTH:
            message = f"The body is nested too deeply: at most {MAX_JSON_DEPTH} lists and objects within each other are accepted."
            raise InvalidRequest([FieldProblem("body", None, message)])


class JobBody(BaseModel):
    """What to export, as what, and how."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: str
    target: str
    filters: dict[str, Any] | None = None
    options: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _few_names(cls, body: Any) -> Any:
        if isinstance(body, dict) and len(body) > MAX_NAMES:
            raise PydanticCustomError("too_many_names", f"at most {MAX_NAMES} fields are accepted")
        return body


class NewJobBody(JobBody):
    """`retention_hours` is how long the file is kept; 0 keeps it, where that is allowed."""

    retention_hours: float | None = None


class PreviewBody(JobBody):
    max_preview_records: int = Field(10, ge=1, le=MAX_PREVIEW)
