"""`export`: one export straight from the database to a file or a pipe, without any server."""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

from arkham_shard_export.cli.account import tell, tell_account
from arkham_shard_export.cli.common import (
    Commands,
    add_json,
    add_place,
    add_quiet,
    complete_by,
    location_of,
    print_json,
    settings_of_environment,
)
from arkham_shard_export.cli.progress import meter
from arkham_shard_export.cli.requests import (
    add_request,
    add_template,
    check_asked,
    filters_of,
    options_of,
    template_of,
)
from arkham_shard_export.cli.templates import expanded, layout_in, layouts_of
from arkham_shard_export.cli.writing import (
    STANDARD_OUTPUT,
    Written,
    add_output,
    check_output,
    check_terminal,
    drawn_beside,
    tell_file,
    write_out,
)
from arkham_shard_export.models import JobRequest

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
    (
        "arkham-export export --template 'Timeline for a court' -o .",
        "all that a template says; arkham-export templates list shows which there are",
    ),
    (
        "arkham-export export claims --format docx --layout letterhead.docx -o .",
        "a report on your own paper: the records stand where the Word file says {{ records }}",
    ),
    (
        "arkham-export export claims --format csv --option date_range=last_7_days -o .",
        "what came in during the seven whole days before today",
    ),
)


def add_commands(commands: Commands) -> None:
    export = commands.add_parser(
        "export", help="write one export, without a server", description=_export.__doc__, examples=_EXAMPLES
    )
    add_request(export, by_template=True)
    add_template(export)
    layout = export.add_argument(
        "--layout",
        type=Path,
        metavar="FILE",
        help="a Word file (.docx) with {{ records }}, for a DOCX report",
    )
    complete_by(layout, "files")
    add_output(export)
    add_json(export)
    add_quiet(export, "show no progress, and of the account only what was left out or changed")
    add_place(export)
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    """Write one export straight from the database: the same records, checks and files as a job's.

    A file appears whole or not at all. The account (how many records were written, skipped, and why) goes to standard error.
    """
    from arkham_shard_export.pipeline.direct import export_directly

    check_output(options)
    check_asked(options)
    asked = JobRequest(
        options.format,
        options.target,
        filters_of(options),
        options_of(options),
        template=template_of(options),
    )
    location = location_of(options)
    if asked.template is not None:
        (asked,) = expanded([asked], options)
    asked, layouts = _laid_out(asked, options)
    if options.output == STANDARD_OUTPUT:
        _check_terminal(asked)
    with meter(
        f"{asked.target} as {asked.format}",
        "records",
        quiet=options.quiet,
        beside=drawn_beside(options.output),
    ) as told:
        write = partial(
            export_directly,
            asked.format,
            asked.target,
            asked.filters,
            asked.options,
            location,
            processes=settings_of_environment().processes,
            progress=told.told,
            layouts=layouts,
        )
        written = write_out(write, options.output, str(asked.target))
    if options.json:
        print_json(written.fields())
    _tell_account(written, options.quiet)
    return 0


def _laid_out(asked: JobRequest, options: argparse.Namespace) -> tuple[JobRequest, dict[str, bytes]]:
    """The request with the layout that it names, or that is given as a file."""
    if options.layout is None:
        return asked, layouts_of([asked], options)
    data = layout_in(options.layout)
    layout_id = hashlib.sha256(data).hexdigest()
    given = asked.options if isinstance(asked.options, dict) else {}
    return replace(asked, options={**given, "layout": layout_id}), {layout_id: data}


def _check_terminal(asked: JobRequest) -> None:
    from arkham_shard_export.formats import writer_class

    given = asked.options if isinstance(asked.options, dict) else {}
    if given.get("compression", "none") != "none":
        check_terminal("a compressed file")
    elif (spec := writer_class(str(asked.format)).spec).compressed:
        check_terminal(spec.name)


def _tell_account(written: Written, quiet: bool) -> None:
    tell_account(written.outcome.completeness, written.outcome.adjustments, quiet)
    if quiet or written.path is None:
        return
    extension = written.outcome.file_extension
    if extension.startswith(".zip") and not written.path.name.endswith(extension):
        tell("  several tables: the file is a ZIP")
    tell_file(written)
