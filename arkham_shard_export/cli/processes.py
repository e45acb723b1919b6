"""`serve` and `worker`: the processes that stay."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import socket
from dataclasses import replace

from arkham_shard_export.cli.common import (
    CommandFailed,
    Commands,
    WrongUsage,
    add_place,
    check_url,
    require,
    settings_of_environment,
)
from arkham_shard_export.cli.requests import whole
from arkham_shard_export.standalone.errors import HostNotStarted

DEFAULT_PORT = 8100
MOST_CONCURRENCY = 10_000
_SERVE_EXAMPLES = (
    ("arkham-export serve --demo", f"a host with a demo case, at http://127.0.0.1:{DEFAULT_PORT}/export"),
    ("arkham-export serve --data /srv/arkham --port 9000", "over the SQLite files in that folder"),
    (
        "arkham-export serve --database-url postgresql://db/arkham",
        "over PostgreSQL; its files are in arkham-data",
    ),
    (
        "ARKHAM_EXPORT_TOKEN=$(cat token) arkham-export serve --host 0.0.0.0",
        "for others too: every request then needs the token",
    ),
)
_WORKER_EXAMPLES = (
    (
        "arkham-export worker --database-url postgresql://db/arkham --concurrency 4",
        "one more process that runs the jobs of the hosts on this database, four at a time",
    ),
    (
        "ARKHAM_EXPORT_STORE=s3://b arkham-export worker --database-url postgresql://db",
        "on another machine: the store must be the one of the hosts",
    ),
)


def add_commands(commands: Commands) -> None:
    serve = commands.add_parser(
        "serve", help="run the standalone host", description=_serve.__doc__, examples=_SERVE_EXAMPLES
    )
    serve.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: %(default)s)"
    )
    serve.add_argument(
        "--port",
        type=_port,
        default=DEFAULT_PORT,
        metavar="N",
        help="0 takes one that is free (default: %(default)s)",
    )
    add_place(serve)
    serve.add_argument("--demo", action="store_true", help="load the demo case, once")
    serve.add_argument(
        "--trust-headers",
        action="store_true",
        help="take tenant and user from X-Tenant-Id, X-User-Id and X-User-Role (only behind a proxy that sets them)",
    )
    serve.add_argument("--json", action="store_true", help="print the address as JSON, in one line")
    serve.set_defaults(run=_serve, own_signals=True)

    worker = commands.add_parser(
        "worker",
        help="run the export jobs of hosts on PostgreSQL",
        description=_worker.__doc__,
        examples=_WORKER_EXAMPLES,
    )
    worker.add_argument(
        "--concurrency",
        type=_concurrency,
        metavar="N",
        help="exports at a time, besides one more for small ones (default: $ARKHAM_EXPORT_CONCURRENCY, or cores - 1)",
    )
    add_place(worker)
    worker.set_defaults(run=_worker, own_signals=True)


def _serve(options: argparse.Namespace) -> int:
    """Run the standalone host: the export service with a database of its own, for anyone without ArkhamFrame."""
    require("uvicorn", "serve")
    check_url(options.database_url)
    settings = settings_of_environment()
    import uvicorn

    from arkham_shard_export.standalone import logs
    from arkham_shard_export.standalone.access import access_of
    from arkham_shard_export.standalone.app import create_app

    logs.set_up(settings)
    listener = _listener(options.host, options.port)
    address = listener.getsockname()
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    try:
        access = access_of(settings, loopback=_is_loopback(address[0]), trust_headers=options.trust_headers)
    except HostNotStarted:
        listener.close()
        raise
    app = create_app(
        options.data,
        options.database_url,
        demo=options.demo,
        trust_headers=options.trust_headers,
        token=access.token,
        link_seconds=settings.link_seconds,
        host_names=access.host_names,
    )

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
                url = f"http://{host}:{address[1]}"
                if options.json:
                    print(json.dumps({"url": url, "page": f"{url}/export"}), flush=True)
                else:
                    print(f"Open {url}/export   (Ctrl+C stops)", flush=True)

    # Why it did not start is told below, in a sentence rather than a traceback.
    config = uvicorn.Config(app, log_config=None, log_level="critical", timeout_graceful_shutdown=5)
    server = Server(config)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        import uvloop

        uvloop.run(server.serve(sockets=[listener]))
    if (error := getattr(app.state, "startup_error", None)) is not None:
        raise error
    return 0


def _worker(options: argparse.Namespace) -> int:
    """Run jobs in as many processes and on as many machines as you like: each job runs once, in one of them.

    All hosts and workers need the same database and the same store.
    """
    if not options.database_url:
        raise WrongUsage(
            "Workers need PostgreSQL: give --database-url postgresql://… (on SQLite the host runs its jobs itself)."
        )
    check_url(options.database_url)
    require("procrastinate", "postgres")
    from arkham_shard_export.standalone import logs
    from arkham_shard_export.standalone.administering import store_of
    from arkham_shard_export.standalone.worker import work

    settings = settings_of_environment()
    if options.concurrency is not None:
        settings = replace(settings, concurrency=options.concurrency)
    logs.set_up(settings)
    import uvloop

    uvloop.run(work(options.database_url, store_of(options.data, settings), settings))
    return 0


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise CommandFailed(
            f"Cannot listen on {host}:{port} ({error}). Choose another with --host or --port."
        ) from error
    return listener


def _is_loopback(address: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(address).is_loopback


def _port(text: str) -> int:
    return whole(text, 0, 65_535)


def _concurrency(text: str) -> int:
    return whole(text, 1, MOST_CONCURRENCY)
