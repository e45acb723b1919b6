"""`batch`: several exports of one state of the database in one file, without any server."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from arkham_shard_export.cli.common import EXIT_FAILED, CommandFailed, Commands, WrongUsage, add_place
from arkham_shard_export.cli.records import location_of, pairs, write_out
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.pipeline import Outcome
from arkham_shard_export.pipeline.direct import export_batch_directly
from arkham_shard_export.settings import Settings

EXAMPLES = """examples:
  arkham-export batch --part 'documents json' --part 'claims csv status=disputed' -o case.zip
  arkham-export batch --part 'entities xlsx' --part 'graph xlsx' -o network.xlsx
      parts that are all workbooks become one
  arkham-export batch --from monday.json --continue-on-error -o monday.zip
      monday.json: {"parts": [{"target": "claims", "format": "csv", "filters": {"status": "disputed"}}, …]}
"""
_OPTIONS = {each.name for each in fields(ExportOptions)}


def add_commands(commands: Commands) -> None:
    batch = commands.add_parser(
        "batch",
        help="write several exports of one state of the data into one file, without a server",
        description=_batch.__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    batch.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="'TARGET FORMAT [NAME=VALUE …]'",
        help="an export with its filters and options, and name=… for its file; may be repeated",
    )
    batch.add_argument(
        "--from",
        dest="file",
        metavar="FILE",
        help='the parts as JSON: a list, or an object with "parts" and "continue_on_error"; - is standard input',
    )
    batch.add_argument(
        "--continue-on-error",
        action="store_true",
        help="leave out a part that fails, and say so in the file; the exit code is 1 then",
    )
    batch.add_argument("-o", "--output", default="-", help="file to write; - is standard output (default)")
    add_place(batch)
    batch.set_defaults(run=_batch)


def _batch(options: argparse.Namespace) -> int:
    """Write several exports of one state of the database into one ZIP, or, where all are workbooks, into one workbook."""
    parts, goes_on = _asked(options)
    write = partial(
        export_batch_directly,
        parts,
        location_of(options),
        processes=Settings.from_environment().processes,
        continue_on_error=goes_on,
    )
    outcome = write_out(lambda sink: write(sink=sink), options.output)
    _tell(outcome)
    return EXIT_FAILED if outcome.completeness["failed_parts"] else 0


def _tell(outcome: Outcome) -> None:
    account = outcome.completeness
    for part in outcome.parts:
        if part["status"] == "failed":
            print(f"  part {part['part']} failed: {part['error']}", file=sys.stderr)
            continue
        written = f"{part['record_count']} of {part['expected']} records"
        print(f"  part {part['part']}: {written}, {part['file'] or 'in the workbook'}", file=sys.stderr)
        for skip in part["skips"]:
            print(f"    skipped {skip['count']} {skip['section']}: {skip['reason']}", file=sys.stderr)
        for each in part["adjustments"]:
            print(f"    adjusted {each['count']}: {each['reason']}", file=sys.stderr)
    print(
        f"{outcome.record_count} of {account['expected']} records written, {account['skipped']} skipped.",
        file=sys.stderr,
    )
    if outcome.trace:
        print(outcome.trace, file=sys.stderr)


def _asked(options: argparse.Namespace) -> tuple[list[Any], bool]:
    if bool(options.part) == bool(options.file):
        raise WrongUsage("Give the parts, either each with --part or all of them in a file with --from.")
    if options.part:
        return [_part(each) for each in options.part], options.continue_on_error
    read = _read(options.file)
    if isinstance(read, list):
        return read, options.continue_on_error
    unknown = sorted(set(read) - {"parts", "continue_on_error"}) if isinstance(read, dict) else ["no object"]
    if unknown or not isinstance(read.get("parts"), list):
        raise WrongUsage(
            f"{options.file} must hold a list of parts, or an object with parts and continue_on_error"
            + (f", and nothing else: {', '.join(unknown)}." if unknown and isinstance(read, dict) else ".")
        )
    return read["parts"], options.continue_on_error or read.get("continue_on_error") is True


def _read(file: str) -> Any:
    try:
        return json.loads(sys.stdin.read() if file == "-" else Path(file).read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{file} is not JSON in UTF-8: {error}.") from error


def _part(text: str) -> dict[str, Any]:
    """`claims csv status=disputed max_records=10`; a name that no option has is that of a filter."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise WrongUsage(f"--part {text!r}: {error}.") from error
    if len(words) < 2 or "=" in words[0] or "=" in words[1]:
        raise WrongUsage(
            f"--part {text!r} must begin with a target and a format: 'claims csv status=disputed'."
        )
    named = [word for word in words[2:] if word.startswith("name=")]
    given = [word for word in words[2:] if not word.startswith("name=")]
    part: dict[str, Any] = {"target": words[0], "format": words[1]}
    part["options"] = pairs([each for each in given if _name(each) in _OPTIONS], "--option")
    part["filters"] = pairs([each for each in given if _name(each) not in _OPTIONS], "--part")
    return part | ({"name": named[-1].removeprefix("name=")} if named else {})


def _name(word: str) -> str:
    return word.partition("=")[0]
