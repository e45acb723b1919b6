"""What can be exported here and now: formats, targets with their real counts, checked requests and previews."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial

from arkham_shard_export.formats import available
from arkham_shard_export.jobs.sources import CUSTOM, SOURCE_FILTER, Sources
from arkham_shard_export.models import ExportOptions, FilterInfo, FormatInfo, TargetInfo
from arkham_shard_export.pipeline import ExportRequest, Preview, check_request, preview
from arkham_shard_export.pipeline.catalogs import TargetCatalogs
from arkham_shard_export.pipeline.declaring import (
    filter_infos,
    format_infos,
    merged,
    option_infos,
    target_info,
)
from arkham_shard_export.pipeline.request import check_size, unknown_layout
from arkham_shard_export.ports import Clock, Database
from arkham_shard_export.records import Adjustments
from arkham_shard_export.schema import Table, Target
from arkham_shard_export.sources.dialects import Catalog, Dialect, catalog_of
from arkham_shard_export.targets import TARGETS

CATALOG_SECONDS = 10.0
Layouts = Callable[[str, str | None], Awaitable[bytes | None]]
"""Gives the Word file that a tenant keeps under an id, which never has another; None where there is none."""

log = logging.getLogger(__name__)


class Inventory:
    """Answers without changing anything; what reads records does so in a thread."""

    def __init__(
        self,
        database: Database,
        dialect: Dialect,
        sources: Sources,
        clock: Clock,
        layouts: Layouts,
    ) -> None:
        self._layouts = layouts
        self._database = database
        self._dialect = dialect
        self._sources = sources
        self._clock = clock
        self._catalogs: dict[str, tuple[float, Catalog | None]] = {}

    def formats(self) -> list[FormatInfo]:
        return format_infos()

    async def targets(self, tenant_id: str | None) -> list[TargetInfo]:
        """The six targets always, and `custom` once a source is registered; the records are counted now."""
        infos = await asyncio.to_thread(self._table_infos, tenant_id)
        if self._sources.registered:
            infos.append(
                await asyncio.to_thread(self._custom_info, tenant_id, list(self._sources.registered))
            )
        return infos

    def _table_infos(self, tenant_id: str | None) -> list[TargetInfo]:
        with closing(self._sources.snapshot(exact=False)) as snapshot:
            return [target_info(snapshot, target, tenant_id) for target in TARGETS.values()]

    def _custom_info(self, tenant_id: str | None, names: list[str]) -> TargetInfo:
        total, told, options = 0, [], []
        filters = {
            SOURCE_FILTER: FilterInfo(SOURCE_FILTER, "Whose records: the name of a registered source.")
        }
        for name in sorted(names):
            try:
                target = self._sources.declared(name)
                request = ExportRequest("json", CUSTOM, {}, ExportOptions(), tenant_id, name)
                with closing(self._sources.open(request, target, Adjustments(), exact=False)) as source:
                    total += sum(each.expected or 0 for each in source.sections() if each.counted)
            except Exception as error:  # whatever another shard does, the six targets are shown
                log.warning("The registered source %r cannot be counted.", name, exc_info=True)
                told.append(f"{name} (not available: {error})")
                continue
            filters[SOURCE_FILTER].values.append(name)
            filters |= {each.name: each for each in filter_infos(target)}
            options.append(option_infos(target, TargetCatalogs(target, {}, self._sources.columns(name))))
            told.append(f"{name} ({target.description})")
        return TargetInfo(
            target=CUSTOM,
            name="Custom",
            description=f"Records of other shards; the filter source chooses one of: {', '.join(told)}.",
            available_formats=available(),
            estimated_record_count=total,
            supports_filters=list(filters),
            filters=list(filters.values()),
            options=merged(options),
        )

    async def check(
        self,
        format: object,
        target: object,
        filters: object,
        options: object,
        tenant_id: str | None,
        *,
        counted: bool = True,
    ) -> tuple[ExportRequest, Target]:
        """The checked request and its target, or InvalidRequest with every problem.

        `counted`: also whether the format can hold as many records as match now.
        """
        chosen, source = self._sources.choose(target, filters)
        if source is not None and isinstance(filters, Mapping):
            filters = {name: value for name, value in filters.items() if name != SOURCE_FILTER}
        tables = TargetCatalogs.tables(chosen, related=_option(options, "columns") is not None)
        catalogs = {table.qualified: await self._catalog(table) for table in tables}
        database = TargetCatalogs(chosen, catalogs, self._sources.columns(source))
        check = partial(
            check_request,
            format,
            chosen,
            filters,
            options,
            tenant_id=tenant_id,
            database=database,
            now=self._clock(),
        )
        # A logo is decoded and encoded again.
        request = await asyncio.to_thread(check) if _option(options, "report") else check()
        request = replace(request, source=source)
        if request.options.layout is not None:
            request = replace(request, layout=await self._layout(request.options.layout, tenant_id))
        if counted and request.spec.max_records is not None:
            await asyncio.to_thread(self._check_size, request, chosen)
        return request, chosen

    async def _layout(self, layout_id: str, tenant_id: str | None) -> bytes:
        """The Word file of this id, if the tenant has it."""
        found = await self._layouts(layout_id, tenant_id)
        if found is None:
            raise unknown_layout(layout_id)
        return found

    def _check_size(self, request: ExportRequest, target: Target) -> None:
        opened = self._sources.open(request, target, Adjustments(), annexes=False, exact=False)
        with closing(opened) as source:
            check_size(request, source.sections())

    async def preview(self, request: ExportRequest, target: Target, records: int) -> Preview:
        """The first records of what a job with this request would write."""
        limit = min(records, request.options.max_records or records)
        sample = replace(request, options=replace(request.options, max_records=limit))

        def work() -> Preview:
            whole, part = (
                self._sources.open(each, target, Adjustments(), annexes=False, exact=False)
                for each in (request, sample)
            )
            with closing(whole), closing(part):
                return preview(request, whole, part, self._clock())

        return await asyncio.to_thread(work)

    async def _catalog(self, table: Table) -> Catalog | None:
        known = self._catalogs.get(table.qualified)
        if known is not None and time.monotonic() - known[0] < CATALOG_SECONDS:
            return known[1]
        sql, params = self._dialect.catalog_query(table)
        rows = await self._database.fetch_all(sql, params)
        catalog = catalog_of([(row["name"], row["type"]) for row in rows])
        self._catalogs[table.qualified] = (time.monotonic(), catalog)
        return catalog


def _option(options: object, name: str) -> object:
    """What somebody asks for by an option, in whatever form the options come."""
    return options.get(name) if isinstance(options, Mapping) else getattr(options, name, None)
