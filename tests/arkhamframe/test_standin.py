"""The stand-in loads, serves and stops shards as the host contract says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from arkham_frame import ArkhamShard
from arkham_frame.frame import ArkhamFrame
from arkham_frame.manifest import load_manifest
from arkham_frame.tenants import current_tenant_id
from serving import Served, serve
from standin_shards import WorkingShard

Install = Callable[..., None]
TENANT = "11111111-2222-3333-4444-555555555555"
WITH_NO_SHARD_INSTALLED = """
import importlib.metadata, runpy
importlib.metadata.entry_points = lambda **params: importlib.metadata.EntryPoints(())
runpy.run_module("arkham_frame", run_name="__main__")
"""


def run(url: str, steps: Callable[[Served], Awaitable[None]], **options: Any) -> None:
    """Runs the steps inside the lifespan of a host."""

    async def inside() -> None:
        async with serve(url, **options) as host:
            await steps(host)

    asyncio.run(inside())


def test_a_shard_is_started_with_the_app_set_and_its_router_included_without_a_prefix(
    standin_url: str, standin_install: Install
) -> None:
    standin_install(standin="WorkingShard", old="OldShard")

    async def steps(host: Served) -> None:
        assert set(host.frame.shards) == {"standin", "old"}
        assert host.app.state.standin_shard is host.frame.shards["standin"]
        assert host.frame.shards["standin"].shards_seen == []
        assert (await host.get("/api/standin/number")).status_code == 200
        assert (await host.get("/api/old/hello")).json() == "hello"

    run(standin_url, steps)


def test_a_shard_that_fails_is_logged_and_left_out_and_the_host_goes_on(
    standin_url: str, standin_install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    standin_install(failing="FailingShard", missing="NoSuchShard", standin="WorkingShard")

    async def steps(host: Served) -> None:
        assert list(host.frame.shards) == ["standin"]
        assert (await host.get("/api/frame/badges")).status_code == 200

    run(standin_url, steps)
    assert "Shard failing failed to start and is left out" in caplog.text
    assert "Shard missing cannot be imported and is left out" in caplog.text


def test_shards_are_shut_down_before_the_database_and_a_failing_one_keeps_nothing_from_stopping(
    standin_url: str, standin_install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    standin_install(old="OldShard", standin="WorkingShard")
    shards: list[WorkingShard] = []

    async def steps(host: Served) -> None:
        shards.append(host.frame.shards["standin"])

    run(standin_url, steps)
    assert shards[0].stopped
    assert shards[0].database_at_shutdown == {"one": 1}
    assert "Shard old failed to shut down" in caplog.text


def test_a_shard_disabled_and_enabled_twice_is_a_new_instance_each_time_behind_the_same_paths(
    standin_url: str, standin_install: Install
) -> None:
    standin_install(standin="WorkingShard")

    async def steps(host: Served) -> None:
        numbers = [(await host.get("/api/standin/number")).json()]
        for _ in range(2):
            before = host.frame.shards["standin"]
            assert await host.loader.disable("standin")
            assert before.stopped
            assert host.frame.shards == {}
            assert not await host.loader.disable("standin")
            assert await host.loader.enable("standin")
            assert host.frame.shards["standin"] is not before
            numbers.append((await host.get("/api/standin/number")).json())
        assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]

    run(standin_url, steps)


def test_badges_are_asked_of_shards_that_count_and_of_sub_routes_with_an_endpoint_of_their_own(
    standin_url: str, standin_install: Install, caplog: pytest.LogCaptureFixture
) -> None:
    standin_install(standin="WorkingShard", silent="SilentShard", old="OldShard")

    async def steps(host: Served) -> None:
        assert (await host.get("/api/frame/badges")).json() == {
            "standin": {"count": 3, "type": "count"},
            "standin.open": {"count": 4, "type": "dot"},
        }

    run(standin_url, steps)
    assert "Shard silent failed to count for its badge" in caplog.text


def test_every_api_answer_carries_the_security_headers_and_streams_pass_through(
    standin_url: str, standin_install: Install
) -> None:
    standin_install(standin="WorkingShard")

    async def steps(host: Served) -> None:
        for path in ("/api/standin/stream", "/api/nowhere"):
            answer = await host.get(path)
            assert answer.headers["Cache-Control"] == "no-store, max-age=0"
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (await host.get("/api/standin/stream")).text == "part part part "
        assert "X-Frame-Options" not in (await host.get("/openapi.json")).headers

    run(standin_url, steps)


def test_the_tenant_is_known_in_the_request_and_its_tasks_but_not_to_a_runner_started_before(
    standin_url: str, standin_install: Install
) -> None:
    standin_install(standin="WorkingShard")

    async def steps(host: Served) -> None:
        with_tenant = (await host.get("/api/standin/tenants", X_Tenant_Id=TENANT)).json()
        assert with_tenant == {"route": TENANT, "task": TENANT, "runner": "None"}
        assert current_tenant_id() is None
        without = (await host.get("/api/standin/tenants")).json()
        assert without == {"route": "None", "task": "None", "runner": "None"}
        assert (await host.get("/api/standin/tenants", X_Tenant_Id="me")).status_code == 400

    run(standin_url, steps)


def test_a_user_stands_on_the_request_only_where_the_host_was_told_to_believe_the_headers(
    standin_url: str, standin_install: Install
) -> None:
    standin_install(standin="WorkingShard")

    async def asked(host: Served, **headers: str) -> dict[str, str]:
        answer: dict[str, str] = (await host.get("/api/standin/user", **headers)).json()
        return answer

    async def believed(host: Served) -> None:
        assert await asked(host) == {}
        assert await asked(host, X_User_Id="ann", X_User_Role="admin", X_Tenant_Id=TENANT) == {
            "id": "ann",
            "email": "ann@example.test",
            "role": "admin",
            "tenant_id": TENANT,
        }
        assert (await asked(host, X_User_Id="ann"))["role"] == "analyst"

    async def ignored(host: Served) -> None:
        assert await asked(host, X_User_Id="ann", X_User_Role="admin") == {}

    run(standin_url, believed, users=True)
    run(standin_url, ignored)


@pytest.mark.usefixtures("standin_install")
def test_each_service_can_be_none_and_names_of_the_real_host_that_are_missing_are_none(
    standin_url: str,
) -> None:
    names = ("database", "events", "storage", "config", "workers")

    async def without_any(host: Served) -> None:
        assert [host.frame.get_service(name) for name in (*names, "db")] == [None] * 6
        assert host.frame.db is None
        assert (await host.get("/api/frame/badges")).json() == {}

    async def with_all(host: Served) -> None:
        frame = host.frame
        assert all(frame.get_service(name) is getattr(frame, name) is not None for name in names)
        assert frame.get_service("db") is frame.db is frame.database
        assert frame.get_service("documents") is frame.get_service("scheduler") is None
        assert frame.config is not None
        assert frame.config.database_url == standin_url
        assert frame.config.get("export.limit", 7) == 7
        assert frame.active_project_id is None

    run(standin_url, without_any, without=names)
    run(standin_url, with_all)
    with pytest.raises(ValueError, match="valid: database, events, storage, config, workers"):
        ArkhamFrame(standin_url, without=["scheduler"])


@pytest.mark.usefixtures("standin_install")
def test_a_host_without_a_reachable_database_boots_on_with_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def steps(host: Served) -> None:
        assert host.frame.database is None
        assert (await host.get("/api/frame/badges")).status_code == 200

    run(f"postgresql://postgres@/gone?host={tmp_path}", steps)
    assert "The database service failed to start" in caplog.text


@pytest.mark.usefixtures("standin_install")
def test_the_temporary_storage_folder_is_removed_at_shutdown(standin_url: str) -> None:
    folders: list[Path] = []

    async def steps(host: Served) -> None:
        assert host.frame.storage is not None
        folders.append(host.frame.storage.base_path)
        assert (folders[0] / "exports").is_dir()

    run(standin_url, steps)
    assert not folders[0].exists()


def test_a_manifest_beside_the_package_goes_before_the_one_inside_it(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    assert load_manifest(package) is None
    (package / "shard.yaml").write_text("name: inside\nversion: 0.1.0\n")
    inside = load_manifest(package)
    (tmp_path / "shard.yaml").write_text("name: beside\nversion: 0.1.0\n")
    beside = load_manifest(package)
    assert inside is not None
    assert inside.name == "inside"
    assert inside.navigation is None
    assert beside is not None
    assert beside.name == "beside"


def test_the_base_class_is_abstract_and_knows_no_tenant_outside_a_request() -> None:
    with pytest.raises(TypeError, match="abstract"):
        ArkhamShard()  # type: ignore[abstract]
    shard = WorkingShard()
    assert shard.get_tenant_id_or_none() is None
    assert shard.manifest is not None
    assert shard.manifest.name == "standin"


def test_the_host_runs_as_a_process_and_writes_its_storage_index_at_a_clean_stop(
    standin_url: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WITH_NO_SHARD_INSTALLED, "--database-url", standin_url, "--port", "0"]
    command += ["--storage-dir", str(tmp_path), "--users", "--without", "events", "--without", "workers"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            lines = iter(process.stderr.readline, "")
            assert any("Uvicorn running on http://127.0.0.1:" in line for line in lines)
            assert not (tmp_path / "storage_index.json").exists()
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    assert (tmp_path / "storage_index.json").exists()


def test_a_tenant_is_a_uuid_object_for_the_shard(standin_url: str, standin_install: Install) -> None:
    standin_install(standin="WorkingShard")
    seen: list[uuid.UUID | None] = []

    async def steps(host: Served) -> None:
        @host.app.get("/api/tenant")
        async def tenant() -> None:
            seen.append(host.frame.shards["standin"].get_tenant_id_or_none())

        await host.get("/api/tenant", X_Tenant_Id=TENANT.upper())

    run(standin_url, steps)
    assert seen == [uuid.UUID(TENANT)]
