"""The counts beside the sidebar entries, asked from the running shards."""

from __future__ import annotations

import logging
from typing import Any

from .frame import ArkhamFrame
from .manifest import Navigation

logger = logging.getLogger(__name__)

Badge = dict[str, Any]


async def collect_badges(frame: ArkhamFrame) -> dict[str, Badge]:
    """`{"count", "type"}` by shard name and by `<shard>.<sub-route id>`; a shard that raises has none."""
    badges: dict[str, Badge] = {}
    for name, shard in list(frame.shards.items()):
        navigation = getattr(getattr(shard, "manifest", None), "navigation", None)
        if navigation is None or not hasattr(shard, "get_badge_count"):
            continue
        try:
            badges |= await _badges_of(name, shard, navigation)
        except Exception:
            logger.exception("Shard %s failed to count for its badge", name)
    return badges


async def _badges_of(name: str, shard: Any, navigation: Navigation) -> dict[str, Badge]:
    badges: dict[str, Badge] = {}
    if navigation.badge_endpoint:
        count = await shard.get_badge_count()
        badges[name] = {"count": count, "type": navigation.badge_type or "count"}
    for sub in navigation.sub_routes:
        if sub.badge_endpoint and hasattr(shard, "get_subroute_badge_count"):
            count = await shard.get_subroute_badge_count(sub.id)
            badges[f"{name}.{sub.id}"] = {"count": count, "type": sub.badge_type or "count"}
    return badges
