"""The log of our own processes: one line a record on standard error. A real host keeps its own; nothing is set up there."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime

from arkham_shard_export.settings import Settings

PACKAGE = "arkham_shard_export"
_RESERVED = ("time", "level", "logger", "message", "exception")


def set_up(settings: Settings) -> None:
    """Have this process log as the settings say; of other packages only warnings are shown, at DEBUG what they tell too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if settings.log_format == "json" else TextLines())
    others = logging.INFO if settings.log_level == "DEBUG" else logging.WARNING
    logging.basicConfig(level=others, handlers=[handler], force=True)
    logging.getLogger(PACKAGE).setLevel(settings.log_level)


class TextLines(logging.Formatter):
    """`time level logger message`; a line break, in a traceback too, is written as \\\\n, so that no text forges a line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        return _time(record)

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


class JsonLines(logging.Formatter):
    """An object a line: time, level, logger, message, the pairs of a change of a job's state, exception."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        pairs = getattr(record, "export", None)
        if isinstance(pairs, dict):
            fields |= {name: value for name, value in pairs.items() if name not in _RESERVED}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, default=str)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
