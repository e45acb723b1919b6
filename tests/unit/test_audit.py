"""What `make audit` makes of a report: a known vulnerability fails, a service that cannot be asked does not."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / ".ci" / "audit.py"


@pytest.fixture(scope="module")
def verdict() -> Callable[[str], tuple[int, str]]:
    spec = importlib.util.spec_from_file_location("audit", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], tuple[int, str]] = module.verdict
    return found


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(packages), "fixes": []})


SOUND = {"name": "sound", "version": "1", "vulns": []}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited"}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


def test_a_known_vulnerability_fails_and_is_named(verdict: Callable[[str], tuple[int, str]]) -> None:
    code, line = verdict(report(SOUND, SKIPPED, BAD))
    assert code == 1
    assert "bad 2: CVE-1" in line


@pytest.mark.parametrize("text", ["", "Traceback", "{}", "[]", report(), report(SKIPPED)])
def test_where_nothing_could_be_asked_it_is_said_and_nothing_fails(
    verdict: Callable[[str], tuple[int, str]], text: str
) -> None:
    code, line = verdict(text)
    assert code == 0
    assert "nothing was audited" in line


def test_what_was_asked_and_what_not_is_counted(verdict: Callable[[str], tuple[int, str]]) -> None:
    assert verdict(report(SOUND, SOUND, SKIPPED)) == (
        0,
        "audit: no known vulnerability in 2 packages; 1 could not be asked about.",
    )
