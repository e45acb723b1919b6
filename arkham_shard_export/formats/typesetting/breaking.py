"""Where words may be broken that are too long for a line: Typst breaks at spaces and hyphens, and where scripts without
spaces allow it.
"""

from __future__ import annotations

import re
from functools import cache
from unicodedata import category, combining

# Thai, Lao, Burmese, Khmer, and what is written without spaces in East Asia.
_BREAKS_ITSELF = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U0001b000-\U0001b2ff\U00020000-\U0003ffff"
LONGEST_CHARACTER = 120
"""A letter with so many marks is no letter."""
_VIRAMA = 9
_JOINERS = "\u200c\u200d"


def break_places(text: str, run: int) -> list[int]:
    """Places in words of more than `run` characters, about as far apart, none of them within a character as it is read.

    Unless that is longer than LONGEST_CHARACTER: a PDF tells readers no more of what one glyph stands for.
    """
    places: list[int] = []
    for word in _long_words(run).finditer(text):
        start, end = word.span()
        place = start + run
        while place < end:
            latest = min(end, place + LONGEST_CHARACTER)
            while place < latest and not _may_break(text, place):
                place += 1
            if place < end:
                places.append(place)
            place += run
    return places


@cache
def _long_words(run: int) -> re.Pattern[str]:
    return re.compile(rf"[^\s\u200b\-{_BREAKS_ITSELF}]{{{run + 1},}}")


def _may_break(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    return (
        category(after)[0] != "M"
        and after not in _JOINERS
        and before not in _JOINERS
        and combining(before) != _VIRAMA
    )
