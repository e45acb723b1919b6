"""The command line `arkham-export`: the standalone host, synthetic data, and exports without any server."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from arkham_shard_export import __version__
from arkham_shard_export.errors import ExportError
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.pipeline import Outcome
from arkham_shard_export.pipeline.direct import export_directly
from arkham_shard_export.ports import Sink
from arkham_shard_export.settings import Settings
from arkham_shard_export.sinks.file import FileSink
from arkham_shard_export.sinks.stream import StreamSink
from arkham_shard_export.sources.location import Location, PostgresLocation, SqliteLocation
from arkham_shard_export.standalone.errors import HostNotStarted
from arkham_shard_export.standalone.tables import sqlite_paths
from arkham_shard_export.store_location import FolderLocation
from arkham_shard_export.targets import TARGETS

DEFAULT_DATA = "arkham-data"
DEFAULT_PORT = 8100
EXIT_FAILED = 1

EXAMPLES = """examples:
  arkham-export serve --demo
      a host with a demo case, at http://127.0.0.1:8100/export
  arkham-export export claims --format csv --filter status=disputed -o disputed.csv
      one export straight from the database, without a server
  arkham-export worker --database-url postgresql://… --concurrency 4
      one more process that runs the jobs of the hosts on this database
  arkham-export seed --records 100000 --target claims --data big
      synthetic claims and what belongs to them, to try things out; without --target, records of every target
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; the exit code is 0, 1 where the work failed, 2 where it was asked for wrongly."""
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options)
    except (ExportError, CommandFailed, HostNotStarted, ValueError) as error:
        print(f"arkham-export: {error}", file=sys.stderr)
        code = EXIT_FAILED
    except BrokenPipeError:
        # The reader of our output has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_FAILED
    except OSError as error:
        print(f"arkham-export: {error.filename or ''}: {error.strerror}", file=sys.stderr)
        code = EXIT_FAILED
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


class CommandFailed(Exception):
    """A command cannot do its work; the text says why and what to do."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arkham-export",
        description="Complete, verifiable exports of investigations.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"arkham-export {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run the standalone host", description=_serve.__doc__)
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=int, default=DEFAULT_PORT, help="port (default: %(default)s)")
    _add_place(serve)
    serve.add_argument("--demo", action="store_true", help="load the demo case, once")
    serve.add_argument(
        "--trust-headers",
        action="store_true",
        help="take tenant and user from X-Tenant-Id, X-User-Id and X-User-Role (only behind a proxy that sets them)",
    )
    serve.set_defaults(run=_serve)

    worker = commands.add_parser(
        "worker", help="run the export jobs of hosts on PostgreSQL", description=_worker.__doc__
    )
    worker.add_argument(
        "--concurrency",
        type=int,
        help="exports at a time, besides one more for small ones (default: $ARKHAM_EXPORT_CONCURRENCY, or cores - 1)",
    )
    _add_place(worker)
    worker.set_defaults(run=_worker)

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
    _add_place(seed)
    seed.set_defaults(run=_seed)

    export = commands.add_parser(
        "export", help="write one export, without a server", description=_export.__doc__
    )
    export.add_argument("target", help="documents, entities, claims, timeline, graph or matrix")
    export.add_argument("--format", required=True, help=", ".join(FORMATS))
    export.add_argument("--filter", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    export.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    export.add_argument("-o", "--output", default="-", help="file to write; - is standard output (default)")
    _add_place(export)
    export.set_defaults(run=_export)
    return parser


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("ARKHAM_EXPORT_DATA") or DEFAULT_DATA),
        help=f"folder of the SQLite files and of the exports (default: $ARKHAM_EXPORT_DATA or {DEFAULT_DATA})",
    )
    parser.add_argument(
        "--database-url",
        default=os.environ.get("ARKHAM_EXPORT_DATABASE_URL"),
        help="PostgreSQL instead of SQLite: postgresql://…",
    )


def _require(module: str, extra: str) -> None:
    import importlib.util

    if importlib.util.find_spec(module) is None:
        raise CommandFailed(f"{module} is not installed. Remedy: pip install 'arkham-shard-export[{extra}]'")


def _check_url(url: str | None) -> None:
    if url is None:
        return
    if not url.startswith("postgres"):
        raise CommandFailed(
            f"--database-url {url.split(':')[0]!r} is not supported; use postgresql://… or --data."
        )
    _require("psycopg", "postgres")
    _require("psycopg_pool", "postgres")


def _serve(options: argparse.Namespace) -> int:
    """Run the standalone host: the export service with a database of its own, for anyone without ArkhamFrame."""
    _require("uvicorn", "serve")
    _check_url(options.database_url)
    Settings.from_environment()
    import uvicorn

    from arkham_shard_export.standalone.app import create_app

    app = create_app(
        options.data, options.database_url, demo=options.demo, trust_headers=options.trust_headers
    )
    listener = _listener(options.host, options.port)
    address = listener.getsockname()
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    if not _is_loopback(address[0]):
        print(
            f"Warning: {host} can be reached from other machines, and this host asks nobody for a password.",
            file=sys.stderr,
        )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
                print(f"Open http://{host}:{address[1]}/export   (Ctrl+C stops)", flush=True)

    # Why it did not start is told below, in a sentence rather than a traceback.
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=5)
    server = Server(config)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        asyncio.run(server.serve(sockets=[listener]))
    if (error := getattr(app.state, "startup_error", None)) is not None:
        raise error
    return 0


def _worker(options: argparse.Namespace) -> int:
    """Run jobs in as many processes and on as many machines as you like: each job runs once, in one of them.

    All hosts and workers need the same database and the same store.
    """
    if not options.database_url:
        raise CommandFailed(
            "Workers need PostgreSQL: give --database-url postgresql://… (on SQLite the host runs its jobs itself)."
        )
    _check_url(options.database_url)
    _require("procrastinate", "postgres")
    from arkham_shard_export.standalone.worker import work

    settings = Settings.from_environment()
    if options.concurrency is not None:
        if options.concurrency < 1:
            raise CommandFailed(f"--concurrency {options.concurrency} must be at least 1.")
        settings = replace(settings, concurrency=options.concurrency)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    store = settings.store or FolderLocation(str(options.data.resolve() / "files" / "exports"))
    asyncio.run(work(options.database_url, store, settings))
    return 0


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise CommandFailed(
            f"Cannot listen on {host}:{port} ({error}). Choose another with --host or --port."
        ) from error
    return listener


def _is_loopback(address: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(address).is_loopback


def _seed(options: argparse.Namespace) -> int:
    """Fill the tables with varied synthetic records: N of every target, the same for the same seed."""
    _check_url(options.database_url)
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
    _check_url(options.database_url)
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
        options.format,
        options.target,
        _pairs(options.filter, "--filter"),
        _pairs(options.option, "--option"),
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


def _pairs(words: Sequence[str], flag: str) -> dict[str, Any]:
    """`name=value` words; a value that is JSON (true, 10, null, a list) is read as such."""
    pairs: dict[str, Any] = {}
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            raise CommandFailed(f"{flag} {word!r} must be NAME=VALUE.")
        value: Any = text
        if flag == "--option" or text.startswith("["):
            with contextlib.suppress(ValueError):
                value = json.loads(text)
        pairs[name] = value
    return pairs


if __name__ == "__main__":
    main()
