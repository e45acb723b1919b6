"""`batch`: several exports of one state of the database in one file, without any server."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Any

from arkham_shard_export.cli.account import tell
from arkham_shard_export.cli.common import (
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
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.cli.parsing import did_you_mean
from arkham_shard_export.cli.progress import Meter, meter
from arkham_shard_export.cli.requests import STANDARD_INPUT, filters_in, json_in, options_in
from arkham_shard_export.cli.templates import expanded, layouts_of
from arkham_shard_export.cli.writing import (
    STANDARD_OUTPUT,
    add_output,
    check_output,
    check_terminal,
    drawn_beside,
    tell_file,
    write_out,
)
from arkham_shard_export.models import ExportOptions, JobRequest, PartRequest
from arkham_shard_export.targets import TARGETS

if TYPE_CHECKING:
    from arkham_shard_export.pipeline.parts import PartProgress

STEM = "batch"
_OPTIONS = [each.name for each in fields(ExportOptions)]
_BODY = ("parts", "continue_on_error")
_EXAMPLES = (
    (
        "arkham-export batch --part 'graph csv' --part 'claims csv max_records=9' -o .",
        "two exports of the same moment in one ZIP",
    ),
    (
        "arkham-export batch --part 'entities xlsx' --part 'graph xlsx' -o all.xlsx",
        "parts that are all workbooks become one",
    ),
    (
        "arkham-export batch --part \"template='Timeline for a court' name=Court\" -o .",
        "a part by a template, under a name of its own",
    ),
    (
        "arkham-export batch --from monday.json --continue-on-error -o monday.zip",
        "from a file such as "
        '{"parts": [{"target": "claims", "format": "csv", "filters": {"status": "disputed"}}]}',
    ),
)


def add_commands(commands: Commands) -> None:
    batch = commands.add_parser(
        "batch",
        help="write several exports of one moment into one file, without a server",
        description=_batch.__doc__,
        examples=_EXAMPLES,
    )
    add_parts(batch)
    add_output(batch)
    add_json(batch)
    add_quiet(batch, "show no progress, and of the account only what was left out or changed")
    add_place(batch)
    batch.set_defaults(run=_batch)


def add_parts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="'TARGET FORMAT NAME=VALUE …'",
        help="an export with its filters and options, name=… for its file, template=… for what a template says; "
        "give one for each part",
    )
    source = parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="the parts as JSON: a list, or an object with parts and continue_on_error, as POST /jobs takes it; "
        f"{STANDARD_INPUT} is standard input",
    )
    complete_by(source, "files")
    parser.add_argument(
        "--continue-on-error",
        action="store_true",
        help="leave out a part that fails, and say so in the file; the exit code is 1 then",
    )


def _batch(options: argparse.Namespace) -> int:
    """Write several exports of one state of the database into one ZIP, or, where all are workbooks, into one workbook.

    A file appears whole or not at all. What became of each part goes to standard error.
    """
    from arkham_shard_export.pipeline.direct import export_batch_directly
    from arkham_shard_export.pipeline.parts import read_parts

    check_output(options)
    given, goes_on = parts_of(options)
    parts, goes_on = read_parts(given, goes_on)
    location = location_of(options)
    if any(each.template is not None for each in parts):
        parts = _expanded(parts, options)
    layouts = layouts_of(parts, options)
    if options.output == STANDARD_OUTPUT:
        check_terminal("a batch")
    title = f"{len(parts)} exports" if len(parts) > 1 else "1 export"
    with meter(title, "records", quiet=options.quiet, beside=drawn_beside(options.output)) as told:
        write = partial(
            export_batch_directly,
            parts,
            location,
            processes=settings_of_environment().processes,
            continue_on_error=goes_on,
            progress=partial(_told, told),
            layouts=layouts,
        )
        written = write_out(lambda sink: write(sink=sink), options.output, STEM)
    if options.json:
        print_json(written.fields())
    outcome = written.outcome
    tell_parts(outcome.parts, outcome.completeness, options.quiet)
    if outcome.trace:
        tell_lines(outcome.trace)
    if not options.quiet:
        tell_file(written)
    return Exit.FAILED if outcome.completeness["failed_parts"] else Exit.DONE


def _expanded(parts: Sequence[PartRequest], options: argparse.Namespace) -> list[PartRequest]:
    asked = [
        JobRequest(each.format, each.target, each.filters, each.options, template=each.template)
        for each in parts
    ]
    return [
        PartRequest(each.target, each.format, each.filters, each.options, part.name)
        for part, each in zip(parts, expanded(asked, options, as_parts=True), strict=True)
    ]


def _told(told: Meter, phase: str, parts: Sequence[PartProgress]) -> None:
    ended = sum(each.status in ("completed", "failed") for each in parts)
    known = all(each.expected is not None for each in parts)
    told.told(
        f"part {ended + 1} of {len(parts)}" if phase == "writing" and len(parts) > 1 else phase,
        sum(each.done for each in parts),
        sum(each.expected or 0 for each in parts) if known else None,
    )


def tell_parts(parts: Sequence[Mapping[str, Any]], account: Mapping[str, Any], quiet: bool) -> None:
    """What became of each, as a job's metadata has it; `quiet`: only what failed, was left out or changed."""
    for part in parts:
        number = part["part"]
        if part["status"] == "failed":
            tell(f"part {number} failed: {part['error']}")
            continue
        if not quiet or part["skips"] or part["adjustments"]:
            place = part["file"] or "in the workbook"
            tell(f"part {number}: {part['record_count']:,} of {part['expected']:,} records, {place}")
        for skip in part["skips"]:
            tell(f"  skipped {skip['count']:,} {skip.get('section', 'records')}: {skip['reason']}")
        for each in part["adjustments"]:
            tell(f"  adjusted {each['count']:,}: {each['reason']}")
    if not quiet or account["skipped"]:
        tell(
            f"{account['written']:,} of {account['expected']:,} records written, {account['skipped']:,} skipped."
        )


def tell_lines(text: str) -> None:
    for line in text.splitlines():
        tell(line)


def parts_of(options: argparse.Namespace) -> tuple[Sequence[Any], bool]:
    """The parts that were asked for, unchecked, and whether others go on where one fails."""
    if bool(options.part) == bool(options.source):
        raise WrongUsage("Give the parts, either each with --part or all of them in a file with --from.")
    if options.part:
        return [_part(each) for each in options.part], options.continue_on_error
    read = json_in(options.source, "--from")
    if isinstance(read, list):
        return read, options.continue_on_error
    if not isinstance(read, dict) or not isinstance(read.get("parts"), list):
        raise WrongUsage(f"--from {options.source} must hold a list of parts, or an object with parts.")
    if unknown := [name for name in read if name not in _BODY]:
        raise WrongUsage(
            f"--from {options.source} has an unknown field {unknown[0]!r}.{did_you_mean(unknown[:1], _BODY)} "
            f"Valid: {', '.join(_BODY)}."
        )
    return read["parts"], options.continue_on_error or read.get("continue_on_error", False)


def _part(text: str) -> dict[str, Any]:
    """`claims csv status=disputed max_records=10`; with `template=…` target and format may be left out."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise WrongUsage(f"--part {text!r}: {error}.") from error
    named = [word for word in words if "=" in word]
    part: dict[str, Any] = {}
    for name in ("name", "template"):
        for word in [each for each in named if each.startswith(f"{name}=")]:
            named.remove(word)
            part[name] = word.partition("=")[2]
    leading = [word for word in words if "=" not in word]
    if words[: len(leading)] != leading or not (
        len(leading) == 2 or (len(leading) < 2 and "template" in part)
    ):
        raise WrongUsage(
            f"--part {text!r} must begin with a target and a format, or have a template: "
            "'claims csv status=disputed', \"template='Graph for Gephi'\"."
        )
    part |= zip(("target", "format"), leading, strict=False)
    options = [each for each in named if _name(each) in _OPTIONS]
    filters = [each for each in named if _name(each) not in _OPTIONS]
    _check_names(text, part.get("target"), filters)
    flag = f"--part {text!r}:"
    return {**part, "options": options_in(options, flag), "filters": filters_in(filters, flag)}


def _check_names(text: str, target: str | None, filters: Sequence[str]) -> None:
    """A name that is neither a filter nor an option may have been meant as either."""
    if target not in TARGETS:
        return
    known = TARGETS[target].filter_names
    for name in (_name(each) for each in filters):
        if name not in known:
            raise WrongUsage(
                f"--part {text!r}: {target} has no filter or option {name!r}."
                f"{did_you_mean([name], [*known, *_OPTIONS])} arkham-export targets {target} lists them."
            )


def _name(word: str) -> str:
    return word.partition("=")[0]
