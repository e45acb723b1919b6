"""The title page of a report."""

from __future__ import annotations

from arkham_shard_export.formats.account import account, how_times_read
from arkham_shard_export.formats.base import Document
from arkham_shard_export.formats.report.blocks import TitlePage
from arkham_shard_export.presentation.pictures import picture_of
from arkham_shard_export.presentation.reports import front_of
from arkham_shard_export.records import Adjustments

EMPTY_FIELDS = "Empty fields are left out."


def title_page(document: Document, title: str, written: int, adjustments: Adjustments) -> TitlePage:
    facts, notes = account(document, written, adjustments)
    source = document.filters.get("source")
    subtitle = f"Source: {source}" if document.target == "custom" and source else "Export of an investigation"
    front = front_of(document.options)
    how = ("How to read it", f"{how_times_read(document.options)} {EMPTY_FIELDS}")
    logo = picture_of(front.logo) if front.logo else None
    return TitlePage(title, front.subtitle or subtitle, (*facts, how), notes, logo)
