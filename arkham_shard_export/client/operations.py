"""What one can ask of a host, as steps."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from arkham_shard_export.client.answers import Job, Page, TemplatePage, decode
from arkham_shard_export.client.errors import ClientError, JobFailed, Refused, UnexpectedAnswer, Unreachable
from arkham_shard_export.client.events import EventReader
from arkham_shard_export.client.steps import Answer, Ask, Fetch, Operation, Pause
from arkham_shard_export.models import ExportProgress, ExportStatus, ExportTemplate, TemplateSummary

PREFIX = "/api/export"
WAIT_SECONDS = 30
PAGE = 500
TEMPLATE_PAGE = 200
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Before the second, third, … try; the last one for all that follow."""
LISTEN_SECONDS = 45.0
"""Hosts send a comment every 15 s where nothing happens."""
_LATER = (429, 503)

OnProgress = Callable[[ExportProgress], None]
OnTrouble = Callable[[str], None]
"""Told in a sentence why something is to be tried again."""
TemplateReference = str | dict[str, Any]
"""A name or an id, or `{"template", "version"}`."""


def asked(ask: Ask, patience_seconds: float, repeatable: bool = True) -> Operation[Answer]:
    """The answer; Refused where it is a problem. What is refused for now is tried again, and so is what gets no answer, if
    it is `repeatable`: it does not matter whether it was done twice."""
    waited = 0.0
    for pause in pauses():
        try:
            answer: Answer = yield ask
        except Unreachable as error:
            if not repeatable or waited >= patience_seconds:
                raise
            trouble = str(error)
        else:
            if answer.status < 300:
                return answer
            refused = refusal(answer)
            if answer.status not in _LATER or waited >= patience_seconds:
                raise refused
            trouble = str(refused)
            pause = max(pause, seconds(answer.headers.get("retry-after")))
        yield Pause(pause, trouble)
        waited += pause
    raise AssertionError


def pauses() -> Iterator[float]:
    yield from PAUSES_SECONDS
    while True:
        yield PAUSES_SECONDS[-1]


def refusal(answer: Answer) -> ClientError:
    if answer.status < 400:
        elsewhere = answer.headers.get("location", "another address")
        return UnexpectedAnswer(f"The host sends clients to {elsewhere}; ask there.")
    try:
        problem = json.loads(answer.body)
    except ValueError:
        problem = {}
    return Refused(answer.status, problem if isinstance(problem, dict) else {})


def seconds(text: str | None) -> float:
    """Of a Retry-After header; 0 where it is none, or a date."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else 0.0


def job_body(
    target: str | None,
    format: str | None,
    filters: dict[str, Any] | None,
    options: dict[str, Any] | None,
    retention_hours: float | None,
    template: TemplateReference | None = None,
) -> dict[str, Any]:
    given = {
        "target": target,
        "format": format,
        "filters": filters,
        "options": options,
        "retention_hours": retention_hours,
        "template": template,
    }
    return {name: value for name, value in given.items() if value is not None}


def template_path(template: str, version: int | None = None) -> str:
    """Of a template by id or name."""
    path = f"{PREFIX}/templates/{quote(template, safe='')}"
    return path if version is None else f"{path}/versions/{version}"


def if_version(template: ExportTemplate | str) -> tuple[str, dict[str, str]]:
    """Path and headers to change a template: one that was read is changed as it was read, or Refused (412)."""
    if isinstance(template, str):
        return template_path(template), {}
    return template_path(template.id), {"If-Match": f'"{template.id}.{template.version}"'}


def lay_out(template: ExportTemplate | str, word_file: bytes) -> Ask:
    path, headers = if_version(template)
    return Ask("PUT", f"{path}/layout", content=word_file, headers={**headers, "Content-Type": WORD})


def templates(offset: int, patience_seconds: float) -> Operation[list[TemplateSummary]]:
    params = {"offset": offset, "limit": TEMPLATE_PAGE}
    answer = yield from asked(Ask("GET", f"{PREFIX}/templates", params=params), patience_seconds)
    return decode(answer.body, TemplatePage).templates


def template(ask: Ask, patience_seconds: float) -> Operation[ExportTemplate]:
    answer = yield from asked(ask, patience_seconds, ask.method == "GET")
    return decode(answer.body, ExportTemplate)


def batch_body(
    parts: Sequence[Mapping[str, Any]], continue_on_error: bool, retention_hours: float | None
) -> dict[str, Any]:
    body: dict[str, Any] = {"parts": [dict(each) for each in parts], "continue_on_error": continue_on_error}
    return body if retention_hours is None else {**body, "retention_hours": retention_hours}


def preview_body(
    target: str | None,
    format: str | None,
    records: int,
    template: TemplateReference | None,
    given: Mapping[str, Any],
) -> dict[str, Any]:
    if template is None and format is None:
        format = "json"
    body = {"target": target, "format": format, "template": template, "max_preview_records": records, **given}
    return {name: value for name, value in body.items() if value is not None}


def create(
    body: dict[str, Any], key: str | None, wait_seconds: float, patience_seconds: float
) -> Operation[Job]:
    """`body` is that of a job or, with parts, that of a batch."""
    headers = {"Idempotency-Key": key or str(uuid4())}
    if wait_seconds:
        headers["Prefer"] = f"wait={int(wait_seconds)}"
    path = f"{PREFIX}/jobs/batch" if "parts" in body else f"{PREFIX}/jobs"
    ask = Ask("POST", path, json=body, headers=headers, timeout_seconds=wait_seconds + 30)
    answer = yield from asked(ask, patience_seconds)
    return decode(answer.body, Job)


def path_of(job_id: str) -> str:
    """Whatever an id is made of, it stays one part of the path."""
    return f"{PREFIX}/jobs/{quote(job_id, safe='')}"


def get(job_id: str, patience_seconds: float) -> Operation[Job]:
    answer = yield from asked(Ask("GET", path_of(job_id)), patience_seconds)
    return decode(answer.body, Job)


def page(filters: dict[str, Any], offset: int, patience_seconds: float) -> Operation[Page]:
    params = {**filters, "offset": offset, "limit": PAGE}
    answer = yield from asked(Ask("GET", f"{PREFIX}/jobs", params=params), patience_seconds)
    return decode(answer.body, Page)


def wait(
    job_id: str,
    on_progress: OnProgress | None,
    timeout_seconds: float | None,
    check: bool,
    patience_seconds: float,
) -> Operation[Job]:
    """The ended job; JobFailed where it has no file, unless `check` is false; TimeoutError where it takes longer."""
    deadline = float("inf") if timeout_seconds is None else time.monotonic() + timeout_seconds
    job = None
    if on_progress is not None:
        job = yield from _listened(job_id, on_progress, deadline, patience_seconds)
    while job is None or not job.ended:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"The export {job_id} has not ended within {timeout_seconds:g} seconds.")
        patient = int(min(WAIT_SECONDS, left))
        headers = {"Prefer": f"wait={patient}"}
        ask = Ask("GET", path_of(job_id), headers=headers, timeout_seconds=patient + 30)
        answer = yield from asked(ask, patience_seconds)
        job = decode(answer.body, Job)
        if on_progress is not None and job.progress is not None:
            on_progress(job.progress)
        if not job.ended and (not patient or "preference-applied" not in answer.headers):
            yield Pause(min(max(0.2, seconds(answer.headers.get("retry-after"))), max(0.0, left)))
    if check and job.status is not ExportStatus.COMPLETED:
        raise JobFailed(job)
    return job


def _listened(
    job_id: str, on_progress: OnProgress, deadline: float, patience_seconds: float
) -> Operation[Job | None]:
    """The job as the host tells its course; None where the host cannot, or there is no more time to listen."""
    last_id, silent = "", 0.0
    for pause in pauses():
        reader = EventReader(on_progress)
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_id} if last_id else {})}
        timeout = max(0.1, min(LISTEN_SECONDS, deadline - time.monotonic()))
        ask = Ask("GET", f"{path_of(job_id)}/events", headers=headers, timeout_seconds=timeout)
        trouble = ""
        try:
            answer = yield Fetch(ask, reader.begin)
        except Unreachable as error:
            if silent >= patience_seconds:
                raise
            trouble = str(error)
        else:
            if answer.status != 200:
                return None
        if reader.job is not None:
            return reader.job
        if time.monotonic() >= deadline:
            return None
        silent = 0.0 if reader.last_id else silent + pause
        last_id = reader.last_id or last_id
        yield Pause(pause, trouble)
    raise AssertionError
