"""A job is refused before it does harm: too many at a time, no room in the store."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import RunningHost, standalone

ANN = {"X-User-Id": "ann", "X-Tenant-Id": "5b6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b11"}
BOB = {**ANN, "X-User-Id": "bob"}
ELSEWHERE = {"X-User-Id": "ann", "X-Tenant-Id": "7c6a2c3e-8a5e-4a7e-9a56-0f0a6d1d9b22"}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHost]:
    """A host that takes jobs and runs none."""
    monkeypatch.setenv("ARKHAM_EXPORT_MAX_ACTIVE_PER_USER", "2")
    monkeypatch.setenv("ARKHAM_EXPORT_MAX_ACTIVE_PER_TENANT", "3")
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
    with standalone(tmp_path, demo=True, trust_headers=True) as running:
        yield running


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    return str(answer.json()["detail"])


def test_a_user_has_so_many_active_jobs_and_a_tenant_so_many(host: RunningHost) -> None:
    jobs = [host.post("claims", "csv", headers=ANN).json()["id"] for _ in range(2)]
    assert "user has 2 exports" in refused(host.post("claims", "csv", headers=ANN), 429)
    assert host.post("claims", "csv", headers=BOB).status_code == 201
    assert "tenant has 3 exports" in refused(host.post("claims", "csv", headers=BOB), 429)
    # The same user under another tenant, and nobody at all.
    assert host.post("claims", "csv", headers=ELSEWHERE).status_code == 201
    assert [host.post("claims", "csv").status_code for _ in range(5)] == [201] * 5
    assert host.client.delete(f"/api/export/jobs/{jobs[0]}", headers=ANN).status_code == 204
    assert host.post("claims", "csv", headers=ANN).status_code == 201


def test_an_invalid_request_is_told_so_even_over_the_limit(host: RunningHost) -> None:
    for _ in range(2):
        host.post("claims", "csv", headers=ANN)
    assert host.post("claims", "papyrus", headers=ANN).status_code == 422


def test_a_store_near_its_quota_takes_no_more_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_STORE_QUOTA_MIB", "20")
    monkeypatch.setattr("arkham_shard_export.jobs.admission.ROOM_SECONDS", 0.0)
    with standalone(tmp_path, demo=True) as host:
        job, _ = host.export("claims", "csv")
        ballast = tmp_path / "files" / "exports" / "2026-01-01"
        ballast.mkdir()
        (ballast / "other.1.csv").write_bytes(bytes(18 << 20))
        assert host.post("claims", "csv").status_code == 201
        (ballast / "more.1.csv").write_bytes(bytes(1 << 20))
        detail = refused(host.post("claims", "csv"), 507)
        assert "19 of 20 MiB" in detail
        assert str(tmp_path) not in detail
        # What is there is served all the same.
        assert host.client.get(job["download_url"]).status_code == 200
        shutil.rmtree(ballast)
        assert host.post("claims", "csv").status_code == 201


def test_a_disk_that_is_nearly_full_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(tmp_path).free >> 20
    monkeypatch.setenv("ARKHAM_EXPORT_MIN_FREE_MIB", str(2 * free))
    with standalone(tmp_path, demo=True) as host:
        assert "MiB left" in refused(host.post("claims", "csv"), 507)
        assert host.client.get("/api/export/jobs").json()["total"] == 0
