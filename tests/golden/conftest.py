"""The hostile case, filled once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.golden.hostile import fill
from tests.unit.case import Case, opened


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    with opened(tmp_path_factory.mktemp("golden") / "case") as filled:
        fill(filled)
        yield filled
