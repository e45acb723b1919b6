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
from arkham_shard_export.api.templates import WORD
from arkham_shard_export.errors import ScheduleNotFound
from arkham_shard_export.models import ExportFilter
from arkham_shard_export.targets import TARGETS
from tests.hosts import RunningHost
from tests.tenants import KINDS, MARKS, A, B, expected_ids, of, shared_host
from tests.unit.test_word_layouts import letterhead

PREFIX = "/api/export"
USERS = {"ann": "analyst", "eve": "analyst", "root": "admin"}
ROUNDS = 3
LAYS_OUT = "ann"
"""Whose templates have layouts."""


@pytest.fixture(scope="module", params=KINDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[RunningHost]:
    with pytest.MonkeyPatch.context() as patch:
        # Each of them asks more than anybody does in a minute.
        patch.setenv("ARKHAM_EXPORT_MAX_REQUESTS_PER_USER", "0")
        patch.setenv("ARKHAM_EXPORT_MAX_REQUESTS_PER_TENANT", "0")
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

    def name(self, shared: bool) -> str:
        """Of a template of theirs, different from everybody else's."""
        return f"{'Shared' if shared else 'Private'} of {self.user} in {self.tenant[:4]}"

    def may_see(self, owner: Person) -> bool:
        return self.tenant == owner.tenant and (self.user == owner.user or USERS[self.user] == "admin")


PEOPLE = [Person(tenant, user) for user in USERS for tenant in (A, B)]


@dataclass
class Scene:
    host: RunningHost
    jobs: dict[str, Person]
    records: dict[str, dict[str, int]]
    templates: dict[str, tuple[Person, bool]]
    """By id: whose it is, and whether it is shared."""
    schedules: dict[str, Person]

    def ask(self, person: Person, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer, in which there is nothing of the other tenant, nor of who is not to be seen."""
        # A stream of events ends with its job.
        headers = {**person.headers, **options.pop("headers", {})}
        answer = self.host.client.request(method, f"{PREFIX}{path}", headers=headers, **options)
        assert MARKS[person.elsewhere] not in answer.text, (person, method, path)
        for each_id, owner in {**self.jobs, **self.schedules}.items():
            if not person.may_see(owner):
                assert each_id not in answer.text.replace(path, ""), (person, method, path)
        # What was asked for may be shown again, whether it is there or not.
        text = answer.text.replace(path, "").replace(str(options.get("json", {}).get("template", path)), "")
        for template_id, (owner, shared) in self.templates.items():
            if not self.may_use(person, owner, shared):
                assert template_id not in text, (person, method, path)
                assert owner.name(shared) not in text, (person, method, path)
        return answer

    @staticmethod
    def may_use(person: Person, owner: Person, shared: bool) -> bool:
        return person.may_see(owner) or (shared and person.tenant == owner.tenant)

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


def template_body(name: str = "Mine") -> dict[str, Any]:
    return {"name": name, "target": "claims", "format": "json"}


def check_templates(scene: Scene, person: Person) -> None:
    body = scene.ask(person, "GET", "/templates", params={"limit": 200}).json()
    seen = {each for each, whose in scene.templates.items() if scene.may_use(person, *whose)}
    listed = {each["id"] for each in body["templates"] if not each["built_in"]}
    assert listed == seen, person
    pages = [
        scene.ask(person, "GET", "/templates", params={"limit": 1, "offset": at}).json() for at in range(3)
    ]
    assert all(len(page["templates"]) == 1 for page in pages)


def check_new_template(scene: Scene, person: Person) -> None:
    """Nobody can make one in the name of another, or take a name that another user's private one has from them."""
    for more in ({"created_by": "root"}, {"tenant_id": person.elsewhere}, {"id": str(uuid4())}):
        assert scene.ask(person, "POST", "/templates", json={**template_body(), **more}).status_code == 422


def check_template(method: str, suffix: str = "") -> Callable[[Scene, Person], None]:
    """`method` on each template by id and by name: what may not be seen is as if it were not there."""

    def check(scene: Scene, person: Person) -> None:
        unknown = str(uuid4())
        # A precondition that never holds, so that nothing is changed.
        sent: dict[str, Any] = {"headers": {}}
        if method in ("PUT", "DELETE"):
            sent["headers"] = {"If-Match": '"never"'}
        if method == "PUT" and suffix:
            sent = {"content": b"PK", "headers": {**sent["headers"], "Content-Type": WORD}}
        elif method == "PUT":
            sent["json"] = template_body()
        nothing = told(scene.ask(person, method, f"/templates/{unknown}{suffix}", **sent), unknown)
        assert nothing[0] == 404
        for number, (template_id, (owner, shared)) in enumerate(scene.templates.items()):
            by_name = method == "GET" and number // 2 % 2
            reference = owner.name(shared) if by_name else template_id
            answer = scene.ask(person, method, f"/templates/{reference}{suffix}", **sent)
            shown = (person, owner, shared, method, suffix, answer.text)
            if not scene.may_use(person, owner, shared):
                assert told(answer, reference) == nothing, shown
            elif method == "GET":
                # A layout has only who is called so.
                there = suffix != "/layout" or owner.user == LAYS_OUT
                assert answer.status_code == (200 if there else 404), shown
            else:
                assert answer.status_code == (412 if person.may_see(owner) else 403), shown

    return check


def check_schedules(scene: Scene, person: Person) -> None:
    seen = {each for each, owner in scene.schedules.items() if person.may_see(owner)}
    for params in ({}, {"state": "active"}, {"limit": 1}):
        body = scene.ask(person, "GET", "/schedules", params=params).json()
        assert {each["id"] for each in body["schedules"]} <= seen
        # Others pause them at this moment.
        assert body["total"] == len(seen) or "state" in params


def check_new_schedule(scene: Scene, person: Person) -> None:
    """Nobody can have a schedule run in the name of another, or for another tenant."""
    body = {"name": "mine", "every": "1d", "request": {"format": "json", "target": "claims"}}
    for more in (
        {"created_by": "root"},
        {"tenant_id": person.elsewhere},
        {"request": {**body["request"], "created_by": "root"}},
        {"request": {**body["request"], "tenant_id": person.elsewhere}},
        {"request": {**body["request"], "filters": {"tenant_id": person.elsewhere}}},
    ):
        assert scene.ask(person, "POST", "/schedules", json={**body, **more}).status_code == 422


def check_schedule_preview(scene: Scene, person: Person) -> None:
    assert scene.ask(person, "POST", "/schedules/preview", json={"every": "1d"}).status_code == 200


def check_schedule(method: str, suffix: str, status: int, **options: Any) -> Callable[[Scene, Person], None]:
    def check(scene: Scene, person: Person) -> None:
        unknown = str(uuid4())
        nothing = told(scene.ask(person, method, f"/schedules/{unknown}{suffix}", **options), unknown)
        assert nothing[0] == 404
        for schedule_id, owner in scene.schedules.items():
            # All that are seen by nobody but others: what one may do to one's own is seen elsewhere.
            if person.may_see(owner) and (method == "DELETE" or suffix == "/run"):
                continue
            answer = scene.ask(person, method, f"/schedules/{schedule_id}{suffix}", **options)
            if not person.may_see(owner):
                assert told(answer, schedule_id) == nothing, (person, owner, method, suffix)
                continue
            assert answer.status_code == status, (person, owner, method, suffix, answer.text)
            if suffix == "":
                assert answer.json()["created_by"] == owner.user, "its runs stay in the name of its owner"

    return check


def check_template_preview(scene: Scene, person: Person) -> None:
    draft = {**template_body(), "max_preview_records": 100}
    answer = scene.ask(person, "POST", "/templates/preview", json=draft)
    assert MARKS[person.tenant] in answer.text
    for template_id, (owner, shared) in scene.templates.items():
        may = scene.may_use(person, owner, shared)
        if may and owner != person:
            continue
        answer = scene.ask(person, "POST", "/templates/preview", json={"template": owner.name(shared)})
        assert answer.status_code == (200 if may else 422), (person, owner, shared)
        if may:
            assert answer.json()["estimated_record_count"] == scene.records[person.tenant]["claims"]
        else:
            asked = {"template": {"template": template_id, "version": 1}}
            refused = scene.host.client.post(f"{PREFIX}/jobs", json=asked, headers=person.headers)
            assert refused.status_code == 422
            assert owner.name(shared) not in refused.text


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
    ("GET", "/schedules"): check_schedules,
    ("POST", "/schedules"): check_new_schedule,
    ("POST", "/schedules/preview"): check_schedule_preview,
    ("GET", "/schedules/{schedule_id}"): check_schedule("GET", "", 200),
    ("PATCH", "/schedules/{schedule_id}"): check_schedule("PATCH", "", 200, json={"description": "changed"}),
    ("DELETE", "/schedules/{schedule_id}"): check_schedule("DELETE", "", 204),
    ("POST", "/schedules/{schedule_id}/pause"): check_schedule("POST", "/pause", 200),
    ("POST", "/schedules/{schedule_id}/resume"): check_schedule("POST", "/resume", 200),
    ("POST", "/schedules/{schedule_id}/run"): check_schedule("POST", "/run", 201),
    ("GET", "/schedules/{schedule_id}/runs"): check_schedule("GET", "/runs", 200),
    ("GET", "/formats"): check_formats,
    ("GET", "/targets"): check_targets,
    ("POST", "/preview"): check_preview,
    ("GET", "/templates"): check_templates,
    ("POST", "/templates"): check_new_template,
    ("POST", "/templates/preview"): check_template_preview,
    ("GET", "/templates/{template_id}"): check_template("GET"),
    ("PUT", "/templates/{template_id}"): check_template("PUT"),
    ("DELETE", "/templates/{template_id}"): check_template("DELETE"),
    ("GET", "/templates/{template_id}/layout"): check_template("GET", "/layout"),
    ("PUT", "/templates/{template_id}/layout"): check_template("PUT", "/layout"),
    ("GET", "/templates/{template_id}/versions"): check_template("GET", "/versions"),
    ("GET", "/templates/{template_id}/versions/{version}"): check_template("GET", "/versions/1"),
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
    templates = {}
    for person in PEOPLE:
        for is_shared in (True, False):
            body = {**template_body(person.name(is_shared)), "shared": is_shared}
            answer = shared.client.post(f"{PREFIX}/templates", json=body, headers=person.headers)
            assert answer.status_code == 201
            assert answer.json()["created_by"] == person.user
            templates[answer.json()["id"]] = (person, is_shared)
            if person.user == LAYS_OUT:
                path = f"{PREFIX}/templates/{answer.json()['id']}"
                headers = {**person.headers, "Content-Type": WORD}
                assert (
                    shared.client.put(
                        path, json={**body, "format": "docx"}, headers=person.headers
                    ).status_code
                    == 200
                )
                laid_out = shared.client.put(
                    f"{path}/layout", content=letterhead("{{ records }}"), headers=headers
                )
                assert laid_out.status_code == 200
    plan = {"name": "mine", "cron": "0 0 29 2 *", "request": {"format": "json", "target": "claims"}}
    schedules = {}
    for person in PEOPLE:
        made = shared.client.post(f"{PREFIX}/schedules", json=plan, headers=person.headers)
        assert made.json()["created_by"] == person.user
        schedules[made.json()["id"]] = person
    return Scene(shared, jobs, records, templates, schedules)


def test_nobody_gets_what_is_not_theirs_over_every_route_at_once(scene: Scene) -> None:
    asked = [(CASES[route], person) for route in routes() for person in PEOPLE for _ in range(ROUNDS)]
    random.Random(6).shuffle(asked)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(check, scene, person) for check, person in asked]:
            done.result()
    before = set(scene.jobs)
    rows = scene.host.query("SELECT id, status FROM arkham_export_jobs")
    assert {row for row in rows if row[0] in before} == {(each, "completed") for each in before}
    kept = scene.host.query("SELECT id, version FROM arkham_export_templates")
    assert {*kept} >= {
        (each, 3 if owner.user == LAYS_OUT else 1) for each, (owner, _) in scene.templates.items()
    }


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
        CASES["GET", "/schedules/{schedule_id}"](scene, person)
        check_schedules(scene, person)


def test_a_schedule_exports_what_its_tenant_has_in_the_name_of_its_owner(scene: Scene) -> None:
    """Also where an admin of the tenant has it run."""
    for schedule_id, owner in scene.schedules.items():
        for user in {owner.user, "root"}:
            person = Person(owner.tenant, user)
            job = scene.ask(person, "POST", f"/schedules/{schedule_id}/run").json()
            assert job["created_by"] == owner.user
            scene.jobs[job["id"]] = owner
            assert scene.host.wait(job["id"], person.headers)["status"] == "completed"
            text = scene.ask(person, "GET", f"/jobs/{job['id']}/download").text
            assert len(json.loads(text)["records"]) == scene.records[owner.tenant]["claims"]
            runs = scene.ask(person, "GET", f"/schedules/{schedule_id}/runs").json()
            assert job["id"] in {each["job_id"] for each in runs["runs"]}


def in_force(host: RunningHost) -> Any:
    if host.name == "arkhamframe":
        from arkham_frame.tenants import _tenant_id

        return _tenant_id
    from arkham_shard_export.standalone.frame import _tenant

    return _tenant


@pytest.mark.parametrize("tenant", [A, B])
def test_calls_of_other_shards_obey_the_tenant_in_force(shared: RunningHost, tenant: str) -> None:
    other = B if tenant == A else A
    plan = {"name": "theirs", "every": "1d", "request": {"format": "json", "target": "claims"}}
    planned = shared.client.post(f"{PREFIX}/schedules", json=plan, headers=of(other, "ann")).json()["id"]
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
            assert await shard.get_schedule(planned) is None
            assert planned not in {each.id for each in await shard.list_schedules(limit=500)}
            for ask in (shard.pause_schedule, shard.run_schedule, shard.delete_schedule):
                with pytest.raises(ScheduleNotFound):
                    await ask(planned)
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
    shared.client.delete(f"{PREFIX}/schedules/{planned}", headers=of(other, "ann"))
