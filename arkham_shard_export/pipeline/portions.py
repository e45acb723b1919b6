"""Portions of a section as parts of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from arkham_shard_export.formats.base import Encode, TakesDelimited
from arkham_shard_export.records import Delimited, Part, Portion, Portions


def rules_of(writer: object, options: Mapping[str, Any]) -> Delimited | None:
    """What the writer asks of a database that can write its rows too; None if no database can."""
    return writer.delimited(options) if isinstance(writer, TakesDelimited) else None


def parts_of(portions: Portions, portion: Portion, encode: Encode, rules: Delimited | None) -> Iterator[Part]:
    """The portion as the database writes it, as far as it can, and else as `encode` makes it; the same bytes."""
    done = 0
    if portions.copy is not None and rules is not None:
        for part in portions.copy(rules, portion):
            if part is None:
                break
            done += part[1]
            yield part
        else:
            return
    for batch in portions.read(portion):
        if done < len(batch):
            rest = batch[done:]
            yield encode(rest), len(rest)
        done = max(0, done - len(batch))
