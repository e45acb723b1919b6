"""The claims as python-docx can take them: headings, texts and facts without characters that XML forbids."""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchmarks.peers.claims import claims

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def clean(text: object) -> str:
    return FORBIDDEN.sub("\ufffd", str(text))


def blocks(database: str) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
    """For each claim its heading, its text, and the names and values of its other fields."""
    names, rows = claims(database)
    for number, row in enumerate(rows, 1):
        record = dict(zip(names, row, strict=True))
        text = clean(record.pop("text"))
        facts = [(name, clean(value)) for name, value in record.items() if value is not None]
        yield f"{number}. {text[:110]}", text, facts
