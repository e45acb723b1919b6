"""How a request names a template, and what becomes of the two: what the request gives itself overrides the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.models import ExportOptions, ExportTemplate, JobRequest

_NAMES = ("template", "version")
_DATES = ("date_range_start", "date_range_end")


@dataclass(frozen=True, slots=True)
class Reference:
    """A template by its name or id; without a version the newest is meant."""

    template: str
    version: int | None = None


def reference_of(given: object) -> Reference:
    """InvalidRequest where it is none."""
    version: object = None
    name = given
    if isinstance(given, Mapping):
        unknown = [each for each in given if each not in _NAMES]
        if unknown or "template" not in given:
            field = f"template.{unknown[0]}" if unknown else "template.template"
            message = "template must be a name, an id, or an object of template and version."
            raise InvalidRequest([FieldProblem(field[:200], None, message, _NAMES)])
        name, version = given["template"], given.get("version")
    if not isinstance(name, str) or not name:
        message = f"template must be the name or the id of a template, not {str(name)[:60]!r}."
        raise InvalidRequest([FieldProblem("template", name, message)])
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 1):
        message = f"template.version must be a whole number of at least 1, not {str(version)[:60]!r}."
        raise InvalidRequest([FieldProblem("template.version", version, message)])
    return Reference(name, version)


def merged(template: ExportTemplate, asked: JobRequest) -> JobRequest:
    """A request without a template that asks for what the two ask for together, filter by filter and option by option.

    A filter or option that is given as null is not the template's. Dates and a relative range stand for each other.
    """
    given = given_options(asked.options)
    options: object = given
    if given is None or isinstance(given, Mapping):
        kept = dict(template.options)
        if given is not None and given.get("date_range") is not None:
            kept = {name: value for name, value in kept.items() if name not in _DATES}
        elif given is not None and any(given.get(name) is not None for name in _DATES):
            kept.pop("date_range", None)
        options = {**kept, **(given or {})}
    filters: object = asked.filters
    if filters is None or isinstance(filters, Mapping):
        filters = {**template.filters, **(filters or {})}
    return replace(
        asked,
        template=None,
        format=template.format if asked.format is None else asked.format,
        target=template.target if asked.target is None else asked.target,
        filters=filters,
        options=options,
        retention_hours=template.retention_hours if asked.retention_hours is None else asked.retention_hours,
    )


def given_options(options: object) -> Any:
    """Options as an object; of a dataclass those that ask for something."""
    if not isinstance(options, ExportOptions):
        return options
    usual = asdict(ExportOptions())
    return {name: value for name, value in asdict(options).items() if value != usual[name]}
