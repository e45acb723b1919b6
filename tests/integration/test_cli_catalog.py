"""`formats`, `targets` and `preview` without a server: the same as a host would tell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from arkham_shard_export.formats.base import FormatSpec
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite
from tests.commands import Commands
from tests.conftest import new_database
from tests.hosts import RunningHost, sqlite_connection, standalone

RECORDS = 60


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHost]:
    folder = tmp_path_factory.mktemp("catalog")
    url = None
    if request.param == "postgresql":
        url = new_database(request.getfixturevalue("postgres_server"))
        seed_postgres(url, RECORDS)
    else:
        seed_sqlite(folder, RECORDS)
    with standalone(folder, url) as running:
        yield running


@pytest.fixture(autouse=True)
def place(host: RunningHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_DATA", str(host.data_dir))
    if host.database_url is not None:
        monkeypatch.setenv("ARKHAM_EXPORT_DATABASE_URL", host.database_url)


def test_formats_and_targets_are_those_of_a_host(host: RunningHost, command: Commands) -> None:
    assert command("formats", "--json").json == host.client.get("/api/export/formats").json()
    targets = host.client.get("/api/export/targets").json()
    assert command("targets", "--json").json == targets
    assert command("targets", "graph", "--json").json == [
        each for each in targets if each["target"] == "graph"
    ]


def test_targets_are_shown_with_what_may_be_asked_of_them(host: RunningHost, command: Commands) -> None:
    shown = command("targets").out
    (claims,) = host.query("SELECT COUNT(*) FROM arkham_claims")
    assert f"claims     {claims[0]:>7,}  Statements found" in shown
    of_one = command("targets", "timeline").out
    for each in (
        "event_type\n",
        "One of: occurrence, ",
        "group_by=…\n",
        "One of: day, week, ",
        "max_records=N\n",
    ):
        assert each in of_one
    assert "Not as pdf, docx." in of_one


def test_a_format_that_lacks_its_library_is_shown_with_the_remedy(
    command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FormatSpec, "missing_library", property(lambda self: "typst" if self.extra else None))
    assert "Not available; install it by: pip install arkham-shard-export[office]" in " ".join(
        command("formats").out.split()
    )
    assert "no; install it by: pip install arkham-shard-export[office]" in command("formats", "pdf").out
    refused = command("preview", "claims", "--format", "pdf")
    assert refused.code == 2
    assert "needs typst" in refused.said


@pytest.mark.parametrize(
    ("target", "format", "words", "body"),
    [
        ("claims", "json", [], {}),
        (
            "claims",
            "csv",
            ["--filter", "status=verified", "--filter", "status=disputed", "--option", "sort_by=id"],
            {"filters": {"status": ["verified", "disputed"]}, "options": {"sort_by": "id"}},
        ),
        (
            "entities",
            "xlsx",
            ["--option", "entity_types=PERSON", "--option", "flatten=true"],
            {"options": {"entity_types": ["PERSON"], "flatten": True}},
        ),
        ("graph", "json", ["--option", "max_records=2"], {"options": {"max_records": 2}}),
        ("matrix", "pdf", [], {}),
    ],
)
def test_a_preview_is_that_of_a_host(
    target: str, format: str, words: list[str], body: dict[str, object], host: RunningHost, command: Commands
) -> None:
    asked = {"target": target, "format": format, "max_preview_records": 3, **body}
    told = command("preview", target, "--format", format, "--records", "3", *words, "--json")
    answer = host.client.post("/api/export/preview", json=asked)
    assert answer.status_code == 200, answer.text
    expected = answer.json()
    assert (told.code, told.said) == (0, "")
    # A report tells the time at which it was made, and is compressed.
    assert told.json["estimated_file_size_bytes"] == pytest.approx(
        expected["estimated_file_size_bytes"], rel=0.01
    )
    # Only who knows of earlier exports can tell how long one will take.
    for name in told.json.keys() - {"estimated_file_size_bytes", "estimated_seconds"}:
        assert told.json[name] == expected[name], name


def test_a_preview_shows_what_fits_and_nothing_that_steers_the_terminal(
    host: RunningHost, command: Commands
) -> None:
    hostile = "red\x1b[31m\nforged " + "long " * 1000
    host.query("UPDATE arkham_claims SET text = ? WHERE id = 'claim-1-0000000'", (hostile,))
    shown = command("preview", "claims", "--records", "5", "--option", "sort_by=id").out
    lines = shown.splitlines()
    assert "\x1b" not in shown
    assert lines[0].split()[:3] == ["ID", "TEXT", "STATUS"]
    assert len(lines[1:6]) == 5
    assert any("red\ufffd[31m forged long " in line for line in lines[1:6])
    assert "evidence (--json shows all)." in " ".join(shown.split())
    assert f"5 of {RECORDS} records; as json about " in shown


def test_a_preview_of_a_template_is_that_of_its_export(command: Commands) -> None:
    told = command("preview", "--template", "Graph for Gephi", "--records", "1", "--json").json
    asked = command("preview", "graph", "--format", "csv", "--records", "1", "--json").json
    assert told["estimated_record_count"] == asked["estimated_record_count"]
    shown = command("preview", "--template", "Graph for Gephi").out
    assert "records; as csv about" in shown
    for words, said in (
        ((), "Give TARGET, or --template NAME."),
        (("--template", "Graf for Gephi"), "Did you mean 'Graph for Gephi'?"),
        (("graph", "--template-version", "1"), "--template-version is of a --template"),
    ):
        refused = command("preview", *words)
        assert (refused.code, said in refused.said) == (2, True), refused.said


def test_a_preview_of_nothing_says_so(command: Commands) -> None:
    shown = command("preview", "claims", "--filter", "document_id=none").out
    assert shown.startswith("No record matches.\n0 records; as json about ")


def test_a_report_that_would_be_too_long_is_refused_as_a_host_would(
    host: RunningHost, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    from arkham_shard_export.formats.pdf import PdfWriter

    monkeypatch.setattr(PdfWriter, "spec", FormatSpec(**{**as_fields(PdfWriter.spec), "max_records": 10}))
    ran = command("preview", "claims", "--format", "pdf")
    assert ran.code == 2
    assert f"holds at most 10 records, and {RECORDS} match" in ran.said


def as_fields(spec: FormatSpec) -> dict[str, object]:
    return {name: getattr(spec, name) for name in FormatSpec.__dataclass_fields__}


def test_filters_given_again_widen_and_lists_may_be_written_either_way(command: Commands) -> None:
    def ids(*words: str) -> list[str]:
        told = command("preview", "entities", "--records", "100", "--json", *words).json
        return [each["id"] for each in told["preview_records"]]

    both = ids("--filter", "entity_type=PERSON", "--filter", "entity_type=ORGANIZATION")
    assert both
    assert ids("--filter", 'entity_type=["PERSON", "ORGANIZATION"]') == both
    assert ids("--option", "entity_types=PERSON,ORGANIZATION") == both
    assert ids("--option", 'entity_types=["PERSON", "ORGANIZATION"]') == both
    assert set(ids("--filter", "entity_type=PERSON")) < set(both)


def test_the_account_of_an_export_is_printed_as_json(
    host: RunningHost, command: Commands, tmp_path: Path
) -> None:
    told = command(
        "export", "claims", "--format", "csv", "-o", f"{tmp_path}", "--json", "--option", "max_records=4"
    )
    assert told.json["path"] == f"{tmp_path}/claims.csv"
    assert told.json["size"] == (tmp_path / "claims.csv").stat().st_size
    assert told.json["completeness"]["written"] == 4
    assert told.json["completeness"]["skipped"] == RECORDS - 4
    assert ExportOptions().max_records is None
    assert "4 of 60 records written, 56 skipped." in told.said
    zipped = command("export", "graph", "--format", "csv", "-o", f"{tmp_path}", "--json").json
    assert zipped["path"] == f"{tmp_path}/graph.zip"
    listed = json.dumps(zipped["completeness"]["sections"])
    assert "nodes" in listed


def test_seeding_is_told_as_json(command: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARKHAM_EXPORT_DATABASE_URL", raising=False)
    words = ("seed", "--records", "3", "--target", "claims", "--data", str(tmp_path / "new"))
    told = command(*words, "--json")
    assert told.json["rows"]["arkham_claims"] == 3
    again = command(*words)
    assert again.code == 1
    assert "already holds rows of seed 1" in again.said
    connection = sqlite_connection(tmp_path / "new")
    assert connection.execute("SELECT COUNT(*) FROM arkham_claims").fetchone() == (3,)
    connection.close()
