"""A stand-in for the host package: what `import arkham_frame` gives a shard while the tests run.

Built from the host contract, not from the host's code. It is on the import path only where a test puts
`tests/arkhamframe` there.
"""

from .shard import ArkhamShard

__version__ = "0.1.0"

__all__ = ["ArkhamShard", "__version__"]
