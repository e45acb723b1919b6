"""Bodies of schedules, for FastAPI and for the OpenAPI description; what they hold is checked further in."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, WithJsonSchema, model_validator

from arkham_shard_export.api.bodies import few_names
from arkham_shard_export.api.presentation import JsonSchema
from arkham_shard_export.bounds import MAX_TEXT_LENGTH
from arkham_shard_export.jobs.schedules.checking import (
    MAX_FAILURES,
    MAX_KEEP_FILES,
    MAX_NAME_LENGTH,
    MISSED_CHOICES,
)
from arkham_shard_export.jobs.schedules.plans import CRON_EXAMPLES, EVERY_EXAMPLES, MAX_CRON_LENGTH

_NOTHING: JsonSchema = {"type": "null"}


def _or_null(schema: JsonSchema, description: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, _NOTHING], "description": description})


def _text(most: int) -> JsonSchema:
    return {"type": "string", "minLength": 1, "maxLength": most}


_CRON = {**_text(MAX_CRON_LENGTH), "examples": [*CRON_EXAMPLES]}
_EVERY = {"type": "string", "pattern": "^[1-9][0-9]{0,6}[mhdw]$", "examples": [*EVERY_EXAMPLES]}
_DATE = {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}, _NOTHING]}
_REQUEST = {
    "type": "object",
    "additionalProperties": True,
    "minProperties": 1,
    "description": "The body of a job, as for POST /jobs.",
    "examples": [{"target": "claims", "format": "csv"}],
}

Cron = Annotated[str | None, _or_null(_CRON, "Five fields: minute, hour, day of month, month, day of week.")]
Every = Annotated[str | None, _or_null(_EVERY, "Minutes, hours, days or weeks that pass from run to run.")]
TimeZone = Annotated[
    str,
    WithJsonSchema(
        {**_text(100), "examples": ["Europe/Berlin"], "description": "A zone of the IANA database."}
    ),
]
EndsAt = Annotated[
    str | None,
    WithJsonSchema(
        {**_DATE, "description": "No run is due later. Without an offset by the clocks of the zone."}
    ),
]


class PlanBody(BaseModel):
    """When a schedule would run: `cron` or `every`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"cron": "0 7 * * MON", "time_zone": "Europe/Berlin"}]},
    )

    cron: Cron = None
    every: Every = None
    time_zone: TimeZone = "UTC"
    ends_at: EndsAt = None

    @model_validator(mode="before")
    @classmethod
    def _few_names(cls, body: Any) -> Any:
        return few_names(body)

    def given(self) -> dict[str, Any]:
        """The fields that the body has."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class _Fields(PlanBody):
    description: Annotated[str, WithJsonSchema({"type": "string", "maxLength": MAX_TEXT_LENGTH})] = ""
    retention_hours: float | None = None
    missed: Annotated[str, WithJsonSchema({"type": "string", "enum": [*MISSED_CHOICES]})] = "run_once"
    keep_files: Annotated[
        int | None,
        _or_null(
            {"type": "integer", "minimum": 1, "maximum": MAX_KEEP_FILES}, "The newest files that are kept."
        ),
    ] = None
    max_failures: Annotated[
        int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_FAILURES})
    ] = 3


class NewScheduleBody(_Fields):
    """What to export again and again, and when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Claims for the editor",
                    "cron": "0 7 * * MON",
                    "time_zone": "Europe/Berlin",
                    "request": {"target": "claims", "format": "csv"},
                },
                {
                    "name": "All entities, twice a day",
                    "every": "12h",
                    "request": {"target": "entities", "format": "json"},
                    "retention_hours": 48,
                    "keep_files": 3,
                    "missed": "skip",
                },
            ]
        }
    )

    name: Annotated[str, WithJsonSchema(_text(MAX_NAME_LENGTH))]
    request: Annotated[dict[str, Any], WithJsonSchema(_REQUEST)]


class ScheduleChangesBody(_Fields):
    """The fields to change; what is left out stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"cron": "30 6 * * MON-FRI"}, {"ends_at": "2099-12-31", "keep_files": 5}]
        }
    )

    name: Annotated[str, WithJsonSchema(_text(MAX_NAME_LENGTH))] = ""
    request: Annotated[dict[str, Any], WithJsonSchema(_REQUEST)] = {}
