"""A standalone host that writes down what its event bus delivers: python -m benchmarks.listening FILE serve …

One JSON object a line; several hosts may share a file.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from arkham_shard_export import cli
from arkham_shard_export.standalone import app
from arkham_shard_export.standalone.services import EventBus


class Heard(EventBus):
    """Has its subscriber before the host has a shard, so that nothing is delivered unheard."""

    file = -1

    def __init__(self) -> None:
        super().__init__()
        self._subscribers.append(("export.*", self._note))

    def _note(self, event: dict[str, Any]) -> None:
        line = {"at": time.monotonic_ns(), "pid": os.getpid(), **event}
        os.write(self.file, json.dumps(line).encode() + b"\n")


def main() -> None:
    file, *words = sys.argv[1:]
    Heard.file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    app.EventBus = Heard  # type: ignore[misc]
    cli.main(words)


if __name__ == "__main__":
    main()
