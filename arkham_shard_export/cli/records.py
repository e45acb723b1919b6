"""`seed` and `export`: records into tables, and out of them without any server."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from arkham_shard_export.cli.common import CommandFailed, Commands, WrongUsage, add_place, check_url, pairs
from arkham_shard_export.cli.templates import expanded
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.models import JobRequest
from arkham_shard_export.pipeline import Outcome
from arkham_shard_export.pipeline.direct import export_directly
from arkham_shard_export.ports import Sink
from arkham_shard_export.settings import Settings
from arkham_shard_export.sinks.file import FileSink
from arkham_shard_export.sinks.stream import StreamSink
from arkham_shard_export.sources.location import Location, PostgresLocation, SqliteLocation
from arkham_shard_export.standalone.tables import sqlite_paths
from arkham_shard_export.targets import TARGETS


def add_commands(commands: Commands) -> None:
    seed = commands.add_parser(
        "seed", help="fill the tables with synthetic records", description=_seed.__doc__
    )
    seed.add_argument("--records", type=int, required=True, help="records a target")
    seed.add_argument("--seed", type=int, default=1, help="same seed, same records (default: %(default)s)")
    seed.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="NAME",
        help="fill only the tables that this target reads; may be repeated (default: every target)",
    )
    add_place(seed)
    seed.set_defaults(run=_seed)

    export = commands.add_parser(
        "export", help="write one export, without a server", description=_export.__doc__
    )
    export.add_argument("target", nargs="?", help="documents, entities, claims, timeline, graph or matrix")
    export.add_argument("--format", help=", ".join(FORMATS))
    export.add_argument(
        "--template", metavar="NAME", help="a template by name or id; what is given besides overrides it"
    )
    export.add_argument("--template-version", type=int, metavar="N", help="default: the newest")
    export.add_argument("--filter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    export.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    export.add_argument("-o", "--output", default="-", help="file to write; - is standard output (default)")
    add_place(export)
    export.set_defaults(run=_export)


def _seed(options: argparse.Namespace) -> int:
    """Fill the tables with varied synthetic records: N of every target, the same for the same seed."""
    check_url(options.database_url)
    from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite

    def progress(table: str, done: int, expected: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{table}: {done:,} of {expected:,}".ljust(70), end="", file=sys.stderr, flush=True)

    started = time.monotonic()
    if options.database_url:
        rows = seed_postgres(options.database_url, options.records, options.seed, progress, options.target)
    else:
        rows = seed_sqlite(options.data, options.records, options.seed, progress, options.target)
    seconds = time.monotonic() - started
    if sys.stderr.isatty():
        print("\r".ljust(72), end="\r", file=sys.stderr)
    for table, count in rows.items():
        print(f"{count:>12,}  {table}")
    targets = list(dict.fromkeys(options.target)) or list(TARGETS)
    print(
        f"{options.records:,} records of {', '.join(targets)} in {seconds:.1f} s "
        f"({len(targets) * options.records / seconds:,.0f} records a second)."
    )
    return 0


def _export(options: argparse.Namespace) -> int:
    """Write one export straight from the database: the same records, checks and files as a job's."""
    check_url(options.database_url)
    asked = _asked(options)
    location: Location
    if options.database_url:
        location = PostgresLocation(options.database_url)
    else:
        main_file, attached = sqlite_paths(options.data.resolve())
        if not main_file.exists():
            raise CommandFailed(f"There is no database in {options.data}. Remedy: arkham-export serve --demo")
        location = SqliteLocation(str(main_file), {name: str(path) for name, path in attached.items()})
    write = partial(
        export_directly,
        asked.format,
        asked.target,
        asked.filters,
        asked.options,
        location,
        processes=Settings.from_environment().processes,
    )
    if options.output == "-":
        outcome = write(StreamSink(sys.stdout.buffer))
        sys.stdout.buffer.flush()
    else:
        outcome = _export_to_path(write, Path(options.output))
    account = outcome.completeness
    print(
        f"{outcome.record_count} of {account['expected']} records written, {account['skipped']} skipped.",
        file=sys.stderr,
    )
    if outcome.file_extension.startswith(".zip") and not options.output.endswith(
        (outcome.file_extension, "-")
    ):
        print("  several tables: the file is a ZIP", file=sys.stderr)
    for skip in account["skips"]:
        print(f"  skipped {skip['count']} {skip['section']}: {skip['reason']}", file=sys.stderr)
    for each in outcome.adjustments:
        print(f"  adjusted {each['count']}: {each['reason']}", file=sys.stderr)
    return 0


def _asked(options: argparse.Namespace) -> JobRequest:
    asked = JobRequest(
        options.format,
        options.target,
        pairs(options.filter, "--filter"),
        pairs(options.option, "--option"),
    )
    if options.template is not None:
        return expanded(options.template, options.template_version, asked, options)
    if options.target is None or options.format is None:
        raise WrongUsage("An export needs a TARGET and a --format, or a --template.")
    return asked


def _export_to_path(write: Callable[[Sink], Outcome], output: Path) -> Outcome:
    """A file appears whole or not at all; anything else that is there already (a pipe, a device) is written to."""
    output = output.resolve()
    if not output.parent.is_dir():
        raise CommandFailed(f"There is no folder {output.parent} to write {output.name} in.")
    if output.exists() and not output.is_file():
        with output.open("wb") as stream:
            return write(StreamSink(stream))
    with FileSink(output.parent, "", output.name) as sink:
        outcome = write(sink)
        sink.commit("")
    return outcome
