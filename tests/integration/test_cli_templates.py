"""`arkham-export templates` and `export --template` on real databases, beside a running host."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.commands import Commands
from tests.conftest import new_database
from tests.hosts import RunningHost, standalone
from tests.readers import docx_text
from tests.unit.test_word_layouts import letterhead


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    url = None
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgres_server"))
    with standalone(tmp_path_factory.mktemp("templates"), url, demo=True) as running:
        yield running


@pytest.fixture(autouse=True)
def place(host: RunningHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_DATA", str(host.data_dir))
    if host.database_url is not None:
        monkeypatch.setenv("ARKHAM_EXPORT_DATABASE_URL", host.database_url)


def test_a_template_is_saved_shown_replaced_and_deleted(host: RunningHost, command: Commands) -> None:
    words = ("Disputed", "claims", "--format", "csv", "--filter", "status=disputed")
    saved = command("templates", "save", *words, "--owner", "ann", "--description", "For Ann", "--json").json
    assert (saved["version"], saved["created_by"], saved["description"]) == (1, "ann", "For Ann")
    assert (saved["filters"], saved["shared"]) == ({"status": "disputed"}, True)
    again = command("templates", "save", *words, "--option", "max_records=2", "--owner", "ann")
    assert (again.code, again.out) == (0, f"Disputed: version 2, {saved['id']}\n")
    shown = command("templates", "show", "disputed", "--json").json
    assert shown == host.client.get(f"/api/export/templates/{saved['id']}").json()
    assert shown["options"] == {"max_records": 2}
    assert command("templates", "show", saved["id"], "--version", "1", "--json").json["options"] == {}
    text = command("templates", "show", "Disputed").out
    assert 'filters     {"status": "disputed"}' in text
    versions = command("templates", "versions", "Disputed", "--json").json["versions"]
    assert [each["version"] for each in versions] == [2, 1]
    listed = command("templates", "list").out.splitlines()
    assert listed[0].split() == ["NAME", "VERSION", "TARGET", "FORMAT", "CHANGED", "BY"]
    assert listed[1].startswith("Disputed")
    assert any(line.startswith("Graph for Gephi") for line in listed)
    assert "1 of " in command("templates", "list", "--limit", "1").out
    assert command("templates", "delete", "Disputed").out == "Disputed deleted\n"
    assert host.client.get(f"/api/export/templates/{saved['id']}").status_code == 404


def test_what_show_prints_can_be_saved_under_another_name(command: Commands, tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_bytes(command("templates", "show", "Graph for Gephi", "--json").output)
    saved = command("templates", "save", "Graph for us", "--from", str(file), "--private", "--json").json
    given = json.loads(file.read_bytes())
    assert (saved["target"], saved["options"]) == ("graph", given["options"])
    assert (saved["shared"], saved["built_in"], saved["created_by"]) == (False, False, "system")
    assert command("templates", "delete", saved["id"], "--json").json == {
        "id": saved["id"],
        "name": "Graph for us",
    }


def test_an_export_asks_for_what_a_template_says_and_words_override_it(
    host: RunningHost, command: Commands, tmp_path: Path
) -> None:
    command("templates", "save", "Three", "claims", "--format", "json", "--option", "max_records=3")
    command("templates", "save", "Three", "claims", "--format", "json", "--option", "max_records=4")
    assert len(json.loads(command("export", "--template", "Three").output)["records"]) == 4
    first = command("export", "--template", "three", "--template-version", "1")
    assert (first.code, len(json.loads(first.output)["records"])) == (0, 3)
    other = command(
        "export", "--template", "Three", "--option", "max_records=1", "--format", "csv", "-o", f"{tmp_path}",
        "--json",
    )  # fmt: skip
    assert other.json["path"] == f"{tmp_path}/claims.csv"
    assert other.json["completeness"]["written"] == 1
    zipped = command("export", "--template", "Graph for Gephi")
    with zipfile.ZipFile(io.BytesIO(zipped.output)) as archive:
        assert sorted(archive.namelist())[-2:] == ["edges.csv", "nodes.csv"]
        heads = [
            archive.read(name).decode().split("\r\n")[0].split(",")[:3] for name in ("nodes.csv", "edges.csv")
        ]
    # By these names Gephi finds what is what.
    assert heads == [["Id", "Label", "entity_type"], ["Source", "Target", "Weight"]]
    command("templates", "delete", "Three")


def test_a_template_is_laid_out_by_a_word_file(command: Commands, tmp_path: Path) -> None:
    file = tmp_path / "letterhead.docx"
    file.write_bytes(letterhead("{{ records }}", "The end."))
    command("templates", "save", "On paper", "claims", "--format", "docx", "--option", "max_records=1")
    laid_out = command("templates", "layout", "On paper", str(file))
    assert (laid_out.code, laid_out.out.split(", with ")[0]) == (0, "On paper: version 2")
    assert "records" in laid_out.out
    exported = command("export", "--template", "On paper", "-o", f"{tmp_path}/report.docx")
    assert exported.code == 0, exported.said
    assert docx_text((tmp_path / "report.docx").read_bytes()).splitlines()[-1] == "The end."
    batch = command("batch", "--part", "template='On paper'", "-o", f"{tmp_path}/case.zip")
    assert batch.code == 0, batch.said
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".docx"))
        assert docx_text(archive.read(name)).splitlines()[-1] == "The end."
    words = ("export", "claims", "--format", "docx", "--layout", str(file))
    given = command(*words, "-o", f"{tmp_path}/given.docx")
    assert given.code == 0, given.said
    assert docx_text((tmp_path / "given.docx").read_bytes()).splitlines()[-1] == "The end."
    as_pdf = command("export", "claims", "--format", "pdf", "--layout", str(file), "-o", f"{tmp_path}/x.pdf")
    assert (as_pdf.code, "layout does not apply to PDF report" in as_pdf.said) == (2, True), as_pdf.said
    file.write_bytes(b"no Word file")
    refused = command(*words, "-o", f"{tmp_path}/x.docx")
    assert (refused.code, "cannot be a layout" in refused.said) == (2, True), refused.said
    refused = command("templates", "layout", "On paper", str(file))
    assert (refused.code, "cannot be a layout" in refused.said) == (2, True), refused.said
    missing = command("templates", "layout", "On paper", f"{tmp_path}/none.docx")
    assert (missing.code, "none.docx" in missing.said) == (1, True), missing.said
    unknown = command(
        "export", "claims", "--format", "docx", "--option", f"layout={'0' * 64}", "-o", f"{tmp_path}/x.docx"
    )
    assert (unknown.code, "There is no layout" in unknown.said) == (2, True), unknown.said
    command("templates", "delete", "On paper")


def test_dates_follow_the_day_of_the_export(host: RunningHost, command: Commands) -> None:
    moments = {"claim-old": timedelta(days=30), "claim-new": timedelta(days=2)}
    ids = [row[0] for row in host.query("SELECT id FROM arkham_claims ORDER BY id LIMIT 2")]
    now = datetime.now(UTC)
    for each, age in zip(ids, moments.values(), strict=True):
        moment = (now - age).isoformat()
        host.query("UPDATE arkham_claims SET created_at = ? WHERE id = ?", (moment, each))
    ran = command("export", "claims", "--format", "json", "--option", "date_range=last_7_days")
    exported = [each["id"] for each in json.loads(ran.output)["records"]]
    assert (ids[0] in exported, ids[1] in exported) == (False, True)
    unknown = command("export", "claims", "--format", "json", "--option", "date_range=last_7_day")
    assert unknown.code == 2
    assert "last_7_days" in unknown.said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("templates", "show", "Graph for Gephy"), "Did you mean 'Graph for Gephi'?"),
        (("templates", "delete", "Nothing of the kind"), "There is no template 'Nothing of the kind'."),
        (("templates", "delete", "Graph for Gephi"), "comes with the program"),
        (("templates", "show", "Graph for Gephi", "--version", "7"), "has no version 7"),
        (("templates", "versions", "Graf for Gephi"), "Did you mean 'Graph for Gephi'?"),
        (("templates", "save", "x", "claims"), "Give --format FORMAT, or --from FILE."),
        (("templates", "save", "x", "claims", "--format", "cvs"), "Did you mean 'csv'?"),
        (
            ("templates", "save", "x", "claims", "--format", "csv", "--filter", "stauts=x"),
            "Did you mean 'status'?",
        ),
        (("templates", "save", "a/b", "claims", "--format", "csv"), "name cannot hold '/'"),
        (("templates", "sohw", "x"), "Did you mean 'show'?"),
        (("export", "--template", "Graph for Gephy"), "Did you mean 'Graph for Gephi'?"),
        (("export", "--template", "Graph for Gephi", "--template-version", "7"), "has no version 7"),
        (("export", "claims", "--format", "csv", "--template-version", "1"), "give that too"),
        (("export", "--template", "Graph for Gephi", "--option", "flaten=true"), "Did you mean 'flatten'?"),
        (("export", "claims"), "Give --format FORMAT, or --template NAME."),
        (("export",), "Give TARGET and --format FORMAT, or --template NAME."),
    ],
)
def test_what_is_wrong_is_told_with_what_may_be_meant(
    words: tuple[str, ...], said: str, command: Commands
) -> None:
    ran = command(*words)
    assert said in ran.said
    assert (ran.code, ran.output) == (1 if "comes with" in said else 2, b"")


def test_a_file_that_is_no_template_is_refused(command: Commands, tmp_path: Path) -> None:
    file = tmp_path / "wrong.json"
    for text, said in (
        ("{", "is no JSON in UTF-8"),
        ("[]", "must hold an object"),
        ('{"target": "claims", "format": "csv", "filter": {}}', "Did you mean 'filters'?"),
    ):
        file.write_text(text)
        ran = command("templates", "save", "x", "--from", str(file))
        assert ran.code == 2
        assert said in ran.said
    missing = command("templates", "save", "x", "--from", str(tmp_path / "none"))
    assert missing.code == 1
    assert "No such file" in missing.said
