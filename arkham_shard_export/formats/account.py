"""The account of an export as a reader of the file sees it: what was asked for, when it was true, and what is not in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from arkham_shard_export.formats.base import Document
from arkham_shard_export.layouts import default_label
from arkham_shard_export.models import ExportOptions
from arkham_shard_export.records import Adjustments

HOW_TO_READ = "Times are in UTC; a date without a time is midnight. Empty fields are left out."
NOTES_TITLE = "What is not in this file, or was changed"
_DEFAULTS = asdict(ExportOptions())


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
            ("State of the data", moment(document.snapshot_at)),
            ("Exported", moment(document.exported_at)),
            ("Filters", listed(document.filters) or "none"),
            ("Options", listed(changed(document.options)) or "none but the defaults"),
        ]
    notes = [
        f"{skip.count:,} left out of {default_label(each.name).lower()}: {skip.reason}."
        for each in counted
        for skip in each.skips
    ]
    notes += [f"{each['count']:,} × {each['reason']}." for each in adjustments.report()]
    return tuple(facts), tuple(notes)


def moment(text: str) -> str:
    """An ISO 8601 text in UTC, for people."""
    return f"{text[:10]} {text[11:19]} UTC"


def changed(options: Any) -> dict[str, Any]:
    """The options that are not at their defaults."""
    return {name: value for name, value in options.items() if value != _DEFAULTS.get(name)}


def listed(values: Any) -> str:
    """Names and values on one line."""
    return "; ".join(f"{default_label(name)}: {_text(value)}" for name, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return msgspec.json.encode(value).decode()
