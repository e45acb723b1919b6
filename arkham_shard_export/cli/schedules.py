"""`arkham-export schedules`: an operator's hands on the schedules of all tenants, straight on the database."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from arkham_shard_export.cli.common import CommandFailed, Commands, add_place, check_url, limit
from arkham_shard_export.cli.records import pairs
from arkham_shard_export.cli.tables import aligned, local, plain
from arkham_shard_export.errors import ScheduleNotFound
from arkham_shard_export.jobs.schedules.checking import DEFAULTS, MISSED_CHOICES, check_plan
from arkham_shard_export.jobs.schedules.desk import STATES, run_fields, schedule_fields
from arkham_shard_export.jobs.service import JobService
from arkham_shard_export.jobs.showing import job_fields
from arkham_shard_export.jobs.table.listing import EVERYTHING
from arkham_shard_export.models import ExportSchedule
from arkham_shard_export.ports import system_clock
from arkham_shard_export.settings import Settings
from arkham_shard_export.standalone.administering import scheduling

LISTED = 50
SHOWN_RUNS = 10
NEXT = 5

_Work = Callable[[JobService, argparse.Namespace], Awaitable[None]]

EXAMPLES = """examples:
  arkham-export schedules next --cron '0 7 * * MON' --time-zone Europe/Berlin
      when an expression is due, without any database
  arkham-export schedules create 'Claims for the editor' --cron '0 7 * * MON' \\
      --time-zone Europe/Berlin --target claims --format csv --filter status=verified
  arkham-export schedules create 'As the file says' --every 12h --request request.json --keep-files 3
  arkham-export schedules show 3ca750d5
      all that is known of one, with its next and its latest runs
"""


def add_commands(commands: Commands) -> None:
    schedules = commands.add_parser(
        "schedules",
        help="exports that repeat: list, create, pause, run them",
        description=run.__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = schedules.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = _action(actions, "list", _list, "the newest schedules")
    listing.add_argument("--state", choices=STATES)
    listing.add_argument("--limit", type=limit, default=LISTED, help="default: %(default)s")
    for name, work, told in (
        ("show", _show, "one schedule, its next due times and its latest runs"),
        ("pause", _pause, "begin no more runs"),
        ("resume", _resume, "go on with one that is paused"),
        ("run", _run_now, "make a job now, beside the plan"),
        ("delete", _delete, "remove a schedule; its jobs and their files stay"),
    ):
        _action(actions, name, work, told).add_argument(
            "id", help="its id, or at least the first six characters of it, or its name"
        )
    _add_create(_action(actions, "create", _create, "a new schedule"))
    following = actions.add_parser("next", help="when a plan would be due", description=_next.__doc__)
    _add_plan(following)
    following.add_argument("--count", type=limit, default=NEXT, help="default: %(default)s")
    following.add_argument("--json", action="store_true", help="print JSON")
    following.set_defaults(run=_next)


def _action(actions: Commands, name: str, work: _Work, told: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_place(parser)
    parser.set_defaults(run=run, work=work)
    return parser


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cron", help="minute, hour, day of month, month, day of week")
    parser.add_argument("--every", help="an interval, such as 15m, 12h, 1d or 2w")
    parser.add_argument("--time-zone", default="UTC", help="such as Europe/Berlin (default: %(default)s)")
    parser.add_argument("--ends-at", help="no run is due later, such as 2027-12-31")


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="what it is for")
    _add_plan(parser)
    parser.add_argument("--request", metavar="FILE", help="the body of a job as JSON; - is standard input")
    parser.add_argument("--template", help="name or id of a template")
    parser.add_argument("--target")
    parser.add_argument("--format")
    parser.add_argument("--filter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    parser.add_argument("--description", default="")
    parser.add_argument("--retention-hours", type=float)
    parser.add_argument("--missed", choices=MISSED_CHOICES, default=DEFAULTS["missed"])
    parser.add_argument("--keep-files", type=int, help="the newest files that are kept")
    parser.add_argument("--max-failures", type=int, default=DEFAULTS["max_failures"])
    parser.add_argument("--owner", default="system", help="whose jobs they are (default: %(default)s)")
    parser.add_argument("--tenant", help="the id of the tenant")


def run(options: argparse.Namespace) -> int:
    """Look at schedules of all tenants, make, pause, run and delete them, straight on the database, while hosts run or not."""
    check_url(options.database_url)
    asyncio.run(_run(options))
    return 0


async def _run(options: argparse.Namespace) -> None:
    async with scheduling(options.data, options.database_url, Settings.from_environment()) as service:
        await options.work(service, options)


def _next(options: argparse.Namespace) -> int:
    """When a plan would be due, by the clocks of its zone; needs no database."""
    given = {name: getattr(options, name) for name in ("cron", "every", "time_zone", "ends_at")}
    now = system_clock()
    times = check_plan(given, now, Settings.from_environment().min_schedule_seconds).following(
        now, options.count
    )
    if options.json:
        _print_json([each.isoformat() for each in times])
    else:
        for each in times:
            print(f"{each:%a} {each.isoformat(' ')}")
    return 0


async def _list(service: JobService, options: argparse.Namespace) -> None:
    schedules, total = await service.schedules.page(EVERYTHING, options.state, options.limit, 0)
    if options.json:
        _print_json({"schedules": [schedule_fields(each) for each in schedules], "total": total})
        return
    rows = [("ID", "STATE", "WHEN", "NEXT", "LAST RUN", "BY", "NAME")]
    for each in schedules:
        last = "-" if each.last_run is None else each.last_run.status
        rows.append(
            (each.id[:8], each.state, _when(each), _first(each.next_runs), last, each.created_by, each.name)
        )
    if schedules:
        print("\n".join(aligned(rows)))
    if total > len(schedules):
        print(f"{len(schedules):,} of {total:,} schedules; --limit shows more.")
    elif not schedules:
        print("There are no such schedules.")


def _when(schedule: ExportSchedule) -> str:
    return schedule.cron or f"every {schedule.every}"


def _first(times: list[datetime]) -> str:
    return times[0].isoformat(" ", "minutes") if times else "-"


async def _show(service: JobService, options: argparse.Namespace) -> None:
    schedule_id = await _found(service, options)
    schedule = await service.schedules.get(schedule_id, EVERYTHING)
    runs, _ = await service.schedules.runs(schedule_id, EVERYTHING, SHOWN_RUNS)
    if options.json:
        _print_json({**schedule_fields(schedule), "runs": [run_fields(each) for each in runs]})
        return
    fields = schedule_fields(schedule)
    for name in ("last_run", "next_runs"):
        del fields[name]
    facts = {name: value for name, value in fields.items() if value not in (None, "")}
    widest = max(map(len, facts))
    for name, value in facts.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        print(f"{name.ljust(widest)}  {plain(text)}")
    for due in schedule.next_runs:
        print(f"{'next'.ljust(widest)}  {due:%a} {due.isoformat(' ')}")
    if runs:
        rows = [("DUE", "KIND", "STATUS", "JOB", "WHY")]
        rows += [
            (local(each.due), each.kind, each.status, (each.job_id or "-")[:8], each.error or "")
            for each in runs
        ]
        print("\n".join(aligned(rows)))


async def _create(service: JobService, options: argparse.Namespace) -> None:
    given = {
        name: getattr(options, name)
        for name in DEFAULTS
        if name != "request" and getattr(options, name) is not None
    }
    schedule = await service.schedules.create(
        {**given, "request": _request(options)}, created_by=options.owner, tenant_id=options.tenant
    )
    _told(schedule, options)


def _request(options: argparse.Namespace) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if options.request:
        try:
            text = sys.stdin.read() if options.request == "-" else Path(options.request).read_text("utf-8")
            request = json.loads(text)
        except ValueError as error:
            raise CommandFailed(f"--request {options.request} is no JSON: {error}.") from None
        if not isinstance(request, dict):
            raise CommandFailed(f"--request {options.request} must hold an object.")
    filters, chosen = pairs(options.filter, "--filter"), pairs(options.option, "--option")
    words = {"template": options.template, "target": options.target, "format": options.format}
    given = {**words, "filters": filters or None, "options": chosen or None}
    return {**request, **{name: value for name, value in given.items() if value is not None}}


async def _found(service: JobService, options: argparse.Namespace) -> str:
    try:
        return await service.schedules.find(options.id)
    except ScheduleNotFound:
        raise CommandFailed(
            f"There is no schedule {options.id!r}; arkham-export schedules list shows those there are."
        ) from None


async def _pause(service: JobService, options: argparse.Namespace) -> None:
    schedule_id = await _found(service, options)
    reason = "It was paused on the command line."
    _told(await service.schedules.pause(schedule_id, EVERYTHING, reason), options)


async def _resume(service: JobService, options: argparse.Namespace) -> None:
    schedule_id = await _found(service, options)
    _told(await service.schedules.resume(schedule_id, EVERYTHING), options)


async def _run_now(service: JobService, options: argparse.Namespace) -> None:
    schedule_id = await _found(service, options)
    job = await service.schedules.run_now(schedule_id, EVERYTHING)
    if options.json:
        _print_json(job_fields(job))
    else:
        print(job.id)


async def _delete(service: JobService, options: argparse.Namespace) -> None:
    schedule_id = await _found(service, options)
    await service.schedules.delete(schedule_id, EVERYTHING)
    if options.json:
        _print_json({"id": schedule_id, "deleted": True})
    else:
        print(f"{schedule_id} deleted")


def _told(schedule: ExportSchedule, options: argparse.Namespace) -> None:
    if options.json:
        _print_json(schedule_fields(schedule))
    else:
        print(f"{schedule.id} {schedule.state}, next {_first(schedule.next_runs)}")


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))
