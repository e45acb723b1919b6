"""`jobs`: look at export jobs, cancel, repeat and remove them, straight on the database."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from arkham_shard_export.cli.common import (
    EXIT_FAILED,
    CommandFailed,
    Commands,
    WrongUsage,
    add_place,
    check_url,
)
from arkham_shard_export.cli.tables import aligned, local, plain, size
from arkham_shard_export.jobs.administration import ENDED, Administration, Doomed
from arkham_shard_export.jobs.showing import JOB_FORMATS, job_fields
from arkham_shard_export.jobs.table.store import StoredJob
from arkham_shard_export.models import ExportFilter, ExportJob, ExportPart, ExportStatus, ExportTarget
from arkham_shard_export.settings import Settings
from arkham_shard_export.standalone.administering import administering

LISTED = 20
SHORT_ID = 8
OLDER_THAN = "30d"
_AGE = re.compile(r"(\d{1,6})([hdw])")
_AGE_UNITS = {"h": "hours", "d": "days", "w": "weeks"}

_Work = Callable[[Administration, argparse.Namespace], Awaitable[int]]


def add_commands(commands: Commands) -> None:
    jobs = commands.add_parser(
        "jobs", help="look at jobs; cancel, repeat and remove them", description=run.__doc__
    )
    actions = jobs.add_subparsers(title="commands", required=True, metavar="COMMAND")

    listing = _action(actions, "list", _list, "the newest jobs")
    listing.add_argument("--status", choices=[each.value for each in ExportStatus])
    listing.add_argument("--format", choices=[*JOB_FORMATS])
    listing.add_argument("--target", choices=[each.value for each in ExportTarget])
    listing.add_argument("--limit", type=_limit, default=LISTED, help="default: %(default)s")

    showing = _action(actions, "show", _show, "all that is known of one job")
    showing.add_argument("id", help="its id, or at least the first six characters of it")

    for name, work, told in (
        ("cancel", _cancel, "cancel pending and running jobs"),
        ("retry", _retry, "run jobs that have ended again, as new jobs"),
    ):
        _action(actions, name, work, told).add_argument("id", nargs="+", help="as for show")

    purging = _action(actions, "purge", _purge, "remove ended jobs and their files")
    purging.add_argument(
        "--older-than",
        type=_age,
        default=OLDER_THAN,
        metavar="AGE",
        help="such as 12h, 30d or 8w (default: %(default)s)",
    )
    purging.add_argument("--status", choices=[each.value for each in ENDED], help="default: every ended job")
    purging.add_argument("--yes", action="store_true", help="do not ask")


def _action(actions: Commands, name: str, work: _Work, told: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_place(parser)
    parser.set_defaults(run=run, work=work)
    return parser


def run(options: argparse.Namespace) -> int:
    """Look at export jobs of all tenants, cancel, repeat and remove them, straight on the database, while hosts run or not."""
    check_url(options.database_url)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    async with administering(
        options.data, options.database_url, Settings.from_environment()
    ) as administration:
        code: int = await options.work(administration, options)
        return code


async def _list(administration: Administration, options: argparse.Namespace) -> int:
    chosen = ExportFilter(status=options.status, format=options.format, target=options.target)
    jobs, total = await administration.page(chosen, options.limit)
    if options.json:
        _print_json({"jobs": [job_fields(job) for job in jobs], "total": total})
        return 0
    rows = [("ID", "CREATED", "STATUS", "TARGET", "FORMAT", "RECORDS", "SIZE", "BY")]
    length = _telling_length([job.id for job in jobs])
    for job in jobs:
        records = f"{job.record_count:,}" if job.status is ExportStatus.COMPLETED else "-"
        rows.append(
            (
                job.id[:length],
                local(job.created_at, "minutes"),
                job.status.value,
                job.target,
                job.format,
                records,
                size(job.file_size),
                job.created_by,
            )
        )
    if jobs:
        print("\n".join(aligned(rows, right=(5, 6))))
    if total > len(jobs):
        print(f"{len(jobs):,} of {total:,} jobs; --limit shows more.")
    elif not jobs:
        print("There are no such jobs.")
    return 0


def _telling_length(ids: Sequence[str]) -> int:
    """How much of the ids tells these jobs apart."""
    length = SHORT_ID
    while len({each[:length] for each in ids}) < len(set(ids)):
        length += 1
    return length


async def _show(administration: Administration, options: argparse.Namespace) -> int:
    stored = await administration.find(options.id)
    job = stored.job
    if options.json:
        _print_json({**job_fields(job), "tenant_id": stored.tenant_id, "attempts": stored.attempts})
        return 0
    facts = [
        ("id", job.id),
        ("status", job.status.value),
        ("error", job.error),
        ("target", job.target),
        ("format", job.format),
        ("filters", _short_json(job.filters)),
        ("options", _short_json(_changed_options(job))),
        ("created by", job.created_by),
        ("tenant", stored.tenant_id),
        ("created", local(job.created_at)),
        ("started", local(job.started_at)),
        ("ended", local(job.completed_at)),
        ("expires", local(job.expires_at)),
        ("took", f"{job.processing_time_ms / 1000:,.3f} s" if job.processing_time_ms else None),
        ("attempts", str(stored.attempts)),
        ("runner", stored.runner if job.status is ExportStatus.PROCESSING else None),
        ("records", f"{job.record_count:,}" if job.status is ExportStatus.COMPLETED else None),
        ("file", job.file_path),
        ("size", size(job.file_size) if job.file_size is not None else None),
    ]
    facts += [(f"part {number}", _part_told(part)) for number, part in enumerate(job.parts or (), 1)]
    facts += [
        (name, value if isinstance(value, str) else _short_json(value))
        for name, value in job.metadata.items()
    ]
    shown = [(plain(name), plain(value)) for name, value in facts if value not in (None, "-", "{}")]
    widest = max(len(name) for name, _ in shown)
    for name, value in shown:
        print(f"{name.ljust(widest)}  {value}")
    return 0


def _part_told(part: ExportPart) -> str:
    """One line: what it is, what became of it, and why."""
    name = f" {part.name!r}" if part.name else ""
    made = part.status is ExportStatus.COMPLETED
    records = f", {part.record_count:,} records{f', {part.file}' if part.file else ''}" if made else ""
    error = f": {part.error}" if part.error else ""
    return f"{part.target} as {part.format}{name}, {part.status.value}{records}{error}"


def _changed_options(job: ExportJob) -> dict[str, Any]:
    given, usual = job_fields(job)["options"], job_fields(ExportJob("", "", ""))["options"]
    return {name: value for name, value in given.items() if value != usual[name]}


async def _cancel(administration: Administration, options: argparse.Namespace) -> int:
    told, code = [], 0
    for stored in await _found(administration, options.id):
        job, done = stored.job, await administration.cancel(stored)
        status = "cancelled" if done else (await administration.find(job.id)).job.status.value
        told.append({"id": job.id, "status": status, "changed": done})
        if not done:
            code = EXIT_FAILED
            print(f"arkham-export: The job {plain(job.id)} is {status} already.", file=sys.stderr)
        elif not options.json:
            print(f"{plain(job.id)} cancelled")
    if options.json:
        _print_json(told)
    return code


async def _retry(administration: Administration, options: argparse.Namespace) -> int:
    told = []
    for stored in await _found(administration, options.id):
        job = await administration.retry(stored)
        told.append({"id": job.id, "retry_of": stored.job.id})
        if not options.json:
            print(job.id)
    if options.json:
        _print_json(told)
    return 0


async def _found(administration: Administration, ids: Sequence[str]) -> list[StoredJob]:
    """All of them, each once, before anything is done to one."""
    found = [await administration.find(each) for each in ids]
    return list({stored.job.id: stored for stored in found}.values())


async def _purge(administration: Administration, options: argparse.Namespace) -> int:
    statuses = [ExportStatus(options.status)] if options.status else [*ENDED]
    before = datetime.now(UTC) - options.older_than
    doomed = await administration.doomed(statuses, before)
    if doomed.total and not options.yes:
        print(f"{_told(doomed)}, ended before {local(before)}.", file=sys.stderr)
        if not sys.stdin.isatty():
            raise WrongUsage("Nothing was removed. Give --yes to remove them without a question.")
        print("Remove them? [y/N] ", end="", file=sys.stderr, flush=True)
        if (await asyncio.to_thread(sys.stdin.readline)).strip().lower() not in ("y", "yes"):
            raise CommandFailed("Nothing was removed.")
    elif not options.json:
        print(f"{_told(doomed)}, ended before {local(before)}.")
    removed = await administration.purge(statuses, before) if doomed.total else doomed
    if options.json:
        _print_json({"jobs": removed.jobs, "files": removed.files, "bytes": removed.file_bytes})
    elif doomed.total:
        print(f"Removed: {_told(removed)}.")
    return 0


def _told(doomed: Doomed) -> str:
    by_status = ", ".join(f"{count:,} {status}" for status, count in doomed.jobs.items())
    return (
        f"{doomed.total:,} jobs{f' ({by_status})' if by_status else ''} with {doomed.files:,} files"
        f" of {size(doomed.file_bytes)}"
    )


def _limit(text: str) -> int:
    limit = int(text)
    if not 1 <= limit <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} must be from 1 to 1000000")
    return limit


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a number of hours, days or weeks, such as 12h, 30d or 8w"
        )
    return timedelta(**{_AGE_UNITS[match[2]]: int(match[1])})


def _short_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))
