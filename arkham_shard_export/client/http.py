"""What both clients have in common: how steps become requests of httpx."""

from __future__ import annotations

from typing import Any

import httpx

from arkham_shard_export.client.errors import Unreachable
from arkham_shard_export.client.steps import Answer, Ask

TIMEOUT_SECONDS = 30.0
PATIENCE_SECONDS = 60.0


def settings(url: str, token: str | None, headers: dict[str, str] | None) -> dict[str, Any]:
    """Of an httpx client. Bytes are wanted as they lie in the store."""
    given = {
        "User-Agent": "arkham-export-client",
        "Accept-Encoding": "identity",
        **(headers or {}),
    }
    if token is not None:
        given["Authorization"] = f"Bearer {token}"
    return {"base_url": url, "headers": given, "timeout": TIMEOUT_SECONDS}


def request(ask: Ask) -> dict[str, Any]:
    given: dict[str, Any] = {"method": ask.method, "url": ask.path, "headers": ask.headers}
    if ask.params:
        given["params"] = {name: value for name, value in ask.params.items() if value is not None}
    if ask.json is not None:
        given["json"] = ask.json
    if ask.content is not None:
        given["content"] = ask.content
    if ask.timeout_seconds is not None:
        given["timeout"] = ask.timeout_seconds
    return given


def head(response: httpx.Response, body: bytes = b"") -> Answer:
    return Answer(response.status_code, response.headers, body)


def unreachable(error: httpx.HTTPError) -> Unreachable:
    reason = str(error) or type(error).__name__
    return Unreachable(f"The host does not answer, or broke off: {reason}.")
