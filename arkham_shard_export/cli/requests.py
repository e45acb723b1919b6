"""What is asked of an export, as words of a command line."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Sequence
from typing import Any

from arkham_shard_export.bounds import MAX_PREVIEW_RECORDS
from arkham_shard_export.cli.common import WrongUsage, complete_by
from arkham_shard_export.formats import FORMATS
from arkham_shard_export.targets import TARGETS


def add_request(
    parser: argparse.ArgumentParser, *, of_host: bool = False, format_default: str | None = None
) -> None:
    """`of_host`: a host may have more targets and formats than we know of."""
    closed: dict[str, Any] = {} if of_host else {"choices": [*TARGETS]}
    target = parser.add_argument(
        "target", metavar="TARGET", help=f"{', '.join(TARGETS)}{', custom' if of_host else ''}", **closed
    )
    complete_by(target, "targets")
    closed = {} if of_host else {"choices": [*FORMATS]}
    format = parser.add_argument(
        "--format",
        metavar="FORMAT",
        required=format_default is None,
        default=format_default,
        help=", ".join(FORMATS) + (f" (default: {format_default})" if format_default else ""),
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
        help="such as max_records=100 or sort_by=created_at. targets TARGET lists them",
    )
    complete_by(option, "options")


def add_records(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--records",
        type=_preview_records,
        default=10,
        metavar="N",
        help=f"how many to show, at most {MAX_PREVIEW_RECORDS} (default: %(default)s)",
    )


def filters_of(options: argparse.Namespace) -> dict[str, Any]:
    """A value that is a JSON list is several values, and so is a name that is given again."""
    pairs: dict[str, Any] = {}
    for name, text in _pairs(options.filter, "--filter"):
        value = _json(text) if text.startswith("[") else text
        pairs[name] = _joined(pairs[name], value) if name in pairs else value
    return pairs


def options_of(options: argparse.Namespace) -> dict[str, Any]:
    """A value that is JSON (true, 10, null, a list) is read as such; a list may also be written with commas between."""
    from arkham_shard_export.pipeline.declaring import LIST_OPTIONS

    pairs: dict[str, Any] = {}
    for name, text in _pairs(options.option, "--option"):
        if name in pairs:
            raise WrongUsage(f"--option {name} is given twice; it can have one value.")
        value = _json(text)
        pairs[name] = text.split(",") if name in LIST_OPTIONS and value == text else value
    return pairs


def whole(text: str, least: int, most: int) -> int:
    """A number from a command line."""
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from {least} to {most}")
    return number


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
