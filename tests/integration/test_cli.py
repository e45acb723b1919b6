"""The command line as a person meets it: what it writes, and what it says when asked for the wrong thing."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from arkham_shard_export.standalone.app import sole_server
from arkham_shard_export.standalone.seed import seed_sqlite
from tests.commands import Commands
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
    assert (ran.returncode, ran.stderr) == (-signal.SIGPIPE, b"")


CSV = ["export", "claims", "--format", "csv"]
NOWHERE = "postgresql://127.0.0.1:1/none"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["exprt"], 2, "Unknown command 'exprt'. Did you mean 'export'? Valid: export, "),
        (["jobs", "lst"], 2, "Unknown command 'lst'. Did you mean 'list'? Valid: list, show, "),
        (["export", "claim", "--format", "csv"], 2, "Unknown target 'claim'. Did you mean 'claims'? Valid: doc"),
        (["export", "claims", "--format", "cvs"], 2, "Unknown format 'cvs'. Did you mean 'csv'? Valid: json, "),
        (["export", "claims", "--format", "odt"], 2, "Unknown format 'odt'. Valid: json, csv, xlsx, pdf, docx."),
        (["export", "claims", "--fromat", "csv"], 2, "Unknown option '--fromat'. Did you mean '--format'?"),
        (["export", "claims", "--form", "csv"], 2, "Unknown option '--form'. Did you mean '--format'?"),
        (["export", "claims"], 2, "Give --format FORMAT, or --template NAME."),
        ([*CSV, "--filter", "status"], 2, "--filter 'status' must be NAME=VALUE."),
        ([*CSV, "--filter", "state=x"], 2, "Unknown filter 'state' for claims. Did you mean 'status'? Valid: "),
        ([*CSV, "--filter", "claim_tipe=status"], 2, "Did you mean 'claim_type'? Valid: status, claim_type"),
        ([*CSV, "--filter", "status=veriffied"], 2, "cannot be 'veriffied'. Did you mean 'verified'? Valid: "),
        ([*CSV, "--option", "max_record=1"], 2, "Unknown option 'max_record'. Did you mean 'max_records'? Valid: "),
        ([*CSV, "--option", "sort_by=createdat"], 2, "sorted by 'createdat'. Did you mean 'created_at'? Valid: "),
        ([*CSV, "--option", "flatten=true", "--option", "flatten=false"], 2, "--option flatten is given twice"),
        ([*CSV, "--json"], 2, "give -o FILE"),
        ([*CSV, "-o", "/no/such/folder/x.csv"], 1, "There is no folder /no/such/folder to write x.csv in."),
        ([*CSV, "-o", "/dev/full"], 1, "cannot be written to /dev/full (No space left on device)"),
        ([*CSV, "--database-url", "mysql://x"], 2, "use postgresql://"),
        ([*CSV, "--database-url", NOWHERE], 3, "The database does not answer"),
        (["jobs", "list", "--database-url", NOWHERE], 3, "Connection refused"),
        (["seed", "--records", "1", "--database-url", NOWHERE], 3, "Connection refused"),
        (["preview", "claims", "--records", "101"], 2, "'101' must be a whole number from 1 to 100."),
        (["targets", "claim"], 2, "Unknown target 'claim'. Did you mean 'claims'?"),
        (["formats", "pfd"], 2, "Unknown format 'pfd'. Did you mean 'pdf'?"),
        (["seed", "--records", "0"], 2, "'0' must be a whole number from 1 to "),
        (["seed", "--records", "1", "--target", "people"], 2, "Unknown target 'people'. Valid: documents, ent"),
        (["serve", "--port", "99999"], 2, "'99999' must be a whole number from 0 to 65535."),
        (["worker"], 2, "Workers need PostgreSQL"),
        (["worker", "--concurrency", "0"], 2, "'0' must be a whole number from 1 to "),
        (["completion", "fsh"], 2, "Unknown shell 'fsh'. Did you mean 'fish'? Valid: bash, zsh, tcsh, fish."),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_sentence(
    data_dir: Path,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    told: str,
    command: Commands,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_DATA", str(tmp_path if arguments[0] == "seed" else data_dir))
    ran = command(*arguments)
    assert ran.code == code
    assert told in ran.said
    assert ran.said.startswith("arkham-export")
    first, *rest = ran.said.splitlines()
    assert first.endswith((".", "?"))
    assert all(line.endswith("--help shows examples.") for line in rest)
    assert ran.output == b""


def test_an_address_that_cannot_be_listened_on_is_named(tmp_path: Path) -> None:
    ran = run("serve", "--host", "192.0.2.1", "--data", str(tmp_path))
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"arkham-export: Cannot listen on 192.0.2.1:8100")
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


@pytest.mark.parametrize("words", [(), ("jobs",), ("remote",)])
def test_without_a_command_the_help_is_shown_as_wrong_usage(words: tuple[str, ...]) -> None:
    ran = run(*words)
    assert (ran.returncode, ran.stdout) == (2, b"")
    assert b"examples:" in ran.stderr
