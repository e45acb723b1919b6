"""A file in the store is whole or not there, and nothing outside the store is ever touched."""

from __future__ import annotations

import asyncio
import errno
import gc
import hashlib
import io
import itertools
import linecache
import os
import stat
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, cast

import pytest

from arkham_shard_export.errors import FileMissing, StoreFailed
from arkham_shard_export.jobs.files import MEDIA_TYPES, download_name, extension_of, folder_of, stem_of
from arkham_shard_export.jobs.filestores.folder import FolderFile, FolderStore
from arkham_shard_export.sinks import file as file_sink
from arkham_shard_export.sinks.file import FileSink, part_name
from arkham_shard_export.sinks.measure import MeasuringSink
from arkham_shard_export.sinks.stream import StreamSink

FOLDER, STEM = "2026-11-22", "job.1"
LINKED = "2026-11-23"


def files(store: Path) -> list[str]:
    return sorted(str(path.relative_to(store)) for path in store.rglob("*") if not path.is_dir())


def failing(code: int) -> Callable[..., Any]:
    def fail(*_args: Any) -> Any:
        raise OSError(code, os.strerror(code))

    return fail


class FullDisk:
    """A file on a disk that is full: takes nothing, and fails again when it is closed."""

    def __init__(self, real: Any, code: int) -> None:
        self._real = real
        self.write = self.flush = failing(code)
        self.code = code

    def fileno(self) -> int:
        return int(self._real.fileno())

    def close(self) -> None:
        self._real.close()
        raise OSError(self.code, os.strerror(self.code))


def fill_the_disk(sink: FileSink, monkeypatch: pytest.MonkeyPatch, code: int = errno.ENOSPC) -> None:
    monkeypatch.setattr(sink, "_file", FullDisk(sink._file, code))


def begun(store: Path, folder: str, stem: str) -> FileSink:
    return FileSink(store, folder, stem).__enter__()


def write_for_ever(sink: FileSink) -> None:
    while True:
        sink.write(b"x" * 100_000)


def test_a_file_appears_whole_when_it_is_committed_and_not_before(tmp_path: Path) -> None:
    sink = begun(tmp_path, FOLDER, STEM)
    parts = [b"first,", b"", b"x" * 3_000_000, "é\n".encode()]
    assert [sink.write(part) for part in parts] == [len(part) for part in parts]
    assert files(tmp_path) == [f"{FOLDER}/{part_name(STEM)}"]
    stored = sink.commit(".csv")
    data = b"".join(parts)
    assert files(tmp_path) == [stored.path] == [f"{FOLDER}/{STEM}.csv"]
    assert (tmp_path / stored.path).read_bytes() == data
    assert stored.size == sink.size == len(data)
    assert stored.sha256 == hashlib.sha256(data).hexdigest()


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    stored = begun(tmp_path, FOLDER, STEM).commit(".json")
    assert (stored.size, stored.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert (tmp_path / stored.path).read_bytes() == b""


def test_only_its_owner_can_read_a_file_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        sink = begun(tmp_path / "store", FOLDER, STEM)
        part = tmp_path / "store" / FOLDER / part_name(STEM)
        assert stat.S_IMODE(part.stat().st_mode) == 0o600
        stored = sink.commit(".json")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "store" / stored.path).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "store" / FOLDER).stat().st_mode) == 0o700


def test_only_its_owner_can_read_a_file_even_where_a_readable_one_was_left(tmp_path: Path) -> None:
    left = tmp_path / FOLDER / part_name(STEM)
    left.parent.mkdir()
    left.write_bytes(b"left by an attempt that died, and longer")
    left.chmod(0o644)
    sink = begun(tmp_path, FOLDER, STEM)
    sink.write(b"new")
    stored = sink.commit(".json")
    assert (tmp_path / stored.path).read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / stored.path).stat().st_mode) == 0o600


def test_a_discarded_file_leaves_nothing_and_may_be_discarded_again(tmp_path: Path) -> None:
    sink = begun(tmp_path, FOLDER, STEM)
    sink.write(b"x" * 3_000_000)
    sink.discard()
    sink.discard()
    assert files(tmp_path) == []


def test_attempts_do_not_touch_each_others_files(tmp_path: Path) -> None:
    late, current = (begun(tmp_path, FOLDER, stem_of("job", attempt)) for attempt in (1, 2))
    late.write(b"late")
    current.write(b"current")
    stored = current.commit(".json")
    assert late.commit(".json").path != stored.path
    assert (tmp_path / stored.path).read_bytes() == b"current"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_to_be_one_and_leaves_nothing(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = begun(tmp_path, FOLDER, STEM)
    fill_the_disk(sink, monkeypatch, code)
    with pytest.raises(StoreFailed, match="disk of the export store is full; free some space"):
        write_for_ever(sink)
    sink.discard()
    assert files(tmp_path) == []


def test_a_disk_that_is_full_only_at_the_end_fails_the_file_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = begun(tmp_path, FOLDER, STEM)
    sink.write(b"buffered")
    fill_the_disk(sink, monkeypatch)
    with pytest.raises(StoreFailed, match="is full"):
        sink.commit(".json")
    sink.discard()
    assert files(tmp_path) == []


@pytest.mark.parametrize("step", ["fsync", "_sync_folder"])
def test_a_file_that_could_not_be_made_durable_is_not_left_behind(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = begun(tmp_path, FOLDER, STEM)
    sink.write(b"x")
    monkeypatch.setattr(file_sink if step == "_sync_folder" else file_sink.os, step, failing(errno.EIO))
    with pytest.raises(StoreFailed, match="cannot be written"):
        sink.commit(".json")
    sink.discard()
    assert files(tmp_path) == []


def write_beside(folder: Path) -> None:
    with FileSink.beside(folder, "claims.csv") as sink:
        sink.write(b"new")
        sink.commit("")


def interrupted_at(step: int) -> Callable[[FrameType, str, object], Any]:
    """A tracer that raises KeyboardInterrupt at that line, counted over all that `sinks/file.py` runs."""
    left = step

    def trace(frame: FrameType, event: str, _value: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename != file_sink.__file__ or frame.f_code.co_name == "__exit__":
            return None
        if event == "line" and linecache.getline(file_sink.__file__, frame.f_lineno).strip() != "return self":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    return trace


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_at_any_line_of_opening_and_committing_leaves_nothing(tmp_path: Path) -> None:
    """But at the very last, when the file is there."""
    (tmp_path / "other.csv").write_text("of somebody else")
    ended = []
    for step in itertools.count(1):
        sys.settrace(interrupted_at(step))
        try:
            write_beside(tmp_path)
        except KeyboardInterrupt:
            ended.append(files(tmp_path))
            (tmp_path / "claims.csv").unlink(missing_ok=True)
            continue
        finally:
            sys.settrace(None)
        break
    gc.collect()  # Files that were being opened are closed here and not in another test.
    assert len(ended) > 25
    assert ended[:-2] == [["other.csv"]] * (len(ended) - 2)


def test_what_another_has_under_the_final_name_stays_when_the_temporary_file_is_gone(tmp_path: Path) -> None:
    (tmp_path / "claims.csv").write_text("of last week")
    sink = FileSink.beside(tmp_path, "claims.csv").__enter__()
    next(tmp_path.glob("*.part")).unlink()
    with pytest.raises(StoreFailed, match="No such file"):
        sink.commit("")
    sink.discard()
    assert (tmp_path / "claims.csv").read_text() == "of last week"


def test_a_symbolic_link_at_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    store, outside = tmp_path / "store", tmp_path / "outside"
    outside.write_text("precious")
    (store / FOLDER).mkdir(parents=True)
    (store / FOLDER / part_name(STEM)).symlink_to(outside)
    with pytest.raises(StoreFailed):
        begun(store, FOLDER, STEM)
    assert outside.read_text() == "precious"


def test_a_symbolic_link_at_the_final_name_is_replaced_and_not_followed(tmp_path: Path) -> None:
    store, outside = tmp_path / "store", tmp_path / "outside"
    outside.write_text("precious")
    sink = begun(store, FOLDER, STEM)
    (store / FOLDER / f"{STEM}.json").symlink_to(outside)
    sink.write(b"new")
    stored = sink.commit(".json")
    assert outside.read_text() == "precious"
    assert not (store / stored.path).is_symlink()


def test_a_store_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with pytest.raises(StoreFailed, match="cannot be written") as caught:
        begun(tmp_path / "store", FOLDER, STEM)
    assert str(tmp_path) not in str(caught.value)


def test_a_measuring_sink_keeps_nothing_but_the_size() -> None:
    sink = MeasuringSink()
    assert [sink.write(b"abc"), sink.write(b"")] == [3, 0]
    assert sink.size == 3


def test_a_stream_sink_writes_through_and_counts() -> None:
    stream = io.BytesIO()
    sink = StreamSink(stream)
    sink.write(b"abc")
    sink.write(b"d")
    assert (stream.getvalue(), sink.size) == (b"abcd", 4)


class Unbuffered(io.RawIOBase):
    """Takes a little at a time, and after `room` nothing."""

    def __init__(self, room: int) -> None:
        self.taken = b""
        self.room = room

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int | None:
        part = bytes(data)[: min(3, self.room - len(self.taken))]
        self.taken += part
        return len(part) or None


def test_a_stream_that_takes_a_little_at_a_time_gets_all_of_it() -> None:
    stream = Unbuffered(room=100)
    sink = StreamSink(cast("BinaryIO", stream))
    assert sink.write(b"0123456789") == 10
    assert sink.write(b"") == 0
    assert (stream.taken, sink.size) == (b"0123456789", 10)


def test_a_stream_that_takes_no_more_is_an_error() -> None:
    with pytest.raises(BlockingIOError):
        StreamSink(cast("BinaryIO", Unbuffered(room=4))).write(b"0123456789")


# Where files lie


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    asyncio.run(store.prepare())
    (store.root / FOLDER).mkdir()
    (store.root / FOLDER / "job.1.json").write_text("{}")
    (tmp_path / "secret.json").write_text("secret")
    return store


def opened(store: FolderStore, path: str) -> FolderFile:
    found = asyncio.run(store.open(path))
    assert isinstance(found, FolderFile)
    return found


def test_a_file_of_the_store_is_found(store: FolderStore) -> None:
    found = opened(store, f"{FOLDER}/job.1.json")
    assert (found.name, found.size, (found.root / found.folder / found.name).read_text()) == (
        "job.1.json",
        2,
        "{}",
    )


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", FOLDER, f"{FOLDER}/", f"{FOLDER}/none.json", "../secret.json", f"{FOLDER}/../../secret.json",
     "/etc/passwd", "/etc", "a\0b", "x" * 5000, "none/job.1.json", f"{FOLDER}/job.1.json/x"],
)  # fmt: skip
def test_what_is_outside_or_missing_or_no_file_is_not_found(store: FolderStore, path: str) -> None:
    with pytest.raises(FileMissing):
        opened(store, path)


def test_an_absolute_path_out_of_the_store_is_not_found(store: FolderStore) -> None:
    with pytest.raises(FileMissing):
        opened(store, str(store.root.parent / "secret.json"))


@pytest.mark.parametrize("inside", [True, False])
def test_a_symbolic_link_is_not_followed_wherever_it_leads(store: FolderStore, inside: bool) -> None:
    to = store.root / FOLDER / "job.1.json" if inside else store.root.parent / "secret.json"
    (store.root / FOLDER / "link.1.json").symlink_to(to)
    with pytest.raises(FileMissing):
        opened(store, f"{FOLDER}/link.1.json")


@pytest.fixture(params=["outside", FOLDER])
def linked(request: pytest.FixtureRequest, store: FolderStore) -> Path:
    """A file that lies behind a link named as a folder of the store, which leads out of the store or to another folder."""
    behind = store.root.parent / "outside" if request.param == "outside" else store.root / FOLDER
    behind.mkdir(exist_ok=True)
    file = behind / "job.1.json"
    file.write_text("precious")
    (store.root / LINKED).symlink_to(behind, target_is_directory=True)
    return file


def test_nothing_is_served_through_a_linked_folder(store: FolderStore, linked: Path) -> None:
    assert (store.root / LINKED / linked.name).read_text() == "precious"
    with pytest.raises(FileMissing):
        opened(store, f"{LINKED}/{linked.name}")


def test_nothing_is_deleted_through_a_linked_folder(store: FolderStore, linked: Path) -> None:
    asyncio.run(store.remove(f"{LINKED}/{linked.name}"))
    asyncio.run(store.remove_attempts("job", datetime(2026, 11, 23, tzinfo=UTC), 9))
    assert linked.read_text() == "precious"


def test_nothing_is_written_through_a_linked_folder(store: FolderStore, linked: Path) -> None:
    before = sorted(linked.parent.iterdir())
    with pytest.raises(StoreFailed):
        begun(store.root, LINKED, "job.1")
    assert sorted(linked.parent.iterdir()) == before
    assert linked.read_text() == "precious"


def test_a_folder_that_becomes_a_link_while_a_file_is_written_gets_no_file(
    store: FolderStore, tmp_path: Path
) -> None:
    sink = begun(store.root, LINKED, "job.1")
    sink.write(b"x")
    (store.root / LINKED).rename(store.root / "moved")
    (store.root / LINKED).symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(StoreFailed):
        sink.commit(".json")
    sink.discard()
    assert not list(tmp_path.glob("job*"))


def test_a_file_that_becomes_a_link_before_it_is_read_is_not_read(store: FolderStore) -> None:
    found = opened(store, f"{FOLDER}/job.1.json")
    file = store.root / FOLDER / "job.1.json"
    file.unlink()
    file.symlink_to(store.root.parent / "secret.json")

    async def read() -> None:
        async for _ in found.read(0, 2):
            pass

    with pytest.raises(FileMissing):
        asyncio.run(read())


def test_a_pipe_is_no_file(store: FolderStore) -> None:
    os.mkfifo(store.root / FOLDER / "pipe.1.json")
    with pytest.raises(FileMissing):
        opened(store, f"{FOLDER}/pipe.1.json")


def test_a_store_that_was_never_made_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        opened(FolderStore(tmp_path / "none"), f"{FOLDER}/job.1.json")


def test_only_its_owner_can_look_into_a_store(store: FolderStore) -> None:
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700


def test_what_unfinished_attempts_left_is_removed_and_nothing_else(store: FolderStore) -> None:
    created = datetime(2026, 11, 22, 23, 59, tzinfo=UTC)
    assert folder_of(created) == FOLDER
    one, two, other = stem_of("job", 1), stem_of("job", 2), stem_of("job2", 1)
    for name in (
        part_name(one),
        part_name(two),
        f"{one}.csv",
        f"{two}.json.zst",
        "other.json",
        part_name(other),
    ):
        (store.root / FOLDER / name).write_text("x")
    asyncio.run(store.remove_attempts("job", created, 2))
    assert files(store.root) == [f"{FOLDER}/{name}" for name in (part_name(other), "other.json")]
    asyncio.run(store.remove_attempts("nothing", created, 3))


def test_a_download_is_named_for_people() -> None:
    created = datetime(2026, 11, 22, tzinfo=UTC)
    name = download_name("claims", created, "1a2b3c4d-5e6f", ".csv")
    assert name == "claims-2026-11-22-1a2b3c4d.csv"


def test_every_kind_of_file_has_a_media_type() -> None:
    assert set(MEDIA_TYPES) >= {".json", ".csv", ".zip", ".csv.gz", ".json.zst", ".csv.zip", ".zip.gz"}
    assert ".xlsx.gz" not in MEDIA_TYPES
    assert MEDIA_TYPES[".csv.gz"] == "application/gzip"


@pytest.mark.parametrize(
    ("path", "extension"),
    [
        ("2026-11-22/job.1.csv", ".csv"),
        ("2026-11-22/job.1.csv.gz", ".csv.gz"),
        ("2026-11-22/job.1.zip", ".zip"),
        ("2026-11-22/job.1.zip.zst", ".zip.zst"),
        ("2026-11-22/job.1.odt", ".odt"),
    ],
)
def test_the_extension_of_a_stored_file_is_known_from_its_name(path: str, extension: str) -> None:
    assert extension_of(path) == extension
