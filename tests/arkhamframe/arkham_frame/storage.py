"""The host's storage service: files by category under one folder, and an index that a kill loses."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

CATEGORIES = ("documents", "exports", "temp", "models", "projects")
MAX_FILE_BYTES = 500 * 1024 * 1024
INDEX_NAME = "storage_index.json"


class StorageError(Exception):
    """A file cannot be stored or is not known to the index."""


class StorageService:
    """Knows only the ids of its index, which it reads at start and writes at `close` and at no other time."""

    def __init__(self, base_path: Path, *, max_file_bytes: int = MAX_FILE_BYTES) -> None:
        self.base_path = base_path.resolve()
        self._max_file_bytes = max_file_bytes
        for category in CATEGORIES:
            (self.base_path / category).mkdir(parents=True, exist_ok=True)
        index = self.base_path / INDEX_NAME
        self._index: dict[str, dict[str, Any]] = (
            json.loads(index.read_text("utf-8")) if index.is_file() else {}
        )

    async def store(
        self, path: str, content: bytes, metadata: dict[str, Any] | None = None, category: str = "documents"
    ) -> str:
        """Writes the content under `<category>/<path>`, over what is there, and gives a new id."""
        if category not in CATEGORIES:
            raise StorageError(f"Unknown category {category!r}; valid: {', '.join(CATEGORIES)}")
        if len(content) > self._max_file_bytes:
            raise StorageError(f"{path}: {len(content)} bytes are over the limit of {self._max_file_bytes}")
        folder = self.base_path / category
        target = (folder / path).resolve()
        if not target.is_relative_to(folder):
            raise StorageError(f"{path!r} leaves the category {category!r}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        storage_id = f"{category}_{uuid.uuid4().hex}"
        relative = target.relative_to(self.base_path).as_posix()
        self._index[storage_id] = {"path": relative, "category": category, "metadata": dict(metadata or {})}
        return storage_id

    async def retrieve(self, storage_id: str) -> tuple[bytes, dict[str, Any]]:
        """The whole content and its metadata; `StorageError` for an unknown id or a file that is gone."""
        try:
            return self._path(storage_id).read_bytes(), dict(self._index[storage_id]["metadata"])
        except FileNotFoundError as error:
            raise StorageError(f"The file of {storage_id} is gone") from error

    async def delete(self, storage_id: str) -> bool:
        """False where the id is unknown; a file already gone is no error."""
        if storage_id not in self._index:
            return False
        self._path(storage_id).unlink(missing_ok=True)
        del self._index[storage_id]
        return True

    async def exists(self, storage_id: str) -> bool:
        """Whether the id is known and its file is there."""
        return storage_id in self._index and self._path(storage_id).is_file()

    async def create_temp(self, suffix: str = "", prefix: str = "tmp") -> str:
        """A path nobody uses yet; no file is made."""
        return str(self.base_path / "temp" / f"{prefix}{uuid.uuid4().hex}{suffix}")

    async def close(self) -> None:
        """Writes the index: a process killed before this has lost every id of its run."""
        if self.base_path.is_dir():
            (self.base_path / INDEX_NAME).write_text(json.dumps(self._index), encoding="utf-8")

    def _path(self, storage_id: str) -> Path:
        if storage_id not in self._index:
            raise StorageError(f"Unknown storage id {storage_id!r}")
        return self.base_path / str(self._index[storage_id]["path"])
