"""JSON (RFC 8259): one object, records streamed into it, relations nested in their records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from arkham_shard_export.formats.base import Document, Encode, FormatSpec
from arkham_shard_export.formats.nesting import Nesting
from arkham_shard_export.ports import Sink
from arkham_shard_export.records import Adjustments, Batch, Section
from arkham_shard_export.schema import Layout


class JsonWriter:
    spec: ClassVar[FormatSpec] = FormatSpec(
        format="json",
        name="JSON",
        description="Everything, nested as it belongs together; for programs and for archives.",
        file_extension=".json",
        mime_type="application/json",
        supports_flatten=True,
        headings=False,
        cannot_carry="NaN and infinities become null, and are counted.",
    )

    def __init__(self) -> None:
        self.written = 0
        self.file_extension = self.spec.file_extension
        self._encoder = msgspec.json.Encoder(decimal_format="number")

    def begin(self, document: Document, sink: Sink, adjustments: Adjustments) -> None:
        self._sink = sink
        head: dict[str, Any] = {"target": document.target}
        if document.include_metadata:
            head["exported_at"] = document.exported_at
            head["snapshot_at"] = document.snapshot_at
            head["filters"] = document.filters
            head["options"] = document.options
        sink.write(self._encoder.encode(head)[:-1])

    def begin_section(self, section: Section) -> None:
        self._section = section
        self._first = True
        self._encode = self.encoder(section, "", {}, Adjustments())
        opening = b"{" if section.layout is Layout.INDEX else b"["
        self._sink.write(b',\n"%s":%s' % (section.name.encode(), opening))

    def write(self, batch: Batch) -> None:
        if not batch:
            return
        if self._section.layout is Layout.INDEX:
            encode = self._encoder.encode
            lines = b",\n".join([encode(str(key)) + b":" + encode(name) for key, name in batch])
        else:
            lines = self._encode(batch)
        self.splice(lines, len(batch))

    @staticmethod
    def encoder(
        section: Section, target: str, options: Mapping[str, Any], adjustments: Adjustments
    ) -> Encode:
        nesting = Nesting(section.columns)
        return lambda batch: nesting.lines(batch)[:-1].replace(b"\n", b",\n")

    def splice(self, part: bytes, rows: int) -> None:
        self._sink.write(b"\n" if self._first else b",\n")
        self._sink.write(part)
        self._first = False
        if self._section.counted:
            self.written += rows

    def end_section(self) -> None:
        self._sink.write(b"}" if self._section.layout is Layout.INDEX else b"]")

    def end(self) -> None:
        self._sink.write(b',\n"record_count":%d}\n' % self.written)

    def close(self) -> None:
        """Nothing is held besides the sink."""
