"""Days, weeks and months that moments fall into."""

from __future__ import annotations

from datetime import UTC, datetime

PERIODS = ("day", "week", "month")


def period_key(period: str, moment: datetime | None) -> str | None:
    """`2024-05-01`, `2024-W18` (ISO year and week) or `2024-05`; None for an event without a date."""
    if moment is None:
        return None
    if period == "day":
        return moment.date().isoformat()
    if period == "week":
        year, week, _ = moment.isocalendar()
        return f"{year:04d}-W{week:02d}"
    return f"{moment.year:04d}-{moment.month:02d}"


def parse_instant(text: object) -> datetime | None:
    """The moment a canonical timestamp names, or None where it names none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
