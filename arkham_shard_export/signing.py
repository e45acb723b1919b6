"""Links to a file that say by themselves that they may be followed, for a while, by who cannot send a token."""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode

_EXPIRES = re.compile(r"[0-9]{1,12}", re.ASCII)
_PURPOSE = b"arkham-export download link 1"


@dataclass(frozen=True, slots=True)
class Bearer:
    """For whom a link is made: it is good in the same tenant and for the same user, where there are any."""

    tenant_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class SignedLink:
    url: str
    expires_at: datetime


class LinkSigner:
    """HMAC-SHA256 over path, expiry, tenant and user, by a key that is made of the token and is not the token."""

    def __init__(self, token: str, seconds: float) -> None:
        self._key = hmac.digest(token.encode(), _PURPOSE, "sha256")
        self._seconds = seconds

    def link(self, path: str, bearer: Bearer, now: datetime) -> SignedLink:
        expires = int(now.timestamp() + self._seconds)
        query = urlencode({"expires": expires, "signature": self._signature(path, expires, bearer)})
        return SignedLink(f"{path}?{query}", datetime.fromtimestamp(expires, UTC))

    def holds(self, path: str, query: bytes, bearer: Bearer, now: datetime) -> bool:
        """Whether this is a link of ours for this path, whose time is not over."""
        given = parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
        expires, signature = given.get("expires", []), given.get("signature", [])
        if len(expires) != 1 or len(signature) != 1 or _EXPIRES.fullmatch(expires[0]) is None:
            return False
        right = self._signature(path, int(expires[0]), bearer)
        same = hmac.compare_digest(right.encode(), signature[0].encode("utf-8", "replace"))
        return same and now.timestamp() < int(expires[0])

    def _signature(self, path: str, expires: int, bearer: Bearer) -> str:
        # JSON, because its parts cannot run into each other.
        text = json.dumps([path, expires, bearer.tenant_id, bearer.user_id])
        return hmac.digest(self._key, text.encode(), "sha256").hex()
