"""What is measured, as data: each work with its contestants and the goals that it judges."""

from __future__ import annotations

from dataclasses import dataclass, fields

from arkham_shard_export.models import ExportOptions
from benchmarks import contestants as who
from benchmarks.contestants import EVERY_ROUND, Contestant, one_and_two, ours
from benchmarks.databases import Database
from benchmarks.goals import ONE, TWO, US, Faster, Goal, Memory, Wall


@dataclass(frozen=True, slots=True)
class Sizes:
    """Records in tables, in reports, and in the largest of reports."""

    table: int
    report: int
    long_report: int | None

    @property
    def graph(self) -> int:
        return max(10, self.table // 10)


@dataclass(frozen=True, slots=True)
class Work:
    """Records of a target into a format. `kinds` are the ids counted in every file, and the tables they are of."""

    name: str
    database: Database
    format: str
    records: int
    contestants: tuple[Contestant, ...]
    goals: tuple[Goal, ...] = ()
    target: str = "claims"
    kinds: tuple[tuple[str, str], ...] = (("claim", "arkham_claims"),)
    rounds: int = EVERY_ROUND

    @property
    def title(self) -> str:
        return f"{self.records:,} {self.name}, {self.database}"


EVIDENCE = (("claim", "arkham_claims"), ("claim-evidence", "arkham_claim_evidence"))
GRAPH = (("node", "arkham_graph.nodes"), ("edge", "arkham_graph.edges"))
UNCOMPRESSED = "arkham-export, uncompressed"
COMPRESSIONS: dict[str, tuple[str, ...]] = {"gzip": (), "zstd": ("$zstd",)}
"""And what counting the records in them needs."""
QUOTED = (
    ("claims → CSV, PostgreSQL", who.PSQL_CSV),
    ("claims → CSV, SQLite", who.SQLITE_CSV),
    ("claims → JSON, PostgreSQL", who.PSQL_JSON),
    ("claims → JSON, SQLite", who.SQLITE_JSON),
    ("claims with evidence → JSON, PostgreSQL", who.PSQL_EVIDENCE),
    ("claims with evidence → JSON, SQLite", who.SQLITE_EVIDENCE),
    ("claims → XLSX, SQLite", who.XLSXWRITER),
    ("claims → PDF, SQLite", who.REPORTLAB),
    ("claims → DOCX, SQLite", who.PYTHON_DOCX),
    ("claims → DOCX, SQLite", who.PYTHON_DOCX_TUNED),
)
"""Works and peers that the README quotes."""


def works(sizes: Sizes) -> list[Work]:
    csv, json = one_and_two("csv"), one_and_two("json")
    evidence = one_and_two("json", evidence=True)
    besides_csv = (who.DUCKDB_CSV, who.CSV_MODULE, who.PANDAS_CSV)
    besides_json = (who.DUCKDB_JSON, who.JSON_MODULE, who.PANDAS_JSON)
    psql, sqlite = who.PSQL_CSV.name, who.SQLITE_CSV.name
    return [
        Work("claims → CSV", "PostgreSQL", "csv", sizes.table, (*csv, who.PSQL_CSV, *besides_csv),
             (Wall(psql, 1.1, (ONE,)), Wall(psql, 0.8, (TWO,)))),
        Work("claims → CSV", "SQLite", "csv", sizes.table, (*csv, who.SQLITE_CSV, *besides_csv),
             (Wall(sqlite, 0.85), Wall(sqlite, 0.6, stretch=True))),
        Work("claims → JSON", "PostgreSQL", "json", sizes.table, (*json, who.PSQL_JSON, *besides_json),
             (Wall(who.PSQL_JSON.name, 0.75),)),
        Work("claims → JSON", "SQLite", "json", sizes.table, (*json, who.SQLITE_JSON, *besides_json),
             (Wall(who.SQLITE_JSON.name, 1.1, (ONE,)), Wall(who.SQLITE_JSON.name, 0.85, (TWO,)))),
        Work("claims with evidence → JSON", "PostgreSQL", "json", sizes.table, (*evidence, who.PSQL_EVIDENCE),
             (Wall(who.PSQL_EVIDENCE.name, 1.0),), kinds=EVIDENCE),
        Work("claims with evidence → JSON", "SQLite", "json", sizes.table, (*evidence, who.SQLITE_EVIDENCE),
             (Wall(who.SQLITE_EVIDENCE.name, 1.0),), kinds=EVIDENCE),
        Work("claims → XLSX", "SQLite", "xlsx", sizes.table, (*one_and_two("xlsx"), who.XLSXWRITER),
             (Faster(who.XLSXWRITER.name, 6),), rounds=3),
        Work("claims → PDF", "SQLite", "pdf", sizes.report, (ours("pdf"), who.REPORTLAB),
             (Faster(who.REPORTLAB.name, 8),), rounds=3),
        Work("claims → DOCX", "SQLite", "docx", sizes.report,
             (ours("docx"), who.PYTHON_DOCX, who.PYTHON_DOCX_TUNED),
             (Faster(who.PYTHON_DOCX.name, 100), Faster(who.PYTHON_DOCX_TUNED.name, 1.5)), rounds=3),
        Work("nodes and edges → JSON", "SQLite", "json", sizes.graph,
             (ours("json", target="graph"), who.NETWORKX), target="graph", kinds=GRAPH),
        *_compressed(sizes),
        *_long_reports(sizes),
    ]  # fmt: skip


def flat_works(sizes: Sizes) -> list[tuple[Work, Work]]:
    """Ourselves, with the processes that hold most, with a tenth of the records and with all of them."""

    def alone(format: str, records: int) -> Work:
        contestants = (ours(format, variant=TWO),)
        name = f"claims → {format.upper()} (flatness)"
        return Work(name, "SQLite", format, records, contestants, (Memory(400, TWO),))

    formats = ("csv", "json", "xlsx")
    return [(alone(format, sizes.table // 10), alone(format, sizes.table)) for format in formats]


def _compressed(sizes: Sizes) -> list[Work]:
    if "compression" not in {each.name for each in fields(ExportOptions)}:
        return []
    compressed = [
        ours("csv", f"compression={each}", name=f"{US}, {each}", needs=needs)
        for each, needs in COMPRESSIONS.items()
    ]
    plain = ours("csv", name=UNCOMPRESSED)
    goals = tuple(Wall(plain.name, 1.3, (each.name,)) for each in compressed)
    name = "claims → compressed CSV"
    return [Work(name, "SQLite", "csv", sizes.table, (plain, *compressed), goals)]


def _long_reports(sizes: Sizes) -> list[Work]:
    if sizes.long_report is None:
        return []
    return [
        Work(
            f"claims → {format.upper()} (long)", "SQLite", format, sizes.long_report, (ours(format),),
            (Memory(below_mib),), rounds=1,
        )
        for format, below_mib in (("pdf", 1536), ("docx", 100))
    ]  # fmt: skip
