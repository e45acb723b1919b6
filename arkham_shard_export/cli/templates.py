"""`templates`: look at named exports, save and delete them, straight on the database; and what `--template` takes."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arkham_shard_export.cli.common import (
    Commands,
    Example,
    WrongUsage,
    add_database_action,
    complete_by,
    print_json,
    run_on_database,
    settings_of_environment,
)
from arkham_shard_export.cli.parsing import did_you_mean
from arkham_shard_export.cli.requests import (
    STANDARD_INPUT,
    add_request,
    filters_of,
    json_in,
    options_of,
    whole,
)
from arkham_shard_export.cli.showing_kept import show_template, show_templates, template_fields
from arkham_shard_export.cli.tables import plain
from arkham_shard_export.errors import FieldProblem, InvalidRequest, TemplateNotFound
from arkham_shard_export.models import (
    ExportTemplate,
    JobRequest,
    PartRequest,
    TemplateRequest,
    TemplateSummary,
)

if TYPE_CHECKING:
    from arkham_shard_export.jobs.table.listing import Scope
    from arkham_shard_export.jobs.templates import TemplateLibrary

LISTED = 100
MOST_LISTED = 100_000
_SAVED = tuple(each.name for each in fields(TemplateRequest))

_Work = Callable[["TemplateLibrary", argparse.Namespace], Awaitable[None]]
_EXAMPLES = (
    ("arkham-export templates list", "all there are, those that come with the program last"),
    (
        "arkham-export templates save Proof claims --format pdf --option max_records=9",
        "saves one, or its next version; the earlier ones are kept",
    ),
    ("arkham-export templates show 'Graph for Gephi'", "what it asks for"),
    ("arkham-export export --template 'Graph for Gephi' -o graph.zip", "an export by it, without a server"),
)


def add_commands(commands: Commands) -> None:
    templates = commands.add_parser(
        "templates",
        help="named exports: look at them, save and delete them",
        description=run.__doc__,
        examples=_EXAMPLES,
    )
    actions = templates.add_commands()
    listing = _action(
        actions,
        "list",
        _list,
        "all templates, those that come with the program last",
        (
            ("arkham-export templates list", "by name, with the version of each"),
            ("arkham-export templates list --json | jq -r '.templates[].name'", "for a script"),
        ),
    )
    listing.add_argument(
        "--limit", type=_limit, default=LISTED, metavar="N", help="how many (default: %(default)s)"
    )
    showing = _action(
        actions,
        "show",
        _show,
        "all that one template says",
        (
            ("arkham-export templates show 'Graph for Gephi'", "its newest version"),
            ("arkham-export templates show 'For the editor' --version 2", "an earlier one"),
            (
                "arkham-export templates show 'Graph for Gephi' --json > graph.json",
                "to change it, and save it with --from",
            ),
        ),
    )
    _add_template(showing)
    showing.add_argument("--version", type=int, metavar="N", help="default: the newest")
    _add_save(actions)
    deleting = _action(
        actions,
        "delete",
        _delete,
        "delete a template with all its versions",
        (("arkham-export templates delete 'For the editor'", "jobs that were made of it stay as they are"),),
    )
    _add_template(deleting)
    versions = _action(
        actions,
        "versions",
        _versions,
        "the versions of a template, newest first",
        (("arkham-export templates versions 'For the editor'", "who made each, and when"),),
    )
    _add_template(versions)

    laying_out = _action(
        actions,
        "layout",
        _layout,
        "lay the reports of a DOCX template out by a Word file",
        (("arkham-export templates layout 'For the editor' letterhead.docx", "its next version"),),
    )
    _add_template(laying_out)
    file = laying_out.add_argument(
        "file", type=Path, metavar="FILE", help="a Word file (.docx) with {{ records }}"
    )
    complete_by(file, "files")


def _add_save(actions: Commands) -> None:
    saving = _action(
        actions,
        "save",
        _save,
        "save a template, or the next version of the one of this name",
        (
            (
                "arkham-export templates save Proof claims --format pdf --option max_records=9",
                "from the same words as an export",
            ),
            (
                "arkham-export templates save Day claims --format csv --option date_range=today",
                "with dates that follow the day on which it is used",
            ),
            (
                "arkham-export templates save 'Graph for us' --from graph.json",
                "from what templates show --json printed; words besides override it",
            ),
        ),
    )
    saving.add_argument("name", metavar="NAME", help="1 to 100 characters")
    add_request(saving, by_template=True)
    saving.add_argument("--description", metavar="TEXT", help="for people")
    saving.add_argument(
        "--retention-hours",
        type=float,
        metavar="HOURS",
        help="how long hosts keep the files (default: theirs)",
    )
    saving.add_argument("--private", action="store_true", help="for its owner alone")
    saving.add_argument(
        "--owner", default="system", metavar="USER", help="the user whose it is (default: %(default)s)"
    )
    source = saving.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help=f"JSON as show --json prints it; {STANDARD_INPUT} is standard input",
    )
    complete_by(source, "files")


def _action(
    actions: Commands, name: str, work: _Work, told: str, examples: Iterable[Example]
) -> argparse.ArgumentParser:
    parser = add_database_action(actions, name, run, work, told, examples)
    parser.add_argument("--tenant", metavar="ID", help="of this tenant alone (default: of all)")
    return parser


def _add_template(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("template", metavar="NAME", help="its name or id")


def run(options: argparse.Namespace) -> int:
    """Look at named exports, save and delete them, straight on the database, while hosts run or not."""
    return run_on_database(options, _run)


async def _run(options: argparse.Namespace) -> int:
    from arkham_shard_export.standalone.administering import template_library

    reference = getattr(options, "template", None)
    stored = reference is None or _may_be_stored(reference)
    settings = settings_of_environment()
    async with template_library(options.data, options.database_url, settings, stored=stored) as library:
        try:
            await options.work(library, options)
        except TemplateNotFound as error:
            if getattr(options, "version", None) is not None and "version" in str(error):
                raise WrongUsage(str(error)) from error
            there, _ = await library.page(_scope(options), MOST_LISTED, 0)
            raise unknown_template(options.template, there) from error
    return 0


def unknown_template(given: str, there: Iterable[TemplateSummary]) -> WrongUsage:
    meant = did_you_mean([given], [each.name for each in there])
    return WrongUsage(f"There is no template {given!r}.{meant} templates list shows which there are.")


def expanded(
    asked: Sequence[JobRequest], options: argparse.Namespace, *, as_parts: bool = False
) -> list[JobRequest]:
    """What exports ask for with their templates, which what they give besides overrides; InvalidRequest with all that is
    wrong, `as_parts` of a batch."""
    import asyncio

    return asyncio.run(_expanded(asked, options, as_parts))


async def _expanded(
    asked: Sequence[JobRequest], options: argparse.Namespace, as_parts: bool
) -> list[JobRequest]:
    from arkham_shard_export.jobs.table.listing import EVERYTHING
    from arkham_shard_export.pipeline.parts import problems_of_part
    from arkham_shard_export.standalone.administering import template_library

    stored = any(_may_be_stored(each.template) for each in asked)
    found: list[JobRequest] = []
    problems: list[FieldProblem] = []
    settings = settings_of_environment()
    async with template_library(options.data, options.database_url, settings, stored=stored) as library:
        for place, each in enumerate(asked):
            try:
                found.append((await library.resolved(each, EVERYTHING))[0])
            except InvalidRequest as error:
                problems += problems_of_part(place, error.problems) if as_parts else error.problems
    if problems:
        raise InvalidRequest(problems)
    return found


def layout_in(path: Path) -> bytes:
    """A Word file, and of one that is too large enough to be told so."""
    from arkham_shard_export.formats.wordlayout import MAX_LAYOUT_BYTES

    with path.open("rb") as file:
        return file.read(MAX_LAYOUT_BYTES + 1)


def layouts_of(asked: Iterable[JobRequest | PartRequest], options: argparse.Namespace) -> dict[str, bytes]:
    """The Word files that are kept, of those that requests name as their layout."""
    import asyncio

    given = [each.options.get("layout") for each in asked if isinstance(each.options, Mapping)]
    named = [each for each in given if isinstance(each, str)]
    return asyncio.run(_layouts_of(named, options)) if named else {}


async def _layouts_of(named: Iterable[str], options: argparse.Namespace) -> dict[str, bytes]:
    from arkham_shard_export.standalone.administering import template_library

    async with template_library(options.data, options.database_url, settings_of_environment()) as library:
        found = {each: await library.layout_of(each) for each in named}
    return {layout_id: data for layout_id, data in found.items() if data is not None}


def _may_be_stored(given: object) -> bool:
    """Whether it takes tables to find it, and is not a template of the program."""
    from arkham_shard_export.jobs.templates import is_built_in

    name = given.get("template") if isinstance(given, Mapping) else given
    return isinstance(name, str) and not is_built_in(name)


async def _list(library: TemplateLibrary, options: argparse.Namespace) -> None:
    templates, total = await library.page(_scope(options), options.limit, 0)
    if options.json:
        print_json({"templates": [template_fields(each) for each in templates], "total": total})
        return
    show_templates(templates)
    if total > len(templates):
        print(f"{len(templates):,} of {total:,} templates; --limit shows more.")


async def _show(library: TemplateLibrary, options: argparse.Namespace) -> None:
    scope = _scope(options)
    if options.version is None:
        template = await library.get(options.template, scope)
    else:
        template = await library.version(options.template, options.version, scope)
    show_template(template, options.json)


async def _save(library: TemplateLibrary, options: argparse.Namespace) -> None:
    given = _read(options.source) if options.source else {}
    words = {
        "target": options.target,
        "format": options.format,
        "filters": filters_of(options),
        "options": options_of(options),
        "description": options.description,
        "retention_hours": options.retention_hours,
        "shared": False if options.private else None,
    }
    given |= {name: value for name, value in words.items() if value not in (None, {})}
    missing = [
        shown for name, shown in (("target", "TARGET"), ("format", "--format FORMAT")) if name not in given
    ]
    if missing:
        raise WrongUsage(f"What does the template export? Give {' and '.join(missing)}, or --from FILE.")
    asked = TemplateRequest(**{**given, "name": options.name})
    saved = await library.save(asked, _scope(options), options.owner)
    if options.json:
        print_json(template_fields(saved))
    else:
        print(f"{plain(saved.name)}: version {saved.version}, {saved.id}")


def _read(source: str) -> dict[str, Any]:
    """What a template asks for, of one that was shown; what the database said of it besides is left out."""
    given = json_in(source, "--from")
    shown = {each.name for each in fields(ExportTemplate)}
    if not isinstance(given, dict):
        raise WrongUsage(f"--from {source} must hold an object, as templates show --json prints it.")
    if unknown := [name for name in given if name not in shown]:
        raise InvalidRequest(
            [
                FieldProblem(name, given[name], f"--from {source} has an unknown field {name!r}.", _SAVED)
                for name in unknown
            ]
        )
    return {name: value for name, value in given.items() if name in _SAVED}


async def _layout(library: TemplateLibrary, options: argparse.Namespace) -> None:
    import asyncio

    data = await asyncio.to_thread(layout_in, options.file)
    template, layout = await library.lay_out(options.template, data, _scope(options), "system")
    if options.json:
        print_json({**template_fields(template), "layout": asdict(layout)})
    else:
        print(f"{plain(template.name)}: version {template.version}, with {', '.join(layout.fields)}")


async def _delete(library: TemplateLibrary, options: argparse.Namespace) -> None:
    scope = _scope(options)
    template = await library.get(options.template, scope)
    await library.delete(template.id, scope, "system")
    if options.json:
        print_json({"id": template.id, "name": template.name})
    else:
        print(f"{plain(template.name)} deleted")


async def _versions(library: TemplateLibrary, options: argparse.Namespace) -> None:
    versions = await library.versions(options.template, _scope(options))
    if options.json:
        print_json({"versions": [template_fields(each) for each in versions]})
    else:
        show_templates(versions)


def _scope(options: argparse.Namespace) -> Scope:
    from arkham_shard_export.jobs.table.listing import Scope

    return Scope(options.tenant)


def _limit(text: str) -> int:
    return whole(text, 1, MOST_LISTED)
