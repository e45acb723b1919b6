"""Many seeded records, every target and format: each record once, with its content, by readers that are not ours.

ARKHAM_TEST_RECORDS sets how many records of each target; the default keeps the suite quick.
"""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.schema import Kind, RecordSet
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from arkham_shard_export.targets import TARGETS
from tests.conftest import new_database
from tests.hosts import RunningHost, arkhamframe, standalone

RECORDS = int(os.environ.get("ARKHAM_TEST_RECORDS", "2000"))

csv.field_size_limit(1 << 30)


@pytest.fixture(scope="module", params=["standalone", "arkhamframe"])
def large_host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningHost]:
    data_dir: Path = tmp_path_factory.mktemp("large")
    if request.param == "standalone":
        seed_sqlite(data_dir, RECORDS, seed=7)
        with standalone(data_dir) as host:
            yield host
        return
    from tables import create_peer_tables

    url = new_database(request.getfixturevalue("postgres_server"))
    create_peer_tables(url)
    seed_postgres(url, RECORDS, seed=7)
    with arkhamframe(data_dir, url) as host:
        yield host


def stored(host: RunningHost, record_set: RecordSet, kinds: tuple[Kind, ...]) -> dict[str, tuple[Any, ...]]:
    """The values of some kinds of column as the database holds them, by id."""
    names = [column.name for column in record_set.table.columns if column.kind in kinds]
    rows = host.query(f"SELECT id, {', '.join(names)} FROM {record_set.table.qualified}")
    return {row[0]: row[1:] for row in rows}


def names_of(record_set: RecordSet, kinds: tuple[Kind, ...]) -> list[str]:
    return [column.name for column in record_set.table.columns if column.kind in kinds]


@pytest.mark.parametrize("target", list(TARGETS))
def test_json_holds_each_record_once_with_its_content(large_host: RunningHost, target: str) -> None:
    job, file = large_host.export(target, "json")
    document = json.loads(file.content)
    assert job["record_count"] == document["record_count"] == RECORDS
    kinds = (Kind.TEXT, Kind.INTEGER, Kind.NUMBER)
    for record_set in TARGETS[target].sets:
        records = document[record_set.name]
        assert max(Counter(record["id"] for record in records).values(), default=1) == 1
        names = names_of(record_set, kinds)
        exported = {record["id"]: tuple(record[name] for name in names) for record in records}
        assert exported == stored(large_host, record_set, kinds)


@pytest.mark.parametrize("target", ["documents", "entities", "claims", "timeline", "graph"])
def test_csv_holds_each_record_once_with_its_content(large_host: RunningHost, target: str) -> None:
    job, file = large_host.export(target, "csv", options={"spreadsheet_safe": False})
    assert job["record_count"] == RECORDS
    for record_set in TARGETS[target].sets:
        content = file.content
        if target == "graph":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(f"{record_set.name}.csv")
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
        places = [header.index(name) for name in names_of(record_set, (Kind.TEXT,))]
        exported = {row[header.index("id")]: tuple(row[place] for place in places) for row in rows}
        assert len(rows) == len(exported)
        expected = stored(large_host, record_set, (Kind.TEXT,))
        assert exported == {key: tuple(text or "" for text in row) for key, row in expected.items()}


def test_each_matrix_is_a_grid_of_all_its_evidence(large_host: RunningHost) -> None:
    job, file = large_host.export("matrix", "csv")
    assert job["record_count"] == RECORDS
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names)) == RECORDS
        evidence = [
            row[0]
            for name in names
            for row in list(csv.reader(io.StringIO(archive.read(name).decode("utf-8"), newline="")))[1:]
        ]
    assert sorted(evidence) == sorted(
        row[0] for row in large_host.query("SELECT id FROM arkham_ach.evidence")
    )
