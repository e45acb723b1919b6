"""What `check` looks at. Nothing is made or changed, but for an unnamed file in the store that is gone at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """ABSENT is what one can do without; only a PROBLEM makes the check fail."""

    OK = "ok"
    ABSENT = "absent"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` is what is wrong, in a sentence; `remedy` what to do about it. `source` says where a setting is from."""

    name: str
    state: State
    value: str = ""
    detail: str = ""
    remedy: str = ""
    source: str = ""

    def fields(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value or name in ("name", "state")}


def problem(name: str, detail: str, remedy: str = "", value: str = "", source: str = "") -> Finding:
    return Finding(name, State.PROBLEM, value, detail, remedy, source)
