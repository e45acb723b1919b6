"""What is kept, in a terminal: templates and schedules, many as a table, one as all that is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from arkham_shard_export.cli.common import print_json
from arkham_shard_export.cli.showing import short_id_length, short_json
from arkham_shard_export.cli.tables import local, plain, print_facts, print_table
from arkham_shard_export.models import ExportSchedule, ExportScheduleRun, ExportTemplate, TemplateSummary


def show_templates(templates: Sequence[TemplateSummary]) -> None:
    rows = [("NAME", "VERSION", "TARGET", "FORMAT", "CHANGED", "BY")]
    rows += [
        (
            each.name,
            str(each.version),
            each.target,
            each.format,
            local(each.updated_at, "minutes"),
            "the program" if each.built_in else each.updated_by,
        )
        for each in templates
    ]
    print_table(rows, right=(1,))


def show_template(template: ExportTemplate, as_json: bool) -> None:
    shown = template_fields(template)
    if as_json:
        print_json(shown)
        return
    shown |= {name: local(getattr(template, name)) for name in ("created_at", "updated_at")}
    print_facts(_facts(shown, without=(None, "", "-")))


def template_fields(template: TemplateSummary) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(template).items()
    }


def show_schedules(schedules: Sequence[ExportSchedule]) -> None:
    if not schedules:
        print("There are no such schedules.")
        return
    length = short_id_length([each.id for each in schedules])
    rows = [("ID", "STATE", "WHEN", "NEXT", "LAST RUN", "BY", "NAME")]
    rows += [
        (
            each.id[:length],
            each.state,
            each.cron or f"every {each.every}",
            _first(each.next_runs),
            "-" if each.last_run is None else each.last_run.status,
            each.created_by,
            each.name,
        )
        for each in schedules
    ]
    print_table(rows)


def show_schedule(schedule: ExportSchedule, runs: Sequence[ExportScheduleRun], as_json: bool) -> None:
    from arkham_shard_export.jobs.schedules.desk import run_fields, schedule_fields

    fields = schedule_fields(schedule)
    if as_json:
        print_json({**fields, "runs": [run_fields(each) for each in runs]})
        return
    for name in ("last_run", "next_runs"):
        del fields[name]
    print_facts(
        [*_facts(fields, without=(None, "")), *(("next", due_text(each)) for each in schedule.next_runs)]
    )
    if runs:
        print()
        rows = [("DUE", "KIND", "STATUS", "JOB", "WHY")]
        rows += [
            (local(each.due), each.kind, each.status, (each.job_id or "-")[:8], each.error or "")
            for each in runs
        ]
        print_table(rows, wrapped=True)


def tell_schedule(schedule: ExportSchedule, as_json: bool) -> None:
    """What has become of it."""
    if as_json:
        from arkham_shard_export.jobs.schedules.desk import schedule_fields

        print_json(schedule_fields(schedule))
    else:
        print(f"{plain(schedule.id)} {schedule.state}, next {_first(schedule.next_runs)}")


def _facts(fields: Mapping[str, Any], without: tuple[object, ...]) -> list[tuple[str, str]]:
    return [
        (name.replace("_", " "), value if isinstance(value, str) else short_json(value))
        for name, value in fields.items()
        if value not in without
    ]


def _first(times: Sequence[datetime]) -> str:
    return times[0].isoformat(" ", "minutes") if times else "-"


def due_text(moment: datetime) -> str:
    return f"{moment:%a} {moment.isoformat(' ')}"
