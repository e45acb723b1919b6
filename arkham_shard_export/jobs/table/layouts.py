"""Word files that reports are laid out by, in the database, where every host and worker reaches them.

The id of a file is its SHA-256, so no id ever means other bytes. A file lies in rows of text of a size that the host's
service carries without a stop; it is there when all of its parts are, and who was cut off writes the rest another time.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from datetime import datetime

from arkham_shard_export.jobs.table.rows import time_text
from arkham_shard_export.jobs.table.templates import space_of
from arkham_shard_export.ports import Database
from arkham_shard_export.sources.dialects import Dialect, PostgresDialect

PART_BYTES = 192 * 1024

_REFERRING = (
    ("arkham_export_templates", "options"),
    ("arkham_export_template_versions", "options"),
    ("arkham_export_schedules", "request"),
)
"""Tables and columns that hold, as JSON, what exports are made of."""


def statements(dialect: Dialect) -> list[str]:
    """What makes the table where it is missing."""
    tenant = "UUID" if isinstance(dialect, PostgresDialect) else "TEXT"
    return [
        "CREATE TABLE IF NOT EXISTS arkham_export_layouts (id TEXT NOT NULL, space TEXT NOT NULL, part INTEGER NOT NULL,"
        f" parts INTEGER NOT NULL, content TEXT NOT NULL, tenant_id {tenant}, created_by TEXT NOT NULL,"
        " owner_key TEXT NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (id, space, part))",
        "CREATE INDEX IF NOT EXISTS idx_export_layouts_owner ON arkham_export_layouts (owner_key) WHERE (part = 0)",
    ]


class LayoutStore:
    """Files of a tenant; without a tenant those of all are found."""

    def __init__(self, database: Database, dialect: Dialect) -> None:
        self._database = database
        self._tenant_mark = dialect.tenant_mark("uuid")

    async def put(self, data: bytes, tenant_id: str | None, created_by: str, now: datetime) -> str:
        """The id of the file, which may be there already."""
        layout_id = hashlib.sha256(data).hexdigest()
        space = space_of(tenant_id, None)
        if await self._read(layout_id, space) is not None:
            return layout_id
        parts = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)]
        columns = "id, space, part, parts, content, created_by, owner_key, created_at, tenant_id"
        for number, part in enumerate(parts):
            await self._database.execute(
                f"INSERT INTO arkham_export_layouts ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, {self._tenant_mark})"
                " ON CONFLICT (id, space, part) DO NOTHING",
                [
                    layout_id,
                    space,
                    number,
                    len(parts),
                    b64encode(part).decode(),
                    created_by,
                    space_of(tenant_id, created_by),
                    time_text(now),
                    tenant_id,
                ],
            )
        return layout_id

    async def get(self, layout_id: str, tenant_id: str | None) -> bytes | None:
        """The file, whole; None where the tenant has none of this id."""
        own = await self._read(layout_id, space_of(tenant_id, None))
        if own is not None or tenant_id is not None:
            return own
        rows = await self._database.fetch_all(
            "SELECT space FROM arkham_export_layouts WHERE id = ? AND part = 0 ORDER BY space LIMIT 1",
            [layout_id],
        )
        return await self._read(layout_id, rows[0]["space"]) if rows else None

    async def _read(self, layout_id: str, space: str) -> bytes | None:
        data, number, parts = b"", 0, 1
        while number < parts:
            row = await self._database.fetch_one(
                "SELECT parts, content FROM arkham_export_layouts WHERE id = ? AND space = ? AND part = ?",
                [layout_id, space, number],
            )
            if row is None:
                return None
            try:
                data += b64decode(row["content"])
            except ValueError:
                return None
            number, parts = number + 1, int(row["parts"])
        # Anybody may have written the rows.
        return data if hashlib.sha256(data).hexdigest() == layout_id else None

    async def owned(self, tenant_id: str | None, owner: str) -> int:
        row = await self._database.fetch_one(
            "SELECT COUNT(*) AS n FROM arkham_export_layouts WHERE owner_key = ? AND part = 0",
            [space_of(tenant_id, owner)],
        )
        return 0 if row is None else int(row["n"])

    async def forget(self, tenant_id: str | None, owner: str, before: datetime) -> None:
        """Remove the owner's files from before then that neither a template, in any version, nor a schedule names."""
        rows = await self._database.fetch_all(
            "SELECT id FROM arkham_export_layouts WHERE owner_key = ? AND part = 0 AND created_at < ?",
            [space_of(tenant_id, owner), time_text(before)],
        )
        unnamed = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {table} WHERE {column} LIKE ?)" for table, column in _REFERRING
        )
        for row in rows:
            # An id is letters and digits, so that it stands for itself in a pattern.
            pattern = f"%{row['id']}%"
            await self._database.execute(
                f"DELETE FROM arkham_export_layouts WHERE id = ? AND space = ? AND {unnamed}",
                [row["id"], space_of(tenant_id, None), *[pattern] * len(_REFERRING)],
            )
