"""`schedules`: exports that repeat, of all tenants, straight on the database."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

from arkham_shard_export.cli.common import (
    Commands,
    Example,
    WrongUsage,
    add_database_action,
    add_json,
    complete_by,
    print_json,
    run_on_database,
    settings_of_environment,
)
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.cli.parsing import did_you_mean
from arkham_shard_export.cli.requests import (
    STANDARD_INPUT,
    add_request,
    add_template,
    filters_of,
    json_in,
    options_of,
    template_of,
    whole,
)
from arkham_shard_export.cli.showing_kept import due_text, show_schedule, show_schedules, tell_schedule
from arkham_shard_export.errors import ScheduleNotFound
from arkham_shard_export.models import ExportSchedule

if TYPE_CHECKING:
    from arkham_shard_export.jobs.service import JobService

LISTED = 50
MOST_LISTED = 100_000
SHOWN_RUNS = 10
NEXT = 5
MOST_NEXT = 1000
STATES = ("active", "paused", "ended")
MISSED = ("run_once", "skip")
MAX_FAILURES = 3

_Work = Callable[["JobService", argparse.Namespace], Awaitable[None]]
NAMED_BY = "its id, or at least the first six characters of it, or its name"
_EXAMPLES = (
    (
        "arkham-export schedules create Week --cron '0 7 * * MON' --template Week",
        "every Monday at seven, by UTC, what a template says",
    ),
    (
        "arkham-export schedules create Day --every 1d --target claims --format csv",
        "once a day what words say",
    ),
    ("arkham-export schedules list", "all there are, with the next and the last run of each"),
    ("arkham-export schedules next --cron '0 7 * * MON' --time-zone Europe/Berlin", "when one would be due"),
)


def add_commands(commands: Commands) -> None:
    schedules = commands.add_parser(
        "schedules",
        help="exports that repeat: look at them, make, pause and run them",
        description=run.__doc__,
        examples=_EXAMPLES,
    )
    actions = schedules.add_commands()
    listing = _action(
        actions,
        "list",
        _list,
        "the newest schedules",
        (
            ("arkham-export schedules list", "with the next and the last run of each"),
            ("arkham-export schedules list --state paused --json | jq -r '.schedules[].id'", "for a script"),
        ),
    )
    add_listing(listing)
    showing = _action(
        actions,
        "show",
        _show,
        "one schedule, its next due times and its latest runs",
        (("arkham-export schedules show 'For the editor'", "by name, id, or six characters of that"),),
    )
    showing.add_argument("id", help=NAMED_BY)
    _add_create(actions)
    for name, work, told, example in (
        ("pause", _pause, "begin no more runs", "nothing is due until it is resumed"),
        ("resume", _resume, "go on with one that is paused", "what was due meanwhile is not made up for"),
        ("run", _run_now, "make a job now, beside the plan", "prints the id of the job; a host runs it"),
        ("delete", _delete, "remove a schedule", "its jobs and their files stay"),
    ):
        examples = ((f"arkham-export schedules {name} 'For the editor'", example),)
        _action(actions, name, work, told, examples).add_argument("id", help=NAMED_BY)
    following = actions.add_parser(
        "next",
        help="when a plan would be due",
        description=_next.__doc__,
        examples=(
            ("arkham-export schedules next --cron '30 2 * * *' --time-zone Europe/Berlin", "by its clocks"),
            ("arkham-export schedules next --every 12h --count 2 --json", "for a script"),
        ),
    )
    _add_plan(following)
    following.add_argument(
        "--count", type=_count, default=NEXT, metavar="N", help="how many (default: %(default)s)"
    )
    add_json(following)
    following.set_defaults(run=_next)


def add_listing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", choices=STATES, metavar="STATE", help=", ".join(STATES))
    parser.add_argument(
        "--limit", type=_limit, default=LISTED, metavar="N", help="how many (default: %(default)s)"
    )


def _add_create(actions: Commands) -> None:
    creating = _action(
        actions,
        "create",
        _create,
        "a new schedule",
        (
            (
                "arkham-export schedules create Day --every 1d --target claims --format csv",
                "once a day from now on",
            ),
            (
                "arkham-export schedules create Week --cron '0 7 * * MON' --template Week",
                "Mondays at seven, by the newest version of the template that there is then",
            ),
            (
                "arkham-export schedules create Case --every 12h --request case.json",
                "from the body of a job, or of a batch: an object with parts. --time-zone, --keep-files and the rest "
                "go with each of these",
            ),
        ),
    )
    creating.add_argument("name", metavar="NAME", help="what it is for")
    _add_plan(creating)
    source = creating.add_argument(
        "--request",
        metavar="FILE",
        help=f"the body of a job or of a batch as JSON; {STANDARD_INPUT} is standard input. Words besides override it",
    )
    complete_by(source, "files")
    add_template(creating)
    add_request(creating, by_template=True, target_name="--target")
    creating.add_argument("--description", metavar="TEXT", default="", help="for people")
    creating.add_argument(
        "--retention-hours",
        type=float,
        metavar="HOURS",
        help="how long hosts keep the files (default: theirs)",
    )
    creating.add_argument(
        "--missed",
        choices=MISSED,
        default=MISSED[0],
        metavar="WHAT",
        help=f"what becomes of runs that nothing was there to begin: {', '.join(MISSED)} (default: %(default)s)",
    )
    creating.add_argument("--keep-files", type=int, metavar="N", help="keep the files of so many runs")
    creating.add_argument(
        "--max-failures",
        type=int,
        default=MAX_FAILURES,
        metavar="N",
        help="pause after so many failures one after another (default: %(default)s)",
    )
    creating.add_argument(
        "--owner", default="system", metavar="USER", help="whose jobs they are (default: %(default)s)"
    )
    creating.add_argument("--tenant", metavar="ID", help="the tenant whose records they have")


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cron", metavar="TEXT", help="minute, hour, day of month, month, day of week: '0 7 * * MON'"
    )
    parser.add_argument("--every", metavar="TIME", help="an interval, such as 15m, 12h, 1d or 2w")
    parser.add_argument(
        "--time-zone", default="UTC", metavar="ZONE", help="such as Europe/Berlin (default: %(default)s)"
    )
    parser.add_argument("--ends-at", metavar="DATE", help="no run is due later, such as 2027-12-31")


def _action(
    actions: Commands, name: str, work: _Work, told: str, examples: Iterable[Example]
) -> argparse.ArgumentParser:
    return add_database_action(actions, name, run, work, told, examples)


def run(options: argparse.Namespace) -> int:
    """Look at schedules of all tenants, make, pause, run and delete them, straight on the database, while hosts run or not."""
    return run_on_database(options, _run)


async def _run(options: argparse.Namespace) -> int:
    from arkham_shard_export.standalone.administering import scheduling

    async with scheduling(options.data, options.database_url, settings_of_environment()) as service:
        await options.work(service, options)
    return Exit.DONE


def _next(options: argparse.Namespace) -> int:
    """When a plan would be due, by the clocks of its zone; needs no database."""
    from arkham_shard_export.jobs.schedules.checking import check_plan
    from arkham_shard_export.ports import system_clock

    given = {name: getattr(options, name) for name in ("cron", "every", "time_zone", "ends_at")}
    now = system_clock()
    plan = check_plan(given, now, settings_of_environment().min_schedule_seconds)
    times = plan.following(now, options.count)
    if options.json:
        print_json([each.isoformat() for each in times])
    else:
        for each in times:
            print(due_text(each))
    return Exit.DONE


async def _list(service: JobService, options: argparse.Namespace) -> None:
    from arkham_shard_export.jobs.table.listing import EVERYTHING

    schedules, total = await service.schedules.page(EVERYTHING, options.state, options.limit, 0)
    if options.json:
        from arkham_shard_export.jobs.schedules.desk import schedule_fields

        print_json({"schedules": [schedule_fields(each) for each in schedules], "total": total})
        return
    show_schedules(schedules)
    if total > len(schedules):
        print(f"{len(schedules):,} of {total:,} schedules; --limit shows more.")


async def _show(service: JobService, options: argparse.Namespace) -> None:
    from arkham_shard_export.jobs.table.listing import EVERYTHING

    schedule_id = await _found(service, options)
    schedule = await service.schedules.get(schedule_id, EVERYTHING)
    runs, _ = await service.schedules.runs(schedule_id, EVERYTHING, SHOWN_RUNS)
    show_schedule(schedule, runs, options.json)


async def _create(service: JobService, options: argparse.Namespace) -> None:
    from arkham_shard_export.jobs.schedules.checking import DEFAULTS

    given = {
        name: getattr(options, name)
        for name in DEFAULTS
        if name != "request" and getattr(options, name) is not None
    }
    schedule = await service.schedules.create(
        {**given, "request": _request(options)}, created_by=options.owner, tenant_id=options.tenant
    )
    tell_schedule(schedule, options.json)


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """The body that each run asks for; what is given in words overrides a file."""
    request: dict[str, Any] = {}
    if options.request:
        request = json_in(options.request, "--request")
        if not isinstance(request, dict):
            raise WrongUsage(f"--request {options.request} must hold an object, the body of a job.")
    template = template_of(options)
    if template is not None and options.template_version is None:
        template = options.template
    words = {"template": template, "target": options.target, "format": options.format}
    given = {**words, "filters": filters_of(options) or None, "options": options_of(options) or None}
    request |= {name: value for name, value in given.items() if value is not None}
    if not request:
        raise WrongUsage(
            "What does the schedule export? Give --target and --format, or --template NAME, or --request FILE."
        )
    return request


async def _found(service: JobService, options: argparse.Namespace) -> str:
    from arkham_shard_export.jobs.table.listing import EVERYTHING

    try:
        return await service.schedules.find(options.id)
    except ScheduleNotFound as error:
        there, _ = await service.schedules.page(EVERYTHING, None, MOST_LISTED, 0)
        raise unknown_schedule(options.id, there) from error


def unknown_schedule(given: str, there: Iterable[ExportSchedule]) -> WrongUsage:
    meant = did_you_mean([given], [each.name for each in there])
    return WrongUsage(f"There is no schedule {given!r}.{meant} schedules list shows which there are.")


async def _pause(service: JobService, options: argparse.Namespace) -> None:
    from arkham_shard_export.jobs.table.listing import EVERYTHING

    schedule_id = await _found(service, options)
    reason = "It was paused on the command line."
    tell_schedule(await service.schedules.pause(schedule_id, EVERYTHING, reason), options.json)


async def _resume(service: JobService, options: argparse.Namespace) -> None:
    from arkham_shard_export.jobs.table.listing import EVERYTHING

    schedule_id = await _found(service, options)
    tell_schedule(await service.schedules.resume(schedule_id, EVERYTHING), options.json)


async def _run_now(service: JobService, options: argparse.Namespace) -> None:
    from arkham_shard_export.jobs.showing import job_fields
    from arkham_shard_export.jobs.table.listing import EVERYTHING

    schedule_id = await _found(service, options)
    job = await service.schedules.run_now(schedule_id, EVERYTHING)
    if options.json:
        print_json(job_fields(job))
    else:
        print(job.id)


async def _delete(service: JobService, options: argparse.Namespace) -> None:
    from arkham_shard_export.jobs.table.listing import EVERYTHING

    schedule_id = await _found(service, options)
    await service.schedules.delete(schedule_id, EVERYTHING)
    if options.json:
        print_json({"id": schedule_id, "deleted": True})
    else:
        print(f"{schedule_id} deleted")


def _limit(text: str) -> int:
    return whole(text, 1, MOST_LISTED)


def _count(text: str) -> int:
    return whole(text, 1, MOST_NEXT)
