"""The command line as a person meets it: what it writes, and what it says when asked for the wrong thing."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import openpyxl
import pytest

from arkham_shard_export.standalone.app import sole_server
from arkham_shard_export.standalone.seed import seed_sqlite
from arkham_shard_export.standalone.tables import open_sqlite
from tests.tools import needed


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    seed_sqlite(folder, 40)
    return folder


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "arkham_shard_export.cli", *arguments],
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
        check=False,
    )


def test_an_export_goes_to_standard_output_and_its_account_beside_it(data_dir: Path) -> None:
    ran = run("export", "claims", "--format", "json", "--data", str(data_dir), "--option", "max_records=3")
    assert ran.returncode == 0
    assert len(json.loads(ran.stdout)["records"]) == 3
    assert b"3 of 40 records written, 37 skipped." in ran.stderr
    assert b"max_records is 3" in ran.stderr


def test_an_export_to_a_file_is_whole_and_one_to_a_pipe_leaves_the_pipe(
    data_dir: Path, tmp_path: Path
) -> None:
    output = tmp_path / "claims.csv"
    assert (
        run("export", "claims", "--format", "csv", "--data", str(data_dir), "-o", str(output)).returncode == 0
    )
    assert len(list(csv.reader(io.StringIO(output.read_text("utf-8"), newline="")))) == 41
    assert [path.name for path in tmp_path.iterdir()] == ["claims.csv"]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert (
        run("export", "claims", "--format", "csv", "--data", str(data_dir), "-o", str(pipe)).returncode == 0
    )
    reader.join()
    assert read == [output.read_bytes()]
    assert pipe.is_fifo()
    link = tmp_path / "link.csv"
    link.symlink_to(output)
    output.write_text("before")
    assert (
        run("export", "claims", "--format", "csv", "--data", str(data_dir), "-o", str(link)).returncode == 0
    )
    assert link.is_symlink()
    assert output.read_bytes() == read[0]


@pytest.mark.parametrize(("compression", "program"), [("gzip", "gzip"), ("zstd", "zstd")])
def test_a_compressed_export_goes_to_a_file_or_into_a_pipe(
    compression: str, program: str, data_dir: Path, tmp_path: Path
) -> None:
    words = ("export", "claims", "--format", "csv", "--data", str(data_dir))
    plain = run(*words).stdout
    output = tmp_path / "claims.csv.x"
    asked = (*words, "--option", f"compression={compression}")
    ran = run(*asked, "-o", str(output))
    assert (ran.returncode, b"ZIP" in ran.stderr) == (0, False)
    assert output.read_bytes() == run(*asked).stdout
    command = [needed(program, program), "-dc"]
    unpacked = subprocess.run(command, input=output.read_bytes(), capture_output=True, check=True)
    assert unpacked.stdout == plain


def test_a_pipe_that_is_closed_ends_a_compressed_export_quietly(data_dir: Path) -> None:
    words = ("export", "documents", "--format", "json", "--data", str(data_dir))
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ran = subprocess.run(
            [sys.executable, "-m", "arkham_shard_export.cli", *words, "--option", "compression=gzip"],
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["export", "claim", "--format", "csv"],
            "Target 'claim' is not available. Valid: documents, entities",
        ),
        (
            ["export", "claims", "--format", "odt"],
            "Format 'odt' is not available for claims. Valid: json, csv, xlsx, pdf, docx.",
        ),
        (
            ["export", "claims", "--format", "csv", "--filter", "status"],
            "--filter 'status' must be NAME=VALUE.",
        ),
        (
            ["export", "claims", "--format", "csv", "--filter", "state=x"],
            "Unknown filter 'state' for claims.",
        ),
        (
            ["export", "claims", "--format", "csv", "-o", "/no/such/folder/x.csv"],
            "There is no folder /no/such/folder",
        ),
        (["export", "claims", "--format", "csv", "--database-url", "mysql://x"], "use postgresql://"),
        (["seed", "--records", "0"], "cannot seed 0 records"),
        (["seed", "--records", "1", "--target", "people"], "valid are documents, entities"),
        (["serve", "--port", "99999"], "Cannot listen on 127.0.0.1:99999"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    data_dir: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    folder = data_dir if arguments[0] == "export" else tmp_path
    ran = run(*arguments, "--data", str(folder))
    assert ran.returncode == 1
    assert told in ran.stderr.decode()
    assert ran.stderr.startswith(b"arkham-export: ")
    assert len(ran.stderr.splitlines()) == 1


def test_a_seeding_of_one_target_leaves_the_other_tables_empty(tmp_path: Path) -> None:
    ran = run("seed", "--records", "5", "--target", "claims", "--data", str(tmp_path))
    assert ran.returncode == 0
    told = ran.stdout.decode()
    assert [line.split() for line in told.splitlines()[:-1]] == [
        ["5", "arkham_claims"],
        ["8", "arkham_claim_evidence"],
    ]
    assert told.splitlines()[-1].startswith("5 records of claims in ")


def test_an_export_without_a_database_names_the_command_that_makes_one(tmp_path: Path) -> None:
    ran = run("export", "claims", "--format", "csv", "--data", str(tmp_path / "none"))
    assert ran.returncode == 1
    assert b"arkham-export serve --demo" in ran.stderr
    assert not (tmp_path / "none").exists()


def test_a_data_folder_is_served_once(data_dir: Path) -> None:
    with sole_server(data_dir):
        ran = run("serve", "--port", "0", "--data", str(data_dir))
    assert ran.returncode == 1
    assert b"is served by another process" in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    ran = run("serve", "--data", str(tmp_path), ARKHAM_EXPORT_CONCURRENCY="many")
    assert ran.returncode == 1
    assert b"ARKHAM_EXPORT_CONCURRENCY='many' is not a number" in ran.stderr
    ran = run("serve", "--data", str(tmp_path), ARKHAM_EXPORT_STORE="gs://bucket")
    assert ran.returncode == 1
    assert b"ARKHAM_EXPORT_STORE='gs://bucket' cannot be used" in ran.stderr
    assert b"s3://bucket/prefix" in ran.stderr


def test_a_reader_that_has_seen_enough_ends_the_export_quietly(data_dir: Path) -> None:
    command = f"{sys.executable} -m arkham_shard_export.cli export claims --format csv --data {data_dir} | head -c 10"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60, check=True)
    assert ran.stdout == b"id,text,cl"
    assert b"Traceback" not in ran.stderr


def test_wrong_usage_exits_with_two() -> None:
    assert run("export").returncode == 2
    assert run("no-such-command").returncode == 2


# Several exports


def batch(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return run("batch", "--data", str(data_dir), *arguments)


def test_several_exports_go_into_one_file(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "case.zip"
    parts = (
        "--part",
        "documents json",
        "--part",
        "claims csv status=disputed max_records=1 name='The disputed'",
    )
    ran = batch(data_dir, *parts, "-o", str(output))
    assert ran.returncode == 0, ran.stderr
    with zipfile.ZipFile(output) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "01-documents.json",
            "02-The-disputed.csv",
            "contents.json",
            "README.txt",
        ]
        contents = json.loads(archive.read("contents.json"))
    claims = contents["parts"][1]
    assert (claims["filters"], claims["options"]["max_records"]) == ({"status": "disputed"}, 1)
    told = ran.stderr.decode()
    assert "part 1: 40 of 40 records, 01-documents.json" in told
    assert f"41 of {40 + claims['expected']} records written" in told
    assert [path.name for path in tmp_path.iterdir()] == ["case.zip"]


def test_parts_come_from_a_file_or_from_standard_input(data_dir: Path, tmp_path: Path) -> None:
    parts = [{"target": "claims", "format": "xlsx"}, {"target": "graph", "format": "xlsx"}]
    asked = tmp_path / "monday.json"
    for body in (parts, {"parts": parts, "continue_on_error": True}):
        asked.write_text(json.dumps(body))
        ran = batch(data_dir, "--from", str(asked), "-o", "-")
        assert ran.returncode == 0, ran.stderr
        assert "Claims" in openpyxl.load_workbook(io.BytesIO(ran.stdout)).sheetnames
        assert b"80 of 80 records written" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "Give the parts"),
        (("--part", "claims csv", "--from", "x.json"), 2, "Give the parts"),
        (("--part", "claims"), 2, "must begin with a target and a format"),
        (("--part", "claims 'csv"), 2, "No closing quotation"),
        (("--part", "claims csv status"), 1, "must be NAME=VALUE"),
        (("--part", "claims csv", "--part", "claim csv"), 1, "parts[1]: Target 'claim' is not available."),
        (("--from", "nowhere.json"), 1, "No such file"),
        (("--from", os.devnull), 1, "is not JSON"),
    ],
)
def test_a_batch_that_is_asked_for_wrongly_is_refused_and_writes_nothing(
    data_dir: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, told: str
) -> None:
    ran = batch(data_dir, *arguments, "-o", str(tmp_path / "out.zip"))
    assert (ran.returncode, told in ran.stderr.decode()) == (code, True), ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("body", ["{}", '{"parts": 1}', '{"parts": [], "colour": 1}', "7", "[]"])
def test_a_file_that_holds_no_batch_is_refused(data_dir: Path, tmp_path: Path, body: str) -> None:
    asked = tmp_path / "asked.json"
    asked.write_text(body)
    ran = batch(data_dir, "--from", str(asked), "-o", str(tmp_path / "out.zip"))
    assert ran.returncode in (1, 2)
    assert b"parts" in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_a_part_that_fails_is_told_by_the_exit_code_even_where_the_others_go_on(tmp_path: Path) -> None:
    seed_sqlite(tmp_path, 5, targets=["claims", "documents"])
    with contextlib.closing(open_sqlite(tmp_path)) as connection:
        connection.execute("ALTER TABLE arkham_claims RENAME TO sound_claims")
        connection.execute(
            "CREATE VIEW arkham_claims AS SELECT id, json_extract('broken', '$') AS text FROM sound_claims"
        )
    parts = ("--part", "claims csv", "--part", "documents csv", "-o", str(tmp_path / "out.zip"))
    ran = batch(tmp_path, *parts)
    assert ran.returncode == 1
    assert b"Part 1 (Claims as CSV) failed: Reading the database failed" in ran.stderr
    assert not (tmp_path / "out.zip").exists()
    ran = batch(tmp_path, *parts, "--continue-on-error")
    assert ran.returncode == 1
    assert b"part 1 failed: Reading the database failed" in ran.stderr
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert "02-documents.csv" in archive.namelist()
