"""`arkham-export check`: what is wrong is found, told with its remedy and by the exit code, and nothing is changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import psycopg
import pytest

from arkham_shard_export import settings
from arkham_shard_export.cli.checking import libraries
from arkham_shard_export.cli.checking.configuration import OF_COMMANDS, SETTINGS
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.commands import Commands, Ran
from tests.conftest import new_database
from tests.hosts import RunningHost, standalone

SECRET = "a-token-that-nobody-may-see"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    folder = tmp_path_factory.mktemp("check")
    url = None
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgres_server"))
        seed_postgres(url, 3)
    else:
        seed_sqlite(folder, 3)
    with standalone(folder, url) as running:
        yield running


@pytest.fixture
def place(host: RunningHost, monkeypatch: pytest.MonkeyPatch) -> RunningHost:
    monkeypatch.setenv("ARKHAM_EXPORT_DATA", str(host.data_dir))
    if host.database_url is not None:
        monkeypatch.setenv("ARKHAM_EXPORT_DATABASE_URL", host.database_url)
    return host


def problems(ran: Ran) -> dict[str, dict[str, Any]]:
    """By part and name."""
    told = ran.json
    assert told["ok"] == (ran.code == 0)
    return {
        f"{part} {each['name']}": each
        for part, found in told.items()
        if part != "ok"
        for each in found
        if each["state"] == "problem"
    }


def test_beside_a_running_host_all_is_well(place: RunningHost, command: Commands) -> None:
    ran = command("check")
    assert ran.code == 0
    assert ran.out.endswith("All is well.\n")
    assert command("check", "--quiet").output == b""
    told = command("check", "--json").json
    assert [*told] == ["ok", "settings", "database", "store", "libraries", "fonts"]
    assert told["ok"] is True
    database = {each["name"]: each for each in told["database"]}
    kind = "SQLite 3" if place.database_url is None else "PostgreSQL 1"
    assert database["reachable"]["value"].startswith(kind)
    assert database["jobs table"]["value"].startswith("version ")
    assert {"tables of claims", "tables of matrix", "other tables"} <= database.keys()
    assert ("queue" in database) == (place.database_url is not None)
    assert {each["name"] for each in told["libraries"]} == {*libraries.WHAT_FOR}
    assert {each["name"]: each["value"] for each in told["store"]}[
        "of the hosts"
    ] == "the store that they use"


def test_every_setting_is_told_with_its_value_and_where_that_is_from(
    place: RunningHost, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(settings.__file__).read_text("utf-8")
    assert set(SETTINGS) == set(re.findall(r"ARKHAM_EXPORT_[A-Z_]+[A-Z]", source))
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "3")
    monkeypatch.setenv("ARKHAM_EXPORT_TOKEN", SECRET)
    monkeypatch.setenv("ARKHAM_EXPORT_RETENTION_HOURS", "1000")
    told = {each["name"]: each for each in command("check", "--json").json["settings"]}
    assert [*told] == [*SETTINGS, *OF_COMMANDS]
    given = {name: each["value"] for name, each in told.items() if each["source"] == "environment"}
    assert given["ARKHAM_EXPORT_CONCURRENCY"] == "3"
    assert given["ARKHAM_EXPORT_TOKEN"] == f"{len(SECRET)} characters, not shown"
    assert told["ARKHAM_EXPORT_GRACE_SECONDS"] == {
        "name": "ARKHAM_EXPORT_GRACE_SECONDS",
        "state": "ok",
        "value": "5",
        "source": "default",
    }
    # It follows from another.
    assert told["ARKHAM_EXPORT_MAX_RETENTION_HOURS"]["value"] == "1000"


def test_secrets_are_not_shown(command: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_TOKEN", f"{SECRET} ")
    monkeypatch.setenv("ARKHAM_EXPORT_URL", f"http://me:{SECRET}@host")
    monkeypatch.setenv("ARKHAM_EXPORT_DATABASE_URL", f"postgresql://me:{SECRET}@127.0.0.1:1/x")
    for words in ((), ("--json",), ("--quiet",)):
        ran = command("check", *words)
        assert ran.code == 1
        assert SECRET not in ran.out + ran.said
        assert "127.0.0.1:1/x" in ran.out


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CONCURRENCY", "many", "'many' is not a number"),
        ("STORE", "gs://x", "files cannot be kept at gs://"),
        ("LOG_LEVEL", "loud", "must be one of DEBUG, INFO"),
        ("TOKEN", "short", "fewer than 16 characters"),
        ("URL", "localhost", "It is not the address of a host."),
        (
            "CONCURENCY",
            "3",
            "There is no such setting, so it sets nothing. Did you mean 'ARKHAM_EXPORT_CONCURRENCY'?",
        ),
        ("XYZZY", "3", "There is no such setting, so it sets nothing."),
    ],
)
def test_a_setting_that_does_not_work_is_a_problem(
    name: str, value: str, told: str, place: RunningHost, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"ARKHAM_EXPORT_{name}"
    monkeypatch.setenv(variable, value)
    found = problems(command("check", "--json"))[f"settings {variable}"]
    assert told in found["detail"]
    assert found["remedy"]
    shown = " ".join(command("check", "--quiet").out.split())
    assert " ".join(told.split()) in shown
    assert "Remedy: " in shown
    assert "ARKHAM_EXPORT_GRACE_SECONDS" not in shown


def test_two_wrong_settings_are_two_problems(
    place: RunningHost, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "many")
    monkeypatch.setenv("ARKHAM_EXPORT_POLL_SECONDS", "0")
    found = problems(command("check", "--json"))
    assert {"settings ARKHAM_EXPORT_CONCURRENCY", "settings ARKHAM_EXPORT_POLL_SECONDS"} <= found.keys()
    assert "before the settings can be used" in found["store usable"]["detail"]


def test_a_place_without_a_database_is_named_and_nothing_is_made(tmp_path: Path, command: Commands) -> None:
    ran = command("check", "--data", str(tmp_path / "none"), "--json")
    found = problems(ran)
    assert [*found] == ["database reachable"]
    assert "serve --demo" in found["database reachable"]["remedy"]
    assert not (tmp_path / "none").exists()


def test_a_database_without_a_host_is_well_and_what_is_missing_is_told(
    tmp_path: Path, postgres_url: str, command: Commands
) -> None:
    seed_sqlite(tmp_path, 1)
    for words in (("--data", str(tmp_path)), ("--data", str(tmp_path), "--database-url", postgres_url)):
        told = command("check", *words, "--json")
        assert told.code == 0
        absent = {each["name"]: each for each in told.json["database"] if each["state"] == "absent"}
        assert absent["jobs table"]["value"] == "missing"
        if "--database-url" in words:
            assert "Not there: arkham_claims, " in absent["tables of claims"]["detail"]
            assert "The target has no records." in absent["tables of claims"]["detail"]
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute(
            "SELECT COUNT(*) FROM pg_class WHERE relname LIKE 'arkham%'"
        ).fetchone() == (0,)
    assert not (tmp_path / "files").exists()


def test_a_database_that_does_not_answer_is_told_with_the_reason(command: Commands, tmp_path: Path) -> None:
    found = problems(
        command("check", "--database-url", "postgresql://127.0.0.1:1/x", "--data", str(tmp_path), "--json")
    )
    assert "Connection refused" in found["database reachable"]["detail"]


@pytest.mark.parametrize(("version", "told"), [(1, "older than"), (999, "newer than")])
def test_a_jobs_table_of_another_version_is_a_problem(
    version: int, told: str, place: RunningHost, command: Commands
) -> None:
    rows = place.query("SELECT version FROM arkham_export_schema")
    place.query("DELETE FROM arkham_export_schema")
    try:
        place.query("INSERT INTO arkham_export_schema (version) VALUES (?)", (version,))
        found = problems(command("check", "--json"))
        assert told in found["database jobs table"]["detail"]
    finally:
        place.query("DELETE FROM arkham_export_schema")
        for row in rows:
            place.query("INSERT INTO arkham_export_schema (version) VALUES (?)", row)


def test_what_a_user_may_not_read_or_make_is_told(
    postgres_url: str, command: Commands, tmp_path: Path
) -> None:
    seed_postgres(postgres_url, 1)
    name = "checker_without_rights"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"DROP ROLE IF EXISTS {name}".encode())
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"GRANT SELECT ON arkham_claims, arkham_claim_evidence TO {name}".encode())
    limited = postgres_url.replace("://postgres:@", f"://{name}:@")
    assert limited != postgres_url
    try:
        ran = command("check", "--database-url", limited, "--data", str(tmp_path), "--json")
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {name}".encode())
            connection.execute(f"DROP ROLE {name}".encode())
    found = problems(ran)
    assert "may not make it" in found["database queue"]["detail"]
    # In a schema that is closed, and a table that is.
    assert "may not read arkham_graph.nodes, " in found["database tables of graph"]["detail"]
    assert "may not read arkham_timeline_events, " in found["database tables of timeline"]["detail"]
    assert "database tables of claims" not in found


# The store


def test_a_store_that_cannot_be_used_or_is_another_is_a_problem(
    place: RunningHost, command: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", str(tmp_path / "file"))
    assert "is not a folder" in problems(command("check", "--json"))["store usable"]["detail"]
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", str(tmp_path / "another" / "store"))
    found = problems(command("check", "--json"))
    assert [*found] == ["store of the hosts"]
    assert "use another store" in found["store of the hosts"]["detail"]
    assert not (tmp_path / "another").exists()
    monkeypatch.setenv("ARKHAM_EXPORT_STORE", "s3://no-such-bucket/x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "s3://no-such-bucket/x" in problems(command("check", "--json"))["store usable"]["detail"]


def test_a_store_without_room_is_a_problem(
    place: RunningHost, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_MIN_FREE_MIB", str(2**30))
    assert "new jobs are refused" in problems(command("check", "--json"))["store free space"]["detail"]
    monkeypatch.delenv("ARKHAM_EXPORT_MIN_FREE_MIB")
    filler = place.data_dir / "files" / "exports" / "2026-01-01" / "filler.1.csv"
    filler.parent.mkdir(exist_ok=True)
    filler.write_bytes(b"x" * (2 << 20))
    monkeypatch.setenv("ARKHAM_EXPORT_STORE_QUOTA_MIB", "2")
    try:
        assert "2.0 MiB of 2.0 MiB" in problems(command("check", "--json"))["store quota"]["value"]
    finally:
        filler.unlink()


# Libraries and fonts


def test_a_library_that_is_missing_is_a_problem_only_where_it_is_needed(
    place: RunningHost, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name in ("obstore", "typst", "psycopg-pool"):
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(libraries.metadata, "version", version)
    told = command("check", "--json")
    found = {each["name"]: each for each in told.json["libraries"]}
    assert found["s3"]["state"] == found["office"]["state"] == "absent"
    assert found["office"]["remedy"] == "pip install 'arkham-shard-export[office]'"
    assert "Not installed: typst; needed for PDF and DOCX reports." in found["office"]["detail"]
    assert found["cli"]["state"] == "ok"
    needed = place.database_url is not None
    assert found["postgres"]["state"] == ("problem" if needed else "absent")
    assert told.code == (1 if needed else 0)


def test_fonts_that_are_missing_are_told(
    place: RunningHost, command: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = {"Noto Sans": tmp_path / "gone.ttf", "Amiri": Path(__file__)}
    monkeypatch.setattr("arkham_shard_export.formats.typesetting.fonts.font_files", lambda: files)
    found = problems(command("check", "--json"))["fonts families"]
    assert found["detail"] == "The files of these are not where they belong: Noto Sans."

    def missing() -> dict[str, Path]:
        raise ModuleNotFoundError("The fonts of reports come with the Python package x, which is missing.")

    monkeypatch.setattr("arkham_shard_export.formats.typesetting.fonts.font_files", missing)
    told = command("check", "--json")
    assert (told.code, told.json["fonts"][0]["state"]) == (0, "absent")
