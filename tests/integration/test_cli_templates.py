"""`arkham-export templates`, and exports of templates, straight on real databases, as a person types them."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.conftest import new_database
from tests.hosts import standalone

CLI = [sys.executable, "-m", "arkham_shard_export.cli"]
TENANT = "5b6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b11"
RECORDS = 40


@dataclass
class Place:
    data_dir: Path
    url: str | None

    def run(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        where = ["--data", str(self.data_dir), *(["--database-url", self.url] if self.url else [])]
        return subprocess.run(
            [*CLI, *arguments, *where], capture_output=True, text=True, input=input, env=dict(os.environ), timeout=60, check=False
        )  # fmt: skip

    def json(self, *arguments: str, input: str = "") -> Any:
        ran = self.run("templates", *arguments, "--json", input=input)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Place:
    """A database that a host has been started on."""
    data_dir = tmp_path_factory.mktemp("cli")
    url = new_database(postgres_server) if request.param == "postgresql" else None
    if url is None:
        seed_sqlite(data_dir, RECORDS, targets=["claims", "graph"])
    else:
        seed_postgres(url, RECORDS, targets=["claims", "graph"])
    with standalone(data_dir, url):
        pass
    return Place(data_dir, url)


def says(ran: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    assert ran.returncode == code, ran.stdout + ran.stderr
    for word in words:
        assert word in ran.stderr, ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_template_is_saved_shown_used_and_deleted(place: Place) -> None:
    words = [
        "templates",
        "save",
        "Disputed, weekly",
        "claims",
        "--format",
        "csv",
        "--filter",
        "status=disputed",
    ]
    ran = place.run(*words, "--option", "max_records=3", "--description", "For Monday.")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("Disputed, weekly: version 1, ")
    assert place.run(*words, "--option", "max_records=2").stdout.startswith("Disputed, weekly: version 2, ")
    shown = place.json("show", "disputed, WEEKLY")
    assert (shown["version"], shown["filters"], shown["options"]) == (
        2,
        {"status": "disputed"},
        {"max_records": 2},
    )
    assert place.json("show", shown["id"], "--version", "1")["description"] == "For Monday."
    listed = place.run("templates", "list").stdout.splitlines()
    assert listed[0].split() == ["NAME", "VERSION", "TARGET", "FORMAT", "CHANGED", "BY"]
    assert listed[1].startswith("Disputed, weekly")
    assert "Graph for Gephi" in "".join(listed)
    assert [each["version"] for each in place.json("versions", "Disputed, weekly")["versions"]] == [2, 1]
    assert "options" in place.run("templates", "show", "Disputed, weekly").stdout
    for more, rows in (([], 2), (["--template-version", "1"], 3), (["--option", "max_records=1"], 1)):
        ran = place.run("export", "--template", "Disputed, weekly", *more)
        assert ran.returncode == 0, ran.stderr
        records = [*csv.DictReader(io.StringIO(ran.stdout, newline=""))]
        assert len(records) == rows
        assert {each["status"] for each in records} == {"disputed"}
    ran = place.run(
        "export", "--template", "Disputed, weekly", "--format", "json", "--filter", "status=verified"
    )
    assert {each["status"] for each in json.loads(ran.stdout)["records"]} == {"verified"}
    assert place.run("templates", "delete", "Disputed, weekly").stdout == "Disputed, weekly deleted\n"
    says(
        place.run("export", "--template", "Disputed, weekly"),
        1,
        "There is no template 'Disputed, weekly': it was deleted",
    )
    says(place.run("templates", "show", "Disputed, weekly"), 1, "There is no template with this name or id")


def test_a_host_and_the_command_line_have_the_same_templates(place: Place) -> None:
    place.json("save", "By command line", "claims", "--format", "json")
    with standalone(place.data_dir, place.url) as host:
        job = host.client.post("/api/export/jobs", json={"template": "By command line"})
        assert job.json()["metadata"]["template"]["version"] == 1
        host.client.post(
            "/api/export/templates", json={"name": "By the host", "target": "graph", "format": "csv"}
        )
        assert {each["name"] for each in place.json("list")["templates"]} >= {
            "By command line",
            "By the host",
        }
    for name in ("By command line", "By the host"):
        place.json("delete", name)


def test_a_template_goes_from_one_database_to_another(place: Place, tmp_path: Path) -> None:
    made = place.json(
        "save", "To take along", "claims", "--format", "csv", "--private", "--retention-hours", "5"
    )
    copied = place.json("save", "The copy", "--from", "-", input=json.dumps(made))
    fields = ("target", "format", "filters", "options", "retention_hours", "shared")
    assert {name: copied[name] for name in fields} == {name: made[name] for name in fields}
    assert copied["id"] != made["id"]
    file = tmp_path / "template.json"
    file.write_text(json.dumps(place.json("show", "Graph for Gephi")))
    copied = place.json(
        "save", "My graph", "--from", str(file), "--format", "json", "--option", "spreadsheet_safe=true"
    )
    assert (copied["format"], copied["options"], copied["built_in"]) == (
        "json",
        {"spreadsheet_safe": True},
        False,
    )
    for name in ("To take along", "The copy", "My graph"):
        place.json("delete", name)


def test_templates_of_a_tenant_are_that_tenants(place: Place) -> None:
    made = place.json(
        "save", "Of a tenant", "claims", "--format", "csv", "--tenant", TENANT, "--owner", "ann"
    )
    assert made["created_by"] == "ann"
    assert made["id"] in {each["id"] for each in place.json("list", "--tenant", TENANT)["templates"]}
    assert made["id"] in {each["id"] for each in place.json("list")["templates"]}
    other = TENANT.replace("5", "6")
    assert made["id"] not in {each["id"] for each in place.json("list", "--tenant", other)["templates"]}
    says(place.run("templates", "delete", "Of a tenant", "--tenant", other), 1, "There is no template")
    # Without a tenant another template is meant, not the next version of this one.
    assert place.json("save", "Of a tenant", "claims", "--format", "csv")["version"] == 1
    place.json("delete", "Of a tenant")
    place.json("delete", "Of a tenant", "--tenant", TENANT)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["templates", "save", "X"], 2, "A template needs a target and a format"),
        (["templates", "save", "X", "claims"], 2, "A template needs a format"),
        (["templates", "save", "a/b", "claims", "--format", "csv"], 1, "name cannot hold '/' (U+002F)"),
        (["templates", "save", "X", "claims", "--format", "papyrus"], 1, "Format 'papyrus' is not available"),
        (["templates", "save", "X", "claims", "--format", "csv", "--option", "max_records=0"], 1, "options.max_records"),
        (["templates", "save", "X", "claims", "--format", "csv", "--filter", "status"], 1, "must be NAME=VALUE"),
        (["templates", "save", "Graph for Gephi", "graph", "--format", "csv"], 1, "already"),
        (["templates", "save", "X", "--from", "-"], 1, "no JSON object"),
        (["templates", "save", "X", "--from", "/no/such/file"], 1, "/no/such/file: No such file"),
        (["templates", "delete", "Graph for Gephi"], 1, "comes with the program"),
        (["templates", "show", "Graph for Gephi", "--version", "9"], 1, "has no version 9"),
        (["templates", "versions", "nothing"], 1, "There is no template"),
        (["templates"], 2, "COMMAND"),
        (["export", "--template", "nothing"], 1, "There is no template 'nothing'"),
        (["export", "--format", "csv"], 2, "An export needs a TARGET and a --format, or a --template."),
        (["export", "claims"], 2, "An export needs a TARGET and a --format, or a --template."),
        (["export", "--template", "Graph for Gephi", "--template-version", "2"], 1, "has no version 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_sentence(
    place: Place, arguments: list[str], code: int, told: str
) -> None:
    if place.url is not None:
        pytest.skip("The same words, whatever the database.")
    says(place.run(*arguments), code, told)


def test_what_comes_with_the_program_needs_no_table_of_templates(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, 5, targets=["graph"])
    place = Place(tmp_path, None)
    ran = place.run("export", "--template", "graph-for-gephi", "-o", str(tmp_path / "graph.zip"))
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "graph.zip").read_bytes().startswith(b"PK")
    says(place.run("templates", "list"), 1, "start a host on it once")
    says(place.run("export", "--template", "Mine"), 1, "start a host on it once")


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    place = Place(tmp_path / "none", None)
    says(place.run("templates", "list"), 1, "There is no database")
    says(place.run("export", "--template", "Graph for Gephi"), 1, "There is no database")
    assert not place.data_dir.exists()
