"""Programs from outside that tests need, and how many records they seed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from arkham_shard_export.jobs.files import MARKER


def needed(program: str, package: str) -> str:
    """The program's path. Without it the test is skipped, telling how to get it; on CI that is a failure."""
    found = shutil.which(program)
    if found is None:
        message = f"{program} is not installed: apt-get install {package}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


def seeded_records(default: int) -> int:
    """Records of each target, by ARKHAM_TEST_RECORDS."""
    return int(os.environ.get("ARKHAM_TEST_RECORDS", default))


def stored_files(folder: Path) -> list[str]:
    """Names of all files below a folder, without the one that every store has."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
