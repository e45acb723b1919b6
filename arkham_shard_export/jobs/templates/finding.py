"""Which template a name or an id means, and what of it is seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.table.templates import StoredTemplate, name_key
from arkham_shard_export.jobs.templates.built_in import BUILT_IN
from arkham_shard_export.models import ExportOptions, TemplateSummary


def as_given(given: Mapping[str, Any], checked: ExportOptions) -> dict[str, Any]:
    """The options that were given, in the form that the check has brought them to; a relative range stays one."""
    known = asdict(checked)
    return {name: value if name == "date_range" else known[name] for name, value in given.items()}


def is_built_in(reference: str) -> bool:
    """Whether a name or id is that of a template that comes with the program."""
    return of_the_program(reference) is not None


def of_the_program(reference: str) -> StoredTemplate | None:
    key = name_key(reference)
    found = (each for each in BUILT_IN if key in (each.id, name_key(each.name)))
    return next((StoredTemplate(each, None) for each in found), None)


def meant(found: list[StoredTemplate], user: str | None) -> StoredTemplate | None:
    """Of templates with the same name: one without a tenant before those of tenants, the user's own before others', and a
    shared one before those that are not. InvalidRequest where that leaves several."""

    def rank(each: StoredTemplate) -> tuple[bool, bool, bool]:
        return each.tenant_id is not None, each.template.created_by != user, not each.template.shared

    found = sorted(found, key=rank)
    if len(found) > 1 and rank(found[0]) == rank(found[1]):
        message = f"Several templates have the name {found[0].template.name!r}; ask for one by its id."
        ids = tuple(each.template.id for each in found)
        raise InvalidRequest([FieldProblem("template", found[0].template.name, message, ids)])
    return found[0] if found else None


def visible(version: TemplateSummary, scope: Scope) -> bool:
    return version.shared or scope.owner is None or version.created_by == scope.owner


def taken(name: str) -> InvalidRequest:
    message = f"There is a template {name!r} already; choose another name, or replace that one."
    return InvalidRequest([FieldProblem("name", name, message)])


def summary(template: TemplateSummary) -> TemplateSummary:
    fields = {name: value for name, value in asdict(template).items() if name not in ("filters", "options")}
    return TemplateSummary(**fields)
