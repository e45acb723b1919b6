"""What a template says of itself, checked: its name, and the text for people beside it."""

from __future__ import annotations

import re
import unicodedata

from arkham_shard_export.bounds import MAX_TEMPLATE_NAME, MAX_TEXT_LENGTH
from arkham_shard_export.errors import FieldProblem
from arkham_shard_export.jobs.table.templates import name_key

_MARKS = " -_.,;:()[]&+'’!#@·–—°§"
"""What a name may hold besides letters and digits: nothing that leads out of a folder, an address, a quotation, a format
string or a tag."""
RESERVED = "preview"
_UUID = re.compile(r"(?:urn:uuid:)?[0-9a-f]{32}")


def looks_like_an_id(name: str) -> bool:
    return _UUID.fullmatch(name_key(name).replace("-", "")) is not None


def name_problem(name: object) -> FieldProblem | None:
    if not isinstance(name, str):
        return _problem("name", name, f"name must be a text, not {str(name)[:60]!r}.")
    if not 0 < len(name) <= MAX_TEMPLATE_NAME:
        return _problem(
            "name", name[:60], f"name must be a text of 1 to {MAX_TEMPLATE_NAME} characters, not {len(name)}."
        )
    wrong = next(
        (each for each in name if each not in _MARKS and unicodedata.category(each)[0] not in "LMN"), None
    )
    if wrong is not None:
        message = (
            f"name cannot hold {_named(wrong)}: only letters, digits, spaces and {' '.join(_MARKS.strip())}"
        )
        return _problem("name", name, f"{message} are accepted.")
    if name != name.strip() or name.startswith("."):
        return _problem("name", name, "name must not begin with a point or a space, nor end with a space.")
    if not any(unicodedata.category(each)[0] in "LN" for each in name):
        return _problem("name", name, "name must have a letter or a digit.")
    if name_key(name) == RESERVED:
        return _problem("name", name, f"name cannot be {RESERVED!r}, which is an address of its own.")
    if looks_like_an_id(name):
        return _problem("name", name, "name must not look like an id; give it a name for people.")
    return None


def description_problem(description: object) -> FieldProblem | None:
    if not isinstance(description, str):
        return _problem(
            "description", description, f"description must be a text, not {str(description)[:60]!r}."
        )
    if len(description) > MAX_TEXT_LENGTH:
        message = (
            f"description must be a text of at most {MAX_TEXT_LENGTH} characters, not {len(description)}."
        )
        return _problem("description", description[:60], message)
    wrong = next((each for each in description if _unreadable(each)), None)
    if wrong is not None:
        return _problem("description", description[:60], f"description cannot hold {_named(wrong)}.")
    return None


def _unreadable(character: str) -> bool:
    """A control character, half a character, or none at all; lines may end."""
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs", "Cn")


def _named(character: str) -> str:
    shown = f"{character!r} " if character.isprintable() else ""
    return f"{shown}(U+{ord(character):04X})"


def _problem(field: str, value: object, message: str) -> FieldProblem:
    return FieldProblem(field, value, message)
