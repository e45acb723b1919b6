"""The routes under /api/export: bodies in, answers out. Nothing here knows how a job is kept or run."""

from arkham_shard_export.api.routing import create_router

__all__ = ["create_router"]
