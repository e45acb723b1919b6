"""Two tenants with three users each, one of them an admin, ask for everything at once: nobody gets what is another's."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from arkham_shard_export.api.routes import ROUTES
from arkham_shard_export.models import ExportFilter
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost
from tests.tenants import KINDS, MARKS, A, B, expected_ids, of, shared_host

PREFIX = "/api/export"
USERS = {"ann": "analyst", "eve": "analyst", "root": "admin"}
ROUNDS = 3


@pytest.fixture(scope="module", params=KINDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[RunningHost]:
    with shared_host(request.param, tmp_path_factory.mktemp("separation"), postgres_server) as host:
        yield host


@dataclass(frozen=True)
class Person:
    tenant: str
    user: str

    @property
    def headers(self) -> dict[str, str]:
        return of(self.tenant, self.user, USERS[self.user])

    @property
    def elsewhere(self) -> str:
        return B if self.tenant == A else A

    def may_see(self, owner: Person) -> bool:
        return self.tenant == owner.tenant and (self.user == owner.user or USERS[self.user] == "admin")


PEOPLE = [Person(tenant, user) for user in USERS for tenant in (A, B)]


@dataclass
class Scene:
    host: RunningHost
    jobs: dict[str, Person]
    records: dict[str, dict[str, int]]

    def ask(self, person: Person, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer, in which there is nothing of the other tenant, nor of who is not to be seen."""
        # A stream of events ends with its job.
        answer = self.host.client.request(method, f"{PREFIX}{path}", headers=person.headers, **options)
        assert MARKS[person.elsewhere] not in answer.text, (person, method, path)
        for job_id, owner in self.jobs.items():
            if not person.may_see(owner):
                assert job_id not in answer.text.replace(path, ""), (person, method, path)
        return answer

    def seen_by(self, person: Person) -> set[str]:
        return {job_id for job_id, owner in self.jobs.items() if person.may_see(owner)}


def told(answer: httpx.Response, job_id: str) -> tuple[Any, ...]:
    headers = {name: text for name, text in answer.headers.items() if name not in ("date", "x-request-id")}
    return answer.status_code, headers, answer.text.replace(job_id, "ID")


def check_job(method: str, suffix: str, status: int) -> Callable[[Scene, Person], None]:
    def check(scene: Scene, person: Person) -> None:
        unknown = str(uuid4())
        nothing = told(scene.ask(person, method, f"/jobs/{unknown}{suffix}"), unknown)
        assert nothing[0] == 404
        for job_id, owner in scene.jobs.items():
            answer = scene.ask(person, method, f"/jobs/{job_id}{suffix}")
            if person.may_see(owner):
                assert answer.status_code == status, (person, owner, method, suffix)
                if suffix == "/download" and method == "GET":
                    assert MARKS[person.tenant] in answer.text
            else:
                assert told(answer, job_id) == nothing, (person, owner, method, suffix)

    return check


def check_count(scene: Scene, person: Person) -> None:
    answer = scene.ask(person, "GET", "/count", params={"status": "completed"})
    assert answer.json() == {"count": len(scene.seen_by(person))}


def check_list(scene: Scene, person: Person) -> None:
    seen = scene.seen_by(person)
    for asked in (
        {},
        *({"created_by": user} for user in USERS),
        {"target": "claims"},
        {"status": "completed", "format": "json"},
    ):
        body = scene.ask(person, "GET", "/jobs", params={"limit": 500, **asked}).json()
        wanted = {
            each for each in seen if scene.jobs[each].user == asked.get("created_by", scene.jobs[each].user)
        }
        assert {job["id"] for job in body["jobs"]} == wanted, (person, asked)
        assert body["total"] == len(wanted)


def check_new(scene: Scene, person: Person) -> None:
    """Nobody can have a job made in the name of another; the one that is made is taken back."""
    body = {"format": "json", "target": "claims"}
    for more in (
        {"created_by": "root"},
        {"tenant_id": person.elsewhere},
        {"filters": {"tenant_id": person.elsewhere}},
    ):
        assert scene.ask(person, "POST", "/jobs", json={**body, **more}).status_code == 422
    theirs = {"X-Created-By": "root", "X-Forwarded-User": "root"}
    assert scene.host.client.get(f"{PREFIX}/stats", headers={**person.headers, **theirs}).status_code == 200


def check_new_batch(scene: Scene, person: Person) -> None:
    """Nor a batch, in whichever of its parts."""
    claims: dict[str, Any] = {"format": "json", "target": "claims"}
    for more in (
        {"created_by": "root"},
        {"tenant_id": person.elsewhere},
        {"parts": [claims, {**claims, "tenant_id": person.elsewhere}]},
        {"parts": [claims, {**claims, "filters": {"tenant_id": person.elsewhere}}]},
    ):
        answer = scene.ask(person, "POST", "/jobs/batch", json={"parts": [claims], **more})
        assert answer.status_code == 422


def check_formats(scene: Scene, person: Person) -> None:
    assert scene.ask(person, "GET", "/formats").status_code == 200


def check_targets(scene: Scene, person: Person) -> None:
    body = scene.ask(person, "GET", "/targets").json()
    assert {each["target"]: each["estimated_record_count"] for each in body} == scene.records[person.tenant]


def check_preview(scene: Scene, person: Person) -> None:
    for target in ("claims", "documents", "graph"):
        body = {"format": "json", "target": target, "max_preview_records": 100}
        answer = scene.ask(person, "POST", "/preview", json=body)
        assert MARKS[person.tenant] in answer.text
        assert answer.json()["estimated_record_count"] == scene.records[person.tenant][target]


def check_stats(scene: Scene, person: Person) -> None:
    body = scene.ask(person, "GET", "/stats").json()
    assert body["total_jobs"] == body["jobs_completed"] == len(scene.seen_by(person))
    assert sum(body["by_target"].values()) == len(scene.seen_by(person))


def check_history(scene: Scene, person: Person) -> None:
    body = scene.ask(person, "GET", "/history", params={"days": 2}).json()
    seen = len(scene.seen_by(person))
    assert sum(each["by_status"].get("completed", 0) for each in body["days"]) == seen
    assert sum(each["completed"] for each in body["by_target"].values()) == seen
    assert sum(each["jobs"] for each in body["durations"]) == seen


def check_health(scene: Scene, person: Person) -> None:
    checks = scene.ask(person, "GET", "/health").json()["checks"]
    assert {key for check in checks.values() for key in check} == {"status"}


def check_metrics(scene: Scene, person: Person) -> None:
    assert scene.ask(person, "GET", "/metrics").status_code == 403


CASES: dict[tuple[str, str], Callable[[Scene, Person], None]] = {
    ("GET", "/count"): check_count,
    ("GET", "/jobs"): check_list,
    ("POST", "/jobs"): check_new,
    ("POST", "/jobs/batch"): check_new_batch,
    ("GET", "/jobs/{job_id}"): check_job("GET", "", 200),
    ("DELETE", "/jobs/{job_id}"): check_job("DELETE", "", 204),
    ("GET", "/jobs/{job_id}/download"): check_job("GET", "/download", 200),
    ("HEAD", "/jobs/{job_id}/download"): check_job("HEAD", "/download", 200),
    ("POST", "/jobs/{job_id}/link"): check_job("POST", "/link", 200),
    ("GET", "/jobs/{job_id}/events"): check_job("GET", "/events", 200),
    ("GET", "/formats"): check_formats,
    ("GET", "/targets"): check_targets,
    ("POST", "/preview"): check_preview,
    ("GET", "/stats"): check_stats,
    ("GET", "/history"): check_history,
    ("GET", "/health"): check_health,
    ("GET", "/metrics"): check_metrics,
}


def routes() -> list[tuple[str, str]]:
    return [(each.method, each.path) for each in ROUTES]


def test_every_route_has_a_case() -> None:
    assert set(routes()) <= CASES.keys()


@pytest.fixture(scope="module")
def scene(shared: RunningHost) -> Scene:
    """A job of each person, made and run side by side."""
    posted = [(person, shared.post("claims", "json", headers=person.headers)) for person in PEOPLE]
    jobs = {}
    for person, answer in posted:
        assert answer.status_code == 201
        assert answer.json()["created_by"] == person.user
        assert shared.wait(answer.json()["id"], person.headers)["status"] == "completed"
        jobs[answer.json()["id"]] = person
    records = {
        tenant: {name: len(expected_ids(shared, name, tenant)) for name in TARGETS} for tenant in (A, B)
    }
    return Scene(shared, jobs, records)


def test_nobody_gets_what_is_not_theirs_over_every_route_at_once(scene: Scene) -> None:
    asked = [(CASES[route], person) for route in routes() for person in PEOPLE for _ in range(ROUNDS)]
    random.Random(6).shuffle(asked)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(check, scene, person) for check, person in asked]:
            done.result()
    before = set(scene.jobs)
    rows = scene.host.query("SELECT id, status FROM arkham_export_jobs")
    assert {row for row in rows if row[0] in before} == {(each, "completed") for each in before}


def test_an_export_that_runs_beside_another_tenants_holds_nothing_of_it(scene: Scene) -> None:
    for job_id, owner in scene.jobs.items():
        text = scene.host.client.get(f"{PREFIX}/jobs/{job_id}/download", headers=owner.headers).text
        assert len(json.loads(text)["records"]) == scene.records[owner.tenant]["claims"]
        assert MARKS[owner.elsewhere] not in text


def test_a_batch_holds_nothing_of_another_tenant_and_is_seen_by_nobody_else(shared: RunningHost) -> None:
    parts = [{"target": name, "format": "json"} for name in TARGETS]
    posted = [(person, shared.batch(*parts, headers=person.headers)) for person in PEOPLE]
    made = {answer.json()["id"]: person for person, answer in posted}
    for job_id, owner in made.items():
        job = shared.wait(job_id, owner.headers)
        assert (job["status"], job["created_by"]) == ("completed", owner.user), job
        path = f"{PREFIX}/jobs/{job_id}"
        with zipfile.ZipFile(
            io.BytesIO(shared.client.get(f"{path}/download", headers=owner.headers).content)
        ) as archive:
            texts = [archive.read(name).decode() for name in archive.namelist()]
        assert not any(MARKS[owner.elsewhere] in text for text in texts)
        assert sum(MARKS[owner.tenant] in text for text in texts) >= len(TARGETS)
        counted = [part["record_count"] for part in job["parts"]]
        assert counted == [len(expected_ids(shared, name, owner.tenant)) for name in TARGETS]
        for person in PEOPLE:
            for suffix in ("", "/download", "/events"):
                status = shared.client.get(path + suffix, headers=person.headers).status_code
                assert (status == 404) == (not person.may_see(owner))
    shared.query(
        f"DELETE FROM arkham_export_jobs WHERE id IN ({', '.join('?' * len(made))}) RETURNING id", tuple(made)
    )


def test_a_user_is_of_their_own_tenant_where_the_host_puts_none_in_force(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.host.shard, "get_tenant_id_or_none", lambda: None)
    for person in PEOPLE:
        check_list(scene, person)
        check_preview(scene, person)
        check_metrics(scene, person)


def in_force(host: RunningHost) -> Any:
    if host.name == "arkhamframe":
        from arkham_frame.tenants import _tenant_id

        return _tenant_id
    from arkham_shard_export.standalone.frame import _tenant

    return _tenant


@pytest.mark.parametrize("tenant", [A, B])
def test_calls_of_other_shards_obey_the_tenant_in_force(shared: RunningHost, tenant: str) -> None:
    other = B if tenant == A else A
    theirs = shared.post("claims", "json", headers=of(other, f"user-{uuid4()}")).json()["id"]
    shared.wait(theirs, of(other, "root", "admin"))
    pending = {
        row[0]
        for row in shared.query(
            "SELECT id FROM arkham_export_jobs WHERE CAST(tenant_id AS text) = ?", (tenant,)
        )
    }

    async def ask() -> str:
        shard, variable = shared.shard, in_force(shared)
        token = variable.set(UUID(tenant))
        try:
            assert {job.id for job in await shard.list_jobs(limit=500)} == pending
            assert await shard.list_jobs(ExportFilter(created_by=other)) == []
            assert await shard.get_job_status(theirs) is None
            assert await shard.cancel_job(theirs) is None
            assert await shard.get_download_url(theirs) is None
            assert (await shard.get_statistics()).total_jobs == len(pending)
            assert await shard.get_count("completed") == len(pending)
            assert await shard.get_badge_count() == 0
            counts = {each.target: each.estimated_record_count for each in await shard.get_export_targets()}
            assert counts["claims"] == len(expected_ids(shared, "claims", tenant))
            made: str = (await shard.create_export_job("json", "claims", created_by="shard")).id
            return made
        finally:
            variable.reset(token)

    made = shared.run(ask())
    assert shared.wait(made, of(tenant, "root", "admin"))["status"] == "completed"
    assert shared.client.get(f"{PREFIX}/jobs/{made}", headers=of(other, "root", "admin")).status_code == 404
    shared.query("DELETE FROM arkham_export_jobs WHERE id IN (?, ?) RETURNING id", (made, theirs))
