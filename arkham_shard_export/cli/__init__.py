"""The command line `arkham-export`: exports without any server and from a host, the host itself, its workers and jobs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from arkham_shard_export import __version__
from arkham_shard_export.cli import (
    batch,
    catalog,
    check,
    completion,
    export,
    jobs,
    preview,
    processes,
    remote,
    schedules,
    seed,
    templates,
)
from arkham_shard_export.cli.exits import MEANINGS, Exit, Stopped, die_of, exit_of, heed_signals
from arkham_shard_export.cli.parsing import Parser, sentence_of

__all__ = ["main"]

MODULES = (
    export,
    batch,
    preview,
    catalog,
    templates,
    remote,
    processes,
    jobs,
    schedules,
    seed,
    check,
    completion,
)
"""Each adds its commands, in the order in which help lists them. A new command is a module, and its name here."""

EXAMPLES = (
    ("arkham-export serve --demo", "a host with a demo case, at http://127.0.0.1:8100/export"),
    (
        "arkham-export export claims --format csv -o claims.csv",
        "straight from the database, without a server",
    ),
    ("arkham-export targets", "what can be exported, and how many records there are"),
    (
        "arkham-export remote --url http://127.0.0.1:8100 export claims --format pdf",
        "from a running host, with its progress, verified",
    ),
    ("arkham-export check", "whether settings, database, store and libraries are as they should be"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, and end with its exit code."""
    parser = make_parser()
    completion.answer(parser)
    options = parser.parse_args(arguments)
    if not options.own_signals:
        heed_signals()
    try:
        if sys.stdout is None:
            raise OSError(None, "it is closed", "standard output")
        code: int = options.run(options)
        # Here, and not at exit, where a reader that has gone away can only be complained about.
        sys.stdout.flush()
    except BrokenPipeError:
        die_of(signal.SIGPIPE)
    except KeyboardInterrupt as error:
        die_of(error.number if isinstance(error, Stopped) else signal.SIGINT)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        _tell(f"{name}{error.strerror or error}")
        code = Exit.FAILED
    except Exception as error:
        known = exit_of(error)
        if known is None:
            raise
        _tell(sentence_of(error))
        code = known
    if code:
        _abandon_output()
    sys.exit(code)


def make_parser() -> Parser:
    parser = Parser(
        prog="arkham-export",
        description="Complete, verifiable exports of investigations: every record is in the file, or is counted where "
        "you see it, or the export failed and says why.",
        examples=EXAMPLES,
        epilog="\n".join(
            [
                "exit codes:",
                *(f"  {code:>3}  {meaning}" for code, meaning in MEANINGS.items()),
            ]
        ),
    )
    parser.add_argument("--version", action="version", version=f"arkham-export {__version__}")
    parser.set_defaults(own_signals=False)
    commands = parser.add_commands()
    for module in MODULES:
        module.add_commands(commands)
    return parser


def _tell(text: str) -> None:
    if sys.stderr is not None:
        print(f"arkham-export: {text}", file=sys.stderr)


def _abandon_output() -> None:
    """What is still in the buffer after a failure may not be to be had rid of: the disk is full."""
    try:
        sys.stdout.flush()
    except (AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
