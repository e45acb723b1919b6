"""A proxy on loopback that breaks connections off, as networks do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


class CuttingProxy:
    """Passes bytes on to a host; of each answer at most so many as `allowances` says next, then as many as there are."""

    def __init__(self, host: str, port: int) -> None:
        self.allowances: list[int] = []
        self.connections = 0
        self._upstream = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def close(self) -> None:
        # Waking accept() by closing alone is not sure.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            allowance = self.allowances.pop(0) if self.allowances else None
            threading.Thread(target=self._pass, args=(client, allowance), daemon=True).start()

    def _pass(self, client: socket.socket, allowance: int | None) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._upstream) as upstream:
            threading.Thread(target=_copy, args=(client, upstream), daemon=True).start()
            passed = 0
            while data := upstream.recv(1 << 16):
                if allowance is not None and passed + len(data) >= allowance:
                    client.sendall(data[: allowance - passed])
                    # The other thread reads from it: closing alone would not be noticed.
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)
                passed += len(data)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def cutting(host: str, port: int) -> Iterator[CuttingProxy]:
    proxy = CuttingProxy(host, port)
    try:
        yield proxy
    finally:
        proxy.close()
