"""Commands run in the process of the tests, where a process for each would take long."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from arkham_shard_export.cli import main


@dataclass(frozen=True)
class Ran:
    code: int
    output: bytes
    said: str

    @property
    def out(self) -> str:
        return self.output.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.output)


class Commands:
    def __init__(self, capture: pytest.CaptureFixture[bytes]) -> None:
        self._capture = capture

    def __call__(self, *arguments: str) -> Ran:
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        out, said = self._capture.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        assert b"Traceback" not in said
        return Ran(code, out, said.decode())
