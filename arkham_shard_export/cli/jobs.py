"""`jobs`: look at export jobs, cancel, repeat and remove them, straight on the database."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from arkham_shard_export.cli.common import (
    CommandFailed,
    Commands,
    Example,
    WrongUsage,
    add_database_action,
    add_quiet,
    print_json,
    run_on_database,
    settings_of_environment,
)
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.cli.progress import meter
from arkham_shard_export.cli.requests import whole
from arkham_shard_export.cli.showing import show_job, show_jobs
from arkham_shard_export.cli.tables import local, plain, size
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.jobs.lifecycle import ENDED
from arkham_shard_export.models import BATCH_FORMAT, ExportFilter, ExportFormat, ExportStatus, ExportTarget

if TYPE_CHECKING:
    from arkham_shard_export.jobs.administration import Administration, Doomed
    from arkham_shard_export.jobs.table.store import StoredJob

LISTED = 20
MOST_LISTED = 1_000_000
OLDER_THAN = "30d"
_AGE = re.compile(r"(\d{1,6})([hdw])")
_AGE_UNITS = {"h": "hours", "d": "days", "w": "weeks"}

_Work = Callable[["Administration", argparse.Namespace], Awaitable[int]]
_EXAMPLES = (
    ("arkham-export jobs list --status failed", "the newest jobs that failed"),
    ("arkham-export jobs show 3ca750d5", "all that is known of one; an id may be cut to six characters"),
    ("arkham-export jobs retry 3ca750d5 036941c4", "the same exports again, as new jobs"),
    ("arkham-export jobs purge --older-than 30d", "what would be removed, and the question whether to"),
)


def add_commands(commands: Commands) -> None:
    jobs = commands.add_parser(
        "jobs",
        help="look at jobs; cancel, repeat and remove them",
        description=run.__doc__,
        examples=_EXAMPLES,
    )
    actions = jobs.add_commands()

    listing = _action(
        actions,
        "list",
        _list,
        "the newest jobs",
        (
            ("arkham-export jobs list", f"the newest {LISTED}"),
            ("arkham-export jobs list --status failed --target claims --limit 100", "of these alone"),
            (
                "arkham-export jobs list --status failed --json | jq -r '.jobs[].id'",
                "the ids of those that failed",
            ),
        ),
    )
    add_job_filters(listing)

    showing = _action(
        actions,
        "show",
        _show,
        "all that is known of one job",
        (
            (
                "arkham-export jobs show 3ca750d5",
                "its request, its account of records, what became of each try",
            ),
            ("arkham-export jobs show 3ca750d5 --json | jq .metadata.completeness", "for a script"),
        ),
    )
    showing.add_argument("id", help="its id, or at least the first six characters of it")

    _action(
        actions,
        "cancel",
        _cancel,
        "cancel pending and running jobs",
        (("arkham-export jobs cancel 3ca750d5 036941c4", "whichever host runs them stops within a second"),),
    ).add_argument("id", nargs="+", help="as for show")
    _action(
        actions,
        "retry",
        _retry,
        "run jobs that have ended again, as new jobs",
        (("arkham-export jobs retry 3ca750d5", "prints the id of the new job"),),
    ).add_argument("id", nargs="+", help="as for show")

    purging = _action(
        actions,
        "purge",
        _purge,
        "remove ended jobs and their files",
        (
            ("arkham-export jobs purge --older-than 12h", "shows what would be removed, and asks"),
            (
                "arkham-export jobs purge --older-than 8w --status failed --yes",
                "from a script: without a question",
            ),
        ),
    )
    purging.add_argument(
        "--older-than",
        type=_age,
        default=OLDER_THAN,
        metavar="AGE",
        help="such as 12h, 30d or 8w (default: %(default)s)",
    )
    purging.add_argument("--status", choices=[each.value for each in ENDED], help="default: every ended job")
    purging.add_argument("--yes", action="store_true", help="do not ask")
    add_quiet(purging)


def add_job_filters(parser: argparse.ArgumentParser, *, of_host: bool = False) -> None:
    """`of_host`: a host may have more formats and targets than we know of."""
    statuses = [each.value for each in ExportStatus]
    formats = dict.fromkeys((*(each.value for each in ExportFormat), *FORMATS, BATCH_FORMAT))
    parser.add_argument("--status", choices=statuses, metavar="STATUS", help=", ".join(statuses))
    for name, valid in (("--format", [*formats]), ("--target", [each.value for each in ExportTarget])):
        parser.add_argument(
            name, metavar=name[2:].upper(), choices=None if of_host else valid, help=", ".join(valid)
        )
    parser.add_argument(
        "--limit", type=_limit, default=LISTED, metavar="N", help="how many (default: %(default)s)"
    )


def _action(
    actions: Commands, name: str, work: _Work, told: str, examples: Iterable[Example]
) -> argparse.ArgumentParser:
    return add_database_action(actions, name, run, work, told, examples)


def run(options: argparse.Namespace) -> int:
    """Look at export jobs of all tenants, cancel, repeat and remove them, straight on the database, while hosts run or not."""
    return run_on_database(options, _run)


async def _run(options: argparse.Namespace) -> int:
    from arkham_shard_export.standalone.administering import administering

    async with administering(options.data, options.database_url, settings_of_environment()) as administration:
        code: int = await options.work(administration, options)
        return code


async def _list(administration: Administration, options: argparse.Namespace) -> int:
    from arkham_shard_export.jobs.showing import listed_fields

    chosen = ExportFilter(status=options.status, format=options.format, target=options.target)
    jobs, total = await administration.page(chosen, options.limit)
    if options.json:
        print_json({"jobs": [listed_fields(job) for job in jobs], "total": total})
        return 0
    show_jobs(jobs)
    if total > len(jobs):
        print(f"{len(jobs):,} of {total:,} jobs; --limit shows more.")
    elif not jobs:
        print("There are no such jobs.")
    return 0


async def _show(administration: Administration, options: argparse.Namespace) -> int:
    from arkham_shard_export.jobs.showing import job_fields

    stored = await administration.find(options.id)
    job = stored.job
    if options.json:
        print_json({**job_fields(job), "tenant_id": stored.tenant_id, "attempts": stored.attempts})
        return 0
    show_job(
        job,
        {
            "tenant": stored.tenant_id,
            "attempts": str(stored.attempts),
            "runner": stored.runner if job.status is ExportStatus.PROCESSING else None,
        },
    )
    return 0


async def _cancel(administration: Administration, options: argparse.Namespace) -> int:
    told, code = [], Exit.DONE
    for stored in await _found(administration, options.id):
        job, done = stored.job, await administration.cancel(stored)
        status = "cancelled" if done else (await administration.find(job.id)).job.status.value
        told.append({"id": job.id, "status": status, "changed": done})
        if not done:
            code = Exit.FAILED
            print(f"arkham-export: The job {plain(job.id)} is {status} already.", file=sys.stderr)
        elif not options.json:
            print(f"{plain(job.id)} cancelled")
    if options.json:
        print_json(told)
    return code


async def _retry(administration: Administration, options: argparse.Namespace) -> int:
    told = []
    for stored in await _found(administration, options.id):
        job = await administration.retry(stored)
        told.append({"id": job.id, "retry_of": stored.job.id})
        if not options.json:
            print(job.id)
    if options.json:
        print_json(told)
    return 0


async def _found(administration: Administration, ids: Sequence[str]) -> list[StoredJob]:
    """All of them, each once, before anything is done to one."""
    found = [await administration.find(each) for each in ids]
    return list({stored.job.id: stored for stored in found}.values())


async def _purge(administration: Administration, options: argparse.Namespace) -> int:
    import asyncio

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
    removed = doomed
    if doomed.total:
        with meter("purge", "jobs", quiet=options.quiet) as told:
            removed = await administration.purge(
                statuses, before, lambda done: told.told("removing", done, doomed.total)
            )
    if options.json:
        print_json({"jobs": removed.jobs, "files": removed.files, "bytes": removed.file_bytes})
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
    return whole(text, 1, MOST_LISTED)


def _age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a number of hours, days or weeks, such as 12h, 30d or 8w"
        )
    return timedelta(**{_AGE_UNITS[match[2]]: int(match[1])})
