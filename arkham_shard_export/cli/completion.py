"""`completion`, and what a shell is offered when somebody presses TAB: by argcomplete, from the parsers themselves."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from typing import Any

from arkham_shard_export.cli.common import Commands, require
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.models import FilterInfo, OptionInfo
from arkham_shard_export.targets import TARGETS

SHELLS = ("bash", "zsh", "tcsh", "fish")
_EXAMPLES = (
    ('eval "$(arkham-export completion bash)"', "in this shell; put it into ~/.bashrc for all to come"),
    ('eval "$(arkham-export completion zsh)"', "the same for zsh, in ~/.zshrc after compinit"),
    ("arkham-export completion fish > ~/.config/fish/completions/arkham-export.fish", "for fish"),
    ("arkham-export completion tcsh > ~/.arkham-export.tcsh", "for tcsh: source this file in ~/.tcshrc"),
)


def add_commands(commands: Commands) -> None:
    completion = commands.add_parser(
        "completion",
        help="have a shell complete these commands",
        description=_completion.__doc__,
        examples=_EXAMPLES,
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))
    completion.set_defaults(run=_completion)


def _completion(options: argparse.Namespace) -> int:
    """Print what makes a shell complete commands, options, targets, formats, and the names and values of filters."""
    require("argcomplete", "cli")
    from argcomplete.shell_integration import shellcode

    print(shellcode(["arkham-export"], use_defaults=False, shell=options.shell))
    return 0


def answer(parser: argparse.ArgumentParser) -> None:
    """Where it is a shell that asks what could follow, say it and end."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    require("argcomplete", "cli")
    import argcomplete
    from argcomplete.completers import DirectoriesCompleter, FilesCompleter, SuppressCompleter

    completers: dict[str, Any] = {
        "files": FilesCompleter(),
        "folders": DirectoriesCompleter(),
        "targets": lambda **_: [*TARGETS],
        "formats": lambda **_: [*FORMATS],
        "filters": _offering(_filters),
        "options": _offering(_options),
    }
    for action in _actions(parser):
        action.completer = completers.get(getattr(action, "completed_by", ""))  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, default_completer=SuppressCompleter(), always_complete_options=False)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _offering(pairs: Callable[[str], dict[str, list[str]]]) -> Callable[..., list[str]]:
    """A completer of NAME=VALUE from the names of a target and their values."""

    def complete(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
        target = getattr(parsed_args, "target", None)
        if target not in TARGETS:
            return []
        name, separator, _value = prefix.partition("=")
        known = pairs(target)
        return (
            [f"{name}={each}" for each in known.get(name, ())]
            if separator
            else [f"{each}=" for each in known]
        )

    return complete


def _filters(target: str) -> dict[str, list[str]]:
    from arkham_shard_export.pipeline.declaring import filter_infos

    infos: list[FilterInfo] = filter_infos(TARGETS[target])
    return {each.name: each.values for each in infos}


def _options(target: str) -> dict[str, list[str]]:
    from arkham_shard_export.pipeline.declaring import option_infos

    infos: list[OptionInfo] = option_infos(TARGETS[target])
    return {each.name: ["true", "false"] if each.type == "boolean" else each.choices for each in infos}
