"""The docs say what the code does: every setting, format, target, option, filter, event and command is in them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from arkham_shard_export import settings
from arkham_shard_export.api.errors import CAUSES, STATUS_OF, name_of
from arkham_shard_export.api.routes import ROUTES
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.jobs.templates.built_in import BUILT_IN
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.peers import CLAIMS, DOCUMENTS, ENTITIES, MATRICES, TIMELINE_EVENTS
from arkham_shard_export.records import Adjustments
from arkham_shard_export.relative_dates import NAMES
from arkham_shard_export.standalone.demo_case import demo_rows
from arkham_shard_export.targets import TARGETS
from benchmarks.page import quotation
from tests.hosts import standalone
from tests.unit.test_word_layouts import letterhead

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
}


def decoded(text: str) -> list[Any]:
    """The JSON values that stand one after another in a text."""
    values = []
    while text := text.strip():
        value, end = json.JSONDecoder().raw_decode(text)
        values.append(value)
        text = text[end:]
    return values


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"ARKHAM_EXPORT_\w+", Path(settings.__file__).read_text("utf-8"))))
)
def test_every_setting_is_explained_to_operators(name: str) -> None:
    if name != "ARKHAM_EXPORT_":
        assert f"`{name}`" in PAGES["production.md"]


def test_every_option_filter_and_adjustment_is_explained_to_users() -> None:
    page = PAGES["docs/exports.md"]
    names = [each.name for each in fields(ExportOptions)]
    names += [name for target in TARGETS.values() for name in (target.name, *target.filter_names)]
    names += list(Adjustments.REASONS)
    assert [name for name in names if f"`{name}`" not in page] == []


def test_every_target_and_format_is_on_the_first_page() -> None:
    for target in TARGETS:
        assert f"| `{target}` |" in PAGES["README.md"]
    for format in FORMATS:
        assert format.upper() in PAGES["README.md"]


def test_every_route_and_event_is_described() -> None:
    page = PAGES["docs/rest.md"]
    for route in ROUTES:
        path = route.path.replace("{job_id}", "{id}").replace("{template_id}", "{id}")
        path = path.replace("{version}", "{n}").replace("{schedule_id}", "{id}")
        assert f"| {route.method} `{path}` |" in page
    for event in yaml.safe_load((ROOT / "shard.yaml").read_text("utf-8"))["events"]["publishes"]:
        assert f"`{event}`" in page


def test_every_problem_is_described_with_its_status() -> None:
    page = PAGES["docs/rest.md"]
    problems = {name: status for status, name in CAUSES.items()}
    problems |= {name_of(kind): status for kind, status in STATUS_OF.items()}
    for name, status in problems.items():
        assert f"| `{name}` | {status} |" in page, name


def test_every_command_is_shown() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "arkham_shard_export.cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for command in re.findall(r"^    ([a-z]+)(?:  +\w|$)", shown, re.MULTILINE):
        assert any(f"arkham-export {command}" in page for page in PAGES.values()), command


@pytest.mark.parametrize("name", sorted(PAGES))
def test_links_between_pages_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)", PAGES[name]):
        if not target.startswith("http"):
            assert ((ROOT / name).parent / target).exists(), target


def test_the_readme_quotes_the_ratios_date_and_machine_of_the_last_benchmark() -> None:
    """`make bench` writes both."""
    quoted = quotation(PAGES["docs/benchmarks.md"])
    assert quoted in PAGES["README.md"]
    assert re.search(r"on \d{4}-\d\d-\d\d with \d+ cores, \d+ GiB", quoted)
    rest = PAGES["README.md"].replace(quoted, "")
    assert re.findall(r"\d ×|× faster", rest) == []


def test_the_demo_case_is_as_large_as_the_readme_says() -> None:
    said = re.search(
        r"(\d+) documents, (\d+) entities, (\d+) claims, (\d+) events, a graph, (\d+) matrices",
        PAGES["README.md"],
    )
    assert said is not None
    tables = (DOCUMENTS, ENTITIES, CLAIMS, TIMELINE_EVENTS, MATRICES)
    assert [int(number) for number in said.groups()] == [len(demo_rows(table)) for table in tables]


@pytest.mark.parametrize("name", ["README.md", "docs/rest.md"])
def test_the_examples_of_the_client_do_what_they_say(name: str, tmp_path: Path) -> None:
    (example,) = (
        each for each in re.findall(r"```python\n(.*?)```", PAGES[name], re.DOTALL) if "ExportClient" in each
    )
    with standalone(tmp_path / "arkham-data", demo=True) as host:
        example = example.replace("http://127.0.0.1:8100", str(host.client.base_url).rstrip("/"))
        subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True)
    files = [
        path
        for path in tmp_path.rglob("*")
        if path.suffix in (".csv", ".zst", ".zip") and "arkham-data" not in path.parts
    ]
    assert len(files) == (1 if name == "README.md" else 3)


def test_the_curl_examples_of_the_rest_page_do_what_it_says(tmp_path: Path) -> None:
    batch, declared, waiting, listening, key, listing, download = re.findall(
        r"```sh\n(.*?)```", PAGES["docs/rest.md"], re.DOTALL
    )
    with standalone(tmp_path / "arkham-data", demo=True) as host:

        def shell(script: str, **environment: str) -> str:
            script = script.replace("http://127.0.0.1:8100", str(host.client.base_url).rstrip("/"))
            return subprocess.run(
                ["bash", "-ec", script],
                cwd=tmp_path,
                env={**os.environ, **environment},
                capture_output=True,
                text=True,
                check=True,
            ).stdout

        posted = shell(batch)
        assert posted.startswith("HTTP/1.1 201")
        parts = host.wait(json.loads(posted.splitlines()[-1])["id"])["parts"]
        assert [each["file"] for each in parts] == [
            "01-documents.json",
            "02-Disputed-claims.csv",
            "03-graph/",
        ]
        told = [line.split() for line in shell(declared).splitlines()]
        assert [each[0] for each in told] == [*TARGETS]
        assert "group_by" in told[[*TARGETS].index("timeline")]
        first, again = shell(key), shell(key)
        job = json.loads(first.splitlines()[-1])
        assert first.startswith("HTTP/1.1 201")
        assert "idempotency-replayed: true" in again.lower()
        assert json.loads(again.splitlines()[-1])["id"] == job["id"]
        assert shell(listing).startswith("HTTP/1.1 200")
        assert "preference-applied: wait=30" in (waited := shell(waiting)).lower()
        assert json.loads(waited.splitlines()[-1])["status"] == "completed"
        assert "event: end\n" in shell(listening, ID=job["id"])
        host.wait(job["id"])
        whole = host.client.get(f"/api/export/jobs/{job['id']}/download")
        (tmp_path / "claims.csv").write_bytes(whole.content[:1001])
        shell(download, ID=job["id"])
        (named,) = tmp_path.glob("claims-*.csv")
        assert named.read_bytes() == (tmp_path / "claims.csv").read_bytes() == whole.content
        for name in ("ETag", "Repr-Digest", "Content-Disposition", "Expires", "Export-Records", "Export-Skipped",
                     "Export-Adjusted"):  # fmt: skip
            assert f"`{name}`" in PAGES["docs/rest.md"]
            assert name in whole.headers


def test_the_examples_of_the_page_on_schedules_do_what_it_says(tmp_path: Path) -> None:
    page = PAGES["docs/schedules.md"]
    (asking,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (following,) = re.findall(r"^    arkham-export (schedules next .*)$", page, re.MULTILINE)
    with standalone(tmp_path / "arkham-data", demo=True) as host:
        script = asking.replace("http://127.0.0.1:8100", str(host.client.base_url).rstrip("/"))
        ran = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=True)
        made = json.loads(ran.stdout)
        assert made["state"] == "active"
        told = set(re.findall(r"`(\w+)`", page))
        assert made.keys() <= told
    script = f"{sys.executable} -m arkham_shard_export.cli {following}"
    ran = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert len(ran.stdout.splitlines()) == 5


def test_the_batches_of_the_exports_page_hold_the_files_that_it_lists(tmp_path: Path) -> None:
    page = PAGES["docs/exports.md"]
    (script,) = (each for each in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) if " batch " in each)
    listed = re.search(r"```text\n(01-.*?)\n```", page)
    assert listed is not None
    with standalone(tmp_path / "arkham-data", demo=True):
        (tmp_path / "monday.json").write_text('[{"target": "claims", "format": "json"}]')
        script = script.replace("arkham-export", f"{sys.executable} -m arkham_shard_export.cli")
        subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, check=True)
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        assert archive.namelist() == listed[1].split()
    assert zipfile.is_zipfile(tmp_path / "monday.zip")


def test_the_examples_of_templates_do_what_they_say(tmp_path: Path) -> None:
    page = PAGES["docs/templates.md"]
    curl, layout, command_line = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    (tmp_path / "letterhead.docx").write_bytes(letterhead("{{ records }}"))
    (python,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    with standalone(tmp_path / "arkham-data", demo=True) as host:
        base = str(host.client.base_url).rstrip("/")
        for script in (curl, layout, command_line):
            words = script.replace("http://127.0.0.1:8100", base)
            words = re.sub(
                r"^arkham-export", f"{sys.executable} -m arkham_shard_export.cli", words, flags=re.MULTILINE
            )
            ran = subprocess.run(
                ["bash", "-ec", words], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert ran.returncode == 0, ran.stderr
            if script == curl:
                template, job = decoded(ran.stdout)
                assert job["metadata"]["template"] == {
                    "id": template["id"],
                    "name": template["name"],
                    "version": 1,
                }
        example = python.replace("http://127.0.0.1:8100", base)
        subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True)
        assert host.client.get("/api/export/templates/Weekly").json()["version"] == 2
    assert (tmp_path / "verified.csv").read_text("utf-8").startswith("id,text")
    assert [path.suffix for path in (tmp_path / "exports").iterdir()] == [".csv"]


def test_the_templates_that_come_with_the_program_are_listed() -> None:
    for each in BUILT_IN:
        assert re.search(
            rf"^\| `{each.id}` \| .* \| {each.format.upper()} \|$", PAGES["docs/templates.md"], re.MULTILINE
        )
    for name in NAMES:
        assert f"`{name}`" in PAGES["docs/templates.md"]


def test_the_readme_session_works_as_it_stands(tmp_path: Path) -> None:
    """The commands for scripts and the commands without a server, run by a shell."""
    remote, direct = (
        block for block in re.findall(r"```sh\n(.*?)```", PAGES["README.md"], re.DOTALL) if "claims" in block
    )
    with standalone(tmp_path / "arkham-data", demo=True) as host:
        script = remote.replace("http://127.0.0.1:8100", str(host.client.base_url).rstrip("/"))
        asking, fetching = script.split("curl -s -OJ")
        ran = subprocess.run(
            ["bash", "-ec", asking], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        answers = decoded(ran.stdout)
        assert [each["target"] for each in answers[0]] == list(TARGETS)
        # A reader takes longer to type the next command than the export takes to end.
        host.wait(answers[1]["id"])
        subprocess.run(["bash", "-ec", f"curl -s -OJ{fetching}"], cwd=tmp_path, check=True)
    assert [path.suffix for path in tmp_path.glob("claims-*")] == [".csv"]
    script = direct.replace("arkham-export", f"{sys.executable} -m arkham_shard_export.cli")
    ran = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (tmp_path / "disputed.csv").read_text("utf-8").startswith("id,text")
    assert json.loads(ran.stdout)["gaps"]
    assert zipfile.is_zipfile(tmp_path / "case.zip")
