"""Who takes part: ourselves in variants, small modules that use a library, and the databases' own shells."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import queries
from benchmarks.databases import CLI, Dataset
from benchmarks.goals import ONE, TWO, US
from benchmarks.measure import Command

EVERY_ROUND = 1_000
PROCESSES = {US: None, ONE: 1, TWO: 2}


@dataclass(frozen=True, slots=True)
class Contestant:
    """`needs` are modules, or programs after a `$`; `rounds` is at most so many, for the slow."""

    name: str
    command: Callable[[Dataset, Path], Command]
    needs: tuple[str, ...] = ()
    rounds: int = EVERY_ROUND

    def missing(self) -> list[str]:
        return [each.removeprefix("$") for each in self.needs if not _installed(each)]


def _installed(needed: str) -> bool:
    if needed.startswith("$"):
        return shutil.which(needed[1:]) is not None
    return importlib.util.find_spec(needed) is not None


def ours(
    format: str,
    *options: str,
    target: str = "claims",
    variant: str = US,
    name: str | None = None,
    needs: tuple[str, ...] = (),
    evidence: bool = False,
) -> Contestant:
    """Under the variant's name unless another is given."""
    asked = (f"include_relationships={str(evidence).lower()}", *options)
    words = [sys.executable, "-c", CLI, "export", target, "--format", format]
    words += [word for each in asked for word in ("--option", each)]
    processes = PROCESSES[variant]
    environment = {} if processes is None else {"ARKHAM_EXPORT_PROCESSES": str(processes)}

    def command(data: Dataset, output: Path) -> Command:
        return Command([*words, *data.arguments, "-o", str(output)], environment=environment)

    return Contestant(name or variant, command, needs)


def one_and_two(format: str, evidence: bool = False) -> tuple[Contestant, Contestant]:
    return ours(format, variant=ONE, evidence=evidence), ours(format, variant=TWO, evidence=evidence)


def module(
    name: str, file: str, *needs: str, schema: str | None = None, rounds: int = EVERY_ROUND
) -> Contestant:
    """`benchmarks/peers/FILE.py`, asked as `python -m benchmarks.peers.FILE DATABASE OUTPUT`."""

    def command(data: Dataset, output: Path) -> Command:
        database = data.sqlite(schema) if data.in_folder else data.place
        return Command([sys.executable, "-m", f"benchmarks.peers.{file}", database, str(output)])

    return Contestant(name, command, needs, rounds)


def sqlite3_shell(name: str, query: str, *switches: str) -> Contestant:
    def command(data: Dataset, output: Path) -> Command:
        return Command(["sqlite3", "-readonly", *switches, data.sqlite(), query], to_stdout=True)

    return Contestant(name, command, ("$sqlite3",))


def psql(name: str, query: str) -> Contestant:
    """One row a line, as it is."""

    def command(data: Dataset, output: Path) -> Command:
        return Command(["psql", "-XqAt", "-d", data.place, "-o", str(output), "-c", query])

    return Contestant(name, command, ("$psql",))


def psql_copy(name: str, query: str) -> Contestant:
    def command(data: Dataset, output: Path) -> Command:
        copy = f"\\copy ({query}) TO '{output}' (FORMAT csv, HEADER)"
        return Command(["psql", "-Xq", "-d", data.place, "-c", copy])

    return Contestant(name, command, ("$psql",))


PSQL_CSV = psql_copy("psql \\copy", queries.CLAIMS_AS_THEY_ARE)
SQLITE_CSV = sqlite3_shell("sqlite3 shell -csv", queries.CLAIMS_AS_THEY_ARE, "-header", "-csv")
PSQL_JSON = psql("psql row_to_json", queries.POSTGRES_JSON)
SQLITE_JSON = sqlite3_shell("sqlite3 shell json_object", queries.SQLITE_JSON)
PSQL_EVIDENCE = psql("one SQL statement (psql)", queries.POSTGRES_JSON_WITH_EVIDENCE)
SQLITE_EVIDENCE = sqlite3_shell("one SQL statement (sqlite3 shell)", queries.SQLITE_JSON_WITH_EVIDENCE)

CSV_MODULE = module("csv module", "csv_module", rounds=3)
JSON_MODULE = module("json module", "json_module", rounds=3)
SCANNERS = ("duckdb", "duckdb_extension_sqlite_scanner", "duckdb_extension_postgres_scanner")
DUCKDB_CSV = module("DuckDB, its scanner", "duckdb_csv", *SCANNERS)
DUCKDB_JSON = module("DuckDB, its scanner", "duckdb_json", *SCANNERS)
PANDAS_CSV = module("pandas, in chunks", "pandas_csv", "pandas", "sqlalchemy", rounds=3)
PANDAS_JSON = module("pandas, in chunks", "pandas_json", "pandas", "sqlalchemy", rounds=3)
XLSXWRITER = module("XlsxWriter, constant_memory", "xlsxwriter_book", "xlsxwriter", rounds=3)
REPORTLAB = module("ReportLab platypus", "reportlab_report", "reportlab", rounds=3)
PYTHON_DOCX = module("python-docx as documented", "python_docx_report", "docx", rounds=1)
PYTHON_DOCX_TUNED = module("python-docx tuned", "python_docx_tuned", "docx", rounds=3)
NETWORKX = module("networkx, node-link", "networkx_graph", "networkx", schema="arkham_graph")
