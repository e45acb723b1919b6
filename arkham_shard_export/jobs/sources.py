"""Which records can be opened here: the targets' tables, and the sources that other shards register."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from arkham_shard_export.errors import FieldProblem, InvalidRequest, SourceFailed
from arkham_shard_export.pipeline import ExportRequest
from arkham_shard_export.pipeline.batch import Records
from arkham_shard_export.pipeline.export import Check
from arkham_shard_export.pipeline.parts import BatchRequest
from arkham_shard_export.pipeline.run import source_of
from arkham_shard_export.ports import Clock, Database
from arkham_shard_export.records import Adjustments, Helpers, Source
from arkham_shard_export.schema import Filter, Target
from arkham_shard_export.sources.custom import CustomSource, RecordSource
from arkham_shard_export.sources.dialects import Dialect
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.service import ServiceSnapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.targets import TARGETS

CUSTOM = "custom"
SOURCE_FILTER = "source"


def _never() -> None:
    """The check of work that nobody cancels."""


class Sources:
    """Opens records. `location` None: only the host's service can read the tables, on `loop`."""

    def __init__(
        self,
        database: Database,
        dialect: Dialect,
        location: Location | None,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
    ) -> None:
        self.location = location
        self.registered: dict[str, Target | RecordSource] = {}
        self._database = database
        self._dialect = dialect
        self._loop = loop
        self._clock = clock

    def choose(self, target: object, filters: object) -> tuple[Target, str | None]:
        """The declaration of a requested target and, for `custom`, the name of its source; or InvalidRequest."""
        names = (*TARGETS, *((CUSTOM,) if self.registered else ()))
        if not isinstance(target, str) or target not in names:
            message = f"Target {str(target)[:60]!r} is not available."
            raise InvalidRequest([FieldProblem("target", target, message, names)])
        if target != CUSTOM:
            return TARGETS[target], None
        sources = tuple(sorted(self.registered))
        name = filters.get(SOURCE_FILTER) if isinstance(filters, Mapping) else None
        if name is None and len(sources) == 1:
            name = sources[0]
        if not isinstance(name, str) or name not in self.registered:
            message = "The target custom needs the filter source, the name of a registered source."
            raise InvalidRequest([FieldProblem(f"filters.{SOURCE_FILTER}", name, message, sources)])
        return self.declared(name), name

    def declared(self, name: str) -> Target:
        """A registered source as a target."""
        registered = self.registered[name]
        if isinstance(registered, Target):
            return replace(registered, name=CUSTOM)
        return Target(
            CUSTOM, name, registered.description, (), tuple(Filter(each, each) for each in registered.filters)
        )

    def columns(self, source: str | None) -> tuple[str, ...]:
        """The names of the columns of a registered source that has no tables."""
        registered = None if source is None else self.registered.get(source)
        if registered is None or isinstance(registered, Target):
            return ()
        return tuple(getattr(each, "name", str(each)) for each in registered.columns)

    def only_here(self, request: ExportRequest) -> bool:
        """Whether the records can be read in the host's process alone, and not by a worker."""
        return self.location is None or self._object(request) is not None

    def open(
        self,
        request: ExportRequest,
        target: Target,
        adjustments: Adjustments,
        check: Check = _never,
        *,
        annexes: bool = True,
        exact: bool = True,
    ) -> Source:
        """The records of a request; call it in a thread. `exact` as in `open_snapshot`."""
        registered = self.registered_object(request, adjustments, check)
        if registered is not None:
            return registered
        return source_of(request, target, self.snapshot(exact), adjustments, annexes)

    def open_all(self, batch: BatchRequest) -> Records:
        """The records of a batch, all that lie in tables from one snapshot; call it in a thread."""
        return _RecordsHere(self, batch)

    def registered_object(
        self, request: ExportRequest, adjustments: Adjustments, check: Check
    ) -> CustomSource | None:
        """The records of a source that is an object of another shard; None where they lie in tables."""
        registered = self._object(request)
        if registered is None:
            return None
        selection, extent = request.selection(), request.extent()
        return CustomSource(registered, selection, adjustments, self._loop, self._clock, check, extent)

    def snapshot(self, exact: bool = True) -> Snapshot:
        """The tables as they are now; call it in a thread."""
        if self.location is None:
            return ServiceSnapshot(self._database, self._dialect, self._loop, self._clock)
        return open_snapshot(self.location, self._clock, exact)

    def _object(self, request: ExportRequest) -> RecordSource | None:
        if request.source is None:
            return None
        registered = self.registered.get(request.source)
        if registered is None:
            raise SourceFailed(f"The source {request.source!r} is not registered any more.")
        return None if isinstance(registered, Target) else registered


class _RecordsHere:
    """Read in this process, without helpers, because some of the records only it can read."""

    def __init__(self, sources: Sources, batch: BatchRequest) -> None:
        self._sources = sources
        self._parts = batch.parts
        self._snapshot = sources.snapshot()
        if batch.continue_on_error:
            try:
                self._snapshot.mark()
            except BaseException:
                self.close()
                raise

    def source(self, place: int, adjustments: Adjustments, check: Check) -> Source:
        part = self._parts[place]
        registered = self._sources.registered_object(part.request, adjustments, check)
        return registered or source_of(part.request, part.target, self._snapshot, adjustments)

    def helpers(self, _place: int) -> Helpers | None:
        return None

    def recover(self) -> None:
        self._snapshot.recover()

    def close(self) -> None:
        self._snapshot.close()
