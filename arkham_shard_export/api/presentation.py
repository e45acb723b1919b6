"""The options that say how an export looks, for the OpenAPI description."""

from __future__ import annotations

from typing import Any

from arkham_shard_export.presentation.columns import MAX_COLUMNS, MAX_LABEL_LENGTH
from arkham_shard_export.presentation.delimiting import CHOICES, PRESETS
from arkham_shard_export.presentation.reports import MAX_TITLE_LENGTH, PAPERS, SECTIONS
from arkham_shard_export.presentation.times import MAX_PATTERN_LENGTH

JsonSchema = dict[str, Any]
_NOTHING: JsonSchema = {"type": "null"}


def presentation_schemas() -> dict[str, JsonSchema]:
    """By the names of the options."""
    return {
        "columns": {"anyOf": [_COLUMNS, _by_section(), _NOTHING]},
        "time_zone": {"examples": ["Europe/Berlin"]},
        "date_format": {
            "maxLength": MAX_PATTERN_LENGTH,
            "minLength": 1,
            "examples": ["date", "%d.%m.%Y %H:%M"],
        },
        "csv": {"anyOf": [{"type": "string", "enum": [*PRESETS]}, _dialect(), _NOTHING]},
        "report": {"anyOf": [_report(), _NOTHING]},
    }


_COLUMNS: JsonSchema = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_COLUMNS,
    "items": {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string"},
                    "label": {
                        "anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_LABEL_LENGTH}, _NOTHING]
                    },
                },
            },
        ]
    },
}


def _by_section() -> JsonSchema:
    return {"type": "object", "minProperties": 1, "additionalProperties": _COLUMNS}


def _dialect() -> JsonSchema:
    parts = {"preset": tuple(PRESETS), **CHOICES}
    properties: JsonSchema = {
        name: {"anyOf": [{"type": "string", "enum": [*valid]}, _NOTHING]} for name, valid in parts.items()
    }
    properties["bom"] = _switch()
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _report() -> JsonSchema:
    text = {"anyOf": [{"type": "string", "minLength": 1, "maxLength": MAX_TITLE_LENGTH}, _NOTHING]}
    sections = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _switch() for name in SECTIONS},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "title": text,
            "subtitle": text,
            "logo": {
                "anyOf": [
                    {"type": "string", "format": "uri", "pattern": "^data:image/(png|jpeg);base64,"},
                    _NOTHING,
                ]
            },
            "paper": {"anyOf": [{"type": "string", "enum": [*PAPERS]}, _NOTHING]},
            "sections": {"anyOf": [sections, _NOTHING]},
        },
    }


def _switch() -> JsonSchema:
    return {"anyOf": [{"type": "boolean"}, _NOTHING]}
