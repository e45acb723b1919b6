"""The host's database service: coroutines around blocking psycopg2 calls, one connection a call.

DatabaseError
├── DatabaseUnavailable   no connection: the server is gone or went away, or the service is closed
└── QueryError            the statement or its parameters are wrong
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

Params = Sequence[Any] | Mapping[str, Any] | None
Row = dict[str, Any]


class DatabaseError(Exception):
    """A statement did not run."""


class DatabaseUnavailable(DatabaseError):
    """The database cannot be reached."""


class QueryError(DatabaseError):
    """The database or its driver refused the statement."""


class DatabaseService:
    """Only `execute` commits, what `fetch_one` or `fetch_all` changes is rolled back; all block the loop."""

    def __init__(self, database_url: str) -> None:
        self._engine: Engine | None = create_engine(
            make_url(database_url).set(drivername="postgresql+psycopg2")
        )

    async def connect(self) -> None:
        """Raises `DatabaseUnavailable` where there is no server to talk to."""
        await self.fetch_one("SELECT 1 AS alive")

    async def close(self) -> None:
        """Gives every connection back; each later call raises `DatabaseUnavailable`."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    async def execute(self, sql: str, params: Params = None) -> None:
        """Runs and commits one statement; how many rows it touched is not told."""
        with self._connection() as connection:
            _run(connection, sql, params)
            connection.commit()

    async def fetch_one(self, sql: str, params: Params = None) -> Row | None:
        """The first row as psycopg2 gives its values; then everything is rolled back."""
        with self._connection() as connection:
            row = _run(connection, sql, params).mappings().first()
            return None if row is None else dict(row)

    async def fetch_all(self, sql: str, params: Params = None) -> list[Row]:
        """Every row at once, in memory; then everything is rolled back."""
        with self._connection() as connection:
            return [dict(row) for row in _run(connection, sql, params).mappings()]

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Closing it rolls back what was not committed; every error leaves as the service's own."""
        if self._engine is None:
            raise DatabaseUnavailable("The database service is closed")
        try:
            connection = self._engine.connect()
        except Exception as error:
            raise DatabaseUnavailable(f"The database cannot be reached: {error}") from error
        with connection:
            try:
                yield connection
            except DatabaseError:
                raise
            except Exception as error:
                lost = isinstance(error, DBAPIError) and error.connection_invalidated
                raise (DatabaseUnavailable if lost else QueryError)(
                    f"The statement failed: {error}"
                ) from error


def _run(connection: Connection, sql: str, params: Params) -> CursorResult[Any]:
    statement, values = _bind(sql, params)
    return connection.execute(text(statement), values)


def _bind(sql: str, params: Params) -> tuple[str, dict[str, Any]]:
    """Names every `?` of the text, those in literals too, when the parameters come as a sequence."""
    if params is None:
        return sql, {}
    if isinstance(params, Mapping):
        values = dict(params)
    else:
        first, *rest = sql.split("?")
        if len(rest) != len(params):
            raise QueryError(f"The statement has {len(rest)} marks (each '?') for {len(params)} parameters")
        sql = first + "".join(f":p{index}{part}" for index, part in enumerate(rest))
        values = {f"p{index}": value for index, value in enumerate(params)}
    for name, value in values.items():
        if isinstance(value, dict | list):
            raise QueryError(f"Parameter {name} cannot be adapted: {type(value).__name__}; bind JSON text")
    return sql, values
