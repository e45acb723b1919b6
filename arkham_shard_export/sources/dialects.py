"""The SQL in which SQLite and PostgreSQL differ; everything else is written once.

Marks are `?`, filled left to right, in both: it is what the host's service understands. Literals hold none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from arkham_shard_export.records import Portion
from arkham_shard_export.schema import Column, Kind, Table

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Catalog = dict[str, str]
"""The columns a table really has, in order, with the database's own name of each type."""


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


class Dialect(Protocol):
    def table(self, table: Table) -> str: ...

    def catalog_query(self, table: Table) -> tuple[str, list[Any]]: ...

    def rough_count(self, table: Table) -> tuple[str, list[Any]]:
        """A query of about how many rows a table holds (`n`), told without counting them."""
        ...

    def kind(self, column_type: str) -> Kind: ...

    def value(self, name: str, column_type: str, kind: Kind) -> str:
        """The expression that reads a column in the form `values` expects."""
        ...

    def instant(self, name: str, column_type: str) -> tuple[str, list[Any]]:
        """The column as something that compares in time; NULL where it holds no date."""
        ...

    def instant_value(self, moment: datetime) -> tuple[str, Any]:
        """A mark and its value that compare with `instant`."""
        ...

    def text_order(self, name: str, column_type: str) -> str:
        """The column as something that sorts alike in every database (text by code point)."""
        ...

    def text_value(self, expression: str) -> str:
        """A text expression that sorts by code point."""
        ...

    def tenant_mark(self, column_type: str) -> str: ...

    def text(self, name: str, column_type: str) -> str:
        """The column as text, to compare with texts whatever its type."""
        ...

    def within(self, portion: Portion) -> tuple[str, list[Any]]:
        """Whether a row is stored in this stretch of its table."""
        ...

    def keys(self, column_type: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        """A mark, and those of the keys that a column of this type can hold, so that an index on it serves."""
        ...

    def members(self, name: str, column_type: str) -> str:
        """A FROM item `j(value)` of the texts in a JSON list, none where the column holds no list."""
        ...


def column(name: str) -> str:
    return f"t.{quoted(name)}"


class SqliteDialect:
    """Timestamps are ISO text of any common form, compared as whole microseconds since 1970."""

    def table(self, table: Table) -> str:
        return f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)

    def catalog_query(self, table: Table) -> tuple[str, list[Any]]:
        return "SELECT name, type FROM pragma_table_info(?, ?) ORDER BY cid", [
            table.name,
            table.schema or "main",
        ]

    def rough_count(self, table: Table) -> tuple[str, list[Any]]:
        return f"SELECT MAX(rowid) AS n FROM {self.table(table)}", []

    def kind(self, column_type: str) -> Kind:
        name = column_type.upper()
        for part, kind in (
            ("BOOL", Kind.BOOLEAN),
            ("INT", Kind.INTEGER),
            ("TIMESTAMP", Kind.TIMESTAMP),
            ("DATETIME", Kind.TIMESTAMP),
            ("JSON", Kind.JSON),
            ("REAL", Kind.NUMBER),
            ("FLOA", Kind.NUMBER),
            ("DOUB", Kind.NUMBER),
            ("NUM", Kind.NUMBER),
        ):
            if part in name:
                return kind
        return Kind.TEXT

    def value(self, name: str, column_type: str, kind: Kind) -> str:
        return column(name)

    def instant(self, name: str, column_type: str) -> tuple[str, list[Any]]:
        # SQLite's own functions round to milliseconds and take 30 February for 1 March.
        text = column(name)
        day, rest = f"substr({text}, 1, 10)", f"substr({text}, 17)"
        clock = (
            f"CASE substr({text}, 17, 1) WHEN ':' THEN substr({text}, 1, 19) ELSE substr({text}, 1, 16) END"
        )
        zone = f"ltrim({rest}, ':.,0123456789 ')"
        offset = (
            f"CASE WHEN {rest} = '' OR {zone} IN ('', 'Z', 'z') THEN ''"
            f" ELSE CASE length({zone}) WHEN 6 THEN {zone} WHEN 3 THEN {zone} || ':00'"
            f" WHEN 5 THEN substr({zone}, 1, 3) || ':' || substr({zone}, 4) END END"
        )
        fraction = (
            f"CASE WHEN substr({text}, 20, 1) IN ('.', ',')"
            f" THEN CAST(round(CAST('0.' || substr({text}, 21, 6) AS REAL) * 1000000) AS INTEGER) ELSE 0 END"
        )
        return (
            f"CASE WHEN date({day}, '+0 days') = {day} AND {day} > '0001'"
            f" THEN CAST(strftime('%s', {clock} || {offset}) AS INTEGER) * 1000000 + {fraction} END",
            [],
        )

    def instant_value(self, moment: datetime) -> tuple[str, Any]:
        return "?", (moment - _EPOCH) // timedelta(microseconds=1)

    def text_order(self, name: str, column_type: str) -> str:
        return column(name)

    def text_value(self, expression: str) -> str:
        return expression

    def tenant_mark(self, column_type: str) -> str:
        return "?"

    def text(self, name: str, column_type: str) -> str:
        return column(name)

    def within(self, portion: Portion) -> tuple[str, list[Any]]:
        return "t._rowid_ BETWEEN ? AND ?", list(portion)

    def keys(self, column_type: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        return "?", list(keys)

    def members(self, name: str, column_type: str) -> str:
        text = column(name)
        return (
            f"json_each(CASE WHEN json_valid({text}) THEN CASE WHEN json_type({text}) = 'array' "
            f"THEN {text} ELSE '[]' END ELSE '[]' END) AS j"
        )


_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SHORT_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_PLAIN_TEXT = ("text", "character varying", "character")
_DATE_TEXT = (
    r"^(?!0000)([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    r"|02-(0[1-9]|1[0-9]|2[0-8]))|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?)?$"
)
_WITH_OFFSET = r"[T ].*(Z|[+-][0-9:]{2,6})$"


class PostgresDialect:
    """Everything that has several faces (timestamps, JSON, UUID) is read as text, so that no driver interprets it."""

    def table(self, table: Table) -> str:
        return f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)

    def catalog_query(self, table: Table) -> tuple[str, list[Any]]:
        return (
            "SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute"
            " WHERE attrelid = to_regclass(?) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [self.table(table)],
        )

    def rough_count(self, table: Table) -> tuple[str, list[Any]]:
        # Never analysed: -1 rows; then a guess by the size of the file.
        return (
            "SELECT CAST(CASE WHEN reltuples >= 0 THEN reltuples ELSE pg_relation_size(oid) / 200 END AS bigint) AS n"
            " FROM pg_class WHERE oid = to_regclass(?)",
            [self.table(table)],
        )

    def kind(self, column_type: str) -> Kind:
        if column_type.endswith("[]"):
            return Kind.JSON
        base = column_type.split("(")[0]
        kinds = {
            "integer": Kind.INTEGER,
            "bigint": Kind.INTEGER,
            "smallint": Kind.INTEGER,
            "real": Kind.NUMBER,
            "double precision": Kind.NUMBER,
            "numeric": Kind.NUMBER,
            "boolean": Kind.BOOLEAN,
            "json": Kind.JSON,
            "jsonb": Kind.JSON,
        }
        return Kind.TIMESTAMP if base.startswith("timestamp") else kinds.get(base, Kind.TEXT)

    def value(self, name: str, column_type: str, kind: Kind) -> str:
        plain = column_type.split("(")[0]
        if column_type.endswith("[]"):
            return f"CAST(to_json({column(name)}) AS text)"
        if plain == "bytea":
            return f"translate(encode({column(name)}, 'base64'), chr(10), '')"
        if plain in _PLAIN_TEXT or self.kind(column_type) in (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN):
            return column(name)
        return f"CAST({column(name)} AS text)"

    def instant(self, name: str, column_type: str) -> tuple[str, list[Any]]:
        if column_type.startswith("timestamp with time zone"):
            return column(name), []
        if column_type.startswith(("timestamp", "date")):
            return f"(CAST({column(name)} AS timestamp) AT TIME ZONE 'UTC')", []
        text = f"CAST({column(name)} AS text)"
        return (
            f"(CASE WHEN {text} ~ ? THEN CAST({text} || CASE WHEN {text} ~ ? THEN '' ELSE '+00' END AS timestamptz) END)",
            [_DATE_TEXT, _WITH_OFFSET],
        )

    def instant_value(self, moment: datetime) -> tuple[str, Any]:
        return "CAST(? AS timestamptz)", moment.astimezone(UTC).isoformat()

    def text_order(self, name: str, column_type: str) -> str:
        if self.kind(column_type) in (Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.TIMESTAMP):
            return column(name)
        return f'CAST({column(name)} AS text) COLLATE "C"'

    def text_value(self, expression: str) -> str:
        return f'({expression} COLLATE "C")'

    def tenant_mark(self, column_type: str) -> str:
        return "CAST(? AS uuid)" if column_type == "uuid" else "?"

    def text(self, name: str, column_type: str) -> str:
        plain = column_type.split("(")[0] in _PLAIN_TEXT
        return column(name) if plain else f"CAST({column(name)} AS text)"

    def within(self, portion: Portion) -> tuple[str, list[Any]]:
        """Places are blocks of the table's file."""
        first, last = portion
        return "t.ctid >= CAST(? AS tid) AND t.ctid < CAST(? AS tid)", [f"({first},0)", f"({last + 1},0)"]

    def keys(self, column_type: str, keys: Sequence[Any]) -> tuple[str, list[Any]]:
        texts = [str(key) for key in keys]
        if column_type == "uuid":
            return "CAST(? AS uuid)", [text for text in texts if _UUID.fullmatch(text)]
        if self.kind(column_type) is Kind.INTEGER:
            return "CAST(? AS bigint)", [text for text in texts if _SHORT_INTEGER.fullmatch(text)]
        return "?", texts

    def members(self, name: str, column_type: str) -> str:
        if column_type.endswith("[]"):
            value = f"to_jsonb({column(name)})"
        else:
            value = column(name) if column_type == "jsonb" else f"CAST({column(name)} AS jsonb)"
        return (
            f"jsonb_array_elements_text(CASE WHEN jsonb_typeof({value}) = 'array' THEN {value} "
            "ELSE CAST('[]' AS jsonb) END) AS j(value)"
        )


def catalog_of(rows: Sequence[Sequence[Any]]) -> Catalog | None:
    """The catalogue from the rows of `catalog_query`, None where there is no such table."""
    return {str(name): str(column_type) for name, column_type in rows} or None


def read_columns(table: Table, catalog: Catalog, dialect: Dialect) -> tuple[Column, ...]:
    """The declared columns that exist, in declared order, then those that exist besides, as the table has them.

    `tenant_id` says who may see the row, not what it says: it is no column of an export.
    """
    declared = {each.name: each for each in table.columns}
    known = [each for each in table.columns if each.name in catalog]
    extra = [
        Column(name, dialect.kind(column_type))
        for name, column_type in catalog.items()
        if name not in declared and name != "tenant_id"
    ]
    return (*known, *extra)
