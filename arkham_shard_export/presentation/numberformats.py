"""Patterns of times as number formats of a spreadsheet, whose cells hold the times themselves (ECMA-376, 18.8.31)."""

from __future__ import annotations

from arkham_shard_export.errors import FieldProblem
from arkham_shard_export.presentation.times import ISO, Piece, Times, pieces_of

_CODES = {
    "Y": "yyyy",
    "y": "yy",
    "m": "mm",
    "B": "mmmm",
    "b": "mmm",
    "d": "dd",
    "A": "dddd",
    "a": "ddd",
    "H": "hh",
    "I": "hh",
    "p": "AM/PM",
    "M": "mm",
    "S": "ss",
    "%": "\\%",
}
DIRECTIVES = tuple(f"%{each}" for each in _CODES)


def number_format(times: Times) -> str:
    """The format of cells; with `.000` after it that of cells with fractions of a second, where there is no pattern."""
    if times.form == ISO:
        return "yyyy\\-mm\\-dd\\ hh:mm:ss"
    return "".join(
        _CODES[each.letter] if each.letter else _literal(each.literal) for each in pieces_of(times.pattern)
    )


def number_format_problem(times: Times) -> FieldProblem | None:
    """Why cells cannot show times like this, or None."""
    field = "options.date_format"
    pieces = pieces_of(times.pattern)
    unknown = next((each.letter for each in pieces if each.letter and each.letter not in _CODES), None)
    if unknown is not None:
        message = f"{field} cannot have %{unknown} in a workbook, whose cells are dates."
        return FieldProblem(field, times.form, message, DIRECTIVES)
    letters = [each.letter for each in pieces if each.letter and each.letter != "%"]
    for place, letter in enumerate(letters):
        before = letters[place - 1] if place else ""
        after = letters[place + 1] if place + 1 < len(letters) else ""
        beside_clock = before in ("H", "I") or after == "S"
        if (letter == "m" and beside_clock) or (letter == "M" and not beside_clock):
            message = f"{field} cannot have %{letter} there in a workbook: spreadsheets take mm for minutes beside hours or seconds, and for months elsewhere."
            return FieldProblem(field, times.form, message)
    if "I" in letters and "p" not in letters:
        message = f"{field} cannot have %I without %p in a workbook."
        return FieldProblem(field, times.form, message)
    if "p" in letters and "H" in letters:
        message = f"{field} cannot have %H with %p in a workbook, where AM and PM make it the hour of twelve."
        return FieldProblem(field, times.form, message)
    return None


def _literal(text: str) -> str:
    """Each character on its own, so that none of them is a code."""
    return "".join(f"\\{each}" for each in text)


__all__ = ["DIRECTIVES", "Piece", "number_format", "number_format_problem"]
