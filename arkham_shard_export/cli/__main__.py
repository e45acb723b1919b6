"""`python -m arkham_shard_export.cli`."""

from arkham_shard_export.cli import main

if __name__ == "__main__":
    main()
