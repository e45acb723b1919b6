"""The queue's own schema: made, upgraded, and not allowed to be made."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arkham_shard_export.jobs.queues import schema as queue_schema
from arkham_shard_export.jobs.queues.schema import SCHEMA
from benchmarks.fleet import until
from tests.conftest import new_database
from tests.hosts import arkhamframe


def catalog(url: str) -> dict[str, list[Any]]:
    """What there is in the queue's schema."""
    queries = {
        "columns": "SELECT table_name, column_name, data_type, udt_name, column_default, is_nullable"
        f" FROM information_schema.columns WHERE table_schema = '{SCHEMA}' ORDER BY 1, 2",
        "functions": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc"
        f" WHERE pronamespace = '{SCHEMA}'::regnamespace ORDER BY 1, 2",
        "indexes": f"SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = '{SCHEMA}' ORDER BY 1",
        "triggers": "SELECT tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
        f" WHERE relnamespace = '{SCHEMA}'::regnamespace AND NOT tgisinternal ORDER BY 1",
        "constraints": "SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE connamespace = '{SCHEMA}'::regnamespace ORDER BY 1, 2, 3",
        "labels": "SELECT typname, enumlabel FROM pg_enum JOIN pg_type t ON t.oid = enumtypid"
        f" WHERE typnamespace = '{SCHEMA}'::regnamespace ORDER BY 1, 2",
        "steps": f"SELECT name FROM {SCHEMA}.arkham_export_steps ORDER BY 1",
    }
    with psycopg.connect(url) as connection:
        return {name: connection.execute(query.encode()).fetchall() for name, query in queries.items()}


@pytest.mark.parametrize("known", [1, 10, 25, -6, -1])
def test_an_older_schema_of_the_queue_is_upgraded_to_what_a_new_one_is(
    postgres_server: str, postgres_url: str, known: int
) -> None:
    older = queue_schema.steps()[:known]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        connection.execute(f"SET search_path TO {SCHEMA}".encode())
        connection.execute("CREATE TABLE arkham_export_steps (name TEXT PRIMARY KEY)")
        for path in older:
            connection.execute(path.read_bytes())
            connection.execute("INSERT INTO arkham_export_steps VALUES (%s)", [path.name])
    asyncio.run(queue_schema.prepare(postgres_url))
    new = new_database(postgres_server)
    asyncio.run(queue_schema.prepare(new))
    expected = catalog(new)
    for name, found in catalog(postgres_url).items():
        assert found == expected[name], name


def test_a_database_user_who_may_make_no_schema_is_told_what_to_do(
    postgres_server: str, postgres_url: str, tmp_path: Path
) -> None:
    from tables import create_peer_tables

    create_peer_tables(postgres_url)
    name = postgres_url.split("?")[0].rsplit("/", 1)[1]
    role = f"limited_{name}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f"GRANT ALL ON SCHEMA public TO {role}",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
        ):
            connection.execute(statement.encode())
    url = postgres_url.replace("//postgres:@", f"//{role}@")
    assert role in url
    with arkhamframe(tmp_path, url) as host:
        answer = host.post("claims", "json")
        assert answer.status_code == 503, answer.text
        assert "GRANT CREATE ON DATABASE" in answer.json()["detail"]
        assert answer.headers["Retry-After"]
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"GRANT CREATE ON DATABASE {name} TO {role}".encode())
        until(lambda: host.post("claims", "json").status_code == 201, "it works once it is allowed")
