"""`remote create`, `export`, `batch`, `wait` and `download`: from a request to a verified file."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from arkham_shard_export.cli.account import tell, tell_account
from arkham_shard_export.cli.batch import parts_of, tell_parts
from arkham_shard_export.cli.common import TooLong, WrongUsage, print_json
from arkham_shard_export.cli.exits import Exit
from arkham_shard_export.cli.progress import Meter, meter
from arkham_shard_export.cli.remote.hosts import (
    LONG_PATIENCE_SECONDS,
    SHORT_PATIENCE_SECONDS,
    client_of,
    find,
)
from arkham_shard_export.cli.requests import check_asked, filters_of, options_of, template_of
from arkham_shard_export.cli.showing import fields_of
from arkham_shard_export.cli.tables import local, plain, size

if TYPE_CHECKING:
    from arkham_shard_export.client import ExportClient, Job

STANDARD_OUTPUT = "-"


def create(options: argparse.Namespace) -> int:
    check_asked(options)
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        job = _made(client, options)
    if options.json:
        print_json(fields_of(job))
    else:
        print(plain(job.id))
    return Exit.DONE


def export(options: argparse.Namespace) -> int:
    check_asked(options)
    what = options.template or f"{options.target} as {options.format}"
    return _exported(options, what, lambda client: _made(client, options))


def batch(options: argparse.Namespace) -> int:
    parts, goes_on = parts_of(options)

    def made(client: ExportClient) -> Job:
        return client.create_batch(
            parts, continue_on_error=goes_on, retention_hours=options.retention_hours, key=options.key
        )

    return _exported(options, f"{len(parts)} exports" if len(parts) > 1 else "1 export", made)


def _exported(options: argparse.Namespace, title: str, made: Callable[[ExportClient], Job]) -> int:
    _check_output(options)
    with meter(title, "records", quiet=options.quiet) as told:
        trouble = _trouble_shown(told)
        with client_of(options, LONG_PATIENCE_SECONDS, trouble) as client:
            told.told("asking", 0, None)
            job = _followed(client, made(client), told, None)
    if job.status != "completed":
        return _told_end(job, options)
    return _fetched(job, options)


def wait(options: argparse.Namespace) -> int:
    with (
        meter("export", "records", quiet=options.quiet) as told,
        client_of(options, LONG_PATIENCE_SECONDS, _trouble_shown(told)) as client,
    ):
        job = _followed(client, find(client, options.id), told, options.timeout)
    return _told_end(job, options)


def download(options: argparse.Namespace) -> int:
    _check_output(options)
    with client_of(options, SHORT_PATIENCE_SECONDS) as client:
        job = find(client, options.id)
    return _fetched(job, options)


def _made(client: ExportClient, options: argparse.Namespace) -> Job:
    return client.create(
        options.target,
        options.format,
        template=template_of(options),
        filters=filters_of(options),
        options=options_of(options),
        retention_hours=options.retention_hours,
        key=options.key,
    )


def _followed(client: ExportClient, job: Job, told: Meter, timeout_seconds: float | None) -> Job:
    """The job once it has ended, whichever way."""
    try:
        told.told("waiting", 0, None)
        return client.wait(
            job.id,
            on_progress=lambda at: told.told(at.phase, at.done, at.expected),
            timeout_seconds=timeout_seconds,
            check=False,
        )
    except TimeoutError as error:
        raise TooLong(str(error)) from error
    except KeyboardInterrupt:
        tell(
            f"The job {job.id} goes on in the host. arkham-export remote wait {job.id[:8]} follows it again, "
            f"arkham-export remote cancel {job.id[:8]} ends it."
        )
        raise


def _told_end(job: Job, options: argparse.Namespace) -> int:
    """How a job has ended, on standard output; its account beside it."""
    completed = job.status == "completed"
    if options.json:
        print_json(fields_of(job))
    elif completed:
        kept = f", kept until {local(job.expires_at)}" if job.expires_at is not None else ""
        print(f"{plain(job.id)} completed: {job.record_count:,} records, {size(job.file_size)}{kept}")
    if not completed:
        tell(f"arkham-export: The export {job.id} is {job.status}: {job.error or 'it has no file.'}")
        return Exit.FAILED
    return _tell_account(job, options.quiet)


def _fetched(job: Job, options: argparse.Namespace) -> int:
    to = Path(options.output)
    if options.output == STANDARD_OUTPUT:
        _passed_on(job, options, sys.stdout.buffer)
    elif to.exists() and not to.is_file() and not to.is_dir():
        # A pipe or a device, which a file must not take the place of.
        with to.open("wb") as stream:
            _passed_on(job, options, stream)
    else:
        to = _downloaded(job, f"{to}/" if options.output.endswith("/") else to, options)
    if options.json:
        print_json({**fields_of(job), "path": str(to)})
    code = _tell_account(job, options.quiet)
    if not options.quiet and options.output != STANDARD_OUTPUT:
        tell(f"{to}  {size(job.file_size)}  SHA-256 {job.sha256} verified")
    return code


def _passed_on(job: Job, options: argparse.Namespace, stream: BinaryIO) -> None:
    """The file into a stream, once all of it has come and is verified."""
    with tempfile.TemporaryDirectory() as folder:
        path = _downloaded(job, Path(folder) / "export", options)
        with path.open("rb") as file:
            shutil.copyfileobj(file, stream, 1 << 20)
    stream.flush()


def _downloaded(job: Job, to: Path | str, options: argparse.Namespace) -> Path:
    beside = options.output != STANDARD_OUTPUT or not sys.stdout.isatty()
    with (
        meter("download", "bytes", quiet=options.quiet, beside=beside) as told,
        client_of(options, LONG_PATIENCE_SECONDS, _trouble_shown(told)) as client,
    ):
        try:
            return client.download(
                job,
                to,
                overwrite=True,
                on_bytes=lambda done, expected: told.told("fetching", done, expected),
            )
        except KeyboardInterrupt:
            if options.output != STANDARD_OUTPUT:
                tell(
                    "What has come is kept, and verified when the rest has: arkham-export remote download "
                    f"{job.id[:8]} -o {options.output} goes on."
                )
            raise


def _check_output(options: argparse.Namespace) -> None:
    """Before a job is made whose file there is no place for."""
    if options.output == STANDARD_OUTPUT:
        if options.json:
            raise WrongUsage("--json prints the job where its file would go; give -o FILE.")
        return
    to = Path(options.output)
    if not options.output.endswith("/") and not to.parent.is_dir():
        raise WrongUsage(f"There is no folder {to.parent} to write {to.name} in.")


def _tell_account(job: Job, quiet: bool) -> int:
    """The exit code with it: a batch may lack parts."""
    completeness: dict[str, Any] | None = job.metadata.get("completeness")
    if completeness is None:
        return Exit.DONE
    if job.parts is None:
        tell_account(completeness, job.metadata.get("adjustments") or [], quiet)
        return Exit.DONE
    parts = [{"part": number, **asdict(each)} for number, each in enumerate(job.parts, 1)]
    tell_parts(parts, completeness, quiet)
    return Exit.FAILED if completeness["failed_parts"] else Exit.DONE


def _trouble_shown(told: Meter) -> Callable[[str], None]:
    return lambda trouble: told.told("trying again", 0, None, trouble)
