"""The account of an export as a reader of the file sees it: what was asked for, when it was true, and what is not in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from arkham_shard_export.formats.base import Document
from arkham_shard_export.layouts import default_label, layout_of
from arkham_shard_export.models import PRESENTATION, ExportOptions
from arkham_shard_export.periods import PERIODS
from arkham_shard_export.presentation.times import UTC_NAME, times_of, zone_of
from arkham_shard_export.records import Adjustments

IN_UTC = "Times are in UTC; a date without a time is midnight."
NOTES_TITLE = "What is not in this file, or was changed"
_DEFAULTS = asdict(ExportOptions())
_TOLD_ELSEWHERE = frozenset(PRESENTATION)
"""A reader sees them in the file itself."""


def how_times_read(options: Mapping[str, Any]) -> str:
    """In which zone the times of a file are, in a sentence or two."""
    zone = times_of(options).zone
    if zone == UTC_NAME:
        return IN_UTC
    grouped = options.get("group_by") in PERIODS
    groups = " Days, weeks and months of groups are those of UTC." if grouped else ""
    return f"Times are in {zone}; a date without a time is midnight in UTC, and stays what it is.{groups}"


def account(
    document: Document, written: int, adjustments: Adjustments
) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Labelled facts about an export, and sentences about what was left out or changed."""
    counted = [each for each in document.sections if each.counted]
    found = sum(each.matched or 0 for each in counted)
    facts = [("Records in this file", f"{written:,}")]
    if found != written:
        facts.append(("Records that match", f"{found:,}"))
    if document.include_metadata:
        facts += [
            ("State of the data", moment_text(document.snapshot_at, document.options)),
            ("Exported", moment_text(document.exported_at, document.options)),
            ("Filters", listed(document.filters) or "none"),
            ("Options", listed(changed(document.options)) or "none but the defaults"),
        ]
    notes = [
        f"{skip.count:,} left out of {default_label(each.name).lower()}: {skip.reason}."
        for each in counted
        for skip in each.skips
    ]
    notes += _not_chosen(document)
    notes += [f"{each['count']:,} × {each['reason']}." for each in adjustments.report()]
    return tuple(facts), tuple(notes)


def moment_text(text: str, options: Mapping[str, Any], seconds: bool = True) -> str:
    """A moment of the export itself, in the zone of its times."""
    moment = datetime.fromisoformat(text).astimezone(zone_of(times_of(options).zone))
    return f"{moment:%Y-%m-%d %H:%M{':%S' if seconds else ''}} {moment.tzname() or UTC_NAME}"


def _not_chosen(document: Document) -> Iterator[str]:
    """Of each section and relation, the columns that were not chosen."""
    layout = layout_of(document.target)
    for section in document.sections:
        records = layout.section(section.name, section.columns)
        relations = {each.name: records.relation(each) for each in section.columns if each.columns}
        names: dict[str, list[str]] = {}
        for name in section.left_out:
            relation, _, inner = name.partition(".")
            if relation in relations:
                names.setdefault(relations[relation].name, []).append(relations[relation].label(inner))
            else:
                names.setdefault(records.name, []).append(records.label(name))
        for title, labels in names.items():
            yield f"Not chosen, and so not in {title.lower()}: {', '.join(labels)}."


def changed(options: Any) -> dict[str, Any]:
    """The options that are not at their defaults, but for those that the file itself shows."""
    return {
        name: value
        for name, value in options.items()
        if value != _DEFAULTS.get(name) and name not in _TOLD_ELSEWHERE
    }


def listed(values: Any) -> str:
    """Names and values on one line."""
    return "; ".join(f"{default_label(name)}: {_text(value)}" for name, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return msgspec.json.encode(value).decode()
