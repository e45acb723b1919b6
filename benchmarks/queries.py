"""The statements of the databases' shells, made from the declared columns."""

from __future__ import annotations

from arkham_shard_export.peers import CLAIM_EVIDENCE, CLAIMS
from arkham_shard_export.schema import Kind, Table


def _plain(table: Table) -> str:
    return ", ".join(column.name for column in table.columns)


def _json_object(table: Table) -> str:
    """SQLite's; JSON columns as JSON."""
    return ", ".join(
        f"'{column.name}', " + (f"json({column.name})" if column.kind is Kind.JSON else column.name)
        for column in table.columns
    )


def _json_columns(table: Table) -> str:
    """PostgreSQL's and DuckDB's; JSON columns as JSON, which the claims keep as text."""
    return ", ".join(
        f"{column.name}::json AS {column.name}" if column.kind is Kind.JSON else column.name
        for column in table.columns
    )


CLAIMS_AS_THEY_ARE = f"SELECT {_plain(CLAIMS)} FROM {CLAIMS.qualified}"

SQLITE_JSON = f"SELECT json_object({_json_object(CLAIMS)}) FROM {CLAIMS.qualified}"

SQLITE_JSON_WITH_EVIDENCE = (
    f"SELECT json_object({_json_object(CLAIMS)}, 'evidence', (SELECT json_group_array(json_object("
    f"{_json_object(CLAIM_EVIDENCE)})) FROM {CLAIM_EVIDENCE.qualified} WHERE claim_id = claims.id))"
    f" FROM {CLAIMS.qualified} AS claims"
)

CLAIMS_WITH_JSON = f"SELECT {_json_columns(CLAIMS)} FROM {CLAIMS.qualified}"

POSTGRES_JSON = f"SELECT row_to_json(t) FROM ({CLAIMS_WITH_JSON}) AS t"

POSTGRES_JSON_WITH_EVIDENCE = (
    f"SELECT row_to_json(t) FROM (SELECT {_json_columns(CLAIMS)}, coalesce((SELECT json_agg(e) FROM"
    f" (SELECT {_json_columns(CLAIM_EVIDENCE)} FROM {CLAIM_EVIDENCE.qualified}"
    f" WHERE claim_id = claims.id) AS e), '[]') AS evidence FROM {CLAIMS.qualified} AS claims) AS t"
)
