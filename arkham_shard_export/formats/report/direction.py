"""Which way a text reads: the parts of the Unicode bidirectional algorithm (UAX #9) that a page setter must know.

Programs that show text reorder it themselves; they must be told the direction of a paragraph, and some of them that
of each run.
"""

from __future__ import annotations

import re
from unicodedata import bidirectional

_RTL = re.compile(
    "[\u0590-\u08ff\u200f\u202b\u202e\u2067\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_RTL_KINDS = frozenset({"R", "AL", "AN"})
_ISOLATES = frozenset({"LRI", "RLI", "FSI"})


def has_rtl(text: str) -> bool:
    """Whether anything in it reads from right to left; fast on texts where nothing does."""
    return not text.isascii() and _RTL.search(text) is not None


def is_rtl(text: str) -> bool:
    """The direction of the paragraph: that of its first strong character outside isolates (rules P2 and P3)."""
    if not has_rtl(text):
        return False
    depth = 0
    for character in text:
        kind = bidirectional(character)
        if kind in _ISOLATES:
            depth += 1
        elif kind == "PDI":
            depth = max(depth - 1, 0)
        elif depth == 0 and kind in ("L", "R", "AL"):
            return kind != "L"
    return False


def directed(text: str) -> list[tuple[str, bool]]:
    """The text in parts, each with whether it reads from right to left; joined they are the text.

    Digits follow the letters before them (W2, W7), what is neutral follows the letters on both sides where these
    agree, and the paragraph elsewhere (N1, N2).
    """
    if not has_rtl(text):
        return [(text, False)]
    base = current = is_rtl(text)
    parts: list[tuple[str, bool]] = []
    start = 0
    neutral: int | None = None
    for place, character in enumerate(text):
        kind = bidirectional(character)
        if kind == "EN":
            neutral = None
        elif kind == "L" or kind in _RTL_KINDS:
            direction = kind != "L"
            if direction != current:
                end = place if neutral is None or current == base else neutral
                if end > start:
                    parts.append((text[start:end], current))
                start, current = end, direction
            neutral = None
        elif kind != "NSM" and neutral is None:
            neutral = place
    if neutral is not None and current != base:
        parts.append((text[start:neutral], current))
        start, current = neutral, base
    parts.append((text[start:], current))
    return parts
