"""What has to be asked of callers where the standalone host can be reached; without it the host does not start."""

from __future__ import annotations

from dataclasses import dataclass, field

from arkham_shard_export.settings import Settings
from arkham_shard_export.standalone.door import LOOPBACK_NAMES
from arkham_shard_export.standalone.errors import HostNotStarted

MIN_TOKEN_LENGTH = 16
_MAKE_ONE = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"


@dataclass(frozen=True, slots=True)
class Access:
    """`host_names` are the names to answer under; None: any."""

    token: str | None = field(repr=False)
    host_names: tuple[str, ...] | None


def access_of(settings: Settings, *, loopback: bool, trust_headers: bool) -> Access:
    """HostNotStarted where others could come in unasked, or where the token is none that protects."""
    token, named = settings.token, settings.allowed_hosts
    if token is not None:
        if len(token) < MIN_TOKEN_LENGTH:
            raise HostNotStarted(
                f"ARKHAM_EXPORT_TOKEN has fewer than {MIN_TOKEN_LENGTH} characters. {_MAKE_ONE}"
            )
        if not token.isascii() or not token.isprintable() or " " in token:
            raise HostNotStarted(
                f"ARKHAM_EXPORT_TOKEN must be letters, digits and signs of ASCII without spaces. {_MAKE_ONE}"
            )
        # Who knows the token is no browser that was led astray.
        return Access(token, None)
    if loopback:
        return Access(None, (*LOOPBACK_NAMES, *named))
    if trust_headers:
        return Access(None, named or None)
    raise HostNotStarted(
        "On an address that other machines can reach this host needs a token: set ARKHAM_EXPORT_TOKEN, or stay on "
        f"127.0.0.1; behind a proxy that authenticates give --trust-headers. {_MAKE_ONE}"
    )
