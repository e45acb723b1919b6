"""The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): one job, however often it is asked for."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from fastapi import Request
from pydantic import BaseModel

from arkham_shard_export.api.callers import Caller
from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.jobs.table.requestkeys import RequestKey

HEADER = "Idempotency-Key"
MAX_KEY = 255

# A string of RFC 9651; a value that does not begin as one is taken as it is.
_QUOTED = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')


def key_of(request: Request, caller: Caller, body: BaseModel) -> RequestKey | None:
    """The key of a request as its user means it, with what the request asks for; None without the header."""
    given = request.headers.getlist(HEADER)
    if not given:
        return None
    whose = [caller.scope.tenant_id, caller.user_id, _text(given)]
    return RequestKey(_digest(whose), _digest(body.model_dump()))


def _text(given: list[str]) -> str:
    value = given[0].strip(" \t")
    quoted = _QUOTED.fullmatch(value)
    text = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted is not None else value
    malformed = quoted is None and value.startswith('"')
    if len(given) > 1 or malformed or not 0 < len(text) <= MAX_KEY or not text.isprintable():
        message = (
            f"{HEADER} must be one text of 1 to {MAX_KEY} printable characters, such as a UUID; it may stand in "
            "quotation marks."
        )
        raise InvalidRequest([FieldProblem(HEADER, value, message)])
    return text


def _digest(value: Any) -> str:
    """The same for equal JSON, however it was written."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except RecursionError:
        raise InvalidRequest([FieldProblem("body", None, "The body is nested too deeply.")]) from None
    return hashlib.sha256(text.encode()).hexdigest()
