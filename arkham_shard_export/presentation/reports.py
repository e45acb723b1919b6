"""What a report says in front, on which paper it stands, and which of its chapters it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arkham_shard_export.errors import FieldProblem
from arkham_shard_export.presentation.words import shown, text_problem, unknown_names

FIELD = "options.report"
MAX_TITLE_LENGTH = 200
PARTS = ("title", "subtitle", "logo", "paper", "sections")
SECTIONS = {
    "contents": "The list of contents.",
    "overview": "The chapter in front of the records: how many of what.",
    "charts": "What the overview draws: events over time, the network.",
}
"""Parts of a report that can be left out, each with what it is."""


@dataclass(frozen=True, slots=True)
class Paper:
    """An upright sheet in millimetres, and what Typst and SpreadsheetML call it."""

    width: float
    height: float
    typst: str


PAPERS = {
    "a4": Paper(210, 297, "a4"),
    "a3": Paper(297, 420, "a3"),
    "letter": Paper(215.9, 279.4, "us-letter"),
    "legal": Paper(215.9, 355.6, "us-legal"),
}


@dataclass(frozen=True, slots=True)
class ReportFront:
    """Empty texts and an empty logo (a data URI) ask for nothing of their own."""

    title: str = ""
    subtitle: str = ""
    logo: str = ""
    paper: str = "a4"
    contents: bool = True
    overview: bool = True
    charts: bool = True

    @property
    def sheet(self) -> Paper:
        return PAPERS[self.paper]


def front_of(options: Mapping[str, Any]) -> ReportFront:
    """What the options of an export ask for, once they have been checked."""
    given = options.get("report") or {}
    parts = {name: given[name] for name in ("title", "subtitle", "logo", "paper") if given.get(name)}
    sections = {name: on for name, on in (given.get("sections") or {}).items() if on is not None}
    return ReportFront(**parts, **sections)


def report_problems(given: Any) -> list[FieldProblem]:
    """What is wrong with `options.report`, its logo apart."""
    if not isinstance(given, Mapping):
        return [FieldProblem(FIELD, given, f"{FIELD} must be an object, not {shown(given)}.", PARTS)]
    problems = unknown_names(FIELD, given, PARTS)
    for name in ("title", "subtitle"):
        if given.get(name) is not None:
            problem = text_problem(f"{FIELD}.{name}", given[name], MAX_TITLE_LENGTH)
            problems += [problem] if problem else []
    paper = given.get("paper")
    if paper is not None and paper not in tuple(PAPERS):
        message = f"{FIELD}.paper cannot be {shown(paper)}."
        problems.append(FieldProblem(f"{FIELD}.paper", paper, message, tuple(PAPERS)))
    return problems + _sections_problems(given.get("sections"))


def _sections_problems(given: Any) -> list[FieldProblem]:
    field = f"{FIELD}.sections"
    if given is None:
        return []
    if not isinstance(given, Mapping):
        message = f"{field} must be an object of sections that are on or off, not {shown(given)}."
        return [FieldProblem(field, given, message, tuple(SECTIONS))]
    problems = unknown_names(field, given, tuple(SECTIONS))
    for name in SECTIONS:
        if given.get(name) is not None and not isinstance(given[name], bool):
            message = f"{field}.{name} must be true or false, not {shown(given[name])}."
            problems.append(FieldProblem(f"{field}.{name}", given[name], message))
    return problems
