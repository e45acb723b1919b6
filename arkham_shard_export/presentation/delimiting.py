"""The dialects of CSV: what stands between cells, around them and at the end of a line, and how characters become bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from arkham_shard_export.errors import FieldProblem
from arkham_shard_export.presentation.words import shown, unknown_names

FIELD = "options.csv"
LINE_ENDS = {"crlf": "\r\n", "lf": "\n"}
ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-16-le", "windows-1252": "cp1252"}
"""Names as they are asked for, and Python's; UTF-16 is little-endian, as its mark says."""


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """RFC 4180 in UTF-8 without a byte order mark, unless something else was asked for. `line_end` is one of LINE_ENDS."""

    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    bom: bool = False
    line_end: str = "crlf"

    @property
    def end(self) -> str:
        return LINE_ENDS[self.line_end]

    @property
    def codec(self) -> str:
        return ENCODINGS[self.encoding]

    @property
    def mark(self) -> bytes:
        """What the file begins with."""
        return "\ufeff".encode(self.codec) if self.bom else b""


PLAIN = CsvDialect()
PRESETS = {
    "machine": PLAIN,
    "excel": replace(PLAIN, bom=True),
    "semicolon": replace(PLAIN, bom=True, delimiter=";"),
}
"""`machine`: for programs. `excel`: opens by a double click where numbers have a decimal point; `semicolon`: where they
have a decimal comma, and a comma therefore divides nothing."""
CHOICES: dict[str, tuple[str, ...]] = {
    "delimiter": (",", ";", "\t", "|"),
    "quote": ('"', "'"),
    "encoding": tuple(ENCODINGS),
    "line_end": tuple(LINE_ENDS),
}
PARTS = tuple(asdict(PLAIN))


def dialect_of(given: Any) -> CsvDialect:
    """What `options.csv` asks for, once it has been checked; `preset` is where an object starts from."""
    if given is None:
        return PLAIN
    if isinstance(given, str):
        return PRESETS[given]
    parts = {name: value for name, value in given.items() if name != "preset" and value is not None}
    base = PRESETS[given.get("preset") or "machine"]
    if parts.get("encoding", base.encoding) != base.encoding and "bom" not in parts:
        base = replace(base, bom=parts["encoding"] == "utf-16")
    return replace(base, **parts)


def dialect_problems(given: Any) -> list[FieldProblem]:
    if isinstance(given, str):
        if given in PRESETS:
            return []
        return [FieldProblem(FIELD, given[:60], f"{FIELD} cannot be {shown(given)}.", tuple(PRESETS))]
    if not isinstance(given, Mapping):
        message = f"{FIELD} must be the name of a preset or an object, not {shown(given)}."
        return [FieldProblem(FIELD, given, message, tuple(PRESETS))]
    problems = unknown_names(FIELD, given, ("preset", *PARTS))
    for name, valid in (("preset", tuple(PRESETS)), *CHOICES.items()):
        value = given.get(name)
        if value is not None and value not in valid:
            choices = tuple("TAB (\\t)" if each == "\t" else each for each in valid)
            message = f"{FIELD}.{name} cannot be {shown(value)}."
            problems.append(FieldProblem(f"{FIELD}.{name}", value, message, choices))
    bom = given.get("bom")
    if bom is not None and not isinstance(bom, bool):
        message = f"{FIELD}.bom must be true or false, not {shown(bom)}."
        problems.append(FieldProblem(f"{FIELD}.bom", bom, message))
    if problems:
        return problems
    dialect = dialect_of(given)
    if dialect.encoding == "windows-1252" and dialect.bom:
        message = f"{FIELD}.bom cannot be true with windows-1252, which has no byte order mark."
        return [FieldProblem(f"{FIELD}.bom", True, message, ("false",))]
    if dialect.encoding == "utf-16" and not dialect.bom:
        message = (
            f"{FIELD}.bom cannot be false with utf-16, which no reader tells without its byte order mark."
        )
        return [FieldProblem(f"{FIELD}.bom", False, message, ("true",))]
    return []
