"""What the benchmark judges, counts and quotes."""

from __future__ import annotations

import gzip
import subprocess
import zipfile
from dataclasses import make_dataclass
from pathlib import Path

import pytest

from benchmarks import counting, works
from benchmarks.counting import count
from benchmarks.databases import Dataset
from benchmarks.goals import ONE, TWO, Faster, Flat, Goal, Memory, Wall
from benchmarks.measure import BenchmarkError, Measured, median
from benchmarks.page import GOALS_HEAD, goal_line, quotation, replace_section
from benchmarks.responsiveness import Latency, is_met
from tests.tools import needed


def took(wall: float, memory: float = 1.0) -> Measured:
    return Measured(wall, wall, memory, 1)


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Wall("peer", 1.1, (ONE,)), "1.10 × the time", True),
        (Wall("peer", 1.09, (ONE,)), "1.10 × the time", False),
        (Wall("peer", 0.8), "0.60 × the time", True),
        (Faster("peer", 1.6), "1.7 × faster", True),
        (Faster("peer", 1.5, (ONE,)), "0.9 × faster", False),
        (Memory(400, ONE), "300 MiB", True),
        (Memory(300, ONE), "300 MiB", False),
    ],
)
def test_a_goal_is_judged_from_the_medians(goal: Goal, value: str, met: bool) -> None:
    verdict = goal.judge("work", {ONE: took(11, 300), TWO: took(6), "peer": took(10)})
    assert verdict is not None
    assert (verdict.value, verdict.met) == (value, met)


def test_a_goal_is_not_judged_where_one_of_the_two_is_missing() -> None:
    assert Wall("peer", 1).judge("work", {ONE: took(1)}) is None
    assert Faster("peer", 1, (TWO,)).judge("work", {ONE: took(1), "peer": took(1)}) is None
    assert Memory(1).judge("work", {"peer": took(1)}) is None


def test_flatness_compares_memory_and_time_a_record() -> None:
    memory, seconds = Flat(1.15, 1.2).judge("work", took(1, 100), 10, took(13, 110), 100)
    assert (memory.value, memory.met) == ("1.10 ×", True)
    assert (seconds.value, seconds.met) == ("1.30 ×", False)


def test_medians_are_taken_part_by_part() -> None:
    runs = [Measured(1, 9, 5, 7), Measured(3, 1, 6, 7), Measured(2, 5, 1, 7)]
    assert median(runs) == Measured(2, 5, 5, 7)


@pytest.mark.parametrize(("p99", "most", "met"), [(14.9, 99, True), (15.1, 20, False), (6, 101, False)])
def test_a_host_is_responsive_near_its_idle_and_never_over_100_ms(p99: float, most: float, met: bool) -> None:
    assert is_met(Latency(1, 5, 300), Latency(1, p99, most)) is met


def test_latencies_are_the_middle_the_99th_of_a_hundred_and_the_longest() -> None:
    assert Latency.of([float(each) for each in range(200)]) == Latency(100, 198, 199)
    assert Latency.of([3.0]) == Latency(3, 3, 3)


def test_compressed_csv_is_measured_once_the_product_offers_it(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {name: make_dataclass("Options", [name]) for name in ("flatten", "compression")}
    found = {}
    for name, declared in options.items():
        monkeypatch.setattr(works, "ExportOptions", declared)
        found[name] = [each for each in works.works(works.Sizes(10, 1, None)) if "compressed" in each.name]
    assert found["flatten"] == []
    (work,) = found["compression"]
    command = work.contestants[1].command(Dataset(10, "/data", True, {}), Path("/out"))
    assert "compression=gzip" in command.words
    results = {each.name: took(wall) for each, wall in zip(work.contestants, (10, 12, 14), strict=True)}
    assert [verdict and verdict.met for verdict in (goal.judge("", results) for goal in work.goals)] == [
        True,
        False,
    ]


CSV = b'id,text\r\nclaim-1-0000000,"a\r\nb ""c"""\r\nclaim-1-0000001,\r\n'
JSON = b'[{"id":"claim-1-0000000","evidence":[{"id": "claim-evidence-1-0000000-0"}]},\n{"id" : "claim-1-0000001"}]'


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_records_are_counted_wherever_a_chunk_ends(
    chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "CHUNK_BYTES", chunk)
    file = tmp_path / "file"
    by_zstd = subprocess.run(
        [needed("zstd", "zstd"), "-c"], input=CSV, capture_output=True, check=True
    ).stdout
    for content in (CSV, gzip.compress(CSV), by_zstd):
        file.write_bytes(content)
        assert count("csv", "claim", file) == 2
    file.write_bytes(JSON)
    assert (count("json", "claim", file), count("json", "claim-evidence", file)) == (2, 1)


def test_ids_on_other_sheets_are_no_records(tmp_path: Path) -> None:
    row = '<row r="1"><c r="A1" t="inlineStr"><is><t>{}</t></is></c><c><is><t>{}</t></is></c></row>'
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as book:
        book.writestr("xl/worksheets/sheet1.xml", row.format("claim-1-0000000", "text") * 2)
        book.writestr("xl/worksheets/sheet2.xml", row.format("Claims", "claim-1-0000000"))
    assert count("xlsx", "claim", tmp_path / "book.xlsx") == 2


def test_a_section_of_a_page_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n")
    for text in ("new", "newer\n\nlines"):
        replace_section(page, "a", text)
        assert page.read_text() == f"before\n<!-- a: begin -->\n{text}\n<!-- a: end -->\nafter\n"
    with pytest.raises(BenchmarkError, match="lacks <!-- b: begin -->"):
        replace_section(page, "b", "text")


def test_the_quotation_says_date_machine_and_ratios_of_the_page() -> None:
    verdicts = [
        Wall("psql \\copy", 1.1, (ONE,)).judge("20 claims → CSV, PostgreSQL", {ONE: took(1), "psql \\copy": took(2)}),
        Faster("XlsxWriter, constant_memory", 6).judge(
            "9 claims → XLSX, SQLite", {TWO: took(1), "XlsxWriter, constant_memory": took(7)}
        ),
    ]  # fmt: skip
    lines = [goal_line(verdict) for verdict in verdicts if verdict]
    page = "\n".join(["Measured on 2026-01-02 with 2 cores, 24 GiB; Python 3.", GOALS_HEAD, *lines])
    assert quotation(page).splitlines() == [
        "Measured on 2026-01-02 with 2 cores, 24 GiB, medians, compared with what one would use instead:",
        "",
        "| work | compared with | our time |",
        "| --- | --- | --- |",
        "| 20 claims → CSV, PostgreSQL | psql \\copy | 0.50 × the time (one process) |",
        "| 9 claims → XLSX, SQLite | XlsxWriter, constant_memory | 7.0 × faster (two processes) |",
    ]
