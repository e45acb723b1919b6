"""The title page of a report."""

from __future__ import annotations

from arkham_shard_export.formats.account import HOW_TO_READ, account
from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.report.blocks import TitlePage
from arkham_shard_export.records import Adjustments


def title_page(document: Document, title: str, written: int, adjustments: Adjustments) -> TitlePage:
    facts, notes = account(document, written, adjustments)
    source = document.filters.get("source")
    subtitle = f"Source: {source}" if document.target == "custom" and source else "Export of an investigation"
    return TitlePage(title, subtitle, (*facts, ("How to read it", HOW_TO_READ)), notes)
