"""`check`: whether settings, database, store, libraries and fonts are as they should be."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable, Mapping

from arkham_shard_export.cli.checking import Finding, State, problem
from arkham_shard_export.cli.common import (
    CommandFailed,
    Commands,
    add_json,
    add_place,
    add_quiet,
    location_of,
    print_json,
)
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.cli.progress import meter
from arkham_shard_export.cli.tables import paragraph, plain, styled
from arkham_shard_export.settings import Settings

STYLES = {State.OK: "green", State.ABSENT: "yellow", State.PROBLEM: "red"}
_EXAMPLES = (
    ("arkham-export check", "before a host starts, or when something does not work"),
    ("arkham-export check --quiet && arkham-export serve", "only what is wrong is told"),
    ("arkham-export check --database-url postgresql://db/arkham", "over that database"),
    ("arkham-export check --json | jq '.database'", "for a script"),
)


def add_commands(commands: Commands) -> None:
    check = commands.add_parser(
        "check", help="whether all is as it should be", description=_check.__doc__, examples=_EXAMPLES
    )
    add_json(check)
    add_quiet(check, "print only what is wrong")
    add_place(check)
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    """Look at settings, database, store, optional libraries and fonts, and tell the remedy of each problem.

    Nothing is changed. The exit code is 0 where all is well, and 1 where something is wrong; a library that is missing
    is wrong only where a setting needs it.
    """
    found: dict[str, list[Finding]] = {}
    with meter("check", "parts", quiet=options.quiet) as told:
        for number, (name, look) in enumerate(_PARTS.items()):
            told.told(name, number, len(_PARTS))
            found[name] = list(look(options))
    wrong = sum(each.state is State.PROBLEM for each in _all(found))
    if options.json:
        print_json(
            {"ok": not wrong} | {name: [each.fields() for each in part] for name, part in found.items()}
        )
    else:
        _show(found, options.quiet)
        if wrong:
            print(f"{wrong} problem{'' if wrong == 1 else 's'}.")
        elif not options.quiet:
            print("All is well.")
    return Exit.FAILED if wrong else Exit.DONE


def _settings(_options: argparse.Namespace) -> Iterable[Finding]:
    from arkham_shard_export.cli.checking.configuration import check_settings

    return check_settings(os.environ)


def _database(options: argparse.Namespace) -> Iterable[Finding]:
    from arkham_shard_export.cli.checking.database import check_database

    try:
        location = location_of(options)
    except CommandFailed as error:
        return [problem("reachable", *_remedied(error))]
    return check_database(location)


def _store(options: argparse.Namespace) -> Iterable[Finding]:
    import asyncio

    from arkham_shard_export.cli.checking.store import check_store
    from arkham_shard_export.standalone.administering import store_of

    settings = _usable_settings()
    if settings is None:
        return [problem("usable", "It is not looked at before the settings can be used.")]
    try:
        database = location_of(options)
    except CommandFailed:
        database = None
    return asyncio.run(check_store(store_of(options.data, settings), settings, database))


def _libraries(options: argparse.Namespace) -> Iterable[Finding]:
    from arkham_shard_export.cli.checking.libraries import check_libraries

    return check_libraries(_usable_settings(), options.database_url)


def _fonts(_options: argparse.Namespace) -> Iterable[Finding]:
    from arkham_shard_export.cli.checking.libraries import check_fonts

    return check_fonts()


_PARTS = {
    "settings": _settings,
    "database": _database,
    "store": _store,
    "libraries": _libraries,
    "fonts": _fonts,
}


def _usable_settings() -> Settings | None:
    try:
        return Settings.from_environment()
    except ValueError:
        return None


def _remedied(error: CommandFailed) -> tuple[str, str]:
    sentence, _, remedy = str(error).partition(" Remedy: ")
    return sentence, remedy


def _all(found: Mapping[str, list[Finding]]) -> list[Finding]:
    return [each for part in found.values() for each in part]


def _show(found: Mapping[str, list[Finding]], quiet: bool) -> None:
    states = max(len(state) for state in State)
    for name, part in found.items():
        shown = [each for each in part if not quiet or each.state is State.PROBLEM]
        if not shown:
            continue
        print(styled(f"{name[:1].upper()}{name[1:]}", "bold"))
        widest = max(len(each.name) for each in shown)
        indent = " " * (states + 4)
        for each in shown:
            mark = styled(each.state.value.ljust(states), STYLES[each.state])
            source = f" ({each.source})" if each.source == "environment" else ""
            begin = f"{indent}{plain(each.name).ljust(widest)}  "
            first, *others = paragraph(f"{each.value}{source}", " " * len(begin)) or [""]
            print(f"  {mark}  {begin[len(indent) :]}{first[len(begin) :]}".rstrip())
            for line in others:
                print(line)
            for text in (each.detail, f"Remedy: {each.remedy}" if each.remedy else ""):
                for line in paragraph(text, indent):
                    print(line)
