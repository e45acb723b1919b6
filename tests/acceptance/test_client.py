"""The client against every host: made, awaited, fetched, verified, and all of it again over a line that breaks."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from arkham_shard_export.client import (
    AsyncExportClient,
    DigestMismatch,
    ExportClient,
    Job,
    JobFailed,
    Refused,
    UnexpectedAnswer,
    Unreachable,
)
from arkham_shard_export.client.downloading import file_name
from arkham_shard_export.models import ExportProgress, ExportStatus
from tests.cutting import CuttingProxy, cutting
from tests.hosts import RunningHost

LARGE = {"target": "documents", "format": "json"}


@pytest.fixture
def client(host: RunningHost) -> Iterator[ExportClient]:
    with ExportClient(str(host.client.base_url), patience_seconds=5) as made:
        yield made


@pytest.fixture
def line(host: RunningHost) -> Iterator[CuttingProxy]:
    with cutting(host.client.base_url.host, host.client.base_url.port or 80) as proxy:
        yield proxy


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_export_is_one_call(client: ExportClient, tmp_path: Path) -> None:
    path = client.export(
        "claims", "csv", filters={"status": ["verified"]}, options={"max_records": 5}, to=tmp_path
    )
    (job, *_) = client.jobs(format="csv", status="completed")
    assert digest(path) == job.sha256
    assert path.suffix == ".csv"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_what_is_wrong_is_told_with_its_fields(client: ExportClient) -> None:
    with pytest.raises(Refused) as refused:
        client.create("claims", "csv", options={"sort_by": "colour"})
    assert (refused.value.status, refused.value.name) == (422, "invalid-request")
    assert refused.value.errors[0]["field"] == "options.sort_by"
    assert str(refused.value) == refused.value.detail
    with pytest.raises(Refused, match="no export job"):
        client.get("no-such-job")


def test_whatever_an_id_is_made_of_it_leads_nowhere_else(client: ExportClient) -> None:
    for each in ("../stats", "a/b", "?x=y", "%2e%2e"):
        with pytest.raises(Refused) as refused:
            client.get(each)
        assert refused.value.status in (404, 422)
        assert refused.value.name in ("job-not-found", "not-found", "invalid-request")


def test_why_something_is_tried_again_is_told_by_both_clients() -> None:
    told: list[str] = []
    with (
        ExportClient("http://127.0.0.1:1", patience_seconds=0.3, on_trouble=told.append) as client,
        pytest.raises(Unreachable),
    ):
        client.formats()

    async def asked() -> None:
        async with AsyncExportClient(
            "http://127.0.0.1:1", patience_seconds=0.3, on_trouble=told.append
        ) as client:
            await client.formats()

    with pytest.raises(Unreachable):
        asyncio.run(asked())
    assert len(told) == 4
    assert all("does not answer" in each for each in told)


def test_what_is_no_export_host_is_told_from_one_that_refuses() -> None:
    def elsewhere(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/formats"):
            return httpx.Response(200, text="<html>")
        return httpx.Response(308, headers={"Location": "https://elsewhere.test"})

    with ExportClient("http://x", transport=httpx.MockTransport(elsewhere)) as client:
        with pytest.raises(UnexpectedAnswer, match="no export host"):
            client.formats()
        with pytest.raises(UnexpectedAnswer, match=r"https://elsewhere\.test"):
            client.get("x")


def test_progress_is_told_and_the_job_is_as_any_other_reader_sees_it(
    client: ExportClient, host: RunningHost
) -> None:
    told: list[ExportProgress] = []
    job = client.wait(client.create("documents", "pdf").id, on_progress=told.append)
    assert job.status is ExportStatus.COMPLETED
    shown = host.client.get(f"/api/export/jobs/{job.id}").json()
    assert job.record_count == shown["record_count"]
    assert job.created_at is not None
    assert job.created_at.isoformat() == shown["created_at"]
    assert job.options.include_metadata is True
    assert all(each.phase for each in told)


def test_a_job_without_a_file_is_an_error_that_carries_it(client: ExportClient, tmp_path: Path) -> None:
    job = client.create("claims", "json")
    client.cancel(job.id)
    ended = client.wait(job.id, check=False)
    if ended.status is ExportStatus.CANCELLED:
        with pytest.raises(JobFailed) as failed:
            client.wait(job.id)
        assert failed.value.job.id == job.id
        with pytest.raises(JobFailed):
            client.download(job.id, tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_waiting_has_an_end(client: ExportClient) -> None:
    job = client.create("documents", "pdf")
    with pytest.raises(TimeoutError, match=r"0\.001 seconds"):
        client.wait(job.id, timeout_seconds=0.001)
    client.wait(job.id)


def test_the_same_key_is_the_same_job(client: ExportClient) -> None:
    made = {client.create("claims", "json", key="a script's own key 1").id for _ in range(3)}
    assert len(made) == 1
    with pytest.raises(Refused) as refused:
        client.create("claims", "csv", key="a script's own key 1")
    assert refused.value.status == 422


def test_several_exports_are_one_call_and_come_in_one_file(
    client: ExportClient, host: RunningHost, tmp_path: Path
) -> None:
    parts = [{"target": "claims", "format": "csv", "name": "all"}, {"target": "graph", "format": "json"}]
    told: list[ExportProgress] = []
    job = client.create_batch(parts, continue_on_error=True, retention_hours=3, key="a script's batch")
    job = client.wait(job.id, on_progress=told.append)
    assert job.parts is not None
    assert [(part.target, part.status, part.file) for part in job.parts] == [
        ("claims", ExportStatus.COMPLETED, "01-all.csv"),
        ("graph", ExportStatus.COMPLETED, "02-graph.json"),
    ]
    assert (job.format, job.continue_on_error, job.metadata["retention_hours"]) == ("zip", True, 3)
    path = client.download(job, tmp_path)
    assert (path.suffix, digest(path)) == (".zip", job.sha256)
    again = client.create_batch(parts, continue_on_error=True, retention_hours=3, key="a script's batch")
    assert again.id == job.id
    with pytest.raises(Refused) as refused:
        client.create_batch([{"target": "claims", "format": "csv", "options": {"max_records": 0}}])
    assert refused.value.errors[0]["field"] == "parts[0].options.max_records"

    async def awaited() -> Job:
        async with AsyncExportClient(str(host.client.base_url)) as other:
            made = await other.create_batch(parts)
            return await other.wait(made.id)

    assert [part.record_count for part in asyncio.run(awaited()).parts or ()] == [
        part.record_count for part in job.parts
    ]


def test_a_request_whose_answer_is_lost_makes_no_second_job(host: RunningHost, line: CuttingProxy) -> None:
    before = host.client.get("/api/export/jobs").json()["total"]
    line.allowances = [0, 10]
    with ExportClient(line.url, patience_seconds=30) as client:
        job = client.create("claims", "json")
        assert client.wait(job.id).record_count > 0
    assert line.connections >= 3
    assert host.client.get("/api/export/jobs").json()["total"] == before + 1


@pytest.mark.parametrize("known", [True, False], ids=["by its id", "by the job"])
def test_a_download_that_breaks_off_goes_on_where_it_was(
    host: RunningHost, client: ExportClient, line: CuttingProxy, tmp_path: Path, known: bool
) -> None:
    job = client.wait(client.create(**LARGE).id)
    assert job.file_size is not None
    told: list[tuple[int, int | None]] = []
    with ExportClient(line.url, patience_seconds=30) as broken:
        if not known:
            line.allowances = [1 << 20]
            assert broken.get(job.id).id == job.id
        broken.close()
    with ExportClient(line.url, patience_seconds=30) as broken:
        line.allowances = [*([1 << 20] if known else []), 3000, 20_000, 5000]
        path = broken.download(
            job.id if known else job, tmp_path / "whole.json", on_bytes=lambda *at: told.append(at)
        )
    assert digest(path) == job.sha256
    assert {size for _, size in told} == {job.file_size}
    assert [at for at, _ in told] == sorted({at for at, _ in told})
    assert [each.name for each in tmp_path.iterdir()] == ["whole.json"]


def test_another_call_goes_on_with_what_the_first_has_left(
    client: ExportClient, line: CuttingProxy, tmp_path: Path
) -> None:
    job = client.wait(client.create(**LARGE).id)
    with ExportClient(line.url, patience_seconds=0) as broken:
        line.allowances = [9000]
        with pytest.raises(Unreachable):
            broken.download(job, tmp_path)
    (part,) = tmp_path.iterdir()
    left = part.stat().st_size
    assert 0 < left < 9000
    told: list[int] = []
    path = client.download(job, tmp_path, on_bytes=lambda done, _all: told.append(done))
    assert told[0] > left
    assert digest(path) == job.sha256
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_that_were_altered_are_not_kept(client: ExportClient, tmp_path: Path) -> None:
    job = client.wait(client.create(**LARGE).id)
    (tmp_path / f".{job.id}.part").write_bytes(b"not what was exported")
    with pytest.raises(DigestMismatch) as wrong:
        client.download(job, tmp_path)
    assert wrong.value.expected == job.sha256
    assert list(tmp_path.iterdir()) == []
    assert digest(client.download(job, tmp_path)) == job.sha256


def test_a_part_that_is_longer_than_the_file_is_begun_anew(client: ExportClient, tmp_path: Path) -> None:
    job = client.wait(client.create("claims", "csv", options={"max_records": 2}).id)
    (tmp_path / f".{job.id}.part").write_bytes(b"x" * 1_000_000)
    assert digest(client.download(job, tmp_path)) == job.sha256


def test_nothing_is_overwritten_unasked(client: ExportClient, tmp_path: Path) -> None:
    job = client.wait(client.create("claims", "csv").id)
    path = client.download(job, tmp_path)
    path.write_text("mine")
    for to in (tmp_path, path):
        with pytest.raises(FileExistsError):
            client.download(job, to)
    assert path.read_text() == "mine"
    assert digest(client.download(job, to=path, overwrite=True)) == job.sha256


def test_a_host_that_is_not_there_is_told_after_some_patience() -> None:
    with (
        ExportClient("http://127.0.0.1:9", patience_seconds=0.1) as client,
        pytest.raises(Unreachable, match="does not answer"),
    ):
        client.count()


def test_refusals_for_now_are_waited_for() -> None:
    answers = iter(
        [
            httpx.Response(503, headers={"Retry-After": "0"}),
            httpx.Response(429, json={"detail": "Slow."}),
            httpx.Response(200, json={"count": 7}),
        ]
    )
    with ExportClient("http://host", transport=httpx.MockTransport(lambda _: next(answers))) as client:
        assert client.count() == 7


def test_a_host_that_knows_no_events_is_asked_again_instead() -> None:
    job = {
        "id": "1",
        "format": "json",
        "target": "claims",
        "status": "processing",
        "progress": {"phase": "writing", "done": 1},
    }
    answers = iter([job, {**job, "status": "completed", "progress": None}])

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(404, json={"detail": "Not Found"})
        return httpx.Response(200, json=next(answers))

    told: list[ExportProgress] = []
    with ExportClient("http://host", transport=httpx.MockTransport(answer)) as client:
        assert client.wait("1", on_progress=told.append).ended
    assert [each.phase for each in told] == ["writing"]


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('attachment; filename="claims.csv"', "claims.csv"),
        ("attachment; filename=\"_.csv\"; filename*=UTF-8''%E6%9D%B1%20%C3%BC.csv", "東 ü.csv"),
        ("attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd", "passwd"),
        ('attachment; filename="..\\\\..\\\\boot.ini"', "boot.ini"),
        ('attachment; filename=".bashrc"', "bashrc"),
        ("attachment; filename*=UTF-8''a%00%0Ab.csv", "ab.csv"),
        ('attachment; filename=".."', "claims-12345678"),
        ("", "claims-12345678"),
    ],
)
def test_a_name_from_a_host_never_leads_out_of_the_folder(disposition: str, name: str) -> None:
    assert file_name(disposition, Job("12345678-9", "csv", "claims")) == name


def test_everything_else_is_typed(client: ExportClient) -> None:
    assert {each.format for each in client.formats()} >= {"json", "csv"}
    (claims,) = (each for each in client.targets() if each.target == "claims")
    assert client.preview("claims", records=3).estimated_record_count == claims.estimated_record_count
    assert len(client.preview("claims", records=3).preview_records) == 3
    statistics = client.statistics()
    assert statistics.total_jobs == sum(statistics.by_status.values())
    assert client.count("completed") == statistics.jobs_completed
    assert len({job.id for job in client.jobs()}) == client.statistics().total_jobs


def test_templates_are_kept_replaced_as_they_were_read_and_used(client: ExportClient) -> None:
    made = client.create_template("By the client: 東京", "claims", "csv", filters={"status": "disputed"})
    assert client.template("by the client: 東京") == made
    job = client.wait(client.create(template=made.name, options={"max_records": 2}).id)
    assert (job.format, job.filters, job.options.max_records) == ("csv", {"status": "disputed"}, 2)
    assert job.metadata["template"] == {"id": made.id, "name": made.name, "version": 1}
    newer = client.replace_template(made, made.name, "claims", "json", description="As JSON.")
    assert (newer.version, newer.filters, client.template(made.id)) == (2, {}, newer)
    with pytest.raises(Refused) as refused:
        client.replace_template(made, made.name, "claims", "csv")
    assert refused.value.status == 412
    assert [each.version for each in client.template_versions(made.id)] == [2, 1]
    assert client.template(made.id, 1) == made
    assert made.id in {each.id for each in client.templates()}
    client.delete_template(newer)
    assert made.id not in {each.id for each in client.templates()}


def test_a_template_whose_answer_was_lost_is_not_asked_for_again(
    host: RunningHost, line: CuttingProxy
) -> None:
    """It may be there, and its name would be taken."""
    line.allowances = [10]
    with ExportClient(line.url) as client, pytest.raises(Unreachable):
        client.create_template("Lost on the way", "claims", "csv")
    assert line.connections == 1
    assert host.client.delete("/api/export/templates/Lost on the way").status_code == 204


def test_the_client_of_an_event_loop_does_the_same(
    host: RunningHost, line: CuttingProxy, tmp_path: Path
) -> None:
    async def all_of_it() -> None:
        told: list[ExportProgress] = []
        async with AsyncExportClient(line.url, patience_seconds=30) as client:
            job = await client.create(**LARGE)
            job = await client.wait(job.id, on_progress=told.append)
        line.allowances = [4000, 30_000]
        async with AsyncExportClient(line.url, patience_seconds=30) as client:
            path = await client.download(job, tmp_path)
            assert digest(path) == job.sha256
            ids = [each.id async for each in client.jobs(status="completed")]
            assert job.id in ids
            template = await client.create_template("Of a loop", "claims", "csv")
            assert [each.version for each in await client.template_versions("of a loop")] == [1]
            assert template.id in {each.id async for each in client.templates()}
            newer = await client.replace_template(template.id, "Of a loop", "claims", "json")
            assert (newer.version, (await client.template(template.id)).format) == (2, "json")
            await client.delete_template(newer)
            exports = (client.export("claims", format, to=tmp_path) for format in ("json", "csv", "xlsx"))
            assert {each.suffix for each in await asyncio.gather(*exports)} == {".json", ".csv", ".xlsx"}
            with pytest.raises(Refused):
                await client.get("none")
            with pytest.raises(TimeoutError):
                await client.wait((await client.create("documents", "pdf")).id, timeout_seconds=0.001)

    asyncio.run(all_of_it())


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, Any]:
        return {name: each.__annotations__ for name, each in vars(kind).items() if not name.startswith("_")}

    sync, aio = methods(ExportClient), methods(AsyncExportClient)
    assert sync.keys() == aio.keys()
    iterators = {name: each["return"] for name, each in sync.items() if each["return"].startswith("Iterator")}
    assert {name: aio[name]["return"] for name in iterators} == {
        name: f"Async{kind}" for name, kind in iterators.items()
    }
    assert {name: each for name, each in sync.items() if name not in iterators} == {
        name: each for name, each in aio.items() if name not in iterators
    }
    assert json.dumps(sorted(sync))
