"""The command line in a real terminal and beside one: bars, signals, pipes, completion."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from arkham_shard_export.standalone.seed import seed_sqlite
from arkham_shard_export.standalone.tables import open_sqlite
from tests.terminals import CLI, CTRL_C, terminal

RECORDS = 40


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("terminal")
    seed_sqlite(folder, RECORDS)
    return folder


def export_to(output: Path | str, data_dir: Path, *words: str) -> list[str]:
    return [*CLI, "export", "claims", "--format", "csv", "--data", str(data_dir), "-o", str(output), *words]


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[sqlite3.Connection]:
    """While a writer holds the database no export of it begins: it waits, with its file begun."""
    with contextlib.closing(open_sqlite(data_dir)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Progress


def test_a_bar_is_drawn_in_a_terminal_in_one_line_and_nothing_of_it_stays(
    data_dir: Path, tmp_path: Path
) -> None:
    with terminal(export_to(tmp_path / "claims.csv", data_dir), stdout=subprocess.PIPE) as shown:
        out = shown.process.stdout
        assert out is not None
        assert (out.read(), shown.ended()) == (b"", 0)
    assert "━" in shown.text
    assert "claims as csv" in shown.text
    # Moved up by one line at a time: it was never wider than the terminal.
    assert "\x1b[2A" not in shown.text
    last = shown.text.rpartition("\x1b[2K")[2]
    assert f"{RECORDS} of {RECORDS} records written, 0 skipped.\r\n" in last
    assert "SHA-256" in last


@pytest.mark.parametrize("command", [["preview", "claims"], ["targets"], ["check"]])
def test_every_command_that_counts_shows_that_it_works(command: list[str], data_dir: Path) -> None:
    with terminal([*CLI, *command, "--data", str(data_dir)], stdout=subprocess.PIPE) as shown:
        out = shown.process.stdout
        assert out is not None
        assert b"\x1b" not in out.read()
        assert shown.ended() == 0
    assert "━" in shown.text


@pytest.mark.parametrize("how", ["piped", "quiet", "dumb"])
def test_no_bar_is_drawn_where_nobody_could_or_would_see_it(how: str, data_dir: Path, tmp_path: Path) -> None:
    command = export_to(tmp_path / "claims.csv", data_dir)
    if how == "piped":
        said = subprocess.run(command, capture_output=True, check=True).stderr.decode()
    else:
        words = ["--quiet"] if how == "quiet" else []
        environment = {"TERM": "dumb"} if how == "dumb" else {}
        with terminal([*command, *words], **environment) as shown:
            assert shown.ended() == 0
        said = shown.text
    assert "━" not in said
    assert "\x1b" not in said
    assert ("records written" in said) == (how != "quiet")


def test_what_goes_to_the_terminal_itself_is_not_drawn_over(data_dir: Path) -> None:
    with terminal(export_to("-", data_dir)) as shown:
        assert shown.ended() == 0
    assert shown.text.startswith("id,text,")
    assert "━" not in shown.text


@pytest.mark.parametrize(
    "words", [["--format", "xlsx"], ["--format", "json", "--option", "compression=gzip"]]
)
def test_what_is_no_text_is_not_written_to_a_terminal(words: list[str], data_dir: Path) -> None:
    with terminal([*CLI, "export", "claims", "--data", str(data_dir), *words]) as shown:
        assert shown.ended() == 2
    assert "is nothing for a terminal; give -o FILE, or a pipe." in shown.text
    assert "PK" not in shown.text


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_tables_are_as_wide_as_the_terminal_and_no_wider(columns: int, data_dir: Path) -> None:
    with terminal([*CLI, "preview", "claims", "--data", str(data_dir), "-q"], columns=columns) as shown:
        assert shown.ended() == 0
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in shown.text.splitlines()]
    assert max(map(cell_len, lines)) <= columns
    assert len(lines[0]) > columns / 3
    assert "\x1b[1mID" in shown.text


def test_without_the_libraries_of_the_terminal_all_works_but_what_needs_them(
    data_dir: Path, tmp_path: Path
) -> None:
    missing = "import sys; sys.modules |= {'rich': None, 'argcomplete': None}; "
    main = "from arkham_shard_export.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", missing + main]
    with terminal([*command, *export_to(tmp_path / "claims.csv", data_dir)[3:]]) as shown:
        assert shown.ended() == 0
    assert shown.text.startswith(f"{RECORDS} of {RECORDS} records written")
    ran = subprocess.run([*command, "completion", "bash"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert (
        ran.stderr
        == "arkham-export: argcomplete is not installed. Remedy: pip install 'arkham-shard-export[cli]'\n"
    )


# Signals


def test_ctrl_c_ends_an_export_and_nothing_half_written_stays(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "claims.csv"
    output.write_text("of yesterday")
    with locked(data_dir), terminal(export_to(output, data_dir)) as shown:
        until(lambda: len([*tmp_path.iterdir()]) == 2)
        shown.type(CTRL_C)
        assert shown.ended() == -signal.SIGINT
    assert "nothing of it was left behind." in shown.text
    assert "Traceback" not in shown.text
    assert [path.name for path in tmp_path.iterdir()] == ["claims.csv"]
    assert output.read_text() == "of yesterday"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_it_as_cleanly(number: signal.Signals, data_dir: Path, tmp_path: Path) -> None:
    with (
        locked(data_dir),
        subprocess.Popen(export_to(tmp_path / "claims.csv", data_dir), stderr=subprocess.PIPE) as process,
    ):
        until(lambda: [*tmp_path.iterdir()])
        process.send_signal(number)
        # A second one, and a third at once would be too many: what is cleared away is not left half done.
        said = process.communicate(timeout=60)[1]
    assert process.returncode == -number, said
    assert b"nothing of" in said
    assert b"Traceback" not in said
    assert [*tmp_path.iterdir()] == []


WHILE_DESTROYED = """
import os, signal, time
from arkham_shard_export.cli.exits import Stopped, heed_signals

class Destroyed:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.01)

heed_signals()
try:
    Destroyed()
    time.sleep(30)
except Stopped as stopped:
    print("stopped by", stopped.number)
"""


def test_a_signal_that_comes_while_an_object_is_destroyed_is_heeded_all_the_same() -> None:
    ran = subprocess.run([sys.executable, "-c", WHILE_DESTROYED], capture_output=True, text=True, timeout=60)
    assert (ran.stdout, ran.stderr, ran.returncode) == ("stopped by 1\n", "", 0)


def test_a_signal_that_is_ignored_by_whoever_started_it_stays_so(data_dir: Path, tmp_path: Path) -> None:
    """As `nohup` has it."""
    ignoring = ["bash", "-c", 'trap "" HUP; exec "$@"', "bash", *export_to(tmp_path / "claims.csv", data_dir)]
    with subprocess.Popen(ignoring, stderr=subprocess.PIPE) as process:
        with locked(data_dir):
            until(lambda: [*tmp_path.iterdir()])
            process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_loop_of_the_shell_ends_with_the_export_that_is_interrupted(data_dir: Path, tmp_path: Path) -> None:
    one = " ".join(export_to(tmp_path / "claims.csv", data_dir))
    with locked(data_dir), terminal(["bash", "-c", f"for i in 1 2 3; do {one}; echo went on; done"]) as shown:
        until(lambda: [*tmp_path.iterdir()])
        shown.type(CTRL_C)
        assert shown.ended() == -signal.SIGINT
    assert "went on" not in shown.text


def test_a_host_in_a_terminal_ends_by_ctrl_c_and_its_workers_do_not_complain(data_dir: Path) -> None:
    with terminal(
        [*CLI, "serve", "--port", "0", "--data", str(data_dir), "--json"], stdout=subprocess.PIPE
    ) as shown:
        assert shown.process.stdout is not None
        address = json.loads(shown.process.stdout.readline())
        assert address["page"] == f"{address['url']}/export"
        children = Path(f"/proc/{shown.process.pid}/task/{shown.process.pid}/children")
        until(children.read_text)
        made = [
            *CLI,
            "remote",
            "--url",
            address["url"],
            "export",
            "claims",
            "--format",
            "csv",
            "-o",
            "/dev/null",
            "-q",
        ]
        subprocess.run(made, check=True)
        shown.type(CTRL_C)
        assert shown.ended() == 0
    assert "Traceback" not in shown.text


# Pipes and disks


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone_away_is_told_by_the_exit_code(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    command = f"{' '.join(export_to('-', data_dir))} | head -c 10 >&2; echo ${{PIPESTATUS[0]}}"
    # More than a pipe holds, or all of it could be written before the reader goes.
    command = command.replace("claims", "documents")
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "141\n"
    assert ran.stderr == "id,filenam"


def test_a_file_that_cannot_be_written_to_its_end_is_not_left_behind(data_dir: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            *CLI,
            "export",
            "documents",
            "--format",
            "json",
            "--data",
            str(data_dir),
            "-o",
            str(tmp_path / "x.json"),
        ],
        capture_output=True,
        text=True,
        check=False,
        # More than the files beside the database need.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, 65_536)),
    )
    assert ran.returncode == 1
    assert ran.stderr == (
        f"arkham-export: The export cannot be written to {tmp_path}/x.json (File too large); "
        "nothing of it was left behind.\n"
    )
    assert [*tmp_path.iterdir()] == []


def test_a_full_disk_behind_standard_output_is_told(data_dir: Path) -> None:
    for command in (export_to("-", data_dir), [*CLI, "targets", "--data", str(data_dir)]):
        with Path("/dev/full").open("wb") as full:
            ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert ran.returncode == 1
        assert "No space left on device" in ran.stderr
        assert "Traceback" not in ran.stderr
        assert "Exception ignored" not in ran.stderr


def test_two_exports_of_one_name_at_once_do_not_disturb_each_other(data_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "claims.csv"
    with locked(data_dir):
        both = [subprocess.Popen(export_to(output, data_dir), stderr=subprocess.DEVNULL) for _ in range(2)]
        until(lambda: len([*tmp_path.iterdir()]) == 2)
    assert [process.wait(60) for process in both] == [0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["claims.csv"]
    assert (
        output.read_bytes()
        == subprocess.run(export_to("-", data_dir), capture_output=True, check=True).stdout
    )


# Completion


@pytest.fixture(scope="module")
def path_of_command() -> str:
    """With the command as it is installed."""
    folder = Path(sys.executable).parent
    assert (folder / "arkham-export").exists()
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_the_completion_loads_into_bash_and_offers_what_can_follow(
    path_of_command: str, data_dir: Path
) -> None:
    lines = {
        "arkham-export exp": {"export "},
        "arkham-export export ": {"documents", "entities", "claims", "timeline", "graph", "matrix"},
        "arkham-export export claims --format ": {"json", "csv", "xlsx", "pdf", "docx"},
        "arkham-export export claims --format csv --filter ": {"status=", "claim_type=", "document_id="},
        "arkham-export export timeline --format csv --option include_gaps=": {"true", "false"},
        f"arkham-export targets --data {data_dir}/arkham_gr": set(),
        "arkham-export remote down": {"download "},
    }
    asked = "\n".join(
        f"COMP_LINE={line!r}; COMP_POINT=${{#COMP_LINE}}; COMP_TYPE=9; COMPREPLY=()\n"
        "_python_argcomplete arkham-export\n"
        '(IFS=","; echo "${COMPREPLY[*]}")'
        for line in lines
    )
    script = f"source <(arkham-export completion bash) && complete -p arkham-export\n{asked}"
    ran = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path_of_command},
        check=True,
    )
    registered, *offered = ran.stdout.splitlines()
    assert registered.endswith(" arkham-export")
    assert [{each for each in line.split(",") if each} for line in offered] == [*lines.values()]
    assert ran.stderr == ""


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish"])
def test_other_shells_have_a_completion_too(shell: str) -> None:
    ran = subprocess.run([*CLI, "completion", shell], capture_output=True, text=True, check=True)
    assert "arkham-export" in ran.stdout
    assert "_ARGCOMPLETE" in ran.stdout or "argcomplete" in ran.stdout
