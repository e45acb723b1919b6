"""A client for scripts, notebooks and other services: exports made, awaited, fetched and verified.

    with ExportClient("http://127.0.0.1:8100") as client:
        path = client.export("claims", "csv", filters={"status": ["verified"]}, to="claims.csv")

`AsyncExportClient` has the same methods to await. Interrupted calls are repeated where that is safe, which it always is
but for changes of templates: a job is asked for under a key that makes it one job, and a download goes on where it broke
off. Needs the extra `client`.
"""

from arkham_shard_export.client.aio import AsyncExportClient
from arkham_shard_export.client.answers import Job, Preview
from arkham_shard_export.client.errors import (
    ClientError,
    DigestMismatch,
    JobFailed,
    Refused,
    UnexpectedAnswer,
    Unreachable,
)
from arkham_shard_export.client.sync import ExportClient

__all__ = [
    "AsyncExportClient",
    "ClientError",
    "DigestMismatch",
    "ExportClient",
    "Job",
    "JobFailed",
    "Preview",
    "Refused",
    "UnexpectedAnswer",
    "Unreachable",
]
