"""The host that `remote` asks: its address, the token for it, and the client."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from arkham_shard_export.cli.account import tell
from arkham_shard_export.cli.common import (
    CommandFailed,
    Commands,
    Example,
    WrongUsage,
    add_json,
    add_told,
    require,
)

if TYPE_CHECKING:
    from arkham_shard_export.client import ExportClient, Job

URL_VARIABLE = "ARKHAM_EXPORT_URL"
TOKEN_VARIABLE = "ARKHAM_EXPORT_TOKEN"  # noqa: S105 - the name of a variable
SHORT_PATIENCE_SECONDS = 5.0
LONG_PATIENCE_SECONDS = 60.0
MOST_PATIENCE_SECONDS = 86_400.0
LEAST_PREFIX = 6
SEARCHED = 1000
"""The newest jobs, in which the beginning of an id is looked for."""


def add_host(parser: argparse.ArgumentParser, *, again: bool = False) -> None:
    """`again`: the options may also be given here, after they could have been given before."""
    group = parser.add_argument_group("the host")
    missing: dict[str, Any] = {"default": argparse.SUPPRESS} if again else {}
    group.add_argument(
        "--url",
        metavar="URL",
        help=f"the host, such as http://127.0.0.1:8100 (default: ${URL_VARIABLE})",
        **(missing or {"default": os.environ.get(URL_VARIABLE)}),
    )
    group.add_argument(
        "--token",
        metavar="TOKEN",
        help=f"for a host that asks for one; rather set ${TOKEN_VARIABLE}, which nobody else on this machine can read",
        **(missing or {"default": os.environ.get(TOKEN_VARIABLE)}),
    )
    group.add_argument(
        "--patience",
        type=_patience,
        metavar="SECONDS",
        help="how long to try again where the host does not answer "
        f"(default: {SHORT_PATIENCE_SECONDS:g}, or {LONG_PATIENCE_SECONDS:g} for wait, download and export)",
        **(missing or {"default": None}),
    )


def add_action(
    actions: Commands,
    name: str,
    work: Callable[[argparse.Namespace], int],
    told: str,
    examples: Iterable[Example],
) -> argparse.ArgumentParser:
    parser = add_told(actions, name, told, examples)
    add_host(parser, again=True)
    add_json(parser)
    parser.set_defaults(run=work)
    return parser


@contextmanager
def client_of(
    options: argparse.Namespace, patience_seconds: float, on_trouble: Callable[[str], None] | None = None
) -> Iterator[ExportClient]:
    """The client for the host that the options name; what it is refused for want of a token is told with the remedy."""
    require("httpx", "client")
    from arkham_shard_export.client import ExportClient, Refused

    url = address_of(options.url)
    patience = patience_seconds if options.patience is None else options.patience
    token = options.token or None
    if token is not None and not (token.isascii() and token.isprintable()):
        raise WrongUsage(
            f"The token must be letters, digits and signs of ASCII; look at --token and ${TOKEN_VARIABLE}."
        )
    on_trouble = on_trouble or _told_once(patience)
    with ExportClient(url, token=token, patience_seconds=patience, on_trouble=on_trouble) as client:
        try:
            yield client
        except Refused as error:
            if error.status == 401:
                what = "does not take this token" if token else "wants a token"
                raise CommandFailed(f"The host {what}: set ${TOKEN_VARIABLE}, or give --token.") from error
            if error.name == "blank":
                raise CommandFailed(f"{error.detail} Is {url} an export host?") from error
            raise


def address_of(given: str | None) -> str:
    """The base of a host's paths, from what somebody may have copied out of a browser."""
    if not given:
        raise WrongUsage(f"Which host? Give --url http://…, or set ${URL_VARIABLE}.")
    url = given.rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or parts.username is not None or parts.query or parts.fragment:
        raise WrongUsage(f"--url {given!r} must be the address of a host, such as http://127.0.0.1:8100.")
    return url.removesuffix("/api/export").removesuffix("/export")


def find(client: ExportClient, given: str) -> Job:
    """The job with this id, or the one of the newest whose id begins so."""
    from arkham_shard_export.client import Refused

    try:
        return client.get(given)
    except Refused as error:
        if error.status not in (404, 422) or len(given) < LEAST_PREFIX:
            raise
    found = [job for job in islice(client.jobs(), SEARCHED) if job.id.startswith(given)]
    if len(found) > 1:
        raise CommandFailed(f"Several jobs begin with {given!r}: {', '.join(job.id for job in found[:10])}.")
    if not found:
        raise CommandFailed(
            f"There is no job {given!r}, and none of the newest {SEARCHED:,} begins so. "
            "arkham-export remote jobs lists them."
        )
    return found[0]


def _told_once(patience_seconds: float) -> Callable[[str], None]:
    told: set[str] = set()

    def tell_trouble(trouble: str) -> None:
        if trouble not in told:
            told.add(trouble)
            tell(f"arkham-export: {trouble} Trying again for {patience_seconds:g} seconds.")

    return tell_trouble


def _patience(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MOST_PATIENCE_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text!r} must be a number of seconds from 0 to {MOST_PATIENCE_SECONDS:,.0f}"
        )
    return seconds
