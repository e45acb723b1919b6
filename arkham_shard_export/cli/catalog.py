"""`formats` and `targets`: what can be exported, and as what."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from arkham_shard_export.cli.common import (
    Commands,
    add_json,
    add_place,
    add_quiet,
    complete_by,
    location_of,
    print_json,
)
from arkham_shard_export.cli.progress import meter
from arkham_shard_export.cli.tables import paragraph, print_facts, print_table, styled
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.models import FormatInfo, OptionInfo, TargetInfo
from arkham_shard_export.targets import TARGETS

_FORMAT_EXAMPLES = (
    ("arkham-export formats", "every format, and the command that installs one that is not available"),
    ("arkham-export formats pdf", "one format: what it is for, and what it cannot carry"),
    ("arkham-export formats --json | jq -r '.[].format'", "for a script"),
)
_TARGET_EXAMPLES = (
    ("arkham-export targets", "every target, with the records that are there now"),
    ("arkham-export targets claims", "one target: its filters with their values, its options with theirs"),
    ("arkham-export targets --database-url postgresql://db/arkham", "those of PostgreSQL"),
    ("arkham-export targets --json", "for a script"),
)


def add_commands(commands: Commands) -> None:
    formats = commands.add_parser(
        "formats",
        help="the formats, and which are available here",
        description=_formats.__doc__,
        examples=_FORMAT_EXAMPLES,
    )
    name = formats.add_argument(
        "format", nargs="?", choices=[*FORMATS], metavar="FORMAT", help="only this one"
    )
    complete_by(name, "formats")
    add_json(formats)
    formats.set_defaults(run=_formats)

    targets = commands.add_parser(
        "targets",
        help="what can be exported, and how many records there are",
        description=_targets.__doc__,
        examples=_TARGET_EXAMPLES,
    )
    name = targets.add_argument(
        "target",
        nargs="?",
        choices=[*TARGETS],
        metavar="TARGET",
        help="only this one, with all that may be asked of it",
    )
    complete_by(name, "targets")
    add_json(targets)
    add_quiet(targets)
    add_place(targets)
    targets.set_defaults(run=_targets)


def _formats(options: argparse.Namespace) -> int:
    """The formats that an export can have, and which of them are available here."""
    from arkham_shard_export.pipeline.declaring import format_infos

    show_formats(format_infos(), options.format, options.json)
    return 0


def _targets(options: argparse.Namespace) -> int:
    """What can be exported from this database, with the records that are there now; no server is needed."""
    from arkham_shard_export.pipeline.direct import targets_directly

    names = (options.target,) if options.target else tuple(TARGETS)
    location = location_of(options)
    with meter("counting", "targets", quiet=options.quiet) as told:
        counted: list[str] = []

        def counting(name: str) -> None:
            told.told(name, len(counted), len(names))
            counted.append(name)

        infos = list(targets_directly(location, names, counting=counting))
    show_targets(infos, options.target, options.json)
    return 0


def show_formats(infos: Sequence[FormatInfo], name: str | None, as_json: bool) -> None:
    """All of them in short, or the one of that name in full."""
    chosen = [each for each in infos if name in (None, each.format)]
    if as_json:
        print_json([asdict(each) for each in chosen])
    elif name is None:
        rows = [("FORMAT", "FILE", "RECORDS", "FOR")]
        for each in chosen:
            most = "any" if each.max_records is None else f"to {each.max_records:,}"
            lacking = "" if each.available else f"Not available; install it by: {each.remedy}. "
            rows.append(
                (each.format, each.file_extension, most, lacking + (each.purpose or each.description))
            )
        print_table(rows, wrapped=True)
    else:
        (info,) = chosen
        print_facts(
            [
                ("format", f"{info.format} ({info.name}, {info.mime_type})"),
                ("file", info.file_extension),
                ("available", "yes" if info.available else f"no; install it by: {info.remedy}"),
                ("records", "any number" if info.max_records is None else f"at most {info.max_records:,}"),
                ("for", info.purpose or info.description),
                ("cannot carry", info.cannot_carry or "nothing is lost"),
            ]
        )


def show_targets(infos: Sequence[TargetInfo], name: str | None, as_json: bool) -> None:
    """All of them in short, or the one of that name with its filters and options."""
    chosen = [each for each in infos if name in (None, each.target)]
    if as_json:
        print_json([asdict(each) for each in chosen])
    elif name is None:
        rows = [("TARGET", "RECORDS", "WHAT")]
        rows += [(each.target, f"{each.estimated_record_count:,}", each.description) for each in chosen]
        print_table(rows, right=(1,), wrapped=True)
    else:
        (info,) = chosen
        print_facts(
            [
                ("target", info.target),
                ("records", f"{info.estimated_record_count:,}"),
                ("what", info.description),
            ]
        )
        print(f"\n{styled('Filters', 'bold')} (--filter NAME=VALUE; the same name again adds a value)")
        for filter in info.filters:
            print(f"  {filter.name}")
            _print_indented(filter.description)
            if filter.values:
                _print_indented(f"One of: {', '.join(filter.values)}.")
        print(f"\n{styled('Options', 'bold')} (--option NAME=VALUE)")
        for option in info.options:
            print(f"  {option.name}={_shown_default(option)}")
            _print_indented(option.description)
            for text in _limits(option):
                _print_indented(text)


def _limits(option: OptionInfo) -> list[str]:
    told = []
    if option.choices:
        told.append(f"{'Some' if option.type == 'choices' else 'One'} of: {', '.join(option.choices)}.")
    told += [f"As {format} only: {', '.join(left)}." for format, left in option.choices_by_format.items()]
    if option.refused:
        told.append(f"Not as {', '.join(option.refused)}.")
    return told


def _shown_default(option: OptionInfo) -> str:
    if option.default is None:
        return {"integer": "N", "date": "DATE", "choices": "A,B"}.get(option.type, "…")
    return str(option.default).lower()


def _print_indented(text: str) -> None:
    print("\n".join(paragraph(text, "      ")))
