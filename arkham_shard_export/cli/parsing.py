"""Command lines read: a parser whose refusals name what is meant, and whose help ends with examples."""

from __future__ import annotations

import argparse
import difflib
import inspect
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from arkham_shard_export.cli.common import Commands, Example
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.errors import DatabaseGone, InvalidRequest

CLOSE = 0.6
"""How much alike two words are where one is offered for the other, from 0 to 1."""


class HelpText(argparse.HelpFormatter):
    """Fills paragraphs, and leaves those alone that are indented."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            paragraph if "\n  " in paragraph else textwrap.fill(" ".join(paragraph.split()), width)
            for paragraph in text.strip().split("\n\n")
        )


class Parser(argparse.ArgumentParser):
    """Options are not abbreviated, so that a new one breaks no script; `examples` are the end of the help."""

    def __init__(
        self,
        *,
        description: str | None = None,
        examples: Iterable[Example] = (),
        epilog: str = "",
        **options: Any,
    ) -> None:
        super().__init__(
            **options,
            description=inspect.cleandoc(description or ""),
            epilog="\n\n".join(filter(None, (examples_text(examples), epilog))),
            formatter_class=HelpText,
            allow_abbrev=False,
        )

    def add_commands(self) -> Commands:
        """A place for commands; without any of them the help is shown, as wrong usage."""
        self.set_defaults(run=self._show_help)
        return self.add_subparsers(title="commands", metavar="COMMAND")

    def _show_help(self, _options: argparse.Namespace) -> int:
        self.print_help(sys.stderr)
        return Exit.USAGE

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if args is not None:
            # Before a missing argument is complained of, which may be there under a wrong name.
            self._check_names(args)
        return super().parse_known_args(args, namespace)

    def _check_names(self, words: Sequence[str]) -> None:
        known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        commands = {
            str(name)
            for action in self._actions
            if isinstance(action, argparse._SubParsersAction)
            for name in action.choices
        }
        for word in words:
            if word == "--" or word in commands:
                return
            name = word.partition("=")[0]
            if name.startswith("--") and name not in known and " " not in name:
                self.error(f"Unknown option {name!r}.{did_you_mean([name], known)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        valid = [str(each) for each in action.choices]
        what = "command" if isinstance(action, argparse._SubParsersAction) else action.dest.replace("_", " ")
        raise argparse.ArgumentError(
            None,
            f"Unknown {what} {value!r}.{did_you_mean([str(value)], valid)} Valid: {', '.join(valid)}.",
        )

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith((".", "?")) else "."
        sentence = f"{message[:1].upper()}{message[1:]}{end}"
        self.exit(Exit.USAGE, f"{self.prog}: {sentence}\n{self.prog} --help shows examples.\n")


def examples_text(examples: Iterable[Example]) -> str:
    lines = [
        f"  {command}\n" + textwrap.fill(told, 78, initial_indent=" " * 6, subsequent_indent=" " * 6)
        for command, told in examples
    ]
    return "\n".join(["examples:", *lines]) if lines else ""


def did_you_mean(words: Iterable[str], valid: Iterable[str]) -> str:
    """A question to append that names the valid word closest to one of `words`; empty where none is close."""
    names = {each.lower(): each for each in valid}
    found = [
        (difflib.SequenceMatcher(None, word.lower(), name).ratio(), names[name])
        for word in words
        for name in difflib.get_close_matches(word.lower(), names, n=1, cutoff=CLOSE)
    ]
    return f" Did you mean {max(found)[1]!r}?" if found else ""


def sentence_of(error: BaseException) -> str:
    """What an error says; where it is about wrong fields of a request, with what may have been meant by each."""
    if isinstance(error, InvalidRequest):
        return _refusal((each.field, each.value, each.message, each.valid) for each in error.problems)
    if fields := getattr(error, "errors", None):
        # A host's, by the client.
        return _refusal(
            (str(each["field"]), each.get("value"), str(each["message"]), each.get("valid") or ())
            for each in fields
        )
    reason = str(error.__cause__ or "").strip().partition("\n")[0]
    if isinstance(error, DatabaseGone) and reason and reason not in str(error):
        # Who looks at the database may know it; who looks at a job may not.
        return f"{error} Reason: {reason}."
    return str(error)


def _refusal(problems: Iterable[tuple[str, object, str, Sequence[str]]]) -> str:
    sentences = []
    for field, value, message, valid in problems:
        # Either the name of the field is unknown, or its value; the other of the two is none of what is valid.
        words = [word for word in (str(value), field.rpartition(".")[2]) if word not in valid]
        choices = f" Valid: {', '.join(valid)}." if valid else ""
        sentences.append(f"{message}{did_you_mean(words, valid)}{choices}")
    return " ".join(sentences)
