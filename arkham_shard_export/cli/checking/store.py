"""The store: whether files can be kept there, how much room is left, and whether it is the one of the hosts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from arkham_shard_export.cli.checking import Finding, State, problem
from arkham_shard_export.cli.tables import size
from arkham_shard_export.errors import ExportError
from arkham_shard_export.jobs.admission import QUOTA_SHARE
from arkham_shard_export.jobs.files import FileStore
from arkham_shard_export.jobs.filestores import open_store
from arkham_shard_export.jobs.table.filerecords import FACTS, STORE
from arkham_shard_export.ports import system_clock
from arkham_shard_export.settings import Settings
from arkham_shard_export.sources.location import Location
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.store_location import FolderLocation, StoreLocation

MIB = 1 << 20
_SET = "set ARKHAM_EXPORT_STORE"


async def check_store(place: StoreLocation, settings: Settings, database: Location | None) -> list[Finding]:
    """`database` is that whose hosts are to use this store, where it can be read."""
    try:
        files = open_store(place)
        known = await files.known_id()
        if not isinstance(place, FolderLocation):
            await files.prepare()
    except ExportError as error:
        return [problem("usable", str(error), f"{_SET}, or install and start what it needs", str(place))]
    found = list(_folder(Path(place.path), settings) if isinstance(place, FolderLocation) else _bucket(place))
    if known is not None and all(each.state is not State.PROBLEM for each in found):
        found.append(await _quota(files, settings))
    if database is not None:
        found.append(_ours(known, database))
    return found


def _bucket(place: StoreLocation) -> Iterator[Finding]:
    yield Finding("usable", State.OK, str(place))
    yield Finding("free space", State.OK, "not limited by a disk")


def _folder(folder: Path, settings: Settings) -> Iterator[Finding]:
    made = folder
    while not made.exists() and made != made.parent:
        made = made.parent
    if not made.is_dir():
        yield problem("usable", f"{made} is not a folder.", _SET, str(folder))
        return
    try:
        if made == folder:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"\0")
        elif not os.access(made, os.W_OK | os.X_OK):
            yield problem(
                "usable",
                f"It is not there, and cannot be made in {made}.",
                f"{_SET}, or make it",
                str(folder),
            )
            return
    except OSError as error:
        yield problem(
            "usable",
            f"No file can be written there ({error.strerror}).",
            f"{_SET}, or mend the disk or its rights",
            str(folder),
        )
        return
    yield Finding("usable", State.OK, f"{folder}{'' if made == folder else ' (made by the first host)'}")
    free = shutil.disk_usage(made).free
    if free // MIB < settings.min_free_mib:
        yield problem(
            "free space",
            f"With less than {settings.min_free_mib} MiB (ARKHAM_EXPORT_MIN_FREE_MIB) new jobs are refused.",
            "free some space, or arkham-export jobs purge",
            size(free),
        )
    else:
        yield Finding("free space", State.OK, size(free))


async def _quota(files: FileStore, settings: Settings) -> Finding:
    quota = settings.store_quota_mib
    if not quota:
        return Finding("quota", State.OK, "none")
    used = await files.used_bytes()
    value = f"{size(used)} of {size(quota * MIB)}"
    if used // MIB >= QUOTA_SHARE * quota:
        return problem(
            "quota",
            f"From {QUOTA_SHARE:.0%} on new jobs are refused.",
            "arkham-export jobs purge, or raise ARKHAM_EXPORT_STORE_QUOTA_MIB",
            value,
        )
    return Finding("quota", State.OK, value)


def _ours(known: str | None, database: Location) -> Finding:
    """Hosts record in the database which store they use."""
    rows = []
    # That the database does not answer is told elsewhere.
    with suppress(ExportError), closing(open_snapshot(database, system_clock, exact=False)) as snapshot:
        if snapshot.catalog(FACTS) is not None:
            rows = snapshot.fetch("SELECT value FROM arkham_export_facts WHERE name = ?", [STORE])
    if not rows:
        return Finding("of the hosts", State.OK, "no host has recorded a store yet")
    if rows[0][0] == known:
        return Finding("of the hosts", State.OK, "the store that they use")
    return problem(
        "of the hosts",
        "The hosts of this database use another store, or its marker is gone, as that of a share that is not mounted.",
        f"{_SET} as they have it, or mount it",
        "another store",
    )
