"""`remote`: exports from a running host, by its REST routes."""

from __future__ import annotations

import argparse

from arkham_shard_export.cli.batch import add_parts
from arkham_shard_export.cli.common import Commands, add_quiet, complete_by
from arkham_shard_export.cli.jobs import add_job_filters
from arkham_shard_export.cli.remote import looking, making, schedules, templates
from arkham_shard_export.cli.remote.hosts import add_action, add_host
from arkham_shard_export.cli.requests import add_records, add_request, add_template

_EXAMPLES = (
    ("export ARKHAM_EXPORT_URL=http://127.0.0.1:8100", "which host; or --url with every command"),
    (
        "arkham-export remote export claims --format csv -o claims.csv",
        "made, waited for, fetched and verified",
    ),
    ("arkham-export remote create claims --format pdf", "only made: prints the id of the job"),
    ("arkham-export remote wait 3ca750d5", "follows it to its end; an id may be cut to six characters"),
    ("arkham-export remote download 3ca750d5 -o claims.pdf", "goes on where it broke off"),
)
_DOWNLOADING = "show no progress, and of the account only what was left out or changed"


def add_commands(commands: Commands) -> None:
    remote = commands.add_parser(
        "remote",
        help="exports from a running host",
        description="Exports from a running host, by its REST routes.",
        examples=_EXAMPLES,
    )
    add_host(remote)
    actions = remote.add_commands()

    creating = add_action(
        actions,
        "create",
        making.create,
        "make a job, and print its id",
        (
            (
                "arkham-export remote create timeline --format docx",
                "prints the job's id",
            ),
            (
                "arkham-export remote create claims --format csv --key nightly-2026-11-26",
                "one job, however often it is asked for under this key",
            ),
            (
                "arkham-export remote create --template 'Timeline for a court' --format docx",
                "by a template of the host, but as a Word document",
            ),
        ),
    )
    add_request(creating, of_host=True, by_template=True)
    add_template(creating)
    _add_making(creating)

    exporting = add_action(
        actions,
        "export",
        making.export,
        "make a job, wait for it, fetch its file and verify it",
        (
            ("arkham-export remote export claims --format csv -o claims.csv", "to this file"),
            (
                "arkham-export remote export graph --format csv -o exports/",
                "into a folder, under the host's name for it",
            ),
            (
                "arkham-export remote export claims --format json -o - | jq .record_count",
                "verified, then into a pipe",
            ),
        ),
    )
    add_request(exporting, of_host=True, by_template=True)
    add_template(exporting)
    _add_making(exporting)
    _add_output(exporting)
    add_quiet(exporting, _DOWNLOADING)

    batching = add_action(
        actions,
        "batch",
        making.batch,
        "make several exports of one moment as one job, and fetch its file",
        (
            (
                "arkham-export remote batch --part 'claims csv' --part 'graph xlsx' -o case.zip",
                "one ZIP of both, verified",
            ),
            ("arkham-export remote batch --from monday.json", "the body of the job from a file"),
        ),
    )
    add_parts(batching)
    _add_making(batching)
    _add_output(batching)
    add_quiet(batching, _DOWNLOADING)

    waiting = add_action(
        actions,
        "wait",
        making.wait,
        "wait for a job to end",
        (
            ("arkham-export remote wait 3ca750d5", "with a bar; how it ended goes to standard output"),
            (
                "arkham-export remote wait 3ca750d5 --timeout 60 || echo $?",
                "1: it failed; 4: it has not ended",
            ),
        ),
    )
    _add_id(waiting)
    waiting.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="wait no longer than that, and end with 4"
    )
    add_quiet(waiting, _DOWNLOADING)

    downloading = add_action(
        actions,
        "download",
        making.download,
        "fetch the file of a job, and verify it",
        (
            ("arkham-export remote download 3ca750d5", "into this folder, under the host's name for it"),
            (
                "arkham-export remote download 3ca750d5 -o claims.csv",
                "the same command again goes on where it broke off",
            ),
        ),
    )
    _add_id(downloading)
    _add_output(downloading)
    add_quiet(downloading, _DOWNLOADING)

    listing = add_action(
        actions,
        "jobs",
        looking.jobs,
        "the newest jobs that you may see",
        (("arkham-export remote jobs --status completed --target claims", "of these alone"),),
    )
    add_job_filters(listing, of_host=True)

    showing = add_action(
        actions,
        "show",
        looking.show,
        "all that the host tells of one job",
        (("arkham-export remote show 3ca750d5", "its request, its account of records, its file"),),
    )
    _add_id(showing)

    cancelling = add_action(
        actions,
        "cancel",
        looking.cancel,
        "cancel pending and running jobs",
        (("arkham-export remote cancel 3ca750d5 036941c4", "both of them"),),
    )
    cancelling.add_argument("id", nargs="+", help="as for show")

    for name, work, told in (
        ("formats", looking.formats, "the formats, and which the host has"),
        ("targets", looking.targets, "what the host can export, with its records"),
    ):
        singular = name[:-1]
        of_one = "pdf" if singular == "format" else "claims"
        listing = add_action(
            actions,
            name,
            work,
            told,
            (
                (f"arkham-export remote {name}", "all of them"),
                (f"arkham-export remote {name} {of_one}", "one, with all there is to say of it"),
            ),
        )
        complete_by(
            listing.add_argument(singular, nargs="?", metavar=singular.upper(), help="only this one"), name
        )

    previewing = add_action(
        actions,
        "preview",
        looking.preview,
        "the first records of an export",
        (
            (
                "arkham-export remote preview claims --format csv --filter status=disputed",
                "and how large it will be",
            ),
        ),
    )
    add_request(previewing, of_host=True, by_template=True)
    add_template(previewing)
    add_records(previewing)

    templates.add_commands(actions)
    schedules.add_commands(actions)


def _add_id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="its id, or at least the first six characters of it")


def _add_making(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--retention-hours",
        type=float,
        metavar="HOURS",
        help="how long the host keeps the file (default: the host's)",
    )
    parser.add_argument(
        "--key", metavar="TEXT", help="an idempotency key: within a day the same key is the same job"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument(
        "-o",
        "--output",
        default=".",
        metavar="FILE",
        help="file to write, or a folder to write it in (default: this one); - is standard output. A file that is there is replaced",
    )
    complete_by(output, "files")
