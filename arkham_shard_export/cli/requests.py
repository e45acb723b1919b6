"""What is asked of an export, as words of a command line."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arkham_shard_export.bounds import MAX_PREVIEW_RECORDS, MAX_TEMPLATE_VERSIONS
from arkham_shard_export.cli.common import WrongUsage, complete_by
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.targets import TARGETS

STANDARD_INPUT = "-"


def add_request(
    parser: argparse.ArgumentParser,
    *,
    of_host: bool = False,
    by_template: bool = False,
    target_name: str = "target",
) -> None:
    """`of_host`: a host may have more targets and formats than we know of. `by_template`: a template may say all of it.

    `target_name` is `--target` where the command is about something else.
    """
    closed: dict[str, Any] = {} if of_host else {"choices": [*TARGETS]}
    if by_template and target_name == "target":
        closed["nargs"] = "?"
    target = parser.add_argument(
        target_name, metavar="TARGET", help=f"{', '.join(TARGETS)}{', custom' if of_host else ''}", **closed
    )
    complete_by(target, "targets")
    closed = {} if of_host else {"choices": [*FORMATS]}
    format = parser.add_argument(
        "--format",
        metavar="FORMAT",
        required=not by_template,
        help=", ".join(FORMATS),
        **closed,
    )
    complete_by(format, "formats")
    filter = parser.add_argument(
        "--filter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="only records with this value; the same name again: or with that one. targets TARGET lists the names",
    )
    complete_by(filter, "filters")
    option = parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="such as max_records=100 or date_range=last_7_days. targets TARGET lists them",
    )
    complete_by(option, "options")


def add_template(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--template",
        metavar="NAME",
        help="all that a template says, by its name or id; what is given besides overrides it. templates list lists them",
    )
    parser.add_argument(
        "--template-version",
        type=_version,
        metavar="N",
        help="an earlier version of it (default: the newest)",
    )


def template_of(options: argparse.Namespace) -> dict[str, Any] | None:
    """The template as a request names it."""
    if options.template is None:
        if options.template_version is not None:
            raise WrongUsage("--template-version is of a --template; give that too.")
        return None
    version = options.template_version
    return {"template": options.template, **({} if version is None else {"version": version})}


def check_asked(options: argparse.Namespace) -> None:
    """Without a template there must be a target and a format."""
    given = {"TARGET": options.target, "--format FORMAT": options.format}
    missing = [name for name, value in given.items() if value is None]
    if missing and options.template is None:
        raise WrongUsage(f"What is to be exported? Give {' and '.join(missing)}, or --template NAME.")


def add_records(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--records",
        type=_preview_records,
        default=10,
        metavar="N",
        help=f"how many to show, at most {MAX_PREVIEW_RECORDS} (default: %(default)s)",
    )


def filters_of(options: argparse.Namespace) -> dict[str, Any]:
    return filters_in(options.filter, "--filter")


def options_of(options: argparse.Namespace) -> dict[str, Any]:
    return options_in(options.option, "--option")


def filters_in(words: Sequence[str], flag: str) -> dict[str, Any]:
    """A value that is a JSON list is several values, and so is a name that is given again."""
    pairs: dict[str, Any] = {}
    for name, text in _pairs(words, flag):
        value = _json(text) if text.startswith("[") else text
        pairs[name] = _joined(pairs[name], value) if name in pairs else value
    return pairs


def options_in(words: Sequence[str], flag: str) -> dict[str, Any]:
    """A value that is JSON (true, 10, null, a list) is read as such; a list may also be written with commas between."""
    from arkham_shard_export.pipeline.declaring import LIST_OPTIONS

    pairs: dict[str, Any] = {}
    for name, text in _pairs(words, flag):
        if name in pairs:
            raise WrongUsage(f"{flag} {name} is given twice; it can have one value.")
        value = _json(text)
        pairs[name] = text.split(",") if name in LIST_OPTIONS and value == text else value
    return pairs


def json_in(place: str, what: str) -> Any:
    """What a file holds, or standard input for `-`; `what` is the option that names it, for who has to mend it."""
    try:
        text = sys.stdin.read() if place == STANDARD_INPUT else Path(place).read_text("utf-8")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongUsage(f"{what} {place} is no JSON in UTF-8: {error}.") from error


def whole(text: str, least: int, most: int) -> int:
    """A number from a command line."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from {least} to {most}")
    return number


def _version(text: str) -> int:
    return whole(text, 1, MAX_TEMPLATE_VERSIONS)


def _preview_records(text: str) -> int:
    return whole(text, 1, MAX_PREVIEW_RECORDS)


def _pairs(words: Sequence[str], flag: str) -> list[tuple[str, str]]:
    pairs = []
    for word in words:
        name, separator, text = word.partition("=")
        if not separator:
            raise WrongUsage(f"{flag} {word!r} must be NAME=VALUE.")
        pairs.append((name, text))
    return pairs


def _joined(one: Any, other: Any) -> list[Any]:
    return [*(one if isinstance(one, list) else [one]), *(other if isinstance(other, list) else [other])]


def _json(text: str) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(text)
    return text
