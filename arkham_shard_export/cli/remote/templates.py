"""`remote templates`: the templates that the host offers."""

from __future__ import annotations

import argparse
from itertools import islice

from arkham_shard_export.cli.common import Commands, print_json
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.cli.remote.hosts import SHORT_PATIENCE_SECONDS, add_action, add_host, client_of
from arkham_shard_export.cli.showing_kept import show_template, show_templates, template_fields
from arkham_shard_export.cli.templates import MOST_LISTED, unknown_template


def add_commands(commands: Commands) -> None:
    templates = commands.add_parser(
        "templates",
        help="the templates of the host",
        description="The templates of the host: those you may use, and those that come with the program.",
        examples=(
            ("arkham-export remote templates list", "by name"),
            ("arkham-export remote export --template 'Graph for Gephi'", "an export by one"),
        ),
    )
    add_host(templates, again=True)
    actions = templates.add_commands()
    add_action(
        actions,
        "list",
        _list,
        "all that you may use",
        (("arkham-export remote templates list", "by name, those that come with the program last"),),
    )
    showing = add_action(
        actions,
        "show",
        _show,
        "all that one template says",
        (("arkham-export remote templates show 'Graph for Gephi'", "what it asks for"),),
    )
    showing.add_argument("template", metavar="NAME", help="its name or id")
    showing.add_argument("--version", type=int, metavar="N", help="default: the newest")


def _list(options: argparse.Namespace) -> int:
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        found = list(client.templates())
    if options.json:
        print_json({"templates": [template_fields(each) for each in found], "total": len(found)})
    else:
        show_templates(found)
    return Exit.DONE


def _show(options: argparse.Namespace) -> int:
    from arkham_shard_export.client import Refused

    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        try:
            template = client.template(options.template, options.version)
        except Refused as error:
            if error.status != 404 or options.version is not None:
                raise
            raise unknown_template(options.template, islice(client.templates(), MOST_LISTED)) from error
    show_template(template, options.json)
    return Exit.DONE
