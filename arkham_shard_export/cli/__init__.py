"""The command line `arkham-export`: the standalone host, its workers, its jobs, synthetic data, and exports without any server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from arkham_shard_export import __version__
from arkham_shard_export.cli import batch, jobs, processes, records
from arkham_shard_export.cli.common import EXIT_FAILED, EXIT_USAGE, CommandFailed, WrongUsage
from arkham_shard_export.errors import ExportError
from arkham_shard_export.standalone.errors import HostNotStarted

__all__ = ["main"]

EXAMPLES = """examples:
  arkham-export serve --demo
      a host with a demo case, at http://127.0.0.1:8100/export
  arkham-export export claims --format csv --filter status=disputed -o disputed.csv
      one export straight from the database, without a server
  arkham-export batch --part 'documents json' --part 'claims csv status=disputed' -o case.zip
      several exports of one state of the database in one file
  arkham-export worker --database-url postgresql://… --concurrency 4
      one more process that runs the jobs of the hosts on this database
  arkham-export jobs list --status failed
      the jobs in the table, while hosts run or not; also: show, cancel, retry, purge
  arkham-export seed --records 100000 --target claims --data big
      synthetic claims and what belongs to them, to try things out; without --target, records of every target
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; the exit code is 0, 1 where the work failed, 2 where it was asked for wrongly."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        # Here, and not at exit, where a reader that has gone away can only be complained about.
        sys.stdout.flush()
    except WrongUsage as error:
        print(f"arkham-export: {error}", file=sys.stderr)
        code = EXIT_USAGE
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="arkham-export",
        description="Complete, verifiable exports of investigations.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"arkham-export {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    for module in (processes, jobs, records, batch):
        module.add_commands(commands)
    return parser
