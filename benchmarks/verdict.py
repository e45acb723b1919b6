"""Whether everything is as it must be once all jobs have ended: the rows, the files and the events."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import subprocess
import zipfile
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from python_calamine import CalamineWorkbook

from benchmarks.counting import count
from benchmarks.fleet import Fleet

KINDS = {
    "documents": ("document",),
    "entities": ("entity",),
    "claims": ("claim",),
    "timeline": ("event",),
    "graph": ("node", "edge"),
    "matrix": ("matrix",),
}
"""How the ids of what a target counts begin."""


def violations(fleet: Fleet, accepted: Collection[str], killed: Collection[int]) -> list[str]:
    """What is wrong with the jobs of a fleet that has come to rest; `accepted`: ids that a host has answered with."""
    jobs = fleet.jobs()
    told = [f"job {each} was accepted and is not in the table" for each in accepted if each not in jobs]
    for job in jobs.values():
        told += wrong_with(job, fleet.store)
    told += [f"the store holds {path}, which is no job's" for path in sorted(fleet.strays_in_store())]
    told += [f"a temporary file is left: {path.name}" for path in fleet.temporary.iterdir()]
    told += wrong_events(jobs, fleet.heard(), killed)
    told += [f"an entry is left in the queue: {entry}" for entry in fleet.entries()]
    return told


def wrong_with(job: Mapping[str, Any], store: Path) -> list[str]:
    name = f"job {job['id']} ({job['target']} as {job['format']}, attempt {job['attempts']})"
    if job["status"] in ("failed", "cancelled"):
        wrong = [f"{name} is {job['status']} and has a file"] if job["file_path"] else []
        return wrong + ([f"{name} has failed: {job['error']}"] if job["status"] == "failed" else [])
    if job["status"] != "completed":
        return [f"{name} is {job['status']}"]
    path = store / str(job["file_path"])
    if not path.is_file():
        return [f"{name} is completed and has no file"]
    data = path.read_bytes()
    if len(data) != job["file_size"]:
        return [f"{name} has {len(data)} bytes and not {job['file_size']}"]
    if hashlib.sha256(data).hexdigest() != json.loads(job["metadata"])["sha256"]:
        return [f"{name} has another SHA-256 than its row"]
    try:
        records = records_in(path, str(job["format"]), str(job["target"]))
    except Exception as error:
        return [f"{name} cannot be read: {type(error).__name__}: {error}"]
    if records != job["record_count"]:
        return [f"{name} holds {records} records and not {job['record_count']}"]
    return []


def records_in(path: Path, format: str, target: str) -> int:
    """Records in a file of synthetic ones, by readers that are not ours."""
    if format == "docx":
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
        return sum(count("docx", kind, path) for kind in KINDS[target])
    if format == "xlsx":
        return _in_workbook(path, KINDS[target])
    data = _plain(path)
    if format == "json":
        document = json.loads(data)
        return sum(len(document[name]) for name in ("records", "nodes", "edges") if name in document)
    if not data.startswith(b"PK"):
        return _rows(data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        if target == "matrix":
            return len([name for name in names if _rows(archive.read(name)) >= 0])
        return sum(_rows(archive.read(name)) for name in names if name in ("nodes.csv", "edges.csv"))


def _plain(path: Path) -> bytes:
    data = path.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        return gzip.decompress(data)
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout
    if path.name.endswith((".json.zip", ".csv.zip")):
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            (name,) = archive.namelist()
            return archive.read(name)
    return data


def _rows(data: bytes) -> int:
    return sum(1 for _ in csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))) - 1


def _in_workbook(path: Path, kinds: tuple[str, ...]) -> int:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    identifier = re.compile(rf"(?:{'|'.join(kinds)})-\d+-\d+")
    # Some twenty times as fast as openpyxl, for hundreds of workbooks.
    with CalamineWorkbook.from_path(path) as book:
        sheets = [book.get_sheet_by_name(name).iter_rows() for name in book.sheet_names]
        firsts = (str(row[0]) for sheet in sheets for row in sheet if row)
        return len({text for text in firsts if identifier.fullmatch(text)})


def expected_events(job: Mapping[str, Any]) -> list[str]:
    """The events of a job that has ended, in their order."""
    ended = {"completed": ["export.file.created", "export.job.completed"]}
    started = ["export.job.started"] if job["attempts"] else []
    return [
        "export.job.created",
        *started,
        *ended.get(str(job["status"]), [f"export.job.{job['status']}"]),
    ]


def wrong_events(
    jobs: Mapping[str, Mapping[str, Any]], heard: list[dict[str, Any]], killed: Collection[int]
) -> list[str]:
    """`killed`: the ids of processes that did not live to record what they had delivered."""
    told = []
    by_job: dict[str, list[str]] = defaultdict(list)
    first: dict[int, dict[str, Any]] = {}
    for event in heard:
        payload = event["payload"]
        before = first.get(payload["event_id"])
        if before is None:
            by_job[payload["job_id"]].append(event["event_type"])
        elif not payload.get("redelivered") or before["pid"] not in killed:
            told.append(f"event {payload['event_id']} was heard twice: {before}, {event}")
        first[payload["event_id"]] = event
    for job_id, job in jobs.items():
        expected = expected_events(job)
        if by_job[job_id] != expected:
            told.append(f"the events of job {job_id} are {by_job[job_id]} and not {expected}")
    told += [f"events of an unknown job: {job_id}" for job_id in by_job.keys() - jobs.keys()]
    return told


def redelivered(heard: list[dict[str, Any]]) -> int:
    """How many events were heard again."""
    return sum(each - 1 for each in Counter(event["payload"]["event_id"] for event in heard).values())
