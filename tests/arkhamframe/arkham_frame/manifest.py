"""What the host reads of a shard's `shard.yaml`: the sidebar entry, and the rest as plain data."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped,unused-ignore]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SubRoute:
    """One line under the shard's sidebar entry."""

    id: str
    label: str = ""
    route: str = ""
    badge_endpoint: str | None = None
    badge_type: str | None = None


@dataclass(frozen=True, slots=True)
class Navigation:
    """The shard's sidebar entry; without a `badge_endpoint` the host asks for no count."""

    label: str = ""
    route: str = ""
    badge_endpoint: str | None = None
    badge_type: str | None = None
    sub_routes: tuple[SubRoute, ...] = ()


@dataclass(frozen=True, slots=True)
class ShardManifest:
    """A parsed `shard.yaml`; `raw` holds every key, read here or not."""

    name: str
    version: str
    navigation: Navigation | None = None
    raw: dict[str, Any] = field(default_factory=dict)


def load_manifest(module_folder: Path) -> ShardManifest | None:
    """The one beside the package folder (a checkout), else inside it (a wheel), else None and a warning."""
    for path in (module_folder.parent / "shard.yaml", module_folder / "shard.yaml"):
        if path.is_file():
            return _parse(yaml.safe_load(path.read_text(encoding="utf-8")))
    logger.warning("No shard.yaml beside or inside %s", module_folder)
    return None


def _parse(raw: dict[str, Any]) -> ShardManifest:
    navigation = raw.get("navigation")
    return ShardManifest(
        name=str(raw["name"]),
        version=str(raw["version"]),
        navigation=None if navigation is None else _navigation(navigation),
        raw=raw,
    )


def _navigation(raw: dict[str, Any]) -> Navigation:
    sub_routes = tuple(
        SubRoute(
            id=str(sub["id"]),
            label=sub.get("label", ""),
            route=sub.get("route", ""),
            badge_endpoint=sub.get("badge_endpoint"),
            badge_type=sub.get("badge_type"),
        )
        for sub in raw.get("sub_routes") or ()
    )
    return Navigation(
        label=raw.get("label", ""),
        route=raw.get("route", ""),
        badge_endpoint=raw.get("badge_endpoint"),
        badge_type=raw.get("badge_type"),
        sub_routes=sub_routes,
    )
