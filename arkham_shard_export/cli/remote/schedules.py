"""`remote schedules`: the schedules of the host, looked at, paused and run."""

from __future__ import annotations

import argparse
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from arkham_shard_export.cli.common import Commands, WrongUsage, print_json
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.cli.remote.hosts import (
    LEAST_PREFIX,
    SHORT_PATIENCE_SECONDS,
    add_action,
    add_host,
    client_of,
)
from arkham_shard_export.cli.schedules import (
    MOST_LISTED,
    NAMED_BY,
    SHOWN_RUNS,
    add_listing,
    unknown_schedule,
)
from arkham_shard_export.cli.showing import fields_of
from arkham_shard_export.cli.showing_kept import show_schedule, show_schedules, tell_schedule
from arkham_shard_export.cli.tables import plain

if TYPE_CHECKING:
    from arkham_shard_export.client import ExportClient


def add_commands(commands: Commands) -> None:
    schedules = commands.add_parser(
        "schedules",
        help="the schedules of the host",
        description="The schedules of the host that you may see: looked at, paused, resumed and run.",
        examples=(
            ("arkham-export remote schedules list", "with the next and the last run of each"),
            ("arkham-export remote schedules run 'For the editor'", "prints the id of the job"),
        ),
    )
    add_host(schedules, again=True)
    actions = schedules.add_commands()
    listing = add_action(
        actions,
        "list",
        _list,
        "the newest schedules that you may see",
        (("arkham-export remote schedules list --state paused", "those alone that nothing is due of"),),
    )
    add_listing(listing)
    for name, work, told, example in (
        ("show", _show, "one schedule, its next due times and its latest runs", "by name, or id"),
        ("pause", _pause, "begin no more runs", "nothing is due until it is resumed"),
        ("resume", _resume, "go on with one that is paused", "what was due meanwhile is not made up for"),
        ("run", _run, "make a job now, beside the plan", "prints the id of the job; wait follows it"),
    ):
        examples = ((f"arkham-export remote schedules {name} 'For the editor'", example),)
        add_action(actions, name, work, told, examples).add_argument("id", help=NAMED_BY)


def _list(options: argparse.Namespace) -> int:
    from arkham_shard_export.jobs.schedules.desk import schedule_fields

    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        found = list(islice(client.schedules(options.state), options.limit + 1))
    shown = found[: options.limit]
    if options.json:
        print_json({"schedules": [schedule_fields(each) for each in shown], "more": len(found) > len(shown)})
        return Exit.DONE
    show_schedules(shown)
    if len(found) > len(shown):
        print("There are more schedules; --limit shows them.")
    return Exit.DONE


def _show(options: argparse.Namespace) -> int:
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        schedule = client.schedule(_found(client, options.id))
        runs = list(islice(client.schedule_runs(schedule.id), SHOWN_RUNS))
    show_schedule(schedule, runs, options.json)
    return Exit.DONE


def _pause(options: argparse.Namespace) -> int:
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        schedule = client.pause_schedule(_found(client, options.id))
    tell_schedule(schedule, options.json)
    return Exit.DONE


def _resume(options: argparse.Namespace) -> int:
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        schedule = client.resume_schedule(_found(client, options.id))
    tell_schedule(schedule, options.json)
    return Exit.DONE


def _run(options: argparse.Namespace) -> int:
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        job = client.run_schedule(_found(client, options.id))
    if options.json:
        print_json(fields_of(job))
    else:
        print(plain(job.id))
    return Exit.DONE


def _found(client: ExportClient, given: str) -> str:
    """The id of the one schedule that is named so, or whose id is this or begins so."""
    try:
        return str(UUID(given))
    except ValueError:
        pass
    there = list(islice(client.schedules(), MOST_LISTED))
    found = [
        each
        for each in there
        if each.name == given or (len(given) >= LEAST_PREFIX and each.id.startswith(given))
    ]
    if len(found) > 1:
        ids = ", ".join(each.id for each in found[:10])
        raise WrongUsage(f"Several schedules are named, or begin with, {given!r}: {ids}.")
    if not found:
        raise unknown_schedule(given, there)
    return found[0].id
