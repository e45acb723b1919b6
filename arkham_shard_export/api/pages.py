"""Lists that come in pages: what was chosen, and links to the other pages (RFC 8288)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlencode

from fastapi import Request

SEVERAL = ("status", "format", "target")
"""Parameters of a list that can be repeated."""


def chosen(given: Sequence[str] | None) -> str | list[str] | None:
    """The values of a parameter that can be repeated, or hold several between commas."""
    if given is None:
        return None
    values = [each.strip() for text in given for each in text.split(",")]
    return values[0] if len(values) == 1 else values


def links(request: Request, total: int, limit: int, offset: int) -> dict[str, str]:
    """The header `Link` with the other pages of this query; none where all is on this one."""
    last = max(0, total - 1) // limit * limit
    places = {"first": 0, "last": last}
    if offset > 0:
        places["prev"] = min(max(0, offset - limit), last)
    if offset + limit < total:
        places["next"] = offset + limit
    if total <= limit and offset == 0:
        return {}
    query = [each for each in request.query_params.multi_items() if each[0] not in ("limit", "offset")]
    targets = (
        f'<{request.url.path}?{urlencode([*query, ("limit", limit), ("offset", places[name])])}>; rel="{name}"'
        for name in ("first", "prev", "next", "last")
        if name in places
    )
    return {"Link": ", ".join(targets)}
