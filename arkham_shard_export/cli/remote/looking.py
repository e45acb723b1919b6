"""`remote formats`, `targets`, `preview`, `jobs`, `show` and `cancel`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from itertools import islice

from arkham_shard_export.cli.account import tell
from arkham_shard_export.cli.catalog import show_formats, show_targets
from arkham_shard_export.cli.common import WrongUsage, print_json
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.cli.parsing import did_you_mean
from arkham_shard_export.cli.preview import format_of, show_preview
from arkham_shard_export.cli.remote.hosts import SHORT_PATIENCE_SECONDS, client_of, find
from arkham_shard_export.cli.requests import filters_of, options_of, template_of
from arkham_shard_export.cli.showing import fields_of, show_job, show_jobs
from arkham_shard_export.cli.tables import plain


def jobs(options: argparse.Namespace) -> int:
    chosen = {name: getattr(options, name) for name in ("status", "format", "target")}
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        jobs = list(islice(client.jobs(**chosen), options.limit + 1))
    shown = jobs[: options.limit]
    if options.json:
        print_json({"jobs": [fields_of(job) for job in shown], "more": len(jobs) > len(shown)})
        return Exit.DONE
    show_jobs(shown)
    if not jobs:
        print("There are no such jobs.")
    elif len(jobs) > len(shown):
        print("There are more jobs; --limit shows them.")
    return Exit.DONE


def show(options: argparse.Namespace) -> int:
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        job = find(client, options.id)
    if options.json:
        print_json(fields_of(job))
        return Exit.DONE
    progress = job.progress
    so_far = (
        f"{progress.phase}, {progress.done:,} of {progress.expected or 0:,} records" if progress else None
    )
    show_job(job, {"progress": so_far})
    return Exit.DONE


def cancel(options: argparse.Namespace) -> int:
    told, code = [], Exit.DONE
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        found = {job.id: job for job in [find(client, each) for each in options.id]}
        for before in found.values():
            job = client.cancel(before.id)
            done = job.status == "cancelled" and not before.ended
            told.append({"id": job.id, "status": job.status.value, "changed": done})
            if not done:
                code = Exit.FAILED
                tell(f"arkham-export: The job {job.id} is {job.status} already.")
            elif not options.json:
                print(f"{plain(job.id)} cancelled")
    if options.json:
        print_json(told)
    return code


def formats(options: argparse.Namespace) -> int:
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        infos = client.formats()
    _check_name("format", options.format, [each.format for each in infos])
    show_formats(infos, options.format, options.json)
    return Exit.DONE


def targets(options: argparse.Namespace) -> int:
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        infos = client.targets()
    _check_name("target", options.target, [each.target for each in infos])
    show_targets(infos, options.target, options.json)
    return Exit.DONE


def preview(options: argparse.Namespace) -> int:
    target, format = options.target, format_of(options)
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        found = client.preview(
            target,
            format,
            options.records,
            template=template_of(options),
            filters=filters_of(options),
            options=options_of(options),
        )
        if options.template is not None and not options.json:
            template = client.template(options.template, options.template_version)
            target, format = target or template.target, format or template.format
    if options.json:
        print_json(asdict(found))
        return Exit.DONE
    show_preview(
        target,
        format,
        found.preview_records,
        found.estimated_record_count,
        found.estimated_file_size_bytes,
    )
    return Exit.DONE


def _check_name(what: str, name: str | None, valid: list[str]) -> None:
    if name is not None and name not in valid:
        raise WrongUsage(f"Unknown {what} {name!r}.{did_you_mean([name], valid)} Valid: {', '.join(valid)}.")
