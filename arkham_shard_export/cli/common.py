"""What the commands share: where the data lies, and how they say that they cannot do their work."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from arkham_shard_export.settings import Settings

if TYPE_CHECKING:
    from arkham_shard_export.cli.parsing import Parser
    from arkham_shard_export.sources.location import Location

DEFAULT_DATA = "arkham-data"
DATA_VARIABLE = "ARKHAM_EXPORT_DATA"
DATABASE_VARIABLE = "ARKHAM_EXPORT_DATABASE_URL"

Example = tuple[str, str]
"""A command as one types it, and what it does."""


class Commands(Protocol):
    """Where a module adds its commands; the options are those of `parsing.Parser`."""

    def add_parser(self, name: str, **options: Any) -> Parser: ...


class CommandFailed(Exception):
    """A command cannot do its work; the text says why and what to do."""


class WrongUsage(CommandFailed):
    """A command was not asked as it must be."""


class TooLong(CommandFailed):
    """What was waited for has not come in time, and goes on."""


def add_place(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where the records are")
    data = group.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        default=Path(os.environ.get(DATA_VARIABLE) or DEFAULT_DATA),
        help=f"folder of the SQLite files and of the exports (default: ${DATA_VARIABLE}, or {DEFAULT_DATA})",
    )
    complete_by(data, "folders")
    group.add_argument(
        "--database-url",
        metavar="URL",
        default=os.environ.get(DATABASE_VARIABLE) or None,
        help=f"PostgreSQL instead of SQLite: postgresql://… (default: ${DATABASE_VARIABLE})",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def add_quiet(parser: argparse.ArgumentParser, told: str = "show no progress") -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help=told)


def complete_by(action: argparse.Action, kind: str) -> None:
    """Have the shell's completion offer `kind` of names for the value: see `completion`."""
    action.completed_by = kind  # type: ignore[attr-defined]


def require(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise CommandFailed(f"{module} is not installed. Remedy: pip install 'arkham-shard-export[{extra}]'")


def check_url(url: str | None) -> None:
    if url is None:
        return
    if not url.startswith("postgres"):
        raise WrongUsage(
            f"--database-url {url.split(':')[0]!r} is not supported; use postgresql://… or --data."
        )
    require("psycopg", "postgres")
    require("psycopg_pool", "postgres")


def location_of(options: argparse.Namespace) -> Location:
    """Where the records lie, for a command that reads them without a server."""
    from arkham_shard_export.sources.location import PostgresLocation, SqliteLocation
    from arkham_shard_export.standalone.tables import sqlite_paths

    check_url(options.database_url)
    if options.database_url:
        return PostgresLocation(options.database_url)
    main, attached = sqlite_paths(options.data.resolve())
    if not main.exists():
        raise CommandFailed(
            f"There is no database in {options.data}. Remedy: --data or --database-url, or make one with a demo "
            f"case: arkham-export serve --demo"
        )
    return SqliteLocation(str(main), {name: str(path) for name, path in attached.items()})


def look_into(location: Location) -> None:
    """An error of the export's own where the database does not answer, with the reason for it."""
    from arkham_shard_export.ports import system_clock
    from arkham_shard_export.sources.opening import open_snapshot

    open_snapshot(location, system_clock, exact=False).close()


def run_on_database(
    options: argparse.Namespace, work: Callable[[argparse.Namespace], Coroutine[Any, Any, int]]
) -> int:
    """Of a command on what hosts keep in the database, which shows what users have written."""
    import asyncio

    location = location_of(options)
    if options.database_url:
        # A pool of connections takes longer to say that there is none to be had, and does not say why.
        look_into(location)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    return asyncio.run(work(options))


def add_told(actions: Commands, name: str, told: str, examples: Iterable[Example]) -> Parser:
    """A command of a group, whose help is one sentence."""
    return actions.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.", examples=examples)


def add_database_action(
    actions: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    work: Callable[..., Awaitable[Any]],
    told: str,
    examples: Iterable[Example],
) -> argparse.ArgumentParser:
    """A command of a group that works on the database: `run` opens what `work` needs."""
    parser = add_told(actions, name, told, examples)
    add_json(parser)
    add_place(parser)
    parser.set_defaults(run=run, work=work)
    return parser


def settings_of_environment() -> Settings:
    try:
        return Settings.from_environment()
    except ValueError as error:
        raise CommandFailed(f"{error} (arkham-export check looks at all settings.)") from error


def print_json(value: object) -> None:
    print(json.dumps(value, indent=2))
