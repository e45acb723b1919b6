"""Sources, sinks and values that live in memory: real enough for the pipeline, made by a test in a line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import IO, Any

from hypothesis import strategies as st

from arkham_shard_export.formats import writer_class
from arkham_shard_export.formats.base import Document
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.peers import ACH_EVIDENCE, HYPOTHESES, RATINGS
from arkham_shard_export.records import Adjustments, Batch, Row, Section, Skip
from arkham_shard_export.schema import Column, Kind, Layout, Table

MOMENT = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
EXPORTED_AT = MOMENT.isoformat()

TEXTS = st.text(max_size=20)
"""Any text that UTF-8 can carry, control characters and line ends among it."""

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**25), 10**25)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def fixed_clock() -> datetime:
    return MOMENT


def no_constant(text: str) -> Any:
    """For `json.loads(parse_constant=…)`: NaN and infinities are no JSON."""
    raise ValueError(f"{text} is no JSON")


MATRIX_COLUMNS = (
    Column("id"),
    Column("title"),
    Column("description"),
    Column("question"),
    Column("hypotheses", Kind.RECORDS, columns=HYPOTHESES.columns),
    Column("evidence", Kind.RECORDS, columns=ACH_EVIDENCE.columns),
    Column("ratings", Kind.RECORDS, columns=RATINGS.columns),
)


def nested(table: Table, **given: Any) -> Row:
    """A row of a table, empty but for what is given."""
    return [given.get(column.name) for column in table.columns]


class MemorySink:
    def __init__(self) -> None:
        self._parts: list[bytes] = []

    @property
    def data(self) -> bytes:
        return b"".join(self._parts)

    def write(self, data: bytes) -> int:
        self._parts.append(data)
        return len(data)

    def scratch(self) -> IO[bytes]:
        return tempfile.TemporaryFile()


def section_of(
    columns: Sequence[Column],
    rows: Sequence[Row],
    name: str = "records",
    *,
    layout: Layout = Layout.RECORDS,
    counted: bool = True,
    matched: int | None = None,
    skips: tuple[Skip, ...] = (),
    batch: int = 2,
    fails: Callable[[int], None] = lambda _number: None,
) -> Section:
    """A section over rows; `fails` is called with the number of each batch before it is given."""

    def read(names: Sequence[str] | None = None) -> Iterator[Batch]:
        places = [place for place, each in enumerate(columns) if names is None or each.name in names]
        for number, start in enumerate(range(0, len(rows), batch)):
            fails(number)
            yield [[row[place] for place in places] for row in rows[start : start + batch]]

    if counted and matched is None:
        matched = len(rows) + sum(skip.count for skip in skips)
    return Section(name, tuple(columns), read, matched, skips, counted, layout)


class MemorySource:
    """An open source over given sections; says whether it was closed."""

    consistent = True
    helpers = None

    def __init__(self, *sections: Section) -> None:
        self.snapshot_at = MOMENT
        self.closed = False
        self._sections = list(sections)

    def sections(self) -> list[Section]:
        return self._sections

    def close(self) -> None:
        self.closed = True


class Written:
    """What a writer made of sections."""

    def __init__(
        self,
        format: str,
        *sections: Section,
        target: str = "claims",
        options: Mapping[str, Any] | None = None,
        filters: Mapping[str, Any] | None = None,
        include_metadata: bool = True,
    ) -> None:
        self.adjustments = Adjustments()
        self.writer = writer_class(format)()
        sink = MemorySink()
        document = Document(
            target=target,
            exported_at=EXPORTED_AT,
            snapshot_at=EXPORTED_AT,
            filters=filters or {},
            options={**asdict(ExportOptions()), **(options or {})},
            sections=sections,
            include_metadata=include_metadata,
        )
        self.writer.begin(document, sink, self.adjustments)
        for section in sections:
            self.writer.begin_section(section)
            for batch in section.read(None):
                self.writer.write(batch)
            self.writer.end_section()
        self.writer.end()
        self.writer.close()
        self.data = sink.data

    @property
    def counts(self) -> dict[str, int]:
        return dict(self.adjustments.counts)
