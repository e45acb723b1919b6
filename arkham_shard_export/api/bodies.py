"""What requests carry. What a field may hold is checked further in; here it is described as well."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from arkham_shard_export.api.presentation import JsonSchema, presentation_schemas
from arkham_shard_export.bounds import (
    MAX_FILTER_VALUES,
    MAX_JSON_DEPTH,
    MAX_NAMES,
    MAX_PARTS,
    MAX_PREVIEW_RECORDS,
    MAX_RECORDS,
    MAX_TEMPLATE_NAME,
    MAX_TEXT_LENGTH,
)
from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.models import ExportOptions, ExportTarget, JobRequest, TemplateRequest
from arkham_shard_export.peers import ENTITY_TYPES
from arkham_shard_export.pipeline.parts import MAX_PART_NAME
from arkham_shard_export.pipeline.request import (
    COMPRESSION_CHOICES,
    GROUPINGS,
)
from arkham_shard_export.relative_dates import PATTERN
from arkham_shard_export.targets import TARGETS


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
    properties["date_range"] |= {"anyOf": [{"type": "string", "pattern": f"^{PATTERN}$"}, nothing]}
    types = {"type": "array", "minItems": 1, "items": {"type": "string", "enum": [*ENTITY_TYPES]}}
    properties["entity_types"] |= {"anyOf": [types, nothing]}
    properties["max_records"] |= {
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_RECORDS}, nothing]
    }
    properties["sort_order"] |= {"enum": ["asc", "desc"]}
    properties["group_by"] |= {"anyOf": [{"type": "string", "enum": [*GROUPINGS]}, nothing]}
    properties["compression"] |= {"enum": [*COMPRESSION_CHOICES]}
    properties |= {name: {**properties[name], **part} for name, part in presentation_schemas().items()}
    return {
        "anyOf": [
            {"type": "object", "additionalProperties": False, "properties": properties},
            {"type": "null"},
        ],
        "description": schema["description"],
    }


_NAME: JsonSchema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_TEMPLATE_NAME,
    "pattern": r"^[^\u0000-\u001f/\\<>{}%$\"`|*?~^=]+$",
    "description": "Letters, digits, spaces and some marks; another one's in the tenant, in whatever case, is refused.",
}
_DESCRIPTION: JsonSchema = {"type": "string", "maxLength": MAX_TEXT_LENGTH, "default": ""}

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


_Format = Annotated[str, WithJsonSchema(text_schema("Format", *FORMATS))]
_Target = Annotated[str, WithJsonSchema(text_schema("Target", *ExportTarget))]
_Filters = Annotated[dict[str, Any] | None, WithJsonSchema(_filters_schema())]
_Options = Annotated[dict[str, Any] | None, WithJsonSchema(_options_schema())]
_REFERENCE: JsonSchema = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": MAX_TEMPLATE_NAME},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["template"],
            "properties": {
                "template": {"type": "string", "minLength": 1, "maxLength": MAX_TEMPLATE_NAME},
                "version": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            },
        },
        {"type": "null"},
    ],
    "description": "A template by name or id, or one of its versions. What the request gives itself overrides it; "
    "without a template format and target are needed.",
}


class JobBody(BaseModel):
    """What to export, as what, and how: in full, or as a template and what is to be otherwise."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: _Format = Field(default_factory=str)
    target: _Target = Field(default_factory=str)
    filters: _Filters = None
    options: _Options = None
    template: Annotated[Any, WithJsonSchema(_REFERENCE)] = None

    @model_validator(mode="wrap")
    @classmethod
    def _whole(cls, body: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """What is missing is told together with what else is wrong."""
        problems: list[InitErrorDetails] = []
        if isinstance(body, dict) and body.get("template") is None:
            problems += [
                InitErrorDetails(type="missing", loc=(name,), input=body)
                for name in ("format", "target")
                if name not in body
            ]
        made = None
        try:
            made = validate(few_names(body))
        except ValidationError as error:
            problems += [
                InitErrorDetails(
                    type=PydanticCustomError(each["type"], each["msg"].replace("{", "{{"), each.get("ctx")),
                    loc=each["loc"],
                    input=each["input"],
                )
                for each in error.errors(include_url=False)
            ]
        if problems or made is None:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return made

    def asked(self) -> JobRequest:
        given = {name: getattr(self, name) for name in ("format", "target") if name in self.model_fields_set}
        return JobRequest(filters=self.filters, options=self.options, template=self.template, **given)


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
                {"template": "Claims for an editor", "filters": {"status": "disputed"}},
            ]
        }
    )

    retention_hours: float | None = None

    def asked(self) -> JobRequest:
        return replace(super().asked(), retention_hours=self.retention_hours)


def _parts_schema() -> JsonSchema:
    """As the body of a job, without what is the whole's."""
    properties = {
        "target": {"anyOf": [text_schema("Target", *ExportTarget), {"type": "null"}]},
        "format": {"anyOf": [text_schema("Format", *FORMATS), {"type": "null"}]},
        "filters": _filters_schema(),
        "options": _options_schema(),
        "name": {"anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_PART_NAME}, {"type": "null"}]},
        "template": _REFERENCE,
    }
    part = {
        "type": "object",
        "title": "Part",
        "additionalProperties": False,
        "anyOf": [{"required": ["target", "format"]}, {"required": ["template"]}],
        "properties": properties,
    }
    return {
        "type": "array",
        "title": "Parts",
        "items": part,
        "minItems": 1,
        "maxItems": MAX_PARTS,
        "description": "The exports, each with target, format, filters and options as a job has them, and a name for its file.",
    }


_GOES_ON: JsonSchema = {"anyOf": [{"type": "boolean"}, {"type": "null"}], "default": False}


class NewBatchBody(BaseModel):
    """Several exports over one state of the data, in one file. With `continue_on_error` those that can be made are, whatever becomes
    of the others. `retention_hours` is how long the file is kept; 0 keeps it, where that is allowed."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "parts": [
                        {"target": "documents", "format": "json"},
                        {
                            "target": "claims",
                            "format": "csv",
                            "filters": {"status": "disputed"},
                            "name": "Disputed claims",
                        },
                        {"target": "graph", "format": "csv", "options": {"include_metadata": False}},
                    ],
                    "continue_on_error": True,
                }
            ]
        },
    )

    parts: Annotated[Any, WithJsonSchema(_parts_schema())]
    continue_on_error: Annotated[Any, WithJsonSchema(_GOES_ON)] = False
    retention_hours: float | None = None

    @field_validator("parts")
    @classmethod
    def _without_nothing(cls, parts: Any) -> Any:
        """A field that is left out is the same as its default; what parts must be is checked further in."""
        if not isinstance(parts, list):
            return parts
        return [
            {name: value for name, value in each.items() if value is not None}
            if isinstance(each, dict)
            else each
            for each in parts
        ]

    @field_validator("continue_on_error")
    @classmethod
    def _not_unless_said(cls, goes_on: Any) -> Any:
        return False if goes_on is None else goes_on

    def asked(self) -> JobRequest:
        return JobRequest(
            retention_hours=self.retention_hours,
            # A batch without parts is one all the same, and is refused for it.
            parts=() if self.parts is None else self.parts,
            continue_on_error=self.continue_on_error,
        )


class PreviewBody(JobBody):
    """A request as for a job, and how many records to show."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"target": "entities", "format": "json", "max_preview_records": 5}],
        }
    )

    max_preview_records: int = Field(10, ge=1, le=MAX_PREVIEW_RECORDS)


class TemplateBody(BaseModel):
    """A template as it is to be from now on: all of it, for what is left out is at its default."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "Disputed claims of the week",
                    "description": "For the conference on Monday.",
                    "target": "claims",
                    "format": "xlsx",
                    "filters": {"status": "disputed"},
                    "options": {"date_range": "last_7_days", "sort_by": "created_at"},
                    "retention_hours": 168,
                }
            ]
        },
    )

    name: Annotated[str, WithJsonSchema(_NAME)]
    target: _Target
    format: _Format
    description: Annotated[str, WithJsonSchema(_DESCRIPTION)] = ""
    filters: _Filters = None
    options: _Options = None
    retention_hours: float | None = None
    shared: bool = Field(True, description="Whether all of the tenant may use it, or its owner alone.")

    @model_validator(mode="before")
    @classmethod
    def _few_names(cls, body: Any) -> Any:
        return few_names(body)

    def asked(self) -> TemplateRequest:
        return TemplateRequest(**{name: getattr(self, name) for name in TemplateRequest.__dataclass_fields__})


class TemplatePreviewBody(PreviewBody):
    """A template that is not saved, or a saved one and what is to be otherwise, and how many records to show."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Names", "target": "entities", "format": "csv", "max_preview_records": 5},
                {"template": "Graph for Gephi"},
            ]
        }
    )

    name: Annotated[str | None, WithJsonSchema({"anyOf": [_NAME, {"type": "null"}]})] = None
    description: Annotated[str, WithJsonSchema(_DESCRIPTION)] = ""
    retention_hours: float | None = None
    shared: bool = True

    def said(self) -> TemplateRequest:
        """What it says besides of the export."""
        names = ("name", "description", "retention_hours", "shared")
        return TemplateRequest(**{name: getattr(self, name) for name in names})
