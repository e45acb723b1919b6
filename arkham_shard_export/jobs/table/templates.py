"""Templates and all their versions.

A row of `arkham_export_templates` is a template as it is now, whole: who reads it has one version and nothing of another. It
is replaced by two conditional statements. The first copies the row as it is to `arkham_export_template_versions`, the second
makes it the next version, and does so only where the copy is there and the row is still what was copied. So no version
is lost, whoever replaces it at the same time and whatever dies between the two.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from arkham_shard_export.jobs.table.listing import Condition, Scope, where_of
from arkham_shard_export.jobs.table.rows import metadata_of, moment, time_text
from arkham_shard_export.jobs.table.values import json_text, plain_text
from arkham_shard_export.models import ExportTemplate, TemplateSummary
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect

_SUMMARY = "id, name, description, target, format, retention_hours, shared, created_by, version, created_at, updated_at, updated_by"
_WHOLE = f"{_SUMMARY}, filters, options, tenant_id"
_COPIED = f"{_WHOLE}, token"
_NAMES = tuple(_COPIED.split(", "))


def statements(dialect: Dialect) -> list[str]:
    """What makes the tables and their indexes where they are missing."""
    tenant = "UUID" if isinstance(dialect, PostgresDialect) else "TEXT"
    columns = (
        "name TEXT NOT NULL, description TEXT NOT NULL, target TEXT NOT NULL, format TEXT NOT NULL, filters TEXT NOT NULL,"
        f" options TEXT NOT NULL, retention_hours DOUBLE PRECISION, shared INTEGER NOT NULL, tenant_id {tenant},"
        " created_by TEXT NOT NULL, created_at TEXT NOT NULL, updated_by TEXT NOT NULL, updated_at TEXT NOT NULL,"
        " version INTEGER NOT NULL, token TEXT NOT NULL"
    )
    return [
        "CREATE TABLE IF NOT EXISTS arkham_export_templates (id TEXT PRIMARY KEY, space TEXT NOT NULL, name_key TEXT NOT NULL,"
        f" owner_key TEXT NOT NULL, {columns})",
        f"CREATE TABLE IF NOT EXISTS arkham_export_template_versions (id TEXT NOT NULL, {columns}, PRIMARY KEY (id, version))",
        # A name is one template's among those that are shared in a tenant, and among those of a user that are not.
        "CREATE UNIQUE INDEX IF NOT EXISTS idx_export_templates_name ON arkham_export_templates (space, name_key)",
        "CREATE INDEX IF NOT EXISTS idx_export_templates_list ON arkham_export_templates (name_key, id)",
        "CREATE INDEX IF NOT EXISTS idx_export_templates_tenant ON arkham_export_templates (tenant_id, name_key, id)",
        "CREATE INDEX IF NOT EXISTS idx_export_templates_owner ON arkham_export_templates (owner_key)",
    ]


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """A template with the tenant that it belongs to."""

    template: ExportTemplate
    tenant_id: str | None

    @property
    def space(self) -> str:
        """Within which its name is its own."""
        return space_of(self.tenant_id, None if self.template.shared else self.template.created_by)


def name_key(name: str) -> str:
    """The same for names that people would take for the same."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def space_of(tenant_id: str | None, owner: str | None) -> str:
    """Stands for the templates of an owner in a tenant, or for the shared ones; short, however long the names are."""
    return hashlib.sha256(json.dumps([tenant_id, owner]).encode()).hexdigest()


class TemplateStore:
    """Whoever asks sees what is in its scope: of an owner the own templates and the shared ones."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._tenant_mark = dialect.tenant_mark("uuid")

    async def insert(self, new: StoredTemplate) -> bool:
        """False where the name is taken."""
        values = self._values(new, uuid4().hex)
        columns = {
            **values,
            "space": new.space,
            "name_key": name_key(new.template.name),
            "owner_key": space_of(new.tenant_id, new.template.created_by),
        }
        marks = ", ".join(self._mark(name) for name in columns)
        await self._database.execute(
            f"INSERT INTO arkham_export_templates ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING",
            list(columns.values()),
        )
        return await self._written(new.template.id, new.template.version, str(values["token"]))

    async def replace(self, old: StoredTemplate, new: StoredTemplate) -> bool:
        """False where `old` is not what there is any more, or the new name is taken."""
        template_id, version = old.template.id, old.template.version
        await self._database.execute(
            f"INSERT INTO arkham_export_template_versions ({_COPIED}) SELECT {_COPIED} FROM arkham_export_templates"
            " WHERE id = ? AND version = ? ON CONFLICT (id, version) DO NOTHING",
            [template_id, version],
        )
        key = name_key(new.template.name)
        values = self._values(new, uuid4().hex)
        changed = {name: value for name, value in values.items() if name not in _FIXED}
        changed |= {"space": new.space, "name_key": key}
        assignments = ", ".join(f"{name} = ?" for name in changed)
        try:
            await self._database.execute(
                f"UPDATE arkham_export_templates SET {assignments} WHERE id = ? AND version = ? AND EXISTS (SELECT 1 FROM"
                " arkham_export_template_versions AS kept WHERE kept.id = ? AND kept.version = ?) AND NOT EXISTS (SELECT 1"
                " FROM arkham_export_templates AS other WHERE other.space = ? AND other.name_key = ? AND other.id <> ?)",
                [*changed.values(), template_id, version, template_id, version, new.space, key, template_id],
            )
        except Exception:
            # Another template may have taken the name since this statement looked; its index has seen that.
            if await self.taken(new.space, key, template_id):
                return False
            raise
        return await self._written(template_id, new.template.version, str(values["token"]))

    async def remove(self, template_id: str, version: int) -> bool:
        """Whether the template is gone; false where it has another version by now."""
        await self._database.execute(
            "DELETE FROM arkham_export_templates WHERE id = ? AND version = ?", [template_id, version]
        )
        if await self.get(template_id, Scope()) is not None:
            return False
        await self._database.execute(
            "DELETE FROM arkham_export_template_versions WHERE id = ?", [template_id]
        )
        return True

    async def get(self, template_id: str, scope: Scope) -> StoredTemplate | None:
        found = await self._found([Condition("id", "id = ?", (template_id,)), *self._visible(scope)])
        return found[0] if found else None

    async def named(self, key: str, scope: Scope) -> list[StoredTemplate]:
        """All of this name: a scope without a tenant or an owner may have several."""
        return await self._found([Condition("name_key", "name_key = ?", (key,)), *self._visible(scope)])

    async def taken(self, space: str, key: str, but_by: str) -> bool:
        row = await self._database.fetch_one(
            "SELECT id FROM arkham_export_templates WHERE space = ? AND name_key = ? AND id <> ?",
            [space, key, but_by],
        )
        return row is not None

    async def page(self, scope: Scope, limit: int, offset: int) -> list[TemplateSummary]:
        """By name."""
        where, params = where_of(self._visible(scope))
        rows = await self._database.fetch_all(
            f"SELECT {_SUMMARY} FROM arkham_export_templates{where} ORDER BY name_key, id LIMIT ? OFFSET ?",
            [*params, limit, offset],
        )
        return [TemplateSummary(**_summary(row)) for row in rows]

    async def count(self, scope: Scope) -> int:
        where, params = where_of(self._visible(scope))
        return await self._counted(f"arkham_export_templates{where}", params)

    async def owned(self, tenant_id: str | None, owner: str) -> int:
        return await self._counted(
            "arkham_export_templates WHERE owner_key = ?", [space_of(tenant_id, owner)]
        )

    async def earlier(self, template_id: str) -> list[TemplateSummary]:
        """The versions that were replaced, and maybe the one that is being replaced; newest first."""
        rows = await self._database.fetch_all(
            f"SELECT {_SUMMARY} FROM arkham_export_template_versions WHERE id = ? ORDER BY version DESC",
            [template_id],
        )
        return [TemplateSummary(**_summary(row)) for row in rows]

    async def version(self, template_id: str, version: int) -> ExportTemplate | None:
        """A version that was replaced."""
        row = await self._database.fetch_one(
            f"SELECT {_WHOLE} FROM arkham_export_template_versions WHERE id = ? AND version = ?",
            [template_id, version],
        )
        return None if row is None else _stored(row).template

    def _visible(self, scope: Scope) -> list[Condition]:
        conditions = []
        if scope.tenant_id is not None:
            conditions.append(Condition("tenant_id", f"tenant_id = {self._tenant_mark}", (scope.tenant_id,)))
        if scope.owner is not None:
            conditions.append(Condition("created_by", "(shared = 1 OR created_by = ?)", (scope.owner,)))
        return conditions

    async def _found(self, conditions: Sequence[Condition]) -> list[StoredTemplate]:
        where, params = where_of(conditions)
        rows = await self._database.fetch_all(
            f"SELECT {_WHOLE} FROM arkham_export_templates{where} ORDER BY id", params
        )
        return [_stored(row) for row in rows]

    async def _counted(self, source: str, params: Sequence[Any]) -> int:
        row = await self._database.fetch_one(f"SELECT COUNT(*) AS n FROM {source}", params)
        return 0 if row is None else int(row["n"])

    async def _written(self, template_id: str, version: int, token: str) -> bool:
        """Whether this version is what the holder of the token wrote, be it replaced by now."""
        rows = await self._database.fetch_all(
            "SELECT token FROM arkham_export_templates WHERE id = ? AND version = ? UNION ALL"
            " SELECT token FROM arkham_export_template_versions WHERE id = ? AND version = ?",
            [template_id, version] * 2,
        )
        return any(row["token"] == token for row in rows)

    def _values(self, stored: StoredTemplate, token: str) -> dict[str, Any]:
        template = stored.template
        values = {name: getattr(template, name) for name in _NAMES if hasattr(template, name)}
        return values | {
            "filters": json_text(template.filters),
            "options": json_text(template.options),
            "shared": int(template.shared),
            "created_at": time_text(template.created_at),
            "updated_at": time_text(template.updated_at),
            "tenant_id": stored.tenant_id,
            "token": token,
        }

    def _mark(self, column: str) -> str:
        return self._tenant_mark if column == "tenant_id" else "?"


_FIXED = ("id", "tenant_id", "created_by", "created_at")
"""What stays with a template through all versions."""


def _stored(row: Mapping[str, Any]) -> StoredTemplate:
    template = ExportTemplate(
        **_summary(row), filters=metadata_of(row["filters"]), options=metadata_of(row["options"])
    )
    return StoredTemplate(template, plain_text(row["tenant_id"]))


def _summary(row: Mapping[str, Any]) -> dict[str, Any]:
    hours = row["retention_hours"]
    return {
        "id": str(row["id"]),
        "name": str(row["name"]),
        "description": str(row["description"]),
        "target": str(row["target"]),
        "format": str(row["format"]),
        "retention_hours": None if hours is None else float(hours),
        "shared": bool(row["shared"]),
        "created_by": str(row["created_by"]),
        "version": int(row["version"]),
        "created_at": moment(row["created_at"]),
        "updated_at": moment(row["updated_at"]),
        "updated_by": str(row["updated_by"]),
        "built_in": False,
    }
