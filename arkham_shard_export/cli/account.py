"""The account of an export, as a person is told it: on standard error, beside whatever the command prints."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from arkham_shard_export.cli.tables import plain


def tell(text: str) -> None:
    print(plain(text), file=sys.stderr)


def tell_account(
    completeness: Mapping[str, Any], adjustments: Sequence[Mapping[str, Any]], quiet: bool
) -> None:
    """Of an export's completeness and adjustments, as a job has them; `quiet`: only what was left out or changed."""
    if not quiet or completeness["skipped"]:
        tell(
            f"{completeness['written']:,} of {completeness['expected']:,} records written, "
            f"{completeness['skipped']:,} skipped."
        )
    for skip in completeness["skips"]:
        tell(f"  skipped {skip['count']:,} {skip['section']}: {skip['reason']}")
    for each in adjustments:
        tell(f"  adjusted {each['count']:,}: {each['reason']}")
