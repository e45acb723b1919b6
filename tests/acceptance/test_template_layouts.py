"""Word files as the layouts of templates: uploaded, checked, kept for every host, and used by jobs."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import docx
import httpx
import pytest

from arkham_shard_export.api.templates import WORD
from arkham_shard_export.client import ExportClient, Refused
from arkham_shard_export.errors import InvalidRequest
from arkham_shard_export.formats.wordlayout import MAX_LAYOUT_BYTES, checking
from arkham_shard_export.jobs.templates import library
from tests.acceptance.test_bad_input import refused
from tests.hosts import RunningHost
from tests.readers import docx_text
from tests.tenants import KINDS, A, B, of, shared_host
from tests.unit.test_word_layouts import changed, letterhead, part

TEMPLATES = "/api/export/templates"
BODY: dict[str, Any] = {
    "name": "On our paper",
    "target": "claims",
    "format": "docx",
    "options": {"max_records": 2, "report": {"title": "Of the week"}},
}
LAYOUT = letterhead("{{ subtitle }}", "{{ records }}", "The end.")
OTHER = letterhead("{{ records }}", "Another end.")


@pytest.fixture
def template(host: RunningHost) -> Iterator[str]:
    """The path of a template, which is gone afterwards."""
    host.client.delete(f"{TEMPLATES}/On our paper")
    answer = host.client.post(TEMPLATES, json=BODY)
    assert answer.status_code == 201, answer.text
    path = f"{TEMPLATES}/{answer.json()['id']}"
    yield path
    host.client.delete(path)


def put(
    host: RunningHost, path: str, data: bytes = LAYOUT, media_type: str = WORD, **headers: str
) -> httpx.Response:
    sent = {"Content-Type": media_type, **headers}
    return host.client.put(f"{path}/layout", content=data, headers=sent)


def test_a_layout_makes_the_next_version_and_its_reports_look_like_it(
    host: RunningHost, template: str
) -> None:
    answer = put(host, template)
    assert answer.status_code == 200, answer.text
    shown = answer.json()
    sha256 = hashlib.sha256(LAYOUT).hexdigest()
    assert (shown["version"], shown["options"]) == (2, {**BODY["options"], "layout": sha256})
    assert shown["layout"]["sha256"] == sha256
    assert {"title", "records", "subtitle"} <= {*shown["layout"]["fields"]}
    assert answer.headers["etag"] == host.client.get(template).headers["etag"]
    assert host.client.get(template).json() == {
        name: each for name, each in shown.items() if name != "layout"
    }
    job = host.client.post("/api/export/jobs", json={"template": "On our paper"}).json()
    before = host.client.post(
        "/api/export/jobs", json={"template": {"template": shown["id"], "version": 1}}
    ).json()
    plain = host.client.post(
        "/api/export/jobs", json={"template": "On our paper", "options": {"layout": None}}
    ).json()
    batch = host.batch({"template": "On our paper"}, {"target": "claims", "format": "json"}).json()
    # What is made of it already needs nothing of it.
    assert host.client.delete(template).status_code == 204
    for each, laid_out in ((job, True), (before, False), (plain, False)):
        ended = host.wait(each["id"])
        assert ended["status"] == "completed", ended
        file = host.client.get(ended["download_url"]).content
        header = docx.Document(io.BytesIO(file)).sections[0].header.paragraphs
        assert (bool(header) and header[0].text == "Müller & Partner: Of the week") == laid_out
        assert (docx_text(file).splitlines()[-1] == "The end.") == laid_out
    ended = host.wait(batch["id"])
    with zipfile.ZipFile(io.BytesIO(host.client.get(ended["download_url"]).content)) as archive:
        assert docx_text(archive.read(ended["parts"][0]["file"])).splitlines()[-1] == "The end."


def test_a_layout_can_be_fetched_again(host: RunningHost, template: str) -> None:
    assert host.client.get(f"{template}/layout").status_code == 404
    put(host, template)
    answer = host.client.get(f"{TEMPLATES}/On our paper/layout")
    assert (answer.status_code, answer.content) == (200, LAYOUT)
    assert answer.headers["content-type"] == WORD
    assert answer.headers["content-disposition"] == 'attachment; filename="On our paper.docx"'
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["etag"] == f'"{hashlib.sha256(LAYOUT).hexdigest()}"'


def test_a_layout_is_for_the_version_that_is_meant(host: RunningHost, template: str) -> None:
    tag = host.client.get(template).headers["etag"]
    assert put(host, template, **{"If-Match": tag}).status_code == 200
    assert put(host, template, OTHER, **{"If-Match": tag}).status_code == 412
    assert host.client.get(f"{template}/layout").content == LAYOUT
    assert put(host, template, OTHER).json()["version"] == 3
    assert host.client.get(f"{template}/layout").content == OTHER
    # A replacement is whole: without the option there is no layout.
    assert host.client.put(template, json=BODY).status_code == 200
    assert host.client.get(f"{template}/layout").status_code == 404


def test_a_preview_and_other_formats_know_of_the_layout(host: RunningHost, template: str) -> None:
    options = put(host, template).json()["options"]
    for body in ({"template": "On our paper"}, {"target": "claims", "format": "docx", "options": options}):
        answer = host.client.post("/api/export/preview", json=body)
        assert answer.status_code == 200, answer.text
    answer = host.client.post("/api/export/jobs", json={"template": "On our paper", "format": "pdf"})
    assert "options.layout" in {each["field"] for each in answer.json()["errors"]}
    offered = {
        each["target"]: {one["name"] for one in each["options"]}
        for each in host.client.get("/api/export/targets").json()
    }
    assert all("layout" in names for names in offered.values())


WRONG = {
    "no ZIP": b"PK\x03\x04 but no more",
    "empty": b"",
    "JSON": b'{"a": 1}',
    "without records": letterhead("{{ title }}"),
    "an unknown field": letterhead("{{ records }}", "{{ config.items() }}"),
    "macros": changed(LAYOUT, part("word/vbaProject.bin", "application/vnd.ms-office.vbaProject")),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_a_file_that_cannot_be_a_layout_is_refused_with_the_reason_and_changes_nothing(
    host: RunningHost, template: str, data: bytes
) -> None:
    answer = put(host, template, data)
    refused(answer)
    assert [each["field"] for each in answer.json()["errors"]] == ["layout"]
    assert host.client.get(template).json()["version"] == 1


def test_other_bodies_are_refused_before_they_are_looked_at(host: RunningHost, template: str) -> None:
    for media_type in ("application/json", "application/msword", "text/html", ""):
        answer = put(host, template, media_type=media_type)
        assert answer.status_code == 415
        assert answer.headers["accept"] == f"{WORD}, application/octet-stream"
        assert "Word file" in answer.json()["detail"]
    for media_type in (f"{WORD}; charset=binary", "application/octet-stream", WORD.upper()):
        assert put(host, template, media_type=media_type).status_code == 200
    assert put(host, template, b"x" * (MAX_LAYOUT_BYTES + 1)).status_code == 413
    # More than a JSON body may have.
    assert put(host, template, b"x" * (2 << 20)).status_code == 422


def test_only_a_template_of_a_word_report_that_can_be_changed_takes_one(
    host: RunningHost, template: str
) -> None:
    host.client.put(template, json={**BODY, "format": "pdf"})
    assert "Only a DOCX report" in refused(put(host, template))
    host.client.put(template, json={**BODY, "options": {"report": {"paper": "a3"}}})
    answer = put(host, template)
    assert [each["field"] for each in answer.json()["errors"]] == ["options.report.paper"]
    assert put(host, f"{TEMPLATES}/claims-for-an-editor").status_code == 403
    assert "has no layout" in host.client.get(f"{TEMPLATES}/claims-for-an-editor/layout").json()["detail"]


def test_where_the_library_is_missing_the_command_that_brings_it_is_named(
    host: RunningHost, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "find_spec", lambda _: None)
    assert "pip install arkham-shard-export[word]" in refused(put(host, template))


def test_so_many_layouts_are_kept_and_no_more(
    host: RunningHost, template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Others may have left some, which templates of theirs still name.
    ids = "SELECT id FROM arkham_export_layouts WHERE part = 0 AND created_by = 'system'"
    put(host, template)
    kept = len(host.query(ids))
    monkeypatch.setattr(library, "MAX_LAYOUTS", kept)
    another = letterhead("{{ records }}", f"One of {kept + 1}.")
    assert f"You keep {kept} layouts" in refused(put(host, template, another))
    assert host.client.get(template).json()["version"] == 2
    # One that nothing has named for so long makes room.
    host.query("UPDATE arkham_export_layouts SET created_at = '2020-01-01T00:00:00.000000+00:00'")
    host.client.put(template, json=BODY)
    host.client.delete(template)
    path = f"{TEMPLATES}/{host.client.post(TEMPLATES, json=BODY).json()['id']}"
    assert put(host, path, another).status_code == 200
    now = {row[0] for row in host.query(ids)}
    assert hashlib.sha256(another).hexdigest() in now
    assert hashlib.sha256(LAYOUT).hexdigest() not in now
    host.client.delete(path)


def test_other_shards_and_scripts_lay_templates_out(host: RunningHost, template: str) -> None:
    found = host.run(host.shard.lay_out_template("on our paper", LAYOUT))
    assert (found.version, found.options["layout"]) == (2, hashlib.sha256(LAYOUT).hexdigest())
    with pytest.raises(InvalidRequest, match="cannot be a layout"):
        host.run(host.shard.lay_out_template("on our paper", b"x"))
    with ExportClient(str(host.client.base_url)) as client:
        read = client.template("On our paper")
        laid_out = client.lay_out_template(read, OTHER)
        assert laid_out.version == 3
        assert client.template_layout("On our paper") == OTHER
        with pytest.raises(Refused) as stale:
            client.lay_out_template(read, LAYOUT)
        assert stale.value.status == 412


@pytest.fixture(scope="module", params=KINDS)
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: str
) -> Iterator[RunningHost]:
    with shared_host(request.param, tmp_path_factory.mktemp("layouts"), postgres_server) as host:
        yield host


def test_a_layout_is_its_tenants_even_for_who_knows_its_id(shared: RunningHost) -> None:
    ann, eve, ben = of(A, "ann"), of(A, "eve"), of(B, "ben")
    client = shared.client
    made = client.post(TEMPLATES, json={**BODY, "shared": False}, headers=ann).json()
    path = f"{TEMPLATES}/{made['id']}/layout"
    sent = {"Content-Type": WORD}
    for stranger in (eve, ben):
        assert client.put(path, content=LAYOUT, headers={**stranger, **sent}).status_code == 404
    options = client.put(path, content=LAYOUT, headers={**ann, **sent}).json()["options"]
    assert client.get(path, headers=ann).content == LAYOUT
    for stranger in (eve, ben):
        assert client.get(path, headers=stranger).status_code == 404
    body = {"target": "claims", "format": "docx", "options": options}
    assert client.post("/api/export/jobs", json=body, headers=ben).status_code == 422
    job = client.post("/api/export/jobs", json=body, headers=ann).json()
    assert shared.wait(job["id"], ann)["status"] == "completed"
    # The same file is another tenant's as soon as that tenant has sent it.
    theirs = client.post(TEMPLATES, json=BODY, headers=ben).json()
    answer = client.put(f"{TEMPLATES}/{theirs['id']}/layout", content=LAYOUT, headers={**ben, **sent})
    assert answer.status_code == 200
    assert client.post("/api/export/jobs", json=body, headers=ben).status_code == 201
