"""What every writer is: a declared spec, and begin, sections and end over a sink of bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar, Protocol, TypeGuard, runtime_checkable

from arkham_shard_export.ports import Sink
from arkham_shard_export.records import Adjustments, Batch, Delimited, Section
from arkham_shard_export.schema import Layout


@dataclass(frozen=True, slots=True)
class FormatSpec:
    """A format as declared by its writer. `tabular` writers want lookups resolved in the record itself.

    `laid_out` formats are read by people: sheets and blocks follow `layouts`, derived tables come as plain rows.
    A `report` is one of them with headings: its records are sorted by what they stand under. `compressed` files gain
    nothing by being compressed again; where each table is a file (`file_per_table`), several come as a ZIP. `libraries`
    are the modules it needs beyond the core, brought by the `extra` of this package.

    `options` are those it honours besides the ones that every format has, `front` the parts of the option `report`. Where
    columns have `headings`, labels stand in them; times in `typed_dates` are no texts. `cannot_carry` tells a reader what is
    lost or changed, in one sentence.
    """

    format: str
    name: str
    description: str
    file_extension: str
    mime_type: str
    supports_flatten: bool = False
    supports_metadata: bool = True
    tabular: bool = False
    laid_out: bool = False
    report: bool = False
    compressed: bool = False
    file_per_table: bool = False
    max_records: int | None = None
    options: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    headings: bool = True
    typed_dates: bool = False
    cannot_carry: str = ""
    libraries: tuple[str, ...] = ()
    extra: str = ""

    @property
    def missing_library(self) -> str | None:
        """The first of its libraries that is not installed."""
        return next((each for each in self.libraries if find_spec(each) is None), None)

    @property
    def remedy(self) -> str:
        """The command that brings them."""
        return f"pip install arkham-shard-export[{self.extra}]"


@dataclass(frozen=True, slots=True)
class Document:
    """What a writer is told before the first record. Times are ISO 8601 texts: a writer has no clock."""

    target: str
    exported_at: str
    snapshot_at: str
    filters: Mapping[str, Any]
    options: Mapping[str, Any]
    sections: Sequence[Section]
    include_metadata: bool = True
    layout: bytes = b""
    """The Word file that the option `layout` means."""


Encode = Callable[[Batch], bytes]
"""Makes a part of a section from a batch that has rows; parts are put into the file in the order of their batches."""


@runtime_checkable
class InParts(Protocol):
    """What a writer has besides if its records can be encoded apart from it, in other processes too."""

    @staticmethod
    def encoder(
        section: Section, target: str, options: Mapping[str, Any], adjustments: Adjustments
    ) -> Encode:
        """For a section of Layout.RECORDS."""
        ...

    def splice(self, part: bytes, rows: int) -> None:
        """Put a part of the section that has begun into the file: the same bytes as by `write` of its batch."""
        ...


@runtime_checkable
class TakesDelimited(Protocol):
    """What a writer has besides if a database may write its rows; with some options, which give None, it may not."""

    @staticmethod
    def delimited(options: Mapping[str, Any]) -> Delimited | None: ...


def in_parts(writer: object, layout: Layout) -> TypeGuard[InParts]:
    """Whether the records of a section of this layout may be encoded apart from the writer."""
    return layout is Layout.RECORDS and isinstance(writer, InParts)


class Writer(Protocol):
    """Turns sections into one file, in constant memory.

    Called in this order: `begin`, then for each section `begin_section`, `write` for each batch and
    `end_section`, and last `end`; `close` comes after all, also after an exception. `written` counts the records of counted sections that are in the file.
    An exception from any of them ends the export; nothing of the file is kept.
    """

    spec: ClassVar[FormatSpec]
    written: int
    file_extension: str
    """That of this very file, known after `begin`; some formats write several files into an archive."""

    def begin(self, document: Document, sink: Sink, adjustments: Adjustments) -> None: ...

    def begin_section(self, section: Section) -> None: ...

    def write(self, batch: Batch) -> None: ...

    def end_section(self) -> None: ...

    def end(self) -> None: ...

    def close(self) -> None:
        """Let go of processes and files."""
        ...
