"""Texts that stand in a file because somebody wrote them into a request: plain, on one line, of a bounded length."""

from __future__ import annotations

from collections.abc import Iterable

from arkham_shard_export.errors import FieldProblem

MAX_SHOWN = 60


def shown(value: object) -> str:
    """A value as a message quotes it."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}…"


def text_problem(field: str, value: object, longest: int) -> FieldProblem | None:
    """Why a value is no such text, or None. What it says is set as it is, markup and format strings too."""
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        message = f"{field} must be a text of 1 to {longest} characters, not {shown(value)}."
        return FieldProblem(field, value if not isinstance(value, str) else value[:MAX_SHOWN], message)
    bad = next((each for each in value if not _is_plain(each)), None)
    if bad is not None:
        message = f"{field} must be plain text on one line, without the character U+{ord(bad):04X}."
        return FieldProblem(field, value[:MAX_SHOWN], message)
    return None


def _is_plain(character: str) -> bool:
    """Marks that join letters or turn the direction of text are part of it; controls and halves of characters are not."""
    return character.isprintable() or character in "\u00a0\u200c\u200d\u200e\u200f\u2066\u2067\u2068\u2069"


def unknown_names(field: str, given: Iterable[object], valid: tuple[str, ...]) -> list[FieldProblem]:
    """A problem for each name of an object that is none of the valid ones."""
    return [
        FieldProblem(f"{field}.{str(name)[:MAX_SHOWN]}", None, f"{field} has no part {shown(name)}.", valid)
        for name in given
        if name not in valid
    ]
