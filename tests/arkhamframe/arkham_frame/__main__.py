"""`python -m arkham_frame`: the stand-in as a process on 127.0.0.1, with every shard installed."""

from __future__ import annotations

import argparse
from pathlib import Path

import uvicorn

from .app import create_app
from .frame import SERVICES


def main() -> None:
    """Serves until SIGINT or SIGTERM; `--port 0` takes a free port, which uvicorn prints."""
    parser = argparse.ArgumentParser(prog="python -m arkham_frame", description="The stand-in host.")
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--storage-dir", required=True, type=Path)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--users", action="store_true", help="believe X-User-Id and X-User-Role")
    parser.add_argument("--without", action="append", default=[], choices=SERVICES, help="may be repeated")
    given = parser.parse_args()
    app = create_app(
        given.database_url, storage_dir=given.storage_dir, without=given.without, users=given.users
    )
    uvicorn.run(app, host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
