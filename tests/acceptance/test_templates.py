"""Templates over HTTP and in Python: kept in versions, used in jobs and previews, shared or not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import httpx
import pytest

from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.jobs.templates import library
from arkham_shard_export.jobs.templates.built_in import BUILT_IN
from tests.acceptance.test_bad_input import refused
from tests.acceptance.test_separation import in_force
from tests.hosts import RunningHost
from tests.tenants import KINDS, A, B, of, shared_host

PREFIX = "/api/export"
TEMPLATES = f"{PREFIX}/templates"
BODY: dict[str, Any] = {
    "name": "Disputed",
    "description": "For the conference.",
    "target": "claims",
    "format": "csv",
    "filters": {"status": "disputed"},
    "options": {"max_records": 7, "sort_by": "created_at"},
    "retention_hours": 2,
}


@pytest.fixture(autouse=True)
def _none_left(request: pytest.FixtureRequest) -> None:
    """Other tests have templates of their own."""
    if "host" in request.fixturenames:
        client = request.getfixturevalue("host").client
        while not (each := client.get(TEMPLATES, params={"limit": 1}).json()["templates"][0])["built_in"]:
            client.delete(f"{TEMPLATES}/{each['id']}")


def saved(host: RunningHost, **fields: Any) -> dict[str, Any]:
    answer = host.client.post(TEMPLATES, json={**BODY, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"{TEMPLATES}/{answer.json()['id']}"
    return dict(answer.json())


def replaced(host: RunningHost, template: dict[str, Any], **fields: Any) -> dict[str, Any]:
    answer = host.client.put(f"{TEMPLATES}/{template['id']}", json={**BODY, **fields})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def job_of(host: RunningHost, **body: Any) -> dict[str, Any]:
    answer = host.client.post(f"{PREFIX}/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


# Kept


def test_a_template_is_kept_shown_by_id_and_name_and_deleted(host: RunningHost) -> None:
    template = saved(host)
    assert {name: template[name] for name in BODY} == BODY
    told = {name: template[name] for name in ("shared", "created_by", "updated_by", "version", "built_in")}
    assert told == {
        "shared": True,
        "created_by": "system",
        "updated_by": "system",
        "version": 1,
        "built_in": False,
    }
    assert datetime.fromisoformat(template["created_at"]).utcoffset() == timedelta()
    for reference in (template["id"], "Disputed", "DISPUTED", "disputed"):
        answer = host.client.get(f"{TEMPLATES}/{reference}")
        assert answer.json() == template
        assert answer.headers["etag"] == f'"{template["id"]}.1"'
    (listed,) = (each for each in host.client.get(TEMPLATES).json()["templates"] if not each["built_in"])
    assert listed == {name: value for name, value in template.items() if name not in ("filters", "options")}
    assert host.client.delete(f"{TEMPLATES}/Disputed").status_code == 204
    assert host.client.get(f"{TEMPLATES}/{template['id']}").status_code == 404
    assert host.client.delete(f"{TEMPLATES}/{template['id']}").status_code == 404


def test_names_of_every_script_can_be_asked_for(host: RunningHost) -> None:
    for name in ("東京の主張", "الأسبوع الماضي", "Claims: #4 & more!", "a.b", "100", "versions"):
        template = saved(host, name=name)
        assert host.client.get(f"{TEMPLATES}/{quote(name, safe='')}").json() == template, name
        assert job_of(host, template=name)["metadata"]["template"]["name"] == name


def test_every_version_is_kept_and_can_be_read(host: RunningHost) -> None:
    versions = [saved(host)]
    versions.append(replaced(host, versions[0], name="Renamed", format="json", options={}))
    versions.append(replaced(host, versions[0], name="Renamed again", description="", filters={}))
    assert [each["version"] for each in versions] == [1, 2, 3]
    assert {each["created_at"] for each in versions} == {versions[0]["created_at"]}
    path = f"{TEMPLATES}/{versions[0]['id']}"
    assert host.client.get(path).json() == versions[-1]
    listed = host.client.get(f"{path}/versions").json()["versions"]
    assert [(each["version"], each["name"]) for each in listed] == [
        (3, "Renamed again"),
        (2, "Renamed"),
        (1, "Disputed"),
    ]
    for each in versions:
        answer = host.client.get(f"{TEMPLATES}/Renamed again/versions/{each['version']}")
        assert answer.json() == each
        assert answer.headers["etag"] == f'"{each["id"]}.{each["version"]}"'
    assert "has no version 4" in host.client.get(f"{path}/versions/4").json()["detail"]
    for wrong in ("0", "-1", "x", "1.5", "9" * 30):
        assert host.client.get(f"{path}/versions/{wrong}").status_code == 422
    # Its earlier names are free.
    saved(host)


def test_a_replacement_is_whole(host: RunningHost) -> None:
    template = saved(host)
    answer = host.client.put(f"{TEMPLATES}/Disputed", json={"name": "D", "target": "graph", "format": "json"})
    body = {name: answer.json()[name] for name in BODY}
    assert body == {"name": "D", "description": "", "target": "graph", "format": "json", "filters": {}, "options": {},
                    "retention_hours": None}  # fmt: skip
    assert answer.json()["id"] == template["id"]


def test_who_changes_what_another_has_changed_meanwhile_is_told(host: RunningHost) -> None:
    template = saved(host)
    path, tag = f"{TEMPLATES}/{template['id']}", {"If-Match": f'"{template["id"]}.1"'}
    assert host.client.put(path, json=BODY, headers=tag).status_code == 200
    for method, body in (("PUT", {"json": BODY}), ("DELETE", {})):
        for header in (tag["If-Match"], f'W/"{template["id"]}.2"', '"other.2"', "nonsense"):
            answer = host.client.request(method, path, headers={"If-Match": header}, **body)
            assert answer.status_code == 412
            assert answer.json()["type"].endswith("precondition-failed")
            assert "version 2" in answer.json()["detail"]
    assert host.client.get(path).json()["version"] == 2
    assert (
        host.client.put(path, json=BODY, headers={"If-Match": f'"x", "{template["id"]}.2"'}).status_code
        == 200
    )
    assert host.client.delete(path, headers={"If-Match": "*"}).status_code == 204


def test_of_many_who_replace_a_template_at_once_each_makes_a_version(host: RunningHost) -> None:
    template = saved(host)
    path, tag = f"{TEMPLATES}/{template['id']}", {"If-Match": f'"{template["id"]}.1"'}
    with ThreadPoolExecutor(6) as pool:
        answers = [
            *pool.map(lambda n: host.client.put(path, json={**BODY, "description": f"by {n}"}), range(12))
        ]
        assert sorted(each.json()["version"] for each in answers) == [*range(2, 14)]
        for each in answers:
            assert host.client.get(f"{path}/versions/{each.json()['version']}").json() == each.json()
        other = saved(host, name="Other")
        path, tag = f"{TEMPLATES}/{other['id']}", {"If-Match": f'"{other["id"]}.1"'}
        answers = [
            *pool.map(lambda _: host.client.put(path, json={**BODY, "name": "Other"}, headers=tag), range(6))
        ]
    assert sorted(each.status_code for each in answers) == [200, 412, 412, 412, 412, 412]


def test_templates_come_in_pages_by_name_those_of_the_program_last(host: RunningHost) -> None:
    names = ["b", "A", "c", "z 10", "z 9"]
    for name in names:
        saved(host, name=name)
    whole = host.client.get(TEMPLATES).json()
    assert [each["name"] for each in whole["templates"][: len(names)]] == ["A", "b", "c", "z 10", "z 9"]
    assert [each["id"] for each in whole["templates"][len(names) :]] == [each.id for each in BUILT_IN]
    assert whole["total"] == len(names) + len(BUILT_IN)
    pages, path = [], f"{TEMPLATES}?limit=4"
    while path:
        answer = host.client.get(path)
        pages += answer.json()["templates"]
        following = re.search(r'<([^>]+)>; rel="next"', answer.headers["link"])
        path = following[1] if following else ""
    assert pages == whole["templates"]
    for wrong in ("limit=0", "limit=201", "offset=-1", "limit=1&limit=2"):
        assert host.client.get(f"{TEMPLATES}?{wrong}").status_code == 422


def test_so_many_templates_and_versions_are_kept_and_no_more(
    host: RunningHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library, "MAX_TEMPLATES", 2)
    monkeypatch.setattr(library, "MAX_TEMPLATE_VERSIONS", 3)
    template = saved(host)
    saved(host, name="Second")
    assert "keep 2 templates" in refused(host.client.post(TEMPLATES, json={**BODY, "name": "Third"}))
    for _ in range(2):
        replaced(host, template)
    path = f"{TEMPLATES}/{template['id']}"
    assert "has 3 versions" in refused(host.client.put(path, json=BODY))
    assert host.client.get(path).json()["version"] == 3
    assert job_of(host, template="Disputed")["metadata"]["template"]["version"] == 3


# Checked


def test_a_name_that_is_there_is_refused_whatever_its_case(host: RunningHost) -> None:
    template = saved(host)
    second = saved(host, name="Second")
    for name in (
        "Disputed",
        "disputed",
        "ＤＩＳＰＵＴＥＤ",
        "Graph for Gephi",
        "graph for gephi",
        "graph-for-gephi",
    ):
        for answer in (
            host.client.post(TEMPLATES, json={**BODY, "name": name}),
            host.client.put(f"{TEMPLATES}/{second['id']}", json={**BODY, "name": name}),
        ):
            assert "already" in refused(answer)
            assert [each["field"] for each in answer.json()["errors"]] == ["name"]
    assert host.client.get(f"{TEMPLATES}/{second['id']}").json() == second
    assert replaced(host, template, name="DISPUTED")["name"] == "DISPUTED"


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"options": {"max_records": 0}}, ["options.max_records"]),
    ({"options": {"colour": "red"}}, ["options.colour"]),
    ({"options": {"group_by": "day"}}, ["options.group_by"]),
    ({"options": {"date_range": "last week"}}, ["options.date_range"]),
    ({"options": {"date_range": "today", "date_range_end": "2026-01-01"}}, ["options.date_range"]),
    ({"options": {f"o{n}": 1 for n in range(101)}}, ["options"]),
    ({"options": []}, ["options"]),
    ({"filters": {"status": "maybe"}}, ["filters.status"]),
    ({"filters": {"colour": "red"}}, ["filters.colour"]),
    ({"filters": {"document_id": "\0"}}, ["filters.document_id"]),
    ({"filters": {"document_id": ["x"] * 1001}}, ["filters.document_id"]),
    ({"target": "rumours"}, ["target"]),
    ({"format": "papyrus"}, ["format"]),
    ({"target": None}, ["target"]),
    ({"retention_hours": -1}, ["retention_hours"]),
    ({"retention_hours": 10**9}, ["retention_hours"]),
    ({"retention_hours": "x"}, ["retention_hours"]),
    ({"shared": "yes"}, ["shared"]),
    ({"shared": None}, ["shared"]),
    ({"description": "\0"}, ["description"]),
    ({"description": "x" * 1001}, ["description"]),
    ({"description": None}, ["description"]),
    ({"created_by": "root"}, ["created_by"]),
    ({"tenant_id": A}, ["tenant_id"]),
    ({"version": 7}, ["version"]),
    ({"built_in": True}, ["built_in"]),
    ({"name": "a/b", "description": "\0", "retention_hours": -1, "options": {"flatten": 1}},
     ["name", "description", "retention_hours", "options.flatten"]),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "fields"), WRONG, ids=[str(each[0])[:40] for each in WRONG])
def test_what_is_wrong_with_a_template_is_said_when_it_is_saved(
    host: RunningHost, wrong: dict[str, Any], fields: list[str]
) -> None:
    template = saved(host)
    for method, path in (
        ("POST", TEMPLATES),
        ("PUT", f"{TEMPLATES}/Disputed"),
        ("POST", f"{TEMPLATES}/preview"),
    ):
        body = {**BODY, "name": "New", **wrong}
        answer = host.client.request(method, path, json=body)
        refused(answer)
        assert [each["field"] for each in answer.json()["errors"]] == fields
    assert host.client.get(f"{TEMPLATES}/Disputed").json() == template
    assert host.client.get(f"{TEMPLATES}/New").status_code == 404


@pytest.mark.parametrize("missing", ["name", "target", "format"])
def test_a_template_without_what_it_needs_is_refused(host: RunningHost, missing: str) -> None:
    body = {name: value for name, value in BODY.items() if name != missing}
    answer = host.client.post(TEMPLATES, json=body)
    assert f"{missing} is missing." in refused(answer)


HOSTILE = ["../../etc/passwd", "a\\b", "a\0b", "\u202egnp.exe", "{0.__class__}", "%n%s", "${jndi:ldap://e}", "<b>&x;</b>", "\x1b[2J",
           "0be6f659-3c3c-4b2a-9f0e-6a4f8f0d3a11", "\ud800", "x" * 101, "..", "", " ", "preview", "'; DROP TABLE x; --\"", "\r\nX: y"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_refused_with_a_reason_and_found_nowhere(host: RunningHost, name: str) -> None:
    content = json.dumps({**BODY, "name": name})
    answer = host.client.post(TEMPLATES, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("name ")
    content = json.dumps({"template": name})
    answer = host.client.post(f"{PREFIX}/jobs", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["errors"]] == ["template"]


def test_bodies_that_are_giant_deep_or_no_json_are_refused_on_every_way_in(host: RunningHost) -> None:
    saved(host)
    headers = {"Content-Type": "application/json"}
    for method, path in (
        ("POST", TEMPLATES),
        ("PUT", f"{TEMPLATES}/Disputed"),
        ("POST", f"{TEMPLATES}/preview"),
    ):
        giant = json.dumps({**BODY, "description": "x" * (1 << 20)})
        assert host.client.request(method, path, content=giant, headers=headers).status_code == 413
        for deep in ('{"filters":' * 50, '{"options": ' + "[" * 5000 + "]" * 5000 + "}", "[" * 100_000):
            detail = refused(host.client.request(method, path, content=deep, headers=headers))
            assert "deep" in detail
        refused(
            host.client.request(
                method, path, content='{"name": "\udfff"}'.encode("utf-8", "surrogatepass"), headers=headers
            )
        )
        assert host.client.request(method, path, content="{}").status_code == 415


def test_what_people_write_into_a_template_is_never_formatted_followed_or_run(host: RunningHost) -> None:
    text = (
        "{0.__class__} %s %(name)s ${jndi:ldap://e} {{7*7}} <script>alert(1)</script> &xxe; ../../etc/passwd"
    )
    template = saved(host, description=text, filters={"document_id": text})
    assert template["description"] == text
    job = host.wait(job_of(host, template="Disputed", format="json")["id"])
    assert job["status"] == "completed"
    assert job["filters"] == {"document_id": text}
    assert host.client.get(job["download_url"]).json()["filters"] == {"document_id": text}


# Used


def test_a_job_of_a_template_is_what_the_template_says(host: RunningHost) -> None:
    template = saved(host)
    for reference in (
        template["id"],
        "Disputed",
        "disputed",
        {"template": "Disputed"},
        {"template": template["id"], "version": 1},
    ):
        job = job_of(host, template=reference)
        assert (job["target"], job["format"], job["filters"]) == ("claims", "csv", BODY["filters"])
        assert (job["options"]["max_records"], job["options"]["sort_by"]) == (7, "created_at")
        assert job["metadata"] == {
            "template": {"id": template["id"], "name": "Disputed", "version": 1},
            "retention_hours": 2.0,
        }
    whole = host.wait(job["id"])
    direct, _ = host.export("claims", "csv", filters=BODY["filters"], options=BODY["options"])
    assert whole["metadata"]["sha256"] == direct["metadata"]["sha256"]
    assert whole["record_count"] == 7


def test_what_a_request_gives_itself_overrides_its_template(host: RunningHost) -> None:
    saved(host)
    job = job_of(host, template="Disputed", format="json", filters={"claim_type": "factual"},
                 options={"max_records": None, "sort_order": "desc"}, retention_hours=5)  # fmt: skip
    assert (job["format"], job["metadata"]["retention_hours"]) == ("json", 5.0)
    assert job["filters"] == {"status": "disputed", "claim_type": "factual"}
    options = {name: job["options"][name] for name in ("max_records", "sort_by", "sort_order")}
    assert options == {"max_records": None, "sort_by": "created_at", "sort_order": "desc"}
    answer = host.client.post(f"{PREFIX}/jobs", json={"template": "Disputed", "target": "entities"})
    assert "filter 'status'" in refused(answer)
    answer = host.client.post(f"{PREFIX}/jobs", json={"template": "Disputed", "filters": {"status": "maybe"}})
    assert "filters.status" in refused(answer)


def test_a_job_runs_as_defined_whatever_becomes_of_its_template(host: RunningHost) -> None:
    template = saved(host)
    first = job_of(host, template="Disputed")
    replaced(host, template, format="json", options={})
    second = job_of(host, template="Disputed")
    third = job_of(host, template={"template": "Disputed", "version": 1})
    assert host.client.delete(f"{TEMPLATES}/Disputed").status_code == 204
    for job, format, version in ((first, "csv", 1), (second, "json", 2), (third, "csv", 1)):
        ended = host.wait(job["id"])
        assert (ended["status"], ended["format"]) == ("completed", format)
        assert ended["metadata"]["template"] == {"id": template["id"], "name": "Disputed", "version": version}
    for reference in ("Disputed", template["id"], {"template": template["id"], "version": 1}):
        for path in ("/jobs", "/preview", "/templates/preview"):
            answer = host.client.post(PREFIX + path, json={"template": reference})
            assert "it was deleted or renamed" in refused(answer)
            assert "Graph for Gephi" in answer.json()["errors"][0]["valid"]


@pytest.mark.parametrize("version", [0, -1, 2, True, "1", 1.5, 10**30])
def test_a_version_that_there_is_not_is_refused(host: RunningHost, version: object) -> None:
    saved(host)
    answer = host.client.post(
        f"{PREFIX}/jobs", json={"template": {"template": "Disputed", "version": version}}
    )
    refused(answer)
    assert [each["field"] for each in answer.json()["errors"]] == ["template.version"]


def test_a_request_with_a_key_is_one_job_though_its_template_changes(host: RunningHost) -> None:
    template = saved(host)
    headers = {"Idempotency-Key": f"key-{template['id']}"}
    first = host.client.post(f"{PREFIX}/jobs", json={"template": "Disputed"}, headers=headers)
    replaced(host, template, format="json")
    again = host.client.post(f"{PREFIX}/jobs", json={"template": "Disputed"}, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["format"] == "csv"


def test_a_preview_of_a_template_is_that_of_what_it_asks_for(host: RunningHost) -> None:
    saved(host)
    plain = {name: BODY[name] for name in ("target", "format", "filters", "options")}
    expected = host.client.post(f"{PREFIX}/preview", json={**plain, "max_preview_records": 3}).json()
    assert len(expected["preview_records"]) == 3
    for path, body in (
        ("/preview", {"template": "Disputed"}),
        ("/templates/preview", {"template": "Disputed"}),
        ("/templates/preview", {**BODY, "name": "Not saved"}),
        ("/templates/preview", plain),
        ("/templates/preview", {**BODY, "shared": False, "retention_hours": None}),
    ):
        answer = host.client.post(PREFIX + path, json={**body, "max_preview_records": 3})
        assert answer.status_code == 200, answer.text
        assert {**answer.json(), "estimated_seconds": None} == {**expected, "estimated_seconds": None}


@pytest.mark.parametrize("path", ["/jobs", "/preview", "/templates/preview"])
def test_without_a_template_format_and_target_are_needed(host: RunningHost, path: str) -> None:
    for body in ({}, {"template": None}, {"filters": {}}):
        answer = host.client.post(PREFIX + path, json=body)
        assert refused(answer) == "format is missing. target is missing."


def test_relative_dates_are_those_of_the_day_the_job_is_made(host: RunningHost) -> None:
    saved(host, options={"date_range": "last_30_days"})
    assert host.client.get(f"{TEMPLATES}/Disputed").json()["options"] == {"date_range": "last_30_days"}
    before = datetime.now(UTC).date()
    job = job_of(host, template="Disputed")
    days = {before, datetime.now(UTC).date()}
    options = job["options"]
    assert options["date_range"] is None
    assert options["date_range_start"] in {str(day - timedelta(days=30)) for day in days}
    assert options["date_range_end"] in {str(day - timedelta(days=1)) for day in days}
    noted = {
        "asked": "last_30_days",
        "zone": "UTC",
        "start": options["date_range_start"],
        "end": options["date_range_end"],
    }
    assert job["metadata"]["date_range"] == noted
    assert host.wait(job["id"])["metadata"]["date_range"] == noted
    dated = job_of(host, template="Disputed", options={"date_range_start": "2020-02-29"})
    assert (dated["options"]["date_range_start"], dated["options"]["date_range_end"]) == ("2020-02-29", None)
    assert "date_range" not in dated["metadata"]


def test_relative_dates_choose_the_records_that_their_dates_would(host: RunningHost) -> None:
    relative, _ = host.export(
        "claims", "json", options={"date_range": "this_year", "include_metadata": False}
    )
    dates = {name: relative["options"][name] for name in ("date_range_start", "date_range_end")}
    absolute, _ = host.export("claims", "json", options={**dates, "include_metadata": False})
    assert relative["metadata"]["sha256"] == absolute["metadata"]["sha256"]
    for target in ("documents", "timeline"):
        answer = host.client.post(
            f"{PREFIX}/preview",
            json={"target": target, "format": "json", "options": {"date_range": "last_9999_days"}},
        )
        assert answer.status_code == 200, answer.text


# Those that come with the program


def test_what_comes_with_the_program_can_be_used_and_not_changed(host: RunningHost) -> None:
    listed = [each for each in host.client.get(TEMPLATES).json()["templates"] if each["built_in"]]
    assert [each["id"] for each in listed] == [each.id for each in BUILT_IN]
    for each in listed:
        path = f"{TEMPLATES}/{each['id']}"
        whole = host.client.get(path)
        assert whole.json() == host.client.get(f"{TEMPLATES}/{each['name']}").json()
        assert whole.headers["etag"] == f'"{each["id"]}.{each["version"]}"'
        assert [one["version"] for one in host.client.get(f"{path}/versions").json()["versions"]] == [
            each["version"]
        ]
        assert host.client.get(f"{path}/versions/{each['version']}").json() == whole.json()
        assert host.client.get(f"{path}/versions/99").status_code == 404
        for method, body in (("PUT", {"json": BODY}), ("DELETE", {})):
            answer = host.client.request(method, path, **body)
            assert answer.status_code == 403
            assert "comes with the program" in answer.json()["detail"]
        preview = host.client.post(
            f"{PREFIX}/preview", json={"template": each["name"], "max_preview_records": 2}
        )
        assert preview.status_code == 200, preview.text
    job = host.wait(job_of(host, template="Graph for Gephi")["id"])
    assert (job["status"], job["format"], job["metadata"]["template"]["id"]) == (
        "completed",
        "csv",
        "graph-for-gephi",
    )


# In Python


def test_other_shards_keep_and_use_templates(host: RunningHost) -> None:
    shard = host.shard

    async def work() -> str:
        first = await shard.save_template(
            "By a shard", "csv", "claims", {"status": "disputed"}, created_by="packets"
        )
        second = await shard.save_template(
            "by a shard", "json", "claims", options={"max_records": 2}, description="Two."
        )
        assert (second.id, second.version, second.created_by, second.updated_by) == (
            first.id,
            2,
            "packets",
            "system",
        )
        assert (
            await shard.get_template("By a shard") is None
            or (await shard.get_template("BY A SHARD")) == second
        )
        assert [each.id for each in await shard.list_templates() if not each.built_in] == [first.id]
        job = await shard.create_export_job(template="by a shard", created_by="packets")
        assert (job.format, job.options.max_records, job.metadata["template"]["version"]) == ("json", 2, 2)
        other = await shard.create_export_job("csv", template={"template": first.id, "version": 1})
        assert (other.format, other.filters) == ("csv", {"status": "disputed"})
        with pytest.raises(InvalidRequest, match=r"options\.max_records"):
            await shard.save_template("By a shard", "csv", "claims", options={"max_records": -1})
        with pytest.raises(InvalidRequest, match="already"):
            await shard.save_template("Graph for Gephi", "csv", "graph")
        assert await shard.delete_template("by a shard")
        assert not await shard.delete_template("by a shard")
        assert await shard.get_template(first.id) is None
        with pytest.raises(InvalidRequest, match="no template 'by a shard'"):
            await shard.create_export_job(template="by a shard")
        return str(job.id)

    assert host.wait(host.run(work()))["record_count"] == 2


# Shared or not


@pytest.fixture(scope="module", params=KINDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[RunningHost]:
    with shared_host(request.param, tmp_path_factory.mktemp("templates"), postgres_server) as host:
        yield host


def test_what_is_not_shared_is_its_owners_and_an_admins_and_so_are_versions_from_before(
    shared: RunningHost,
) -> None:
    ann, eve, root, ben = of(A, "ann"), of(A, "eve"), of(A, "root", "admin"), of(B, "ann")
    client = shared.client

    def put(headers: dict[str, str], **fields: Any) -> httpx.Response:
        return client.put(f"{TEMPLATES}/{template}", json={**BODY, **fields}, headers=headers)

    def statuses(path: str = "") -> list[int]:
        return [
            client.get(f"{TEMPLATES}/{template}{path}", headers=each).status_code
            for each in (ann, root, eve, ben)
        ]

    made = client.post(
        TEMPLATES, json={**BODY, "shared": False, "filters": {"document_id": "secret"}}, headers=ann
    )
    template = made.json()["id"]
    assert made.json()["created_by"] == "ann"
    assert statuses() == [200, 200, 404, 404]
    assert put(eve).status_code == put(ben).status_code == 404
    assert client.post(f"{PREFIX}/jobs", json={"template": template}, headers=eve).status_code == 422
    assert client.post(f"{PREFIX}/jobs", json={"template": "Disputed"}, headers=root).status_code == 201
    # Others may have that name, and cannot learn that it is taken.
    assert client.post(TEMPLATES, json={**BODY, "shared": False}, headers=eve).status_code == 201
    shown = put(root, shared=True)
    assert (shown.status_code, shown.json()["created_by"], shown.json()["updated_by"]) == (200, "ann", "root")
    assert statuses() == [200, 200, 200, 404]
    assert statuses("/versions/2") == [200, 200, 200, 404]
    assert statuses("/versions/1") == [200, 200, 404, 404]
    assert "secret" not in client.get(f"{TEMPLATES}/{template}/versions", headers=eve).text
    numbers = [
        [
            each["version"]
            for each in client.get(f"{TEMPLATES}/{template}/versions", headers=who).json()["versions"]
        ]
        for who in (ann, eve)
    ]
    assert numbers == [[2, 1], [2]]
    asked = {"template": {"template": template, "version": 1}}
    assert client.post(f"{PREFIX}/jobs", json=asked, headers=eve).status_code == 422
    refusal = put(eve)
    assert (refusal.status_code, refusal.json()["type"]) == (403, "urn:arkham-export:problem:not-allowed")
    assert client.delete(f"{TEMPLATES}/{template}", headers=eve).status_code == 403
    # By its name each of them means their own.
    for who, owner in ((ann, "ann"), (eve, "eve")):
        assert client.get(f"{TEMPLATES}/Disputed", headers=who).json()["created_by"] == owner
    assert client.delete(f"{TEMPLATES}/{template}", headers=ann).status_code == 204
    assert statuses() == [404, 404, 404, 404]
    assert client.delete(f"{TEMPLATES}/Disputed", headers=eve).status_code == 204


def test_where_nobody_is_signed_in_everybody_of_a_tenant_may(shared: RunningHost) -> None:
    client = shared.client
    made = client.post(TEMPLATES, json={**BODY, "name": "Of all"}, headers=of(A))
    path = f"{TEMPLATES}/{made.json()['id']}"
    assert client.put(path, json={**BODY, "name": "Of all"}, headers=of(A)).status_code == 200
    assert client.get(path, headers=of(B)).status_code == 404
    assert client.put(path, json=BODY, headers=of(B)).status_code == 404
    assert client.delete(path, headers=of(B)).status_code == 404
    assert client.delete(path, headers=of(A)).status_code == 204


def test_a_name_that_several_tenants_have_means_none_of_them_where_no_tenant_is_in_force(
    shared: RunningHost,
) -> None:
    client = shared.client
    ids = [
        client.post(TEMPLATES, json={**BODY, "name": "Twice"}, headers=of(each)).json()["id"]
        for each in (A, B)
    ]
    answer = client.get(f"{TEMPLATES}/Twice")
    assert "Several templates" in refused(answer)
    assert {*answer.json()["errors"][0]["valid"]} == {*ids}
    own = client.post(TEMPLATES, json={**BODY, "name": "Twice"})
    assert client.get(f"{TEMPLATES}/Twice").json() == own.json()
    for each in (*ids, own.json()["id"]):
        assert client.delete(f"{TEMPLATES}/{each}").status_code == 204


@pytest.mark.parametrize("tenant", [A, B])
def test_templates_of_other_shards_obey_the_tenant_in_force(shared: RunningHost, tenant: str) -> None:
    other = B if tenant == A else A
    theirs = shared.client.post(TEMPLATES, json={**BODY, "name": "Theirs"}, headers=of(other)).json()["id"]

    async def ask() -> None:
        shard, variable = shared.shard, in_force(shared)
        token = variable.set(UUID(tenant))
        try:
            assert await shard.get_template(theirs) is None
            assert await shard.get_template("Theirs") is None
            assert not await shard.delete_template(theirs)
            assert theirs not in {each.id for each in await shard.list_templates()}
            with pytest.raises(InvalidRequest):
                await shard.create_export_job(template=theirs)
            mine = await shard.save_template("Theirs", "csv", "claims")
            assert mine.version == 1
            assert await shard.delete_template("Theirs")
        finally:
            variable.reset(token)

    shared.run(ask())
    assert shared.client.delete(f"{TEMPLATES}/{theirs}", headers=of(other)).status_code == 204


def test_templates_are_kept_through_a_restart(tmp_path: Path) -> None:
    from tests.hosts import standalone

    with standalone(tmp_path) as host:
        template = saved(host)
        template = replaced(host, template, format="json")
    with standalone(tmp_path) as host:
        assert host.client.get(f"{TEMPLATES}/Disputed").json() == template
        assert host.client.get(f"{TEMPLATES}/Disputed/versions/1").json()["format"] == "csv"
