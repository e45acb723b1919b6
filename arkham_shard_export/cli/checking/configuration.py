"""The settings: each with its value, where that is from, and whether it can be used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields

from arkham_shard_export.cli.checking import Finding, State, problem
from arkham_shard_export.cli.common import DATA_VARIABLE, DATABASE_VARIABLE, DEFAULT_DATA, CommandFailed
from arkham_shard_export.cli.parsing import did_you_mean
from arkham_shard_export.cli.remote.hosts import TOKEN_VARIABLE, URL_VARIABLE, address_of
from arkham_shard_export.settings import Settings
from arkham_shard_export.standalone.access import access_of
from arkham_shard_export.standalone.errors import HostNotStarted

PREFIX = "ARKHAM_EXPORT_"
SETTINGS = {f"{PREFIX}{each.name.upper()}": each.name for each in fields(Settings)}
"""The field of Settings that each variable sets."""
OF_COMMANDS = (DATA_VARIABLE, DATABASE_VARIABLE, URL_VARIABLE)
"""Variables that are read by the commands themselves."""


def check_settings(environment: Mapping[str, str]) -> Iterator[Finding]:
    for variable, field in SETTINGS.items():
        yield _setting(variable, field, environment)
    for variable in OF_COMMANDS:
        yield _of_command(variable, environment.get(variable, ""))
    known = (*SETTINGS, *OF_COMMANDS)
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in known:
            meant = did_you_mean([variable], known)
            yield problem(
                variable,
                f"There is no such setting, so it sets nothing.{meant}",
                f"unset {variable}",
                environment[variable],
                "environment",
            )


def _setting(variable: str, field: str, environment: Mapping[str, str]) -> Finding:
    given = environment.get(variable, "").strip()
    source = "environment" if given else "default"
    try:
        # Some defaults follow from other settings: a wrong one of these is told where it stands.
        settings = Settings.from_environment({variable: given}) if given else _usable(environment)
        if variable == TOKEN_VARIABLE and given:
            access_of(settings, loopback=True, trust_headers=False)
    except (ValueError, HostNotStarted) as error:
        shown = "" if variable == TOKEN_VARIABLE else given
        return problem(variable, str(error), f"unset {variable}, or give it another value", shown, source)
    return Finding(variable, State.OK, _shown(variable, getattr(settings, field)), source=source)


def _usable(environment: Mapping[str, str]) -> Settings:
    try:
        return Settings.from_environment(environment)
    except ValueError:
        return Settings.from_environment({})


def _shown(variable: str, value: object) -> str:
    if value is None or value == ():
        return "not set"
    if variable == TOKEN_VARIABLE:
        return f"{len(str(value))} characters, not shown"
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_command(variable: str, given: str) -> Finding:
    source = "environment" if given else "default"
    if variable == URL_VARIABLE and given:
        try:
            address_of(given)
        except CommandFailed:
            return problem(
                variable,
                "It is not the address of a host.",
                f"export {variable}=http://127.0.0.1:8100",
                without_password(given),
                source,
            )
    default = DEFAULT_DATA if variable == DATA_VARIABLE else "not set"
    return Finding(variable, State.OK, without_password(given) or default, source=source)


def without_password(url: str) -> str:
    return re.sub(r"(?<=//)[^/@]*@", "…@", url)
