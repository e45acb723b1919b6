"""The optional libraries, by the extra that brings them, and the fonts of reports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

from arkham_shard_export.cli.checking import Finding, State, problem
from arkham_shard_export.settings import Settings
from arkham_shard_export.store_location import S3Location

DISTRIBUTION = "arkham-shard-export"
WHAT_FOR = {
    "serve": "the standalone host",
    "postgres": "records and jobs in PostgreSQL",
    "office": "PDF and DOCX reports",
    "s3": "a store in a bucket",
    "client": "arkham-export remote, and the Python client",
    "cli": "progress bars and shell completion",
}
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(?:\[(?P<extras>[^\]]+)\])?[^;]*;.*\bextra\s*==\s*['\"](?P<extra>[a-z0-9-]+)['\"]"
)


def check_libraries(settings: Settings | None, database_url: str | None) -> Iterator[Finding]:
    """What is missing is a problem only where a setting needs it."""
    needed = {
        "postgres": database_url is not None,
        "s3": settings is not None and isinstance(settings.store, S3Location),
    }
    brought = extras(DISTRIBUTION)
    for extra in WHAT_FOR:
        names = brought.get(extra, [])
        versions = {name: _version(name) for name in names}
        missing = [name for name, version in versions.items() if version is None]
        value = ", ".join(f"{name} {version}" for name, version in versions.items() if version is not None)
        if not missing:
            yield Finding(extra, State.OK, value)
            continue
        yield Finding(
            extra,
            State.PROBLEM if needed.get(extra) else State.ABSENT,
            value,
            f"Not installed: {', '.join(missing)}; needed for {WHAT_FOR[extra]}.",
            f"pip install '{DISTRIBUTION}[{extra}]'",
        )


def extras(distribution: str) -> dict[str, list[str]]:
    """The distributions that each extra of an installed one brings, as it declares them."""
    found: dict[str, list[str]] = {}
    try:
        requirements = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        requirements = []
    for match in filter(None, map(_REQUIREMENT.match, requirements)):
        names = found.setdefault(match["extra"], [])
        wanted = [match["name"]]
        if match["extras"] and match["name"] != distribution:
            further = extras(match["name"])
            for extra in match["extras"].split(","):
                wanted += further.get(extra.strip(), ())
        names += [name for name in wanted if name not in names]
    return found


def check_fonts() -> Iterator[Finding]:
    from arkham_shard_export.formats.typesetting.fonts import FAMILIES, font_files

    try:
        missing = [family for family, path in font_files().items() if not path.is_file()]
    except ModuleNotFoundError as error:
        yield Finding("families", State.ABSENT, "", str(error), f"pip install '{DISTRIBUTION}[office]'")
        return
    if missing:
        yield problem(
            "families",
            f"The files of these are not where they belong: {', '.join(missing)}.",
            f"pip install --force-reinstall '{DISTRIBUTION}[office]'",
            f"{len(FAMILIES) - len(missing)} of {len(FAMILIES)}",
        )
    else:
        yield Finding("families", State.OK, f"{len(FAMILIES)}, from {FAMILIES[0]} to {FAMILIES[-1]}")


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
