"""What requests carry. What a field may hold is checked further in; here it is described as well."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from arkham_shard_export.bounds import (
    MAX_FILTER_VALUES,
    MAX_JSON_DEPTH,
    MAX_NAMES,
    MAX_RECORDS,
    MAX_TEXT_LENGTH,
)
from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.jobs.service import MAX_PREVIEW
from arkham_shard_export.models import ExportOptions, ExportTarget, JobRequest
from arkham_shard_export.peers import ENTITY_TYPES
from arkham_shard_export.pipeline.request import (
    COMPRESSION_CHOICES,
    GROUPINGS,
)
from arkham_shard_export.targets import TARGETS

JsonSchema = dict[str, Any]


def text_schema(name: str, *valid: str) -> JsonSchema:
    """Of a text that is one of these."""
    return {"type": "string", "title": name, "enum": [*valid]}


def _filters_schema() -> JsonSchema:
    """Any filter of any target: which of them a target has, `/targets` says."""
    valid: dict[str, set[str]] = {}
    for target in TARGETS.values():
        for each in target.filters:
            valid.setdefault(each.name, set()).update(each.valid)
    text: JsonSchema = {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_TEXT_LENGTH,
        "pattern": r"^[^\u0000]*$",
    }
    properties = {}
    for name, choices in sorted(valid.items()):
        one = {"type": "string", "enum": sorted(choices)} if choices else text
        several = {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_FILTER_VALUES}
        properties[name] = {"anyOf": [one, several, {"type": "null"}]}
    return {
        "anyOf": [
            {"type": "object", "additionalProperties": True, "properties": properties},
            {"type": "null"},
        ],
        "description": "A value, or a list of values any of which will do, for each filter; all of them must be met.",
    }


def _options_schema() -> JsonSchema:
    schema = TypeAdapter(ExportOptions).json_schema()
    properties = schema["properties"]
    nothing = {"type": "null"}
    moment = {
        "anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}, nothing]
    }
    properties["date_range_start"] |= moment
    properties["date_range_end"] |= moment
    types = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": [*ENTITY_TYPES]}}
    properties["entity_types"] |= {"anyOf": [types, nothing]}
    properties["max_records"] |= {
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_RECORDS}, nothing]
    }
    properties["sort_order"] |= {"enum": ["asc", "desc"]}
    properties["group_by"] |= {"anyOf": [{"type": "string", "enum": [*GROUPINGS]}, nothing]}
    properties["compression"] |= {"enum": [*COMPRESSION_CHOICES]}
    return {
        "anyOf": [
            {"type": "object", "additionalProperties": False, "properties": properties},
            {"type": "null"},
        ],
        "description": schema["description"],
    }


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


def fields_of(body: Any) -> tuple[str, ...]:
    """The names that a route's body may have, given its field of FastAPI's, or None."""
    model = None if body is None else body.field_info.annotation
    return tuple(getattr(model, "model_fields", ()))


def few_names(body: Any) -> Any:
    """The body, unless it has so many fields that naming them all would be no help."""
    if isinstance(body, dict) and len(body) > MAX_NAMES:
        raise PydanticCustomError("too_many_names", f"at most {MAX_NAMES} fields are accepted")
    return body


class JobBody(BaseModel):
    """What to export, as what, and how."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Annotated[str, WithJsonSchema(text_schema("Format", *FORMATS))]
    target: Annotated[str, WithJsonSchema(text_schema("Target", *ExportTarget))]
    filters: Annotated[dict[str, Any] | None, WithJsonSchema(_filters_schema())] = None
    options: Annotated[dict[str, Any] | None, WithJsonSchema(_options_schema())] = None

    @model_validator(mode="before")
    @classmethod
    def _few_names(cls, body: Any) -> Any:
        return few_names(body)


class NewJobBody(JobBody):
    """`retention_hours` is how long the file is kept; 0 keeps it, where that is allowed."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"target": "claims", "format": "csv"},
                {
                    "target": "claims",
                    "format": "xlsx",
                    "filters": {"status": ["verified", "disputed"]},
                    "options": {"date_range_start": "2024-01-01", "max_records": 1000},
                    "retention_hours": 12,
                },
            ]
        }
    )

    retention_hours: float | None = None

    def asked(self) -> JobRequest:
        return JobRequest(self.format, self.target, self.filters, self.options, self.retention_hours)


class PreviewBody(JobBody):
    """A request as for a job, and how many records to show."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"target": "entities", "format": "json", "max_preview_records": 5}],
        }
    )

    max_preview_records: int = Field(10, ge=1, le=MAX_PREVIEW)
