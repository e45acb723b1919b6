"""Whether a request still means the file, or the template, that there is: the preconditions of RFC 9110, section 13, in their
order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from fastapi import Request

from arkham_shard_export.errors import PreconditionFailed

_TAG = re.compile(r'[ \t]*(?:(W/)?("[\x21\x23-\x7e\x80-\xff]*"))?[ \t]*(?:,|$)')


@dataclass(frozen=True, slots=True)
class Version:
    """Of a file: its strong tag, None where its hash is not known, and when it was written, to the second."""

    tag: str | None
    modified_at: datetime


def unchanged(request: Request, version: Version) -> bool:
    """Whether 304 is the answer; PreconditionFailed where the request is about another file."""
    headers = request.headers
    since = version.modified_at.replace(microsecond=0)
    if wanted := headers.getlist("if-match"):
        if not _named(wanted, version.tag, strong=True):
            raise PreconditionFailed("The file is not the one that If-Match names; ask for it without.")
    elif (moment := _moment(headers.getlist("if-unmodified-since"))) is not None and since > moment:
        raise PreconditionFailed("The file is newer than If-Unmodified-Since; ask for it without.")
    if known := headers.getlist("if-none-match"):
        return _named(known, version.tag, strong=False)
    moment = _moment(headers.getlist("if-modified-since"))
    return moment is not None and since <= moment


def check_tag(request: Request, tag: str, what: str) -> None:
    """PreconditionFailed where `If-Match` names other versions of `what` than the one with this tag."""
    wanted = request.headers.getlist("if-match")
    if wanted and not _named(wanted, tag, strong=True):
        raise PreconditionFailed(f"{what}, which is not what If-Match names; read it again.")


def _named(given: list[str], tag: str | None, *, strong: bool) -> bool:
    """Whether a list of tags holds this one, or is `*`; what is no list of tags names nothing."""
    text = ", ".join(given).strip(" \t")
    if text == "*":
        return True
    place, found = 0, False
    while place < len(text):
        match = _TAG.match(text, place)
        if match is None:
            return False
        weak, named = match.groups()
        found = found or (named == tag is not None and not (strong and weak))
        place = match.end()
    return found


def _moment(given: list[str]) -> datetime | None:
    """An HTTP date; None where there is none, or several, or another text."""
    try:
        moment = parsedate_to_datetime(given[0]) if len(given) == 1 else None
    except (ValueError, OverflowError):
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
