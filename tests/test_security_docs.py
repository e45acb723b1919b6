"""The threat model names tests and settings that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_that_is_named_exists(file: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), f"{file}::{name}"


def test_every_threat_has_a_defence_and_a_test() -> None:
    rows = [
        line
        for line in PAGE.splitlines()
        if line.startswith("| ") and not line.startswith(("| threat", "| ---"))
    ]
    assert len(rows) > 30
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 3, row
        assert cells[1], row
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`", cells[2]), row


def test_every_setting_that_is_named_exists() -> None:
    package = "".join(path.read_text("utf-8") for path in (ROOT / "arkham_shard_export").rglob("*.py"))
    for name in set(re.findall(r"ARKHAM_EXPORT_\w+", PAGE)):
        assert f'"{name}"' in package, name
