"""`seed`: synthetic records into the tables."""

from __future__ import annotations

import argparse
import time

from arkham_shard_export.cli.common import (
    CommandFailed,
    Commands,
    add_json,
    add_place,
    add_quiet,
    check_url,
    complete_by,
    location_of,
    look_into,
    print_json,
)
from arkham_shard_export.cli.progress import meter
from arkham_shard_export.cli.requests import whole
from arkham_shard_export.targets import TARGETS

MOST_RECORDS = 1_000_000_000
_EXAMPLES = (
    ("arkham-export seed --records 1000", "a thousand records of every target, in arkham-data"),
    (
        "arkham-export seed --records 100000 --target claims --data big",
        "claims and what belongs to them, in a folder of their own",
    ),
    ("arkham-export serve --data big", "a host over them"),
    (
        "arkham-export seed --records 1000 --seed 2 --database-url postgresql://db/test",
        "other records, in PostgreSQL",
    ),
)


def add_commands(commands: Commands) -> None:
    seed = commands.add_parser(
        "seed",
        help="fill the tables with synthetic records",
        description=_seed.__doc__,
        examples=_EXAMPLES,
    )
    seed.add_argument("--records", type=_records, required=True, metavar="N", help="records a target")
    seed.add_argument(
        "--seed", type=int, default=1, metavar="N", help="same seed, same records (default: %(default)s)"
    )
    target = seed.add_argument(
        "--target",
        action="append",
        default=[],
        choices=[*TARGETS],
        metavar="TARGET",
        help="fill only the tables that this target reads; may be repeated (default: every target)",
    )
    complete_by(target, "targets")
    add_json(seed)
    add_quiet(seed)
    add_place(seed)
    seed.set_defaults(run=_seed)


def _seed(options: argparse.Namespace) -> int:
    """Fill the tables with varied synthetic records: N of every target, the same for the same seed."""
    check_url(options.database_url)
    from arkham_shard_export.standalone.seed import seed_postgres, seed_sqlite

    started = time.monotonic()
    if options.database_url:
        look_into(location_of(options))
    with meter("seeding", "rows", quiet=options.quiet) as told:
        given = (options.records, options.seed, told.told, options.target)
        try:
            if options.database_url:
                rows = seed_postgres(options.database_url, *given)
            else:
                rows = seed_sqlite(options.data, *given)
        except ValueError as error:
            raise CommandFailed(f"{error}.") from error
    seconds = time.monotonic() - started
    if options.json:
        print_json({"rows": rows, "seconds": round(seconds, 3)})
        return 0
    for table, count in rows.items():
        print(f"{count:>12,}  {table}")
    targets = list(dict.fromkeys(options.target)) or list(TARGETS)
    print(
        f"{options.records:,} records of {', '.join(targets)} in {seconds:.1f} s "
        f"({len(targets) * options.records / seconds:,.0f} records a second)."
    )
    return 0


def _records(text: str) -> int:
    return whole(text, 1, MOST_RECORDS)
