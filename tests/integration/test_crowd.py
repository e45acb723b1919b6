"""Many who ask and listen while exports run; the same code as `python -m benchmarks.crowd`."""

from __future__ import annotations

from pathlib import Path

from benchmarks.crowd import crowd


def test_nobody_gets_an_error_and_every_listener_hears_the_end(tmp_path: Path) -> None:
    found = crowd(tmp_path, pollers=60, listeners=40, records=5_000)
    assert found.errors == []
    assert found.ends == 40
    assert len(found.busy) >= 120
