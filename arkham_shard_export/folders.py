"""Folders of the store, opened so that no symbolic link leads anywhere else, also one that is put there meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_folder(root: Path, folder: str) -> int:
    """A descriptor of a folder directly below `root`, or of `root`; OSError where it is a link, or no folder."""
    flags = os.O_RDONLY | os.O_DIRECTORY
    above = os.open(root, flags)
    if not folder:
        return above
    try:
        return os.open(folder, flags | os.O_NOFOLLOW, dir_fd=above)
    finally:
        os.close(above)


@contextmanager
def folder_below(root: Path, folder: str) -> Iterator[int]:
    descriptor = open_folder(root, folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
