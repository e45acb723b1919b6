"""`export`: one export straight from the database to a file or a pipe, without any server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkham_shard_export.cli.account import tell, tell_account
from arkham_shard_export.cli.common import (
    CommandFailed,
    Commands,
    WrongUsage,
    add_json,
    add_place,
    add_quiet,
    complete_by,
    location_of,
    print_json,
    settings_of_environment,
)
from arkham_shard_export.cli.progress import meter
from arkham_shard_export.cli.requests import add_request, filters_of, options_of
from arkham_shard_export.cli.tables import size
from arkham_shard_export.errors import StoreFailed

if TYPE_CHECKING:
    from arkham_shard_export.pipeline import Outcome
    from arkham_shard_export.ports import Sink
    from arkham_shard_export.sinks.hashed import StoredFile

STANDARD_OUTPUT = "-"
_EXAMPLES = (
    (
        "arkham-export export claims --format csv --filter status=disputed -o some.csv",
        "the disputed claims as a table",
    ),
    (
        "arkham-export export claims --format json | jq '.records[].text'",
        "without -o the export goes to standard output, whole exports of any size in little memory",
    ),
    (
        "arkham-export export timeline --format pdf --option group_by=month -o all.pdf",
        "a report, the events under their months; arkham-export targets timeline lists the options",
    ),
    (
        "arkham-export export entities --format xlsx --filter entity_type=PERSON -o .",
        "people as a workbook, in this folder as entities.xlsx",
    ),
    (
        "arkham-export export documents --format json --option compression=gzip -o .",
        "compressed on the way; with --json the account (records, skips, SHA-256) is printed as JSON",
    ),
    (
        "arkham-export export graph --format csv --database-url postgresql://db -o .",
        "from PostgreSQL; several tables come as a ZIP",
    ),
)


def add_commands(commands: Commands) -> None:
    export = commands.add_parser(
        "export", help="write one export, without a server", description=_export.__doc__, examples=_EXAMPLES
    )
    add_request(export)
    output = export.add_argument(
        "-o",
        "--output",
        default=STANDARD_OUTPUT,
        metavar="FILE",
        help="file to write, or a folder to write it in; - is standard output (default). A file that is there is replaced",
    )
    complete_by(output, "files")
    add_json(export)
    add_quiet(export, "show no progress, and of the account only what was left out or changed")
    add_place(export)
    export.set_defaults(run=_export)


@dataclass(frozen=True, slots=True)
class _Written:
    outcome: Outcome
    path: Path | None
    file: StoredFile | None

    def fields(self) -> dict[str, Any]:
        outcome, file = self.outcome, self.file
        return {
            "path": None if self.path is None else str(self.path),
            "size": None if file is None else file.size,
            "sha256": None if file is None else file.sha256,
            "record_count": outcome.record_count,
            "snapshot_at": outcome.snapshot_at,
            "completeness": outcome.completeness,
            "adjustments": outcome.adjustments,
        }


def _export(options: argparse.Namespace) -> int:
    """Write one export straight from the database: the same records, checks and files as a job's.

    A file appears whole or not at all. The account (how many records were written, skipped, and why) goes to standard error.
    """
    from arkham_shard_export.pipeline.direct import export_directly

    to_stdout = options.output == STANDARD_OUTPUT
    if to_stdout and options.json:
        raise WrongUsage("--json prints the account where the export itself would go; give -o FILE.")
    filters, given = filters_of(options), options_of(options)
    location = location_of(options)
    if to_stdout:
        _check_terminal(options.format, given)
    title = f"{options.target} as {options.format}"
    with meter(
        title, "records", quiet=options.quiet, beside=not to_stdout or not sys.stdout.isatty()
    ) as told:
        write = partial(
            export_directly,
            options.format,
            options.target,
            filters,
            given,
            location,
            processes=settings_of_environment().processes,
            progress=told.told,
        )
        written = _to_stdout(write) if to_stdout else _to_path(write, Path(options.output), options.target)
    if options.json:
        print_json(written.fields())
    _tell_account(written, options.quiet)
    return 0


def _check_terminal(format: str, options: dict[str, Any]) -> None:
    from arkham_shard_export.formats import writer_class

    packed = options.get("compression", "none") != "none"
    if sys.stdout.isatty() and (packed or writer_class(format).spec.compressed):
        what = "a compressed file" if packed else writer_class(format).spec.name
        raise WrongUsage(f"{what[:1].upper()}{what[1:]} is nothing for a terminal; give -o FILE, or a pipe.")


def _to_stdout(write: Callable[[Sink], Outcome]) -> _Written:
    from arkham_shard_export.sinks.stream import StreamSink

    with _telling(STANDARD_OUTPUT, "what went there is no whole export"):
        outcome = write(StreamSink(sys.stdout.buffer))
        sys.stdout.buffer.flush()
    return _Written(outcome, None, None)


def _to_path(write: Callable[[Sink], Outcome], output: Path, target: str) -> _Written:
    """A file appears whole or not at all; anything else that is there already (a pipe, a device) is written to."""
    from arkham_shard_export.sinks.file import FileSink
    from arkham_shard_export.sinks.stream import StreamSink

    given, output = output, output.resolve()
    folder, stem = (output, target) if output.is_dir() else (output.parent, output.name)
    if not folder.is_dir():
        raise CommandFailed(f"There is no folder {folder} to write {output.name} in.")
    if output.exists() and folder != output and not output.is_file():
        with _telling(given, "what went there is no whole export"), output.open("wb") as stream:
            return _Written(write(StreamSink(stream)), given, None)
    with _telling(given, "nothing of it was left behind"), FileSink.beside(folder, stem) as sink:
        outcome = write(sink)
        file = sink.commit(outcome.file_extension if folder == output else "")
    return _Written(outcome, given / f"{target}{outcome.file_extension}" if folder == output else given, file)


@contextmanager
def _telling(place: Path | str, left: str) -> Iterator[None]:
    """Where writing fails, or is stopped: what became of what was written."""
    shown = "standard output" if place == STANDARD_OUTPUT else place
    try:
        yield
    except KeyboardInterrupt:
        tell(f"arkham-export: The export to {shown} was stopped; {left}.")
        raise
    except BrokenPipeError:
        raise
    except (StoreFailed, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError):
            raise
        raise CommandFailed(f"The export cannot be written to {shown} ({cause.strerror}); {left}.") from error


def _tell_account(written: _Written, quiet: bool) -> None:
    tell_account(written.outcome.completeness, written.outcome.adjustments, quiet)
    if quiet or written.path is None:
        return
    extension = written.outcome.file_extension
    if extension.startswith(".zip") and not written.path.name.endswith(extension):
        tell("  several tables: the file is a ZIP")
    if written.file is not None:
        tell(f"{written.path}  {size(written.file.size)}  SHA-256 {written.file.sha256}")
