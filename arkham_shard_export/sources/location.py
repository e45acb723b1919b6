"""Where the records lie: everything another process needs to open a connection of its own."""

from __future__ import annotations

import msgspec


class SqliteLocation(msgspec.Struct, frozen=True, tag="sqlite"):
    """A SQLite file and the files attached to it, by schema name; absolute paths."""

    path: str
    attached: dict[str, str] = {}


class PostgresLocation(msgspec.Struct, frozen=True, tag="postgres"):
    """A libpq URL (`postgresql://…`); it may hold a password and is never logged."""

    url: str

    def __repr__(self) -> str:
        return "PostgresLocation()"


Location = SqliteLocation | PostgresLocation
