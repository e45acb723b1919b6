"""The log of our own processes: a line a record, whatever is in it."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime

import pytest

from arkham_shard_export.jobs.telling import Telling
from arkham_shard_export.models import ExportJob
from arkham_shard_export.settings import Settings
from arkham_shard_export.standalone.logs import JsonLines, TextLines

HOSTILE = "line\nnext\r\x1b[31m\u2028end\ud800"


def record(message: str = HOSTILE, error: BaseException | None = None, **extra: object) -> logging.LogRecord:
    info = None if error is None else (type(error), error, error.__traceback__)
    made = logging.LogRecord("arkham_shard_export.x", logging.WARNING, "x.py", 1, message, (), info)
    made.__dict__.update(extra)
    return made


def raised() -> Exception:
    try:
        raise OSError("two\nlines")
    except OSError as error:
        return error


@pytest.mark.parametrize("formatter", [TextLines(), JsonLines()])
def test_a_record_is_one_printable_line(formatter: logging.Formatter) -> None:
    line = formatter.format(record(error=raised()))
    assert line.isprintable()
    assert "raise OSError" in line


def test_a_json_line_has_the_pairs_of_a_change_and_none_that_pose_as_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = ExportJob("an-id", "csv", "claims", created_by='a "quoted"\nname')
    with caplog.at_level(logging.INFO, "arkham_shard_export"):
        Telling().changed(job, None, "completed", records=3, level_of="x", message="forged", ms=1.5)
    fields = json.loads(JsonLines().format(caplog.records[0]))
    assert datetime.fromisoformat(fields["time"]).tzinfo is not None
    assert (fields["level"], fields["logger"]) == ("INFO", "arkham_shard_export.jobs")
    assert fields["message"].startswith("export job completed job=an-id")
    assert (fields["change"], fields["job"], fields["by"]) == ("completed", "an-id", job.created_by)
    assert (fields["records"], fields["ms"]) == (3, 1.5)
    assert "exception" not in fields


def test_an_exception_is_a_field_of_a_json_line() -> None:
    fields = json.loads(JsonLines().format(record("failed", raised(), export="no pairs")))
    assert fields["message"] == "failed"
    assert fields["exception"].endswith("OSError: two\nlines")


def test_level_and_format_are_chosen_in_any_case_and_wrong_ones_are_named() -> None:
    chosen = Settings.from_environment(
        {"ARKHAM_EXPORT_LOG_LEVEL": "debug", "ARKHAM_EXPORT_LOG_FORMAT": "JSON"}
    )
    assert (chosen.log_level, chosen.log_format) == ("DEBUG", "json")
    usual = Settings.from_environment({"ARKHAM_EXPORT_LOG_LEVEL": " "})
    assert (usual.log_level, usual.log_format) == ("INFO", "text")
    for name, valid in (("LOG_LEVEL", "DEBUG, INFO, WARNING, ERROR, CRITICAL"), ("LOG_FORMAT", "text, json")):
        with pytest.raises(ValueError, match=f"ARKHAM_EXPORT_{name}='loud' must be one of {valid}"):
            Settings.from_environment({f"ARKHAM_EXPORT_{name}": "loud"})


def test_importing_the_package_sets_up_no_logging() -> None:
    import subprocess

    script = (
        "import logging; import arkham_shard_export.shard, arkham_shard_export.api, arkham_shard_export.cli;"
        "arkham_shard_export.shard.ExportShard();"
        "assert not logging.getLogger().handlers and not logging.getLogger('arkham_shard_export').handlers"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
