"""A file fetched whole: what was interrupted goes on where it broke off, and only what has the right digest is kept."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from arkham_shard_export.client.answers import Job
from arkham_shard_export.client.errors import DigestMismatch, JobFailed, Unreachable
from arkham_shard_export.client.operations import get, path_of, pauses, refusal, seconds
from arkham_shard_export.client.steps import Answer, Ask, Feed, Fetch, Operation, Pause, Work

BLOCK_BYTES = 1 << 20
OnBytes = Callable[[int, int | None], None]
"""Told the bytes that are there, and how many there are to be."""

_ENCODED_NAME = re.compile(r"filename\*=UTF-8''([^;\s]+)", re.IGNORECASE)
_NAME = re.compile(r'filename="([^"]*)"', re.IGNORECASE)
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/=]+):")


class Part:
    """The part of a file that is there already, beside the place where the whole is to be."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        self._file: BinaryIO | None = None

    def open(self) -> None:
        """What an earlier call has left is read once, for its digest."""
        self._file = self.path.open("a+b")
        self._file.seek(0)
        while block := self._file.read(BLOCK_BYTES):
            self._hash.update(block)
            self.size += len(block)

    def write(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def empty(self) -> None:
        assert self._file is not None
        self._file.truncate(0)
        self._hash, self.size = hashlib.sha256(), 0

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def keep(self, whole: Path, sha256: str | None) -> None:
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        received = self._hash.hexdigest()
        if sha256 is not None and received != sha256:
            self.path.unlink()
            raise DigestMismatch(sha256, received)
        self.path.replace(whole)


def download(
    job: Job | str,
    to: str | os.PathLike[str],
    overwrite: bool,
    on_bytes: OnBytes | None,
    patience_seconds: float,
) -> Operation[Path]:
    """Where the file lies then: at `to`, or under the host's name for it where `to` is a folder, or ends as one.

    FileExistsError where something lies there already, unless `overwrite`.
    """
    if isinstance(job, str):
        job = yield from get(job, patience_seconds)
    if job.file_path is None:
        raise JobFailed(job)
    if os.fspath(to).endswith((os.sep, "/")):
        Path(to).mkdir(parents=True, exist_ok=True)
    fetching = _Fetching(job, Path(to), overwrite, on_bytes)
    try:
        yield from fetching.steps(patience_seconds)
        whole: Path = yield Work(fetching.kept)
        return whole
    finally:
        fetching.part.close()


class _Fetching:
    def __init__(self, job: Job, to: Path, overwrite: bool, on_bytes: OnBytes | None) -> None:
        self._job = job
        self._folder = to if to.is_dir() else None
        self._whole = to
        self._overwrite = overwrite
        self._on_bytes = on_bytes
        self._sha256 = job.sha256
        self._size: int | None = None
        if self._folder is None:
            self._check()
            self.part = Part(to.with_name(f"{to.name}.{job.id}.part"))
        else:
            self.part = Part(self._folder / f".{job.id}.part")

    def steps(self, patience_seconds: float) -> Operation[None]:
        yield Work(self.part.open)
        waited = 0.0
        for pause in pauses():
            before, trouble = self.part.size, ""
            try:
                answer = yield Fetch(self._ask(), self._begin, blocking=True)
            except Unreachable as error:
                if waited >= patience_seconds:
                    raise
                trouble = str(error)
            else:
                if answer.status < 300 and self.part.size == self._size:
                    return
                if answer.status == 416:
                    self.part.empty()
                elif answer.status in (429, 503) and waited < patience_seconds:
                    trouble = str(refusal(answer))
                    pause = max(pause, seconds(answer.headers.get("retry-after")))
                elif answer.status >= 300:
                    raise refusal(answer)
            waited = 0.0 if self.part.size > before else waited + pause
            yield Pause(pause, trouble)

    def kept(self) -> Path:
        self.part.keep(self._whole, self._sha256)
        return self._whole

    def _ask(self) -> Ask:
        headers = {}
        if self.part.size:
            headers["Range"] = f"bytes={self.part.size}-"
            if self._sha256 is not None:
                headers["If-Range"] = f'"{self._sha256}"'
        return Ask("GET", f"{path_of(self._job.id)}/download", headers=headers)

    def _begin(self, answer: Answer) -> Feed:
        begins, self._size = _extent(answer)
        if begins != self.part.size:
            self.part.empty()
        if self._folder is not None:
            self._whole = self._folder / file_name(answer.headers.get("content-disposition", ""), self._job)
            self._check()
        if (digest := _DIGEST.search(answer.headers.get("repr-digest", ""))) is not None:
            self._sha256 = base64.b64decode(digest[1]).hex()

        def feed(data: bytes) -> bool:
            self.part.write(data)
            if self._on_bytes is not None:
                self._on_bytes(self.part.size, self._size)
            return True

        return feed

    def _check(self) -> None:
        if self._whole.exists() and not self._overwrite:
            raise FileExistsError(f"{self._whole} is there already; take another name, or overwrite it.")


def _extent(answer: Answer) -> tuple[int, int | None]:
    """Where the bytes of an answer begin in the file, and the size of the whole file."""
    ranged = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("content-range", ""))
    if answer.status == 206 and ranged is not None:
        return int(ranged[1]), int(ranged[2])
    length = answer.headers.get("content-length", "")
    return 0, int(length) if length.isdigit() else None


def file_name(disposition: str, job: Job) -> str:
    """A plain name, whatever a host says: no folder, nothing hidden."""
    found = _ENCODED_NAME.search(disposition)
    plain = _NAME.search(disposition)
    name = unquote(found[1]) if found else plain[1] if plain else ""
    name = re.split(r"[/\\]", name)[-1].strip().lstrip(".")
    return "".join(each for each in name if each.isprintable()) or f"{job.target}-{job.id[:8]}"
