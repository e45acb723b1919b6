"""The sessions in docs/cli.md are what a terminal shows, and its table of exit codes is that of the code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from arkham_shard_export.cli.exits import MEANINGS
from tests.hosts import standalone

PAGE = (Path(__file__).parents[2] / "docs" / "cli.md").read_text("utf-8")
ANYTHING = "…"
MARK = "<<< "


def sessions() -> list[tuple[str, list[str]]]:
    """Each command of the page with the lines it is said to print."""
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def pattern(lines: list[str]) -> str:
    """Of a text that is these lines; an ellipsis is anything, in a line of its own any number of lines."""
    parts = []
    for line in lines:
        if line == ANYTHING:
            parts.append("(?:.*\n)*?")
        else:
            # Texts that are cut in a table end with a real one.
            parts.append(re.escape(line).replace(ANYTHING, ".*") + "\n")
    return "".join(parts)


def test_the_sessions_are_what_a_terminal_shows(tmp_path: Path) -> None:
    commands = sessions()
    assert len(commands) > 20
    with standalone(tmp_path / "arkham-data", demo=True) as host:
        script = "\n".join(f"echo '{MARK}'\n{command}" for command, _ in commands)
        script = script.replace("http://127.0.0.1:8100", str(host.client.base_url).rstrip("/"))
        ran = subprocess.run(
            ["bash", "-c", f"exec 2>&1\n{script}"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                # Otherwise lines of the two outputs change places where they are not a terminal.
                "PYTHONUNBUFFERED": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
    shown = ran.stdout.split(f"{MARK}\n")[1:]
    assert len(shown) == len(commands)
    for (command, lines), text in zip(commands, shown, strict=True):
        assert re.fullmatch(pattern(lines), text), f"$ {command}\n{text}"


def test_every_exit_code_is_explained() -> None:
    assert dict(re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)) == {
        str(code): meaning for code, meaning in MEANINGS.items()
    }
