"""One hostile case through the real pipeline, byte for byte as it was agreed.

After a change that is meant, `ARKHAM_UPDATE_GOLDEN=1 pytest tests/golden` writes the files anew; read the difference.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import Any

import pytest

from arkham_shard_export.standalone.seed_words import SAMPLES
from arkham_shard_export.targets import TARGETS
from tests.golden.hostile import FOLDER, UPDATING, agreed
from tests.readers import sheets
from tests.unit.case import Case
from tests.unit.memory import no_constant

EVERYTHING: dict[str, dict[str, Any]] = {
    name: {"include_conflicts": True, "include_gaps": True, "group_by": "week"} if name == "timeline" else {}
    for name in TARGETS
}
FLATTENED = tuple(name for name in TARGETS if name not in ("timeline", "matrix"))


def tables(data: bytes) -> dict[str, bytes]:
    """The CSV files of an export; how an archive packs them is the business of its zlib."""
    if not data.startswith(b"PK\x03\x04"):
        return {"": data}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {f"-{name.removesuffix('.csv')}": archive.read(name) for name in archive.namelist()}


def readable(data: bytes) -> bytes:
    """The sheets of a workbook as JSON, a line a row; a date is told from a text by the key it has."""
    pages = {
        name: ",\n".join(
            json.dumps(row, ensure_ascii=False, default=lambda date: {"date": date.isoformat()})
            for row in rows
        )
        for name, rows in sheets(data).items()
    }
    listed = ",\n".join(
        f"{json.dumps(name, ensure_ascii=False)}: [\n{rows}\n]" for name, rows in pages.items()
    )
    return f"{{{listed}}}\n".encode()


@pytest.mark.parametrize("target", TARGETS)
def test_a_json_export_is_what_was_agreed_byte_for_byte(target: str, case: Case) -> None:
    data = case.export("json", target, **EVERYTHING[target])
    assert json.loads(data, parse_constant=no_constant)["target"] == target
    agreed(f"{target}.json", data)


@pytest.mark.parametrize("target", TARGETS)
def test_a_csv_export_is_what_was_agreed_byte_for_byte(target: str, case: Case) -> None:
    found = tables(case.export("csv", target, **EVERYTHING[target]))
    for name, data in found.items():
        agreed(f"{target}{name}.csv", data)


@pytest.mark.parametrize("target", TARGETS)
def test_a_workbook_reads_as_was_agreed(target: str, case: Case) -> None:
    agreed(f"{target}.xlsx.json", readable(case.export("xlsx", target, **EVERYTHING[target])))


@pytest.mark.parametrize("format", ["json", "csv"])
@pytest.mark.parametrize("target", FLATTENED)
def test_a_flattened_export_is_what_was_agreed_byte_for_byte(target: str, format: str, case: Case) -> None:
    data = case.export(format, target, flatten=True)
    for name, table in {"": data}.items() if format == "json" else tables(data).items():
        agreed(f"{target}-flattened{name}.{format}", table)


@pytest.mark.parametrize("format", ["json", "csv", "xlsx"])
def test_what_was_changed_on_the_way_is_counted_as_agreed(format: str, case: Case) -> None:
    counts = {}
    for target in TARGETS:
        case.export(format, target, **EVERYTHING[target])
        assert case.last is not None
        counts[target] = {"completeness": case.last.completeness, "adjustments": case.last.adjustments}
    agreed(f"account-{format}.json", json.dumps(counts, indent=2, ensure_ascii=False).encode() + b"\n")


def test_every_hostile_text_arrives_as_it_is(case: Case) -> None:
    document = json.loads(case.export("json", "claims"))
    assert [record["text"] for record in document["records"]] == list(SAMPLES)
    data = case.export("csv", "claims", spreadsheet_safe=False).decode()
    rows = csv.DictReader(io.StringIO(data, newline=""))
    assert [row["text"] for row in rows] == list(SAMPLES)


def test_json_and_csv_carry_the_same_records(case: Case) -> None:
    for target in ("documents", "entities", "claims"):
        records = json.loads(case.export("json", target))["records"]
        data = case.export("csv", target, spreadsheet_safe=False).decode()
        rows = list(csv.DictReader(io.StringIO(data, newline="")))
        assert [row["id"] for row in rows] == [record["id"] for record in records]
        for row, record in zip(rows, records, strict=True):
            assert list(row) == list(record)
            for name, value in record.items():
                if isinstance(value, str) and not name.endswith(("metadata", "aliases")):
                    assert row[name] == value
                elif isinstance(value, dict | list):
                    assert json.loads(row[name]) == value


@pytest.mark.skipif(UPDATING, reason="the files are being written")
def test_no_golden_file_is_left_over(case: Case) -> None:
    expected = {f"{target}{kind}.json" for target in TARGETS for kind in ("", ".xlsx")}
    expected |= {f"account-{format}.json" for format in ("json", "csv", "xlsx")}
    expected |= {f"{target}-flattened.json" for target in FLATTENED}
    for target in TARGETS:
        expected |= {
            f"{target}{name}.csv" for name in tables(case.export("csv", target, **EVERYTHING[target]))
        }
    for target in FLATTENED:
        expected |= {
            f"{target}-flattened{name}.csv" for name in tables(case.export("csv", target, flatten=True))
        }
    assert {path.name for path in FOLDER.iterdir() if path.suffix in (".json", ".csv")} == expected
