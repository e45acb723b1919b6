"""Server-Sent Events of a job, read as they come (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import json
from collections.abc import Callable

from arkham_shard_export.client.answers import Job, convert, decode
from arkham_shard_export.client.steps import Answer, Feed
from arkham_shard_export.models import ExportProgress


class EventReader:
    """`job` is set by the event that ends the stream, `last_id` by every event."""

    def __init__(self, on_progress: Callable[[ExportProgress], None]) -> None:
        self.job: Job | None = None
        self.last_id = ""
        self._on_progress = on_progress
        self._rest = b""
        self._fields: dict[str, str] = {}

    def begin(self, _answer: Answer) -> Feed:
        return self.feed

    def feed(self, data: bytes) -> bool:
        """False once the end was told."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.rstrip(b"\r").decode("utf-8", "replace"))
        return self.job is None

    def _line(self, line: str) -> None:
        if not line:
            fields, self._fields = self._fields, {}
            if "data" in fields:
                self._event(fields)
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data" and "data" in self._fields:
            value = f"{self._fields['data']}\n{value}"
        self._fields[name] = value

    def _event(self, fields: dict[str, str]) -> None:
        self.last_id = fields.get("id", self.last_id)
        if fields.get("event") == "end":
            self.job = decode(fields["data"].encode(), Job)
        elif (progress := json.loads(fields["data"]).get("progress")) is not None:
            self._on_progress(convert(progress, ExportProgress))
