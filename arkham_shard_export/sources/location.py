"""Where the records lie: everything a worker process needs to open a connection of its own."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SqliteLocation:
    """A SQLite file and the files attached to it, by schema name; absolute paths."""

    path: str
    attached: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PostgresLocation:
    """A libpq URL (`postgresql://…`); it may hold a password and is never logged."""

    url: str = field(repr=False)


Location = SqliteLocation | PostgresLocation
