"""What requests carry."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from arkham_shard_export.jobs.service import MAX_PREVIEW


class JobBody(BaseModel):
    """What to export, as what, and how."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: str
    target: str
    filters: dict[str, Any] | None = None
    options: dict[str, Any] | None = None


class NewJobBody(JobBody):
    """`retention_hours` is how long the file is kept; 0 keeps it, where that is allowed."""

    retention_hours: float | None = None


class PreviewBody(JobBody):
    max_preview_records: int = Field(10, ge=1, le=MAX_PREVIEW)
