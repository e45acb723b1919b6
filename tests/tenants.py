"""Hosts whose every record belongs to one of two tenants, and says in its text to which."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from arkham_shard_export.peers import (
    ACH_EVIDENCE,
    CHUNKS,
    CLAIM_EVIDENCE,
    CLAIMS,
    DOCUMENTS,
    EDGES,
    ENTITIES,
    ENTITY_MENTIONS,
    ENTITY_RELATIONSHIPS,
    GRAPHS,
    HYPOTHESES,
    MATRICES,
    NODES,
    PAGES,
    PROJECTS,
    RATINGS,
    TABLES,
    TIMELINE_ANNOTATIONS,
    TIMELINE_CONFLICTS,
    TIMELINE_EVENTS,
)
from arkham_shard_export.schema import Table
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.standalone.tables import create_statements
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost, arkhamframe, sqlite_connection, standalone

KINDS = ["arkhamframe", "standalone", "standalone-postgres"]
A = "aaaaaaaa-0000-4000-8000-00000000000a"
B = "bbbbbbbb-0000-4000-8000-00000000000b"
MARKS = {A: "belongs-to-ann", B: "belongs-to-ben"}
RECORDS = 150

TOLD = {
    PROJECTS: "name",
    DOCUMENTS: "filename",
    PAGES: "text",
    CHUNKS: "text",
    ENTITIES: "name",
    ENTITY_RELATIONSHIPS: "relationship_type",
    ENTITY_MENTIONS: "mention_text",
    CLAIMS: "text",
    CLAIM_EVIDENCE: "excerpt",
    TIMELINE_EVENTS: "text",
    TIMELINE_CONFLICTS: "description",
    TIMELINE_ANNOTATIONS: "note",
    NODES: "label",
    EDGES: "relationship_type",
    MATRICES: "title",
    HYPOTHESES: "title",
    ACH_EVIDENCE: "description",
    RATINGS: "notes",
}
"""A text column of each table: its rows say there whose they are."""


def tenant_of(number: int, table: Table) -> str:
    """Rows of one record fall to either tenant, so that each has rows that hang on the other's records."""
    return A if zlib.crc32(f"{table.qualified} {number}".encode()) % 2 else B


def share_out(url: str | None, data_dir: Path, tables: tuple[Table, ...] = TABLES) -> None:
    """Give every row to one of two tenants and write in it whose it is."""
    for table in tables:
        told = f", {TOLD[table]} = ?" if table in TOLD else ""
        sql = f"UPDATE {table.qualified} SET tenant_id = ?{told} WHERE id = ?"
        ids = query(url, data_dir, f"SELECT id FROM {table.qualified} ORDER BY id")
        rows = []
        for number, (row_id,) in enumerate(ids):
            tenant = tenant_of(number, table)
            rows.append((tenant, *([f"{MARKS[tenant]} {number}"] if told else []), row_id))
        if url is None:
            connection = sqlite_connection(data_dir)
            connection.execute("BEGIN")
            connection.executemany(sql, rows)
            connection.execute("COMMIT")
            connection.close()
        else:
            with psycopg.connect(url) as postgres:
                postgres.cursor().executemany(sql.replace("?", "%s").encode(), rows)
    merge_some(url, data_dir)


def merge_some(url: str | None, data_dir: Path) -> None:
    """Merge every fifth entity into the first one."""
    first, *others = [row[0] for row in query(url, data_dir, "SELECT id FROM arkham_entities ORDER BY id")]
    merged = ", ".join(f"'{each}'" for each in others[::5])
    sql = f"UPDATE arkham_entities SET canonical_id = '{first}' WHERE id IN ({merged}) RETURNING id"
    query(url, data_dir, sql)


def query(url: str | None, data_dir: Path, sql: str) -> list[tuple[Any, ...]]:
    if url is not None:
        with psycopg.connect(url) as postgres:
            return postgres.execute(sql.encode()).fetchall()
    connection = sqlite_connection(data_dir)
    rows = connection.execute(sql).fetchall()
    connection.close()
    return rows


def fresh_database(server_url: str) -> str:
    name = f"tenants_{uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return server_url.replace("/postgres?", f"/{name}?")


@contextlib.contextmanager
def shared_host(kind: str, data_dir: Path, postgres_server: str) -> Iterator[RunningHost]:
    """A host with users, whose every table is shared by two tenants."""
    if kind == "standalone":
        seed_sqlite(data_dir, RECORDS)
        share_out(None, data_dir)
        with standalone(data_dir, trust_headers=True) as host:
            yield host
        return
    url = fresh_database(postgres_server)
    if kind == "arkhamframe":
        from tables import create_peer_tables

        create_peer_tables(url, tenant_columns=True)
    else:
        with psycopg.connect(url) as postgres:
            for statement in create_statements("postgresql"):
                postgres.execute(statement.encode())
    seed_postgres(url, RECORDS)
    share_out(url, data_dir)
    if kind == "arkhamframe":
        with arkhamframe(data_dir, url, users=True) as host:
            yield host
        return
    with standalone(data_dir, url, trust_headers=True) as host:
        yield host


def of(tenant: str | None = None, user: str | None = None, role: str | None = None) -> dict[str, str]:
    named = {"X-Tenant-Id": tenant, "X-User-Id": user, "X-User-Role": role}
    return {name: value for name, value in named.items() if value is not None}


def ids(host: RunningHost, table: Table, where: str = "") -> set[str]:
    condition = f" WHERE {where}" if where else ""
    return {row[0] for row in host.query(f"SELECT id FROM {table.qualified}{condition}")}


def visible(host: RunningHost, table: Table, tenant: str) -> set[str]:
    return ids(host, table, f"CAST(tenant_id AS text) = '{tenant}'")


def expected_ids(host: RunningHost, target: str, tenant: str) -> set[str]:
    found: set[str] = set()
    for each in TARGETS[target].sets:
        where = f"CAST(tenant_id AS text) = '{tenant}'"
        if each.parent is not None:
            where += f" AND graph_id IN (SELECT id FROM {GRAPHS.qualified} WHERE CAST(tenant_id AS text) = '{tenant}')"
        if each.exclusion is not None:
            where += " AND canonical_id IS NULL"
        found |= ids(host, each.table, where)
    return found
