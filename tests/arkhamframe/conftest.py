"""Puts the stand-in on the import path and gives its own tests a PostgreSQL of theirs."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url

from tests.conftest import new_database

STAND_IN = str(Path(__file__).parent)
if STAND_IN not in sys.path:
    sys.path.insert(0, STAND_IN)

EMPTY = """DROP SCHEMA IF EXISTS arkham_frame, arkham_graph, arkham_ach CASCADE;
DROP SCHEMA public CASCADE; CREATE SCHEMA public"""


@pytest.fixture(scope="module")
def standin_server(postgres_server: str) -> str:
    """The URL of a database for the module."""
    return new_database(postgres_server)


@pytest.fixture
def standin_url(standin_server: str) -> str:
    """The URL, as an operator would write it, of the module's database, emptied."""
    engine = create_engine(make_url(standin_server).set(drivername="postgresql+psycopg2"))
    with engine.begin() as connection:
        connection.exec_driver_sql(EMPTY)
    engine.dispose()
    return standin_server


@pytest.fixture
def standin_install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes classes of `standin_shards` (`name="ClassName"`) the only shards installed; at first none."""

    def install(**classes: str) -> None:
        found = importlib.metadata.EntryPoints(
            importlib.metadata.EntryPoint(name, f"standin_shards:{class_name}", "arkham.shards")
            for name, class_name in classes.items()
        )
        monkeypatch.setattr(importlib.metadata, "entry_points", found.select)

    install()
    return install
