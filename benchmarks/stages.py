"""Where the CPU time of a large export goes: microseconds a claim for each stage, in one process.

python -m benchmarks.stages [--records N] [--data FOLDER]

Stages are run one on top of the other, over the same records, and told apart by subtraction.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from arkham_shard_export.formats import writer_class
from arkham_shard_export.formats.base import InParts
from arkham_shard_export.pipeline.request import check_request
from arkham_shard_export.pipeline.run import open_source
from arkham_shard_export.records import Adjustments, Batch, Section
from arkham_shard_export.sinks.file import FileSink
from arkham_shard_export.sources.location import SqliteLocation
from arkham_shard_export.sources.opening import open_snapshot
from arkham_shard_export.standalone.tables import sqlite_paths
from arkham_shard_export.targets import TARGETS

FORMATS = ("csv", "json", "xlsx")
ROUNDS = 3


def clock() -> datetime:
    return datetime.now(UTC)


def spent(work: Callable[[], int]) -> float:
    """Microseconds of CPU for each of the records that `work` says it did; the median of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        records = work()
        rounds.append((time.process_time() - started) * 1e6 / records)
    return statistics.median(rounds)


def driver(location: SqliteLocation, section: Section) -> int:
    names = ", ".join(f'"{column.name}"' for column in section.columns)
    with closing(open_snapshot(location, clock)) as snapshot:
        return sum(len(rows) for rows in snapshot.stream_sql(f"SELECT {names} FROM arkham_claims", ()))


def canonical(section: Section) -> int:
    return sum(map(len, section.read(None)))


def parts(format: str, section: Section) -> Iterator[tuple[Batch, bytes]]:
    writer = writer_class(format)()
    assert isinstance(writer, InParts)
    encode = writer.encoder(section, "claims", {}, Adjustments())
    for batch in section.read(None):
        yield batch, encode(batch)


def stored(format: str, section: Section, folder: Path) -> int:
    with FileSink(folder, "", "stages") as sink:
        records = 0
        for batch, part in parts(format, section):
            sink.write(part)
            records += len(batch)
        sink.commit(".out")
    return records


def measure(data: Path, folder: Path) -> None:
    main_file, attached = sqlite_paths(data)
    location = SqliteLocation(str(main_file), {name: str(path) for name, path in attached.items()})
    print("| format | driver | canonical values | cells and lines | hash and write | in all |")
    print("| --- | --- | --- | --- | --- | --- |")
    for format in FORMATS:
        request = check_request(format, TARGETS["claims"], {}, {"include_relationships": False})
        with closing(open_source(request, TARGETS["claims"], location, Adjustments(), clock)) as source:
            (section,) = source.sections()
            times = [
                spent(lambda section=section: driver(location, section)),  # type: ignore[misc]
                spent(lambda section=section: canonical(section)),  # type: ignore[misc]
                spent(lambda section=section, format=format: sum(len(b) for b, _ in parts(format, section))),  # type: ignore[misc]
                spent(lambda section=section, format=format: stored(format, section, folder)),  # type: ignore[misc]
            ]
        each = [after - before for before, after in zip([0.0, *times], times, strict=False)]
        print(f"| {format} | {' | '.join(f'{stage:.1f}' for stage in each)} | {times[-1]:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--records", type=int, default=200_000, help="claims to seed (default: %(default)s)")
    parser.add_argument("--data", type=Path, help="a data folder that has claims, instead of seeding")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="arkham-stages-") as folder:
        data = options.data or Path(folder) / "data"
        if options.data is None:
            seed = ["seed", "--records", str(options.records), "--target", "claims", "--data", str(data)]
            subprocess.run(
                [sys.executable, "-c", "from arkham_shard_export.cli import main; main()", *seed],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        measure(data, Path(folder))


if __name__ == "__main__":
    main()
