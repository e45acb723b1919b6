"""What can be exported here and now: formats, targets with their real counts, previews, and what may be asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from arkham_shard_export.errors import FieldProblem, InvalidRequest, ServiceUnavailable
from arkham_shard_export.formats import specs
from arkham_shard_export.jobs.messages import Run
from arkham_shard_export.models import ExportJob, ExportOptions, FormatInfo, TargetInfo
from arkham_shard_export.pipeline import ExportRequest, Preview, check_request, preview
from arkham_shard_export.pipeline.request import TargetCatalogs
from arkham_shard_export.pipeline.run import OpenSource, source_of
from arkham_shard_export.ports import Clock, Database
from arkham_shard_export.records import Adjustments, Source
from arkham_shard_export.schema import Filter, Table, Target
from arkham_shard_export.sources.custom import CustomSource, RecordSource
from arkham_shard_export.sources.dialects import Catalog, Dialect, catalog_of
from arkham_shard_export.sources.location import Location, PostgresLocation, SqliteLocation
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.sources.selection import Conditions, Extent, Selection, count
from arkham_shard_export.sources.service import ServiceSnapshot
from arkham_shard_export.sources.snapshot import Snapshot
from arkham_shard_export.sources.tables import TableSource
from arkham_shard_export.targets import TARGETS

T = TypeVar("T")
CUSTOM = "custom"
CATALOG_SECONDS = 10.0


class Inventory:
    """Knows the targets and how to open their records. `location` None: only the host's service can read them."""

    def __init__(self, database: Database, dialect: Dialect, location: Location | None, clock: Clock) -> None:
        self._database = database
        self._dialect = dialect
        self._location = location
        self._clock = clock
        self._registered: dict[str, Target | RecordSource] = {}
        self._catalogs: dict[str, tuple[float, Catalog | None]] = {}

    def register(self, name: str, source: Target | RecordSource) -> None:
        """Offer a source under `custom`; a name that is taken is replaced."""
        self._registered[name] = source

    def unregister(self, name: str) -> None:
        self._registered.pop(name, None)

    # What is offered

    def formats(self) -> list[FormatInfo]:
        return [
            FormatInfo(
                format=spec.format,
                name=spec.name,
                description=f"{spec.description} {spec.cannot_carry}".strip(),
                file_extension=spec.file_extension,
                mime_type=spec.mime_type,
                supports_flatten=spec.supports_flatten,
                supports_metadata=spec.supports_metadata,
                max_records=spec.max_records,
            )
            for spec in specs()
        ]

    async def targets(self, tenant_id: str | None) -> list[TargetInfo]:
        """The six targets always, and `custom` once a source is registered; the records are counted now."""
        infos = await self._in_thread(lambda: self._table_infos(tenant_id))
        if self._registered:
            infos.append(await self._custom_info(tenant_id))
        return infos

    def _table_infos(self, tenant_id: str | None) -> list[TargetInfo]:
        snapshot = self._open(exact=False)
        try:
            return [self._table_info(snapshot, target, tenant_id) for target in TARGETS.values()]
        finally:
            snapshot.close()

    def _table_info(self, snapshot: Snapshot, target: Target, tenant_id: str | None) -> TargetInfo:
        source = TableSource(snapshot, target, Selection(tenant_id=tenant_id))
        conditions = Conditions(snapshot, target, Selection(tenant_id=tenant_id))
        remarks = [target.description]
        for each in target.sets:
            if conditions.catalog(each.table) is None:
                remarks.append(
                    f"Empty here: the table {each.table.qualified} does not exist, because the shard that "
                    "keeps it is not installed."
                )
            elif each.exclusion is not None:
                table = snapshot.dialect.table(each.table)
                merged = count(snapshot, table, conditions.records(each)) - source.count()
                if merged:
                    remarks.append(f"{merged} more are left out: {each.exclusion.reason}.")
        return TargetInfo(
            target=target.name,
            name=target.title,
            description=" ".join(remarks),
            available_formats=[spec.format for spec in specs()],
            estimated_record_count=source.count(),
            supports_filters=list(target.filter_names),
        )

    async def _custom_info(self, tenant_id: str | None) -> TargetInfo:
        total = 0
        for name in self._registered:
            request = ExportRequest("json", CUSTOM, {"source": name}, ExportOptions(), tenant_id)
            total += await self._in_thread(lambda request=request: self._count(request))  # type: ignore[misc]
        names = ", ".join(
            f"{name} ({source.description})" for name, source in sorted(self._registered.items())
        )
        filters = ["source", *(name for target in self._custom_targets() for name in target.filter_names)]
        return TargetInfo(
            target=CUSTOM,
            name="Custom",
            description=f"Records of other shards; the filter source chooses one of: {names}.",
            available_formats=[spec.format for spec in specs()],
            estimated_record_count=total,
            supports_filters=list(dict.fromkeys(filters)),
        )

    def _custom_targets(self) -> list[Target]:
        return [self.target(CUSTOM, {"source": name}) for name in self._registered]

    # What may be asked for

    def target(self, name: object, filters: object = None) -> Target:
        """The target of a request; for `custom` that of the registered source which the filters name."""
        names = (*TARGETS, *((CUSTOM,) if self._registered else ()))
        if not isinstance(name, str) or name not in names:
            message = f"Target {str(name)[:60]!r} is not available."
            raise InvalidRequest([FieldProblem("target", name, message, names)])
        if name != CUSTOM:
            return TARGETS[name]
        sources = tuple(sorted(self._registered))
        chosen = filters.get("source") if isinstance(filters, Mapping) else None
        if chosen is None and len(sources) == 1:
            chosen = sources[0]
        if not isinstance(chosen, str) or chosen not in self._registered:
            message = "The target custom needs the filter source."
            raise InvalidRequest([FieldProblem("filters.source", chosen, message, sources)])
        registered = self._registered[chosen]
        source_filter = Filter("source", "", valid=sources)
        if isinstance(registered, Target):
            return replace(registered, name=CUSTOM, filters=(source_filter, *registered.filters))
        others = tuple(Filter(each, each) for each in registered.filters)
        return Target(CUSTOM, chosen, registered.description, (), (source_filter, *others))

    async def check(
        self, format: object, target: object, filters: object, options: object, tenant_id: str | None
    ) -> tuple[ExportRequest, Target]:
        """The checked request and its target, or InvalidRequest with every problem."""
        chosen = self.target(target, filters)
        catalogs = {table.qualified: await self._catalog(table) for table in TargetCatalogs.tables(chosen)}
        database = TargetCatalogs(chosen, catalogs)
        return check_request(format, chosen, filters, options, tenant_id=tenant_id, database=database), chosen

    async def _catalog(self, table: Table) -> Catalog | None:
        known = self._catalogs.get(table.qualified)
        if known is not None and time.monotonic() - known[0] < CATALOG_SECONDS:
            return known[1]
        sql, params = self._dialect.catalog_query(table)
        try:
            rows = await self._database.fetch_all(sql, params)
        except ServiceUnavailable:
            # SQLite has no such schema attached: the peer that would bring it is not installed.
            if table.schema is None:
                raise
            rows = []
        catalog = catalog_of([(row["name"], row["type"]) for row in rows])
        self._catalogs[table.qualified] = (time.monotonic(), catalog)
        return catalog

    # Opening records

    async def preview(self, request: ExportRequest, target: Target, records: int) -> Preview:
        """The first records of what a job with this request would write."""
        limit = min(records, request.options.max_records or records)
        sample = replace(request, options=replace(request.options, max_records=limit))

        def work() -> Preview:
            registered = self._registered_source(request)
            if registered is not None:
                loop = self._loop
                sources: list[Source] = [
                    CustomSource(registered, each.selection(), Adjustments(), loop, self._clock)
                    for each in (request, sample)
                ]
                return preview(request, sources[0], sources[1], self._clock())
            snapshot = self._open(exact=False)
            try:
                whole, part = (
                    source_of(each, target, snapshot, Adjustments(), annexes=False)
                    for each in (request, sample)
                )
                return preview(request, whole, part, self._clock())
            finally:
                snapshot.close()

        return await self._in_thread(work)

    def _count(self, request: ExportRequest) -> int:
        registered = self._registered_source(request)
        if registered is not None:
            source = CustomSource(registered, request.selection(), Adjustments(), self._loop, self._clock)
            return sum(each.expected or 0 for each in source.sections())
        snapshot = self._open(exact=False)
        try:
            target = self.target(request.target, request.filters)
            return TableSource(snapshot, target, request.selection(), Extent(annexes=False)).count()
        finally:
            snapshot.close()

    def _registered_source(self, request: ExportRequest) -> RecordSource | None:
        if request.target != CUSTOM:
            return None
        name = request.filters.get("source") or next(iter(self._registered), "")
        registered = self._registered.get(name)
        return None if registered is None or isinstance(registered, Target) else registered

    def _open(self, exact: bool = True) -> Snapshot:
        if self._location is None:
            return ServiceSnapshot(self._database, self._dialect, self._loop, self._clock)
        return open_snapshot(self._location, self._clock, exact)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        self._loop = asyncio.get_running_loop()
        return await asyncio.to_thread(work)

    # Planning jobs

    async def plan(
        self, job: ExportJob, tenant_id: str | None, attempt: int, store: str, folder: str
    ) -> tuple[Run, OpenSource | None]:
        """What a worker needs to run the job, or a source that can be opened only in this process."""
        request, target = await self.check(job.format, job.target, job.filters, job.options, tenant_id)
        self._loop = asyncio.get_running_loop()
        location = self._location
        run = Run(
            request,
            target,
            store,
            folder,
            job.id,
            attempt,
            sqlite=location if isinstance(location, SqliteLocation) else None,
            postgres=location if isinstance(location, PostgresLocation) else None,
        )
        registered = self._registered_source(request)
        if registered is not None:

            def open_custom(adjustments: Adjustments) -> Source:
                selection = request.selection()
                return CustomSource(registered, selection, adjustments, self._loop, self._clock)

            return run, open_custom
        if location is None:
            return run, lambda adjustments: source_of(request, target, self._open(), adjustments)
        return run, None
