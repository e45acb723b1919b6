"""Exports written straight from the database, to a file or a pipe: what is there when it went well, and when it did not."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkham_shard_export.cli.account import tell
from arkham_shard_export.cli.common import CommandFailed, WrongUsage, complete_by
from arkham_shard_export.cli.tables import size
from arkham_shard_export.errors import StoreFailed

if TYPE_CHECKING:
    from arkham_shard_export.pipeline import Outcome
    from arkham_shard_export.ports import Sink
    from arkham_shard_export.sinks.hashed import StoredFile

STANDARD_OUTPUT = "-"


def add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument(
        "-o",
        "--output",
        default=STANDARD_OUTPUT,
        metavar="FILE",
        help="file to write, or a folder to write it in; - is standard output (default). A file that is there is replaced",
    )
    complete_by(output, "files")


@dataclass(frozen=True, slots=True)
class Written:
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
            **({"parts": outcome.parts} if outcome.parts else {}),
        }


def check_output(options: argparse.Namespace) -> None:
    """Before anything is read: whether there is a place for the account, and one for the export."""
    if options.output == STANDARD_OUTPUT and options.json:
        raise WrongUsage("--json prints the account where the export itself would go; give -o FILE.")


def check_terminal(what: str) -> None:
    """For an export to standard output that is no text."""
    if sys.stdout.isatty():
        raise WrongUsage(f"{what[:1].upper()}{what[1:]} is nothing for a terminal; give -o FILE, or a pipe.")


def drawn_beside(output: str) -> bool:
    """Whether progress has a terminal to itself."""
    return output != STANDARD_OUTPUT or not sys.stdout.isatty()


def write_out(write: Callable[[Sink], Outcome], output: str, stem: str) -> Written:
    """To the file of this name, into the folder (as `stem`), or to standard output for `-`."""
    return _to_stdout(write) if output == STANDARD_OUTPUT else _to_path(write, Path(output), stem)


def _to_stdout(write: Callable[[Sink], Outcome]) -> Written:
    from arkham_shard_export.sinks.stream import StreamSink

    with _telling(STANDARD_OUTPUT, "what went there is no whole export"):
        outcome = write(StreamSink(sys.stdout.buffer))
        sys.stdout.buffer.flush()
    return Written(outcome, None, None)


def _to_path(write: Callable[[Sink], Outcome], output: Path, stem: str) -> Written:
    """A file appears whole or not at all; anything else that is there already (a pipe, a device) is written to."""
    from arkham_shard_export.sinks.file import FileSink
    from arkham_shard_export.sinks.stream import StreamSink

    given, output = output, output.resolve()
    folder, name = (output, stem) if output.is_dir() else (output.parent, output.name)
    if not folder.is_dir():
        raise CommandFailed(f"There is no folder {folder} to write {output.name} in.")
    if output.exists() and folder != output and not output.is_file():
        with _telling(given, "what went there is no whole export"), output.open("wb") as stream:
            return Written(write(StreamSink(stream)), given, None)
    with _telling(given, "nothing of it was left behind"), FileSink.beside(folder, name) as sink:
        outcome = write(sink)
        file = sink.commit(outcome.file_extension if folder == output else "")
    return Written(outcome, given / f"{stem}{outcome.file_extension}" if folder == output else given, file)


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


def tell_file(written: Written) -> None:
    """Where it is, and what a copy of it can be compared by."""
    if written.file is not None:
        tell(f"{written.path}  {size(written.file.size)}  SHA-256 {written.file.sha256}")
