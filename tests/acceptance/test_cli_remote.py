"""`arkham-export remote` against every host: made, followed, fetched, verified, and what it says where that is not possible."""

from __future__ import annotations

import http.server
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arkham_shard_export.standalone.seed import seed_sqlite
from tests.commands import Commands
from tests.cutting import cutting
from tests.hosts import RunningHost, standalone
from tests.terminals import CLI, CTRL_C, terminal

CLAIMS = ("claims", "--format", "csv", "--filter", "status=disputed")
TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def url(host: RunningHost, monkeypatch: pytest.MonkeyPatch) -> str:
    address = str(host.client.base_url).rstrip("/")
    monkeypatch.setenv("ARKHAM_EXPORT_URL", address)
    return address


@pytest.fixture
def still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningHost]:
    """A host that takes no jobs."""
    monkeypatch.setenv("ARKHAM_EXPORT_CONCURRENCY", "0")
    seed_sqlite(tmp_path / "data", 5)
    with standalone(tmp_path / "data") as running:
        monkeypatch.setenv("ARKHAM_EXPORT_URL", str(running.client.base_url))
        yield running


# What works


def test_a_job_is_made_waited_for_and_fetched_by_the_beginning_of_its_id(
    host: RunningHost, url: str, command: Commands, tmp_path: Path
) -> None:
    made = command("remote", "create", *CLAIMS, "--option", "sort_by=id")
    assert (made.code, made.said) == (0, "")
    job_id = made.out.strip()
    waited = command("remote", "wait", job_id[:13])
    assert waited.code == 0
    job = host.client.get(f"/api/export/jobs/{job_id}").json()
    assert f"{job_id} completed: {job['record_count']} records, " in waited.out
    assert f"{job['record_count']} of {job['record_count']} records written, 0 skipped." in waited.said
    fetched = command("remote", "download", job_id[:8], "-o", str(tmp_path / "claims.csv"))
    assert fetched.code == 0
    assert f"SHA-256 {job['metadata']['sha256']} verified" in fetched.said
    assert (tmp_path / "claims.csv").read_bytes() == host.client.get(job["download_url"]).content
    assert command("remote", "show", job_id, "--json").json == job
    assert job["metadata"]["sha256"] in command("remote", "show", job_id).out


def test_one_command_makes_and_fetches_to_a_file_a_folder_or_a_pipe(
    host: RunningHost, url: str, command: Commands, tmp_path: Path
) -> None:
    asked = ("remote", "export", *CLAIMS, "--option", "include_metadata=false")
    output = tmp_path / "claims.csv"
    output.write_text("before")
    told = command(*asked, "-o", str(output), "--json").json
    assert told["path"] == str(output)
    content = host.client.get(told["download_url"]).content
    assert output.read_bytes() == content
    assert command(*asked, "-o", f"{tmp_path}/new/", "-q").said.startswith("  adjusted ")
    (named,) = (tmp_path / "new").iterdir()
    assert named.name.startswith("claims-")
    assert named.read_bytes() == content
    assert command(*asked, "-o", "-").output == content
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    assert command(*asked, "-o", str(pipe)).code == 0
    reader.join()
    assert read == [content]
    assert pipe.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir() if "data" not in path.name) == [
        "claims.csv",
        "new",
        "pipe",
    ]


def test_what_was_left_out_is_told(host: RunningHost, url: str, command: Commands, tmp_path: Path) -> None:
    words = ("claims", "--format", "json", "--option", "max_records=3", "-o", str(tmp_path / "x"))
    total = next(each for each in host.client.get("/api/export/targets").json() if each["target"] == "claims")
    left_out = total["estimated_record_count"] - 3
    told = command("remote", "export", *words, "-q").said
    assert f"3 of {left_out + 3:,} records written, {left_out:,} skipped." in told
    assert f"skipped {left_out:,} records: max_records is 3" in told


def test_formats_targets_previews_and_jobs_are_those_of_the_host(
    host: RunningHost, url: str, command: Commands
) -> None:
    assert command("remote", "formats", "--json").json == host.client.get("/api/export/formats").json()
    assert command("remote", "targets", "--json").json == host.client.get("/api/export/targets").json()
    body = {"target": "claims", "format": "csv", "filters": {"status": "disputed"}, "max_preview_records": 2}
    whole = host.client.post("/api/export/preview", json=body).json()
    told = command("remote", "preview", *CLAIMS, "--records", "2", "--json").json
    assert told == {name: whole[name] for name in told}
    shown = command("remote", "preview", *CLAIMS, "--records", "2").out
    assert whole["preview_records"][0]["id"] in shown
    template = host.client.post("/api/export/preview", json={"template": "Claims for an editor"}).json()
    by_template = command("remote", "preview", "--template", "Claims for an editor")
    assert f"of {template['estimated_record_count']:,} records; as docx about" in by_template.out
    assert "Give TARGET, or --template NAME." in command("remote", "preview").said
    assert f"2 of {whole['estimated_record_count']:,} records; as csv about " in shown
    assert "status=" not in command("remote", "targets").out
    assert "sort_by=…" in command("remote", "targets", "claims").out
    assert "cannot carry" in command("remote", "formats", "pdf").out
    command("remote", "create", *CLAIMS, "--key", "the-same")
    listed = command("remote", "jobs", "--format", "csv", "--limit", "1", "--json").json
    first = host.client.get("/api/export/jobs", params={"format": "csv", "limit": 1}).json()
    assert [each["id"] for each in listed["jobs"]] == [each["id"] for each in first["jobs"]]
    assert listed["more"] == (first["total"] > 1)
    assert first["jobs"][0]["id"][:8] in command("remote", "jobs").out


def test_templates_are_those_of_the_host_and_exports_are_made_of_them(
    host: RunningHost, url: str, command: Commands, tmp_path: Path
) -> None:
    listed = command("remote", "templates", "list", "--json").json
    assert "Graph for Gephi" in [each["name"] for each in listed["templates"]]
    assert "Graph for Gephi" in command("remote", "templates", "list").out
    shown = command("remote", "templates", "show", "Graph for Gephi", "--json").json
    assert shown == host.client.get("/api/export/templates/graph-for-gephi").json()
    assert '"spreadsheet_safe": false' in command("remote", "templates", "show", "Graph for Gephi").out
    words = ("remote", "export", "--template", "Claims for an editor", "--format", "json")
    made = command(*words, "--option", "max_records=2", "-o", f"{tmp_path}/", "--json").json
    assert (made["target"], made["format"], made["record_count"]) == ("claims", "json", 2)
    assert made["metadata"]["template"]["name"] == "Claims for an editor"
    unknown = command("remote", "templates", "show", "Graph for Gephy")
    assert (unknown.code, unknown.output) == (2, b"")
    assert "Did you mean 'Graph for Gephi'?" in unknown.said
    for asked, said in (
        (("--template", "Graph for Gephy"), "Did you mean 'Graph for Gephi'?"),
        (("claims",), "Give --format FORMAT, or --template NAME."),
    ):
        refused = command("remote", "create", *asked)
        assert refused.code == 2
        assert said in refused.said


def test_schedules_are_those_of_the_host_paused_resumed_and_run(
    host: RunningHost, url: str, command: Commands
) -> None:
    body = {"name": "For the editor", "every": "1d", "request": {"target": "claims", "format": "csv"}}
    schedule = host.client.post("/api/export/schedules", json=body).json()
    schedule_id = schedule["id"]
    try:
        assert schedule_id[:8] in command("remote", "schedules", "list").out
        assert command("remote", "schedules", "pause", "For the editor").out.startswith(
            f"{schedule_id} paused"
        )
        paused = command("remote", "schedules", "list", "--state", "paused", "--json").json
        assert schedule_id in {each["id"] for each in paused["schedules"]}
        assert {each["state"] for each in paused["schedules"]} == {"paused"}
        assert "active, next " in command("remote", "schedules", "resume", schedule_id[:8]).out
        job_id = command("remote", "schedules", "run", schedule_id).out.strip()
        assert host.wait(job_id)["status"] == "completed"
        told = command("remote", "schedules", "show", schedule_id, "--json").json
        assert told["runs"][0]["job_id"] == job_id
        assert "manual" in command("remote", "schedules", "show", "For the editor").out
        unknown = command("remote", "schedules", "run", "For the editors")
        assert unknown.code == 2
        assert "Did you mean 'For the editor'?" in unknown.said
    finally:
        host.client.delete(f"/api/export/schedules/{schedule_id}")


def test_a_batch_is_made_and_fetched_with_what_became_of_each_part(
    host: RunningHost, url: str, command: Commands, tmp_path: Path
) -> None:
    words = ("--part", "claims csv max_records=2 name=Some", "--part", "template='Graph for Gephi'")
    ran = command("remote", "batch", *words, "-o", str(tmp_path / "case.zip"), "--json")
    assert ran.code == 0, ran
    assert (tmp_path / "case.zip").read_bytes() == host.client.get(ran.json["download_url"]).content
    assert "part 1: 2 of " in ran.said
    assert "01-Some.csv" in ran.said
    assert "max_records is 2" in ran.said
    shown = command("remote", "show", ran.json["id"]).out
    assert "Some, claims as csv, completed, 2 records, 01-Some.csv" in shown
    assert ran.json["id"][:8] in command("remote", "jobs", "--format", "zip").out
    again = command("remote", "wait", ran.json["id"])
    assert "part 2: " in again.said
    refused = command("remote", "batch", "--part", "claims cvs", "-o", str(tmp_path / "x"))
    assert refused.code == 2
    assert "Did you mean 'csv'?" in refused.said


def test_under_one_key_there_is_one_job(host: RunningHost, url: str, command: Commands) -> None:
    asked = ("remote", "create", *CLAIMS, "--retention-hours", "2", "--key", f"nightly-{host.name}")
    made = command(*asked)
    assert command(*asked).out == made.out
    assert command("remote", "show", made.out.strip(), "--json").json["metadata"]["retention_hours"] == 2


def test_in_a_terminal_a_bar_follows_the_job_and_the_download(url: str, tmp_path: Path) -> None:
    words = ["remote", "export", "documents", "--format", "pdf", "-o", str(tmp_path / "documents.pdf")]
    with terminal([*CLI, *words], columns=100) as shown:
        assert shown.ended() == 0
    assert "documents as pdf: waiting" in shown.text
    assert "download: fetching" in shown.text
    assert "━" in shown.text
    assert "verified" in shown.text.rpartition("\x1b[2K")[2]
    assert (tmp_path / "documents.pdf").read_bytes().startswith(b"%PDF")


def test_a_download_that_broke_off_goes_on_where_it_was(
    host: RunningHost, url: str, command: Commands, tmp_path: Path
) -> None:
    job_id = command("remote", "create", "documents", "--format", "json").out.strip()
    job = host.wait(job_id)
    output = tmp_path / "documents.json"
    with cutting(host.client.base_url.host, host.client.base_url.port or 80) as line:
        # The answer about the job, then some of the file.
        line.allowances[:] = [1 << 20, 50_000, 0]
        words = ("remote", "--url", line.url, "--patience", "0", "download", job_id, "-o", str(output))
        ran = command(*words)
        assert ran.code == 3
        assert "broke off" in ran.said
        (part,) = tmp_path.glob("documents.json.*")
        there = part.stat().st_size
        assert 0 < there < job["file_size"]
        line.allowances[:] = [1 << 20, job["file_size"] - there + 4000]
        assert command(*words).code == 0
    assert output.read_bytes() == host.client.get(job["download_url"]).content
    assert [*tmp_path.glob("documents.json.*")] == []


# What cannot be done


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (
            ["create", "claims", "--format", "cvs"],
            2,
            "Format 'cvs' is not available for claims. Did you mean 'csv'?",
        ),
        (["create", "claim", "--format", "csv"], 2, "Did you mean 'claims'? Valid: documents, "),
        (["create", "claims", "--format", "csv", "--filter", "state=x"], 2, "Did you mean 'status'?"),
        (
            ["export", "claims", "--format", "csv", "--option", "max_record=1"],
            2,
            "Did you mean 'max_records'?",
        ),
        (["preview", "claims", "--filter", "status=veriffied"], 2, "Did you mean 'verified'?"),
        (
            ["export", *CLAIMS, "-o", "/no/such/folder/x"],
            2,
            "There is no folder /no/such/folder to write x in.",
        ),
        (["export", *CLAIMS, "-o", "-", "--json"], 2, "give -o FILE"),
        (["targets", "clams"], 2, "Unknown target 'clams'. Did you mean 'claims'?"),
        (["jobs", "--status", "fialed"], 2, "Did you mean 'failed'?"),
        (["show", "00000000"], 1, "There is no job '00000000'"),
        (["show", "../../count"], 1, "There is no job '../../count'"),
        (["cancel", "short"], 1, "There is no export job with this id."),
        (["wait", "x", "--timeout", "soon"], 2, "invalid float value: 'soon'"),
        (["exprt"], 2, "Did you mean 'export'?"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    words: list[str], code: int, told: str, url: str, command: Commands
) -> None:
    ran = command("remote", *words)
    assert (ran.code, ran.output) == (code, b"")
    assert told in ran.said


@pytest.mark.parametrize(
    "given", ["", "localhost:8100", "ftp://x", "http://", "http://x:y/", "http://a:b@x", "http://x/?a=b"]
)
def test_an_address_that_is_none_is_named_before_anything_is_asked(
    given: str, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKHAM_EXPORT_URL", given)
    ran = command("remote", "jobs")
    assert ran.code == 2
    assert "http://" in ran.said


@pytest.mark.parametrize("suffix", ["/", "/export", "/api/export", "/api/export/"])
def test_an_address_copied_from_a_browser_is_understood(suffix: str, url: str, command: Commands) -> None:
    assert command("remote", "formats", "--url", f"{url}{suffix}").code == 0


def test_a_host_that_is_not_there_is_tried_again_and_then_told(command: Commands) -> None:
    ran = command("remote", "--url", "http://127.0.0.1:1", "jobs", "--patience", "0.3")
    assert (ran.code, ran.output) == (3, b"")
    assert ran.said.count("Trying again for 0.3 seconds.") == 1
    assert ran.said.endswith("Connection refused.\n")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (200, "What answers is no export host"),
        (302, "The host sends clients to https://elsewhere.test/; ask there."),
        (404, "is http://127.0.0.1:"),
        (500, "is http://127.0.0.1:"),
    ],
)
def test_what_is_no_export_host_is_told(status: int, told: str, command: Commands) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Location", "https://elsewhere.test/")
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            ran = command("remote", "--url", f"http://127.0.0.1:{server.server_port}", "targets")
        finally:
            server.shutdown()
            thread.join()
    assert ran.code == 1
    assert told.lower() in ran.said.lower()


def test_a_host_with_a_token_wants_it_from_the_environment_or_the_line(
    tmp_path: Path, command: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed_sqlite(tmp_path / "data", 5)
    monkeypatch.chdir(tmp_path)
    with standalone(tmp_path / "data", token=TOKEN) as host:
        monkeypatch.setenv("ARKHAM_EXPORT_URL", str(host.client.base_url))
        ran = command("remote", "formats")
        assert ran.code == 1
        assert "The host wants a token: set $ARKHAM_EXPORT_TOKEN" in ran.said
        wrong = command("remote", "--token", "another-token-that-is-wrong", "formats")
        assert wrong.code == 1
        assert "does not take this token" in wrong.said
        assert command("remote", "formats", "--token", TOKEN).code == 0
        assert command("remote", "formats", "--token", "smörgåsbord").code == 2
        monkeypatch.setenv("ARKHAM_EXPORT_TOKEN", TOKEN)
        assert command("remote", "export", *CLAIMS, "-o", "x.csv").code == 0


def test_a_job_that_takes_longer_goes_on_and_the_exit_code_says_so(
    still: RunningHost, command: Commands
) -> None:
    job_id = command("remote", "create", *CLAIMS).out.strip()
    ran = command("remote", "wait", job_id, "--timeout", "0.2")
    assert (ran.code, ran.output) == (4, b"")
    assert "has not ended within 0.2 seconds." in ran.said
    waiting = command("remote", "download", job_id)
    assert waiting.code == 1
    assert "is pending" in waiting.said
    told = command("remote", "cancel", job_id, "--json")
    assert (told.code, told.json) == (0, [{"id": job_id, "status": "cancelled", "changed": True}])
    again = command("remote", "cancel", job_id)
    assert (again.code, again.said) == (1, f"arkham-export: The job {job_id} is cancelled already.\n")
    ended = command("remote", "wait", job_id, "--json")
    assert (ended.code, ended.json["status"]) == (1, "cancelled")
    assert "is cancelled" in ended.said


def test_who_stops_to_wait_is_told_how_to_go_on(still: RunningHost) -> None:
    asked = [*CLI, "remote", "export", *CLAIMS, "-o", str(still.data_dir / "x.csv")]
    with terminal(asked, columns=200) as shown:
        while "waiting" not in shown.text:
            assert shown.process.poll() is None
            time.sleep(0.01)
        shown.type(CTRL_C)
        assert shown.ended() == -signal.SIGINT
    (job,) = still.client.get("/api/export/jobs").json()["jobs"]
    assert f"The job {job['id']} goes on in the host." in shown.text
    assert f"arkham-export remote wait {job['id'][:8]}" in shown.text
    assert "Traceback" not in shown.text
