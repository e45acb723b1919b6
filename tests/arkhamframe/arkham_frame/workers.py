"""The host's worker service, as far as a shard sees it: fixed pools, each for one worker class."""

from __future__ import annotations

POOLS_TAKEN = ("io-file", "io-db", "cpu-light", "cpu-heavy", "cpu-ner", "gpu-embed", "llm-enrich")
POOLS_FREE = ("cpu-archive",)


class WorkerError(Exception):
    """A worker class cannot be registered."""


class WorkerService:
    """Registers worker classes and runs none: the pools' work is no part of the stand-in."""

    def __init__(self) -> None:
        self.pools: dict[str, type | None] = dict.fromkeys(POOLS_TAKEN, object) | dict.fromkeys(POOLS_FREE)

    def register_worker(self, worker_class: type) -> None:
        """The class names its pool in `pool`; an unknown pool, or one that holds a class, is refused."""
        pool = getattr(worker_class, "pool", None)
        if pool not in self.pools:
            raise WorkerError(f"Unknown pool {pool!r}; valid: {', '.join(self.pools)}")
        if self.pools[pool] is not None:
            raise WorkerError(f"Pool {pool!r} is taken")
        self.pools[pool] = worker_class

    async def close(self) -> None:
        """Stops nothing, as nothing runs."""
