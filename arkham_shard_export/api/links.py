"""Links that a browser can follow to a file where requests need a token, which a browser does not send with a click."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from arkham_shard_export.api.callers import caller_of, identity_of
from arkham_shard_export.ports import system_clock
from arkham_shard_export.signing import Bearer, LinkSigner


async def post_link(request: Request, job_id: str) -> dict[str, Any]:
    """The path of the file, signed where this host asks for a token; the errors are those of the download."""
    caller = await caller_of(request)
    job, _, _ = await caller.service.file_of(job_id, caller.scope)
    path = f"/api/export/jobs/{job.id}/download"
    signer: LinkSigner | None = getattr(request.app.state, "link_signer", None)
    if signer is None:
        return {"url": path, "expires_at": None}
    identity = identity_of(request)
    link = signer.link(path, Bearer(identity.tenant_id, identity.user_id), system_clock())
    return {"url": link.url, "expires_at": link.expires_at.isoformat()}
