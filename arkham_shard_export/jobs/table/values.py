"""Values of a row, which anybody may have written, in any version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from arkham_shard_export.models import ExportOptions

_OPTION_NAMES = {each.name for each in fields(ExportOptions)}


def plain_text(value: object) -> str | None:
    return None if value is None else str(value)


def json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def object_of(value: object) -> dict[str, Any]:
    """An object, in whatever form the database gives it; empty where it is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return dict(value) if isinstance(value, Mapping) else {}


def options_of(value: object) -> ExportOptions:
    """Options that are known; a later version may have stored others."""
    return ExportOptions(**{name: each for name, each in object_of(value).items() if name in _OPTION_NAMES})


def amount(values: Mapping[str, Any], name: str) -> float | None:
    """A number that is not negative, or None."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**63:
        return None
    return value
