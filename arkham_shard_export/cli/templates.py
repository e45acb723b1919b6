"""`templates`: look at named exports, save and delete them, straight on the database; and what `export --template` takes."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from arkham_shard_export.cli.common import CommandFailed, Commands, WrongUsage, add_place, check_url, pairs
from arkham_shard_export.cli.tables import aligned, local, plain
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.jobs.table.listing import Scope
from arkham_shard_export.jobs.templates import TemplateLibrary, is_built_in
from arkham_shard_export.models import JobRequest, TemplateRequest, TemplateSummary
from arkham_shard_export.settings import Settings
from arkham_shard_export.standalone.administering import template_library

LISTED = 1000

_Work = Callable[[TemplateLibrary, argparse.Namespace], Awaitable[None]]


def add_commands(commands: Commands) -> None:
    templates = commands.add_parser(
        "templates", help="named exports: look at them, save and delete them", description=run.__doc__
    )
    actions = templates.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _action(actions, "list", _list, "all templates, those that come with the program last")

    showing = _action(actions, "show", _show, "one template")
    showing.add_argument("template", help="its name or id")
    showing.add_argument("--version", type=int, help="default: the newest")

    saving = _action(actions, "save", _save, "save a template, or the next version of the one of this name")
    saving.add_argument("name", help="1 to 100 characters")
    saving.add_argument("target", nargs="?", help="documents, entities, claims, timeline, graph or matrix")
    saving.add_argument("--format", help=", ".join(FORMATS))
    for flag in ("--filter", "--option"):
        saving.add_argument(flag, action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    saving.add_argument("--description", help="for people")
    saving.add_argument("--retention-hours", type=float, help="how long files are kept")
    saving.add_argument("--private", action="store_true", help="for its owner alone")
    saving.add_argument("--owner", default="system", help="the user whose it is (default: %(default)s)")
    saving.add_argument(
        "--from", dest="source", metavar="FILE", help="JSON as show --json prints it; - is standard input"
    )

    deleting = _action(actions, "delete", _delete, "delete a template with all its versions")
    deleting.add_argument("template", help="its name or id")

    _action(actions, "versions", _versions, "the versions of a template").add_argument(
        "template", help="its name or id"
    )


def _action(actions: Commands, name: str, work: _Work, told: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=told, description=f"{told[0].upper()}{told[1:]}.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--tenant", metavar="ID", help="of this tenant alone (default: of all)")
    add_place(parser)
    parser.set_defaults(run=run, work=work)
    return parser


def run(options: argparse.Namespace) -> int:
    """Look at named exports, save and delete them, straight on the database, while hosts run or not."""
    check_url(options.database_url)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")

    async def work() -> None:
        settings = Settings.from_environment()
        async with template_library(options.data, options.database_url, settings) as library:
            await options.work(library, options)

    asyncio.run(work())
    return 0


def expanded(
    reference: str, version: int | None, asked: JobRequest, options: argparse.Namespace
) -> JobRequest:
    """What an export of a template asks for, and what is given besides overrides."""

    async def work() -> JobRequest:
        settings, stored = Settings.from_environment(), not is_built_in(reference)
        async with template_library(options.data, options.database_url, settings, stored=stored) as library:
            template = {"template": reference, "version": version}
            whole, _ = await library.resolved(
                JobRequest(asked.format, asked.target, asked.filters, asked.options, template=template),
                Scope(),
            )
            return whole

    return asyncio.run(work())


async def _list(library: TemplateLibrary, options: argparse.Namespace) -> None:
    templates, total = await library.page(_scope(options), LISTED, 0)
    if options.json:
        _print_json({"templates": [_shown(each) for each in templates], "total": total})
        return
    _print_table(templates)
    if total > len(templates):
        print(f"{len(templates):,} of {total:,} templates.")


async def _show(library: TemplateLibrary, options: argparse.Namespace) -> None:
    scope = _scope(options)
    if options.version is None:
        template = await library.get(options.template, scope)
    else:
        template = await library.version(options.template, options.version, scope)
    shown = _shown(template)
    if options.json:
        _print_json(shown)
        return
    widest = max(map(len, shown))
    for name, value in shown.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        print(f"{name.replace('_', ' ').ljust(widest)}  {plain(text)}".rstrip())


async def _save(library: TemplateLibrary, options: argparse.Namespace) -> None:
    given = _read(options.source) if options.source else {}
    words = {
        "target": options.target,
        "format": options.format,
        "filters": pairs(options.filter, "--filter"),
        "options": pairs(options.option, "--option"),
        "description": options.description,
        "retention_hours": options.retention_hours,
        "shared": False if options.private else None,
    }
    given |= {name: value for name, value in words.items() if value not in (None, {})}
    missing = [name for name in ("target", "format") if name not in given]
    if missing:
        raise WrongUsage(f"A template needs a {' and a '.join(missing)}; or give --from.")
    asked = TemplateRequest(**{**given, "name": options.name})
    saved = await library.save(asked, _scope(options), options.owner)
    if options.json:
        _print_json(_shown(saved))
    else:
        print(f"{plain(saved.name)}: version {saved.version}, {saved.id}")


def _read(source: str) -> dict[str, Any]:
    """What a template asks for, of one that was shown; what the database said of it besides is left out."""
    text = sys.stdin.read() if source == "-" else Path(source).read_text("utf-8")
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise CommandFailed(f"{source} is no JSON object as templates show --json prints it.")
    known = {each.name for each in fields(TemplateRequest)}
    return {name: value for name, value in given.items() if name in known}


async def _delete(library: TemplateLibrary, options: argparse.Namespace) -> None:
    scope = _scope(options)
    template = await library.get(options.template, scope)
    await library.delete(template.id, scope, "system")
    if options.json:
        _print_json({"id": template.id, "name": template.name})
    else:
        print(f"{plain(template.name)} deleted")


async def _versions(library: TemplateLibrary, options: argparse.Namespace) -> None:
    versions = await library.versions(options.template, _scope(options))
    if options.json:
        _print_json({"versions": [_shown(each) for each in versions]})
    else:
        _print_table(versions)


def _print_table(templates: Sequence[TemplateSummary]) -> None:
    rows = [("NAME", "VERSION", "TARGET", "FORMAT", "CHANGED", "BY")]
    rows += [
        (
            each.name,
            str(each.version),
            each.target,
            each.format,
            local(each.updated_at, "minutes"),
            each.updated_by,
        )
        for each in templates
    ]
    print("\n".join(aligned(rows, right=(1,))))


def _scope(options: argparse.Namespace) -> Scope:
    return Scope(options.tenant)


def _shown(template: TemplateSummary) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(template).items()
    }


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2))
