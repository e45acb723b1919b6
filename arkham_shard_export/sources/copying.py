"""Rows that PostgreSQL writes as delimited text itself, by COPY: several times faster than any client can.

Each column becomes an expression that gives its canonical value as text, by the rules of `values` and of the writer.
Where an expression cannot tell what those rules would give, the row is doubtful, and is left to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from arkham_shard_export.records import BATCH_ROWS, Adjustments, Delimited, Part
from arkham_shard_export.schema import Column, Kind
from arkham_shard_export.sources.dialects import Catalog, column
from arkham_shard_export.sources.snapshot import Line

IS_JSON_SINCE = 160000
_DOUBTFUL = "x"
_COMMA = ord(",")
_LONGEST_JSON = 10_000
"""Bytes; JSON that is nested too deeply for other readers is longer."""
_LARGEST_PLAIN = {"real": "1e5", "double precision": "1e15"}
"""From here on PostgreSQL writes an exponent where Python writes none."""
_SHAPE = "____-__-__T__:__:__"


@dataclass(frozen=True, slots=True)
class Copied:
    """A column as text, the condition of doubt, and that of having been guarded; empty: never."""

    text: str
    doubt: str = ""
    guarded: str = ""


def copied_values(
    columns: Sequence[Column], catalog: Catalog, rules: Delimited, server_version: int
) -> tuple[str, ...] | None:
    """The expressions to be copied, or None where a column has none.

    The last of them is empty, or says how many texts of the row were guarded, or that the row is doubtful.
    """
    if len(columns) < 2 or server_version < IS_JSON_SINCE:
        return None
    copied = []
    for each in columns:
        make = _maker(each.kind, catalog[each.name])
        if make is None:
            return None
        copied.append(make(column(each.name), rules))
    doubts = " OR ".join(f"({each.doubt})" for each in copied if each.doubt) or "false"
    guarded = " + ".join(f"CAST({each.guarded} AS int)" for each in copied if each.guarded) or "0"
    verdict = f"CASE WHEN {doubts} THEN '{_DOUBTFUL}' ELSE CAST(nullif({guarded}, 0) AS text) END"
    return (*(each.text for each in copied), verdict)


def copied_parts(rows: Iterator[Line], adjustments: Adjustments) -> Iterator[Part | None]:
    """Lines of `copied_values` in parts, without the verdicts; a None ends them before the first doubtful one."""
    lines: list[Line] = []
    for row in rows:
        if row[-2] == _COMMA:
            lines.append(row[:-2])
        else:
            line, _, verdict = bytes(row[:-1]).rpartition(b",")
            if verdict == _DOUBTFUL.encode():
                if lines:
                    yield _part(lines)
                yield None
                return
            adjustments.add("formula_guard", int(verdict))
            lines.append(line)
        if len(lines) == BATCH_ROWS:
            yield _part(lines)
            lines = []
    if lines:
        yield _part(lines)


def _part(lines: list[Line]) -> Part:
    return b"\r\n".join([*lines, b""]), len(lines)


_Make = Callable[[str, Delimited], Copied]


def _maker(kind: Kind, column_type: str) -> _Make | None:
    base = column_type.split("(")[0]
    if base in ("text", "character varying"):
        return {Kind.TIMESTAMP: _moment, Kind.JSON: _json, Kind.TEXT: _text}.get(kind)
    if kind is Kind.JSON or kind is Kind.TIMESTAMP:
        return None
    return _MAKERS.get(base)


def _text(name: str, rules: Delimited) -> Copied:
    if not rules.formula_starts:
        return Copied(name)
    codes = ", ".join(str(ord(start)) for start in rules.formula_starts)
    # A question mark is a mark for a value, in a literal too.
    number = rules.number.replace("(?:", "(").replace("?", "{0,1}")
    above = chr(max(map(ord, rules.formula_starts)) + 1)
    # Most texts start with a letter, which one comparison tells.
    guarded = f"{name} COLLATE \"C\" < '{above}' AND ascii({name}) IN ({codes}) AND {name} !~ '^({number})$'"
    return Copied(
        f"CASE WHEN {guarded} THEN '''' || {name} ELSE {name} END", guarded=f"coalesce({guarded}, false)"
    )


def _moment(name: str, _rules: Delimited) -> Copied:
    # Whatever is of these shapes is canonical: a moment, or text that is none and stays as it is.
    shaped = f"{name} LIKE '{_SHAPE}+00:00' OR ({name} LIKE '{_SHAPE}.______+00:00' AND {name} NOT LIKE '%.000000+00:00')"
    return Copied(name, doubt=f"NOT (ascii({name}) BETWEEN 48 AND 57 AND ({shaped}))")


def _json(name: str, _rules: Delimited) -> Copied:
    return Copied(
        name,
        doubt=(
            f"{name} IS NOT JSON OR octet_length({name}) > {_LONGEST_JSON} OR strpos({name}, chr(10)) > 0"
            f" OR strpos({name}, chr(13)) > 0 OR (strpos({name}, '\\u') > 0 AND {name} ~* '\\\\ud[89a-f]')"
        ),
    )


def _whole(name: str, _rules: Delimited) -> Copied:
    return Copied(name)


def _boolean(name: str, _rules: Delimited) -> Copied:
    return Copied(f"CASE {name} WHEN true THEN 'true' WHEN false THEN 'false' END")


def _float(column_type: str) -> _Make:
    def make(name: str, _rules: Delimited) -> Copied:
        text = f"CASE WHEN {name} = trunc({name}) THEN CAST({name} AS text) || '.0' ELSE CAST({name} AS text) END"
        return Copied(text, doubt=f"NOT (abs({name}) < {_LARGEST_PLAIN[column_type]})")

    return make


def _numeric(name: str, _rules: Delimited) -> Copied:
    text = f"CAST({name} AS text)"
    return Copied(text, doubt=f"NOT (abs({name}) < 1e15 AND {text} !~ '^-{{0,1}}0[.]000000')")


_MAKERS: Mapping[str, _Make] = {
    "smallint": _whole,
    "integer": _whole,
    "bigint": _whole,
    "boolean": _boolean,
    "real": _float("real"),
    "double precision": _float("double precision"),
    "numeric": _numeric,
    "uuid": lambda name, _rules: Copied(f"CAST({name} AS text)"),
}
