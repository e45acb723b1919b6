"""The fonts of a report: where they are, in which order they are tried, and which characters none of them has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_NOTO, _AMIRI, _CJK = "manimgx_fonts", "fontpkg_amiri", "manimgx_fonts_cjk"
_OTHER_SCRIPTS = (
    *("Armenian", "Bengali", "Ethiopic", "Georgian", "Gujarati", "Gurmukhi", "Kannada", "Khmer", "Lao"),
    *("Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thai", "Symbols"),
)
# Noto Sans Arabic is left out: it builds letters from separate dots, and text copied from it is wrong.
_FILES: dict[str, tuple[str, str]] = {
    "Noto Sans": (_NOTO, "NotoSans[wght].ttf"),
    "Amiri": (_AMIRI, "files/Amiri-Regular.ttf"),
    "Noto Sans Hebrew": (_NOTO, "NotoSansHebrew[wght].ttf"),
    "Noto Sans CJK SC": (_CJK, "NotoSansCJK-VF.otf.ttc"),
    "Noto Sans Devanagari": (_NOTO, "NotoSansDevanagari[wght].ttf"),
    **{f"Noto Sans {script}": (_NOTO, f"NotoSans{script}[wght].ttf") for script in _OTHER_SCRIPTS},
    "Noto Emoji": (_NOTO, "NotoEmoji[wght].ttf"),
}

FAMILIES: tuple[str, ...] = tuple(_FILES)
"""Typst's names of the families, in the order in which a glyph is looked for."""

_PLAIN = re.compile(r"[ -~\t\n\r]*")
# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt), white space and line ends: nothing is drawn.
_NEVER_DRAWN = re.compile(
    "[\t\n\r\x85\\s\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def font_folders() -> list[Path]:
    """The folders that Typst has to search; they hold more fonts than FAMILIES names."""
    return sorted({path.parent for path in font_files().values()})


def font_files() -> dict[str, Path]:
    """Where the file of each family has to be; ModuleNotFoundError where a package of fonts is missing."""
    return {family: _location(*file) for family, file in _FILES.items()}


@cache
def coverage() -> Coverage:
    """The one Coverage of this process."""
    return Coverage()


class Coverage:
    """Which characters the fonts can draw. Fonts are read only once a text has a character not yet found."""

    def __init__(self) -> None:
        self._drawn = bytearray(0x110000)
        self._unread = iter(sorted(_FILES.values(), key=lambda file: file[0] == _CJK))

    def missing(self, text: str) -> set[str]:
        """The characters of a text that no family has a glyph for; those that draw nothing are never among them."""
        if _PLAIN.fullmatch(text):
            return set()
        missing = self._not_yet_found(set(text))
        while missing and (file := next(self._unread, None)):
            for code in _codes(_location(*file)):
                self._drawn[code] = 1
            missing = self._not_yet_found(missing)
        return missing

    def _not_yet_found(self, characters: Iterable[str]) -> set[str]:
        drawn = self._drawn
        return {each for each in characters if not drawn[ord(each)] and not _NEVER_DRAWN.match(each)}


def _codes(path: Path) -> Iterator[int]:
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    # The faces of the CJK collection differ in shapes only, so the first speaks for all.
    with TTFont(path, fontNumber=0, lazy=True) as font:
        yield from font.getBestCmap()


def _location(package: str, name: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(
            f"The fonts of reports come with the Python package {package}, which is missing."
        )
    return Path(spec.origin).parent / name
