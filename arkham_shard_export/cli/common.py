"""What the commands share: where the data lies, and how they say that they cannot do their work."""

from __future__ import annotations

import argparse
import importlib.util
import os
from pathlib import Path
from typing import Any, Protocol

DEFAULT_DATA = "arkham-data"
EXIT_FAILED = 1
EXIT_USAGE = 2


class Commands(Protocol):
    """Where a module adds its commands."""

    def add_parser(self, name: str, **options: Any) -> argparse.ArgumentParser: ...


class CommandFailed(Exception):
    """A command cannot do its work; the text says why and what to do."""


class WrongUsage(CommandFailed):
    """A command was not asked as it must be."""


def add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("ARKHAM_EXPORT_DATA") or DEFAULT_DATA),
        help=f"folder of the SQLite files and of the exports (default: $ARKHAM_EXPORT_DATA or {DEFAULT_DATA})",
    )
    parser.add_argument(
        "--database-url",
        default=os.environ.get("ARKHAM_EXPORT_DATABASE_URL"),
        help="PostgreSQL instead of SQLite: postgresql://…",
    )


def require(module: str, extra: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise CommandFailed(f"{module} is not installed. Remedy: pip install 'arkham-shard-export[{extra}]'")


def check_url(url: str | None) -> None:
    if url is None:
        return
    if not url.startswith("postgres"):
        raise CommandFailed(
            f"--database-url {url.split(':')[0]!r} is not supported; use postgresql://… or --data."
        )
    require("psycopg", "postgres")
    require("psycopg_pool", "postgres")


def limit(text: str) -> int:
    """How many of something are to be shown."""
    number = int(text)
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text} must be from 1 to 1000000")
    return number
