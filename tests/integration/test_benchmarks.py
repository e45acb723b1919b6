"""The benchmark runs from seeding to page, and notices a file that lacks records; how fast anything is, is no test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import contest
from benchmarks.contest import Contest
from benchmarks.contestants import CSV_MODULE, Contestant, ours
from benchmarks.databases import Databases, Dataset
from benchmarks.measure import ROOT, BenchmarkError, Command
from benchmarks.page import GOALS_HEAD, quotation
from benchmarks.works import QUOTED, Work

MARKERS = "# Page\n\n<!-- measured: begin -->\nold\n<!-- measured: end -->\n\n<!-- responsiveness: begin -->\n<!-- responsiveness: end -->\n"


def test_a_tiny_run_measures_every_work_on_both_databases_and_writes_its_page(
    postgres_server: str, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(MARKERS)
    sizes = ["--records", "40", "--report-records", "5", "--rounds", "1"]
    words = [sys.executable, "-m", "benchmarks", *sizes, "--markdown", str(page)]
    subprocess.run([*words, "--database-url", postgres_server], cwd=ROOT, check=True, capture_output=True)
    told = page.read_text()
    assert "old" not in told
    for title in (
        "40 claims → CSV, PostgreSQL",
        "40 claims with evidence → JSON, SQLite",
        "5 claims → PDF, SQLite",
        "50 claims → DOCX (long), SQLite",
        "40 claims → XLSX (flatness), SQLite",
        "exports 40 claims as csv, json, xlsx, csv",
    ):
        assert f"| {title}" in told
    assert GOALS_HEAD in told
    assert {line.split(" | ")[1] for line in quotation(told).splitlines()[4:]} <= {
        peer.name for _, peer in QUOTED
    }


def test_a_file_with_another_number_of_records_fails_its_work(tmp_path: Path) -> None:
    def less(data: Dataset, output: Path) -> Command:
        return Command(["sh", "-c", f"printf 'id,text\\n1,\"a\nb\"\\n' > {output}"])

    work = Work("claims → CSV", "SQLite", "csv", 3, (ours("csv"), CSV_MODULE, Contestant("careless", less)))
    with Databases(tmp_path, None) as databases:
        run = Contest(databases, tmp_path / "out", rounds=1)
        with pytest.raises(BenchmarkError, match="the file of careless holds 1 instead of 3 records"):
            run.run(work)
        run.attempt(work.title, run.run, work)
    assert [failure.partition(":")[0] for failure in run.failures] == ["3 claims → CSV, SQLite"]
    assert run.lines == []


def test_a_command_that_fails_is_told_with_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkError, match="ended with 3: no such luck"):
        contest.measure(Command(["sh", "-c", "echo no such luck >&2; exit 3"]), tmp_path / "out")


def test_a_peer_that_is_not_installed_is_named_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    absent = Contestant(
        "absent", lambda data, output: Command(["false"]), ("no_such_module", "$no-such-program")
    )
    with Databases(tmp_path, None) as databases:
        run = Contest(databases, tmp_path / "out", rounds=1)
        run.run(Work("claims → CSV", "SQLite", "csv", 3, (ours("csv"), absent)))
    assert "absent is left out, not installed: no_such_module, no-such-program." in capsys.readouterr().err
    assert "Left out, as they are not installed: absent." in run.told("")
