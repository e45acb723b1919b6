"""`preview`: the first records of an export, and how large it will be."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from arkham_shard_export.cli.common import (
    Commands,
    WrongUsage,
    add_json,
    add_place,
    add_quiet,
    location_of,
    print_json,
)
from arkham_shard_export.cli.progress import meter
from arkham_shard_export.cli.requests import (
    add_records,
    add_request,
    add_template,
    filters_of,
    options_of,
    template_of,
)
from arkham_shard_export.cli.tables import cut, paragraph, print_table, size, terminal_width, width_of
from arkham_shard_export.cli.templates import expanded, layouts_of
from arkham_shard_export.models import JobRequest

WIDEST = 40
"""Of a column, in characters."""
_EXAMPLES = (
    ("arkham-export preview claims", "the first ten claims, and how many there are"),
    (
        "arkham-export preview claims --format csv --filter status=disputed",
        "of just the export that the same words would give: how many records, how many bytes",
    ),
    ("arkham-export preview --template 'Claims for an editor'", "of the export that a template makes"),
    ("arkham-export preview documents --records 1 --json", "one record with all that belongs to it, as JSON"),
)


def add_commands(commands: Commands) -> None:
    preview = commands.add_parser(
        "preview", help="the first records of an export", description=_preview.__doc__, examples=_EXAMPLES
    )
    add_request(preview, by_template=True)
    add_template(preview)
    add_records(preview)
    add_json(preview)
    add_quiet(preview)
    add_place(preview)
    preview.set_defaults(run=_preview)


def _preview(options: argparse.Namespace) -> int:
    """Show the first records of an export, how many it has, and how large it will be, without a server.

    A table shows the columns that fit, the most telling first; --json shows each record whole. The size is that of JSON
    where no format is given.
    """
    from arkham_shard_export.pipeline.direct import preview_directly

    asked = JobRequest(
        format_of(options),
        options.target,
        filters_of(options),
        options_of(options),
        template=template_of(options),
    )
    location = location_of(options)
    if asked.template is not None:
        (asked,) = expanded([asked], options)
    layouts = layouts_of([asked], options)
    with meter(f"preview of {asked.target}", "records", quiet=options.quiet) as told:
        told.told("counting", 0, None)
        found = preview_directly(
            asked.format,
            asked.target,
            asked.filters,
            asked.options,
            location,
            options.records,
            layouts=layouts,
        )
    if options.json:
        print_json(asdict(found))
        return 0
    show_preview(
        str(asked.target),
        str(asked.format),
        found.preview_records,
        found.estimated_record_count,
        found.estimated_file_size_bytes,
    )
    return 0


def format_of(options: argparse.Namespace) -> Any:
    """The format that words say, JSON where there is no template to say one; WrongUsage where nothing says a target."""
    if options.target is None and options.template is None:
        raise WrongUsage("What is to be shown? Give TARGET, or --template NAME.")
    return options.format or ("json" if options.template is None else None)


def show_preview(
    target: str, format: str, records: Sequence[Mapping[str, Any]], total: int, file_bytes: int
) -> None:
    if records:
        names = _telling(target, records)
        fitting = _fitting(names, records)
        rows = [[name.upper() for name in fitting]]
        rows += [[cut(_shown(record.get(name)), WIDEST) for name in fitting] for record in records]
        print_table(rows)
        print()
        if left := [
            name for name in dict.fromkeys(name for each in records for name in each) if name not in fitting
        ]:
            print("\n".join(paragraph(f"Not shown: {', '.join(left)} (--json shows all).")))
    else:
        print("No record matches.")
    shown = f"{len(records):,} of " if len(records) < total else ""
    print(f"{shown}{total:,} records; as {format} about {size(file_bytes)}.")


def _telling(target: str, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """The columns that a table can show, in the order in which people are told them."""
    from arkham_shard_export.layouts import layout_of

    order = {"id": 0}
    for layout in layout_of(target).sections.values():
        for name in (*layout.title, *layout.facts, *layout.prose):
            order.setdefault(name, len(order))
    names = {
        name: None
        for each in records
        for name, value in each.items()
        if value not in (None, "") and not isinstance(value, list | dict)
    }
    return sorted(names, key=lambda name: order.get(name, len(order)))


def _fitting(names: Sequence[str], records: Sequence[Mapping[str, Any]]) -> list[str]:
    """So many of the columns as a line holds, at least one."""
    fitting: list[str] = []
    room = terminal_width()
    for name in names:
        widest = max(len(name), *(width_of(cut(_shown(each.get(name)), WIDEST)) for each in records))
        if fitting and widest + 2 > room:
            continue
        fitting.append(name)
        room -= widest + 2
    return fitting


def _shown(value: object) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.split())
