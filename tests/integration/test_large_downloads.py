"""A large file leaves a host whole, however often the host dies on the way, and never lies in its memory."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arkham_shard_export.standalone.tables import open_sqlite
from tests.hosts import END_SECONDS
from tests.integration.test_crash import HostProcess, free_port
from tests.tools import needed

MIB = 1 << 20
SIZE = 1024 * MIB + 12_345
STEP = MIB + 4_321
"""So far apart lie the few bytes of the file that are not zero; no block of anybody's has this size."""
MOST_GROWTH_MIB = 64


class Place:
    """A host on one port with one completed job, whose file is large and takes next to no disk."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder = folder
        self._port = free_port()
        self.host = self.started()
        answer = self.host.client.post("/api/export/jobs", json={"format": "csv", "target": "claims"})
        self.job_id = answer.json()["id"]
        self.host.until(lambda: self.host.job(self.job_id)["status"] == "completed")
        job = self.host.job(self.job_id)
        self.url = f"http://127.0.0.1:{self._port}{job['download_url']}"
        self.sha256 = write_sparse(folder / "files" / "exports" / job["file_path"], size)
        with contextlib.closing(open_sqlite(folder)) as connection:
            metadata = json.dumps({**job["metadata"], "sha256": self.sha256})
            connection.execute(
                "UPDATE arkham_export_jobs SET file_size = ?, metadata = ? WHERE id = ?",
                (size, metadata, self.job_id),
            )
            connection.commit()

    def started(self) -> HostProcess:
        serve = ["serve", "--demo", "--data", str(self._folder), "--port", str(self._port)]
        self.host = HostProcess(
            ["-c", "from arkham_shard_export.cli import main; main()", *serve], {}, self._port
        )
        return self.host

    def peak_mib(self) -> int:
        """The most memory that the host's process has held so far."""
        status = Path(f"/proc/{self.host.process.pid}/status").read_text()
        (kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        return int(kib) // 1024


def write_sparse(path: Path, size: int) -> str:
    """A file of zeros with its position written every STEP bytes; its hash."""
    hashed, zeros = hashlib.sha256(), bytes(STEP)
    with path.open("wb") as file:
        for start in range(0, size, STEP):
            mark = b"%016d" % start
            block = (mark + zeros[len(mark) :])[: size - start]
            hashed.update(block)
            file.seek(start)
            file.write(block[: len(mark)])
        file.truncate(size)
    return hashed.hexdigest()


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(tmp_path / "data", request.param)
    yield made
    if made.host.process.poll() is None:
        made.host.end(signal.SIGTERM)


@pytest.mark.parametrize("place", [SIZE], indirect=True)
def test_curl_resumes_a_download_after_each_kill_of_the_host_and_has_every_byte(
    place: Place, tmp_path: Path
) -> None:
    curl, file = needed("curl", "curl"), tmp_path / "download"
    command = [curl, "-sS", "--fail", "-C", "-", "-o", str(file), place.url]
    try:
        for killed_at in (200 * MIB, 600 * MIB):
            # Slow enough that the host cannot have sent all of it before it dies.
            with subprocess.Popen([*command, "--limit-rate", "400M"], stderr=subprocess.DEVNULL) as slow:
                deadline = time.monotonic() + END_SECONDS
                while not file.exists() or file.stat().st_size < killed_at:
                    assert slow.poll() is None, "curl ended by itself"
                    assert time.monotonic() < deadline
                    time.sleep(0.005)
                place.host.end(signal.SIGKILL)
                assert slow.wait(END_SECONDS) != 0
            received = file.stat().st_size
            assert killed_at <= received < SIZE
            # Blocks are even in size; what is resumed in the middle of nothing shows more.
            os.truncate(file, (received - 1) | 1)
            place.started()
        subprocess.run(command, check=True, timeout=END_SECONDS)
        assert file.stat().st_size == SIZE
        with file.open("rb") as whole:
            assert hashlib.file_digest(whole, "sha256").hexdigest() == place.sha256
    finally:
        file.unlink(missing_ok=True)
    head = place.host.client.head(place.url)
    digest = base64.b64encode(bytes.fromhex(place.sha256)).decode()
    assert head.headers["repr-digest"] == f"sha-256=:{digest}:"


@pytest.mark.parametrize("place", [512 * MIB], indirect=True)
def test_a_file_is_sent_without_lying_in_memory_to_quick_clients_and_to_ones_that_do_not_read(
    place: Place,
) -> None:
    warm = place.host.client.get(place.url, headers={"Range": f"bytes=0-{4 * MIB}"})
    assert warm.status_code == 206
    before = place.peak_mib()
    with contextlib.ExitStack() as stalled:
        for _ in range(4):
            client = stalled.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            client.connect(("127.0.0.1", place.host.client.base_url.port))
            path = place.host.client.base_url.join(place.url).path
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        received = 0
        with place.host.client.stream("GET", place.url) as answer:
            for block in answer.iter_raw():
                received += len(block)
        assert received == 512 * MIB
        assert place.peak_mib() - before < MOST_GROWTH_MIB
