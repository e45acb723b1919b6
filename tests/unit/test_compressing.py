"""A compressed file is what the standard programs read, the same bytes for the same content, or nothing at all."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arkham_shard_export.drain import BLOCK_BYTES
from arkham_shard_export.errors import StoreFailed
from arkham_shard_export.formats.csv import CsvWriter
from arkham_shard_export.peers import CLAIMS, HYPOTHESES, MATRICES
from arkham_shard_export.ports import Sink
from arkham_shard_export.sinks.compressing import (
    COMPRESSIONS,
    NONE,
    CompressingSink,
    compressed,
    compressed_extension,
)
from arkham_shard_export.sinks.file import FileSink
from arkham_shard_export.sinks.stream import StreamSink
from tests.tools import needed
from tests.unit.case import Case, opened

ALL = list(COMPRESSIONS)
NOISE = random.Random(1).randbytes(BLOCK_BYTES + 12_345)
LARGE = b"id,text\r\n" * 100_000 + NOISE
CONTENTS = {"nothing": b"", "a byte": b"\0", "a block": b"x" * BLOCK_BYTES, "large": LARGE}


def packed(compression: str, pieces: Sequence[bytes], name: str = "claims.csv") -> bytes:
    stream = io.BytesIO()
    with compressed(StreamSink(stream), compression, lambda: name) as sink:
        for piece in pieces:
            sink.write(piece)
    return stream.getvalue()


def in_pieces(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def unpacked(compression: str, data: bytes) -> bytes:
    """By Python's own library or, for zstd, by the program."""
    if compression == "gzip":
        return gzip.decompress(data)
    if compression == "zstd":
        return by_program([needed("zstd", "zstd"), "-dc"], data)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        (name,) = archive.namelist()
        return archive.read(name)


def by_program(command: list[str], data: bytes) -> bytes:
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
@pytest.mark.parametrize("compression", ALL)
def test_what_was_compressed_comes_back(compression: str, content: bytes) -> None:
    assert unpacked(compression, packed(compression, [content])) == content


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_the_programs_of_any_system_unpack_it(content: bytes, tmp_path: Path) -> None:
    assert by_program([needed("gzip", "gzip"), "-dc"], packed("gzip", [content])) == content
    file = tmp_path / "claims.csv.zip"
    file.write_bytes(packed("zip", [content]))
    assert by_program([needed("unzip", "unzip"), "-p", str(file), "claims.csv"], b"") == content


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([b"", b"a", b"id,text\r\n" * 999, NOISE, NOISE[:BLOCK_BYTES]]), max_size=6),
    st.data(),
)
def test_the_same_content_gives_the_same_bytes_however_it_was_written(
    pieces: list[bytes], data: st.DataObject
) -> None:
    content = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=5)))
    others = [content[start:end] for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    for compression in ALL:
        once = packed(compression, pieces)
        assert packed(compression, others) == once
        assert unpacked(compression, once) == content


@pytest.mark.parametrize("compression", ALL)
@pytest.mark.parametrize("size", [7_777, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_the_size_of_the_pieces_changes_nothing(compression: str, size: int) -> None:
    assert packed(compression, in_pieces(LARGE, size)) == packed(compression, [LARGE])


def test_a_gzip_file_names_neither_a_file_nor_a_time() -> None:
    header = packed("gzip", [b"x"])[:10]
    assert header[:3] == b"\x1f\x8b\x08"
    assert (header[3], header[4:8]) == (0, bytes(4))


def test_damage_to_a_zstd_file_is_noticed() -> None:
    data = bytearray(packed("zstd", [NOISE]))
    data[len(data) // 2] ^= 1
    with pytest.raises(subprocess.CalledProcessError):
        unpacked("zstd", bytes(data))


def test_a_zip_holds_one_file_under_its_name_and_a_fixed_time() -> None:
    with zipfile.ZipFile(io.BytesIO(packed("zip", [b"x"]))) as archive:
        (member,) = archive.infolist()
    assert (member.filename, member.date_time) == ("claims.csv", (1980, 1, 1, 0, 0, 0))


def test_a_zip_is_not_put_into_a_zip() -> None:
    assert packed("zip", [b"PK", b"..."], name="graph.zip") == b"PK..."


def test_without_compression_the_bytes_go_straight_through() -> None:
    sink = StreamSink(io.BytesIO())
    with compressed(sink, NONE, lambda: "claims.csv") as same:
        assert same is sink


@pytest.mark.parametrize(
    ("extension", "compression", "whole"),
    [
        (".csv", "none", ".csv"),
        (".csv", "gzip", ".csv.gz"),
        (".json", "zstd", ".json.zst"),
        (".csv", "zip", ".csv.zip"),
        (".zip", "zip", ".zip"),
        (".zip", "gzip", ".zip.gz"),
    ],
)
def test_the_extension_says_what_is_inside_and_how_it_is_compressed(
    extension: str, compression: str, whole: str
) -> None:
    assert compressed_extension(extension, compression) == whole


@pytest.mark.parametrize("compression", ALL)
def test_hash_and_size_are_those_of_the_stored_bytes(compression: str, tmp_path: Path) -> None:
    with FileSink(tmp_path, "", "claims") as sink:
        with compressed(sink, compression, lambda: "claims.csv") as output:
            output.write(LARGE)
        stored = sink.commit(".csv")
    data = (tmp_path / "claims.csv").read_bytes()
    assert stored.size == len(data) < len(LARGE)
    assert stored.sha256 == hashlib.sha256(data).hexdigest()
    assert unpacked(compression, data) == LARGE


def fail_after(written: bytes, sink: Sink, compression: str) -> None:
    with compressed(sink, compression, lambda: "claims.csv") as output:
        output.write(written)
        raise ZeroDivisionError


@pytest.mark.parametrize("written", [b"", b"few", LARGE * 4], ids=["nothing", "few", "many"])
@pytest.mark.parametrize("compression", ALL)
def test_an_error_on_the_way_leaves_neither_file_nor_thread(
    compression: str, written: bytes, tmp_path: Path
) -> None:
    with FileSink(tmp_path, "", "claims") as sink, pytest.raises(ZeroDivisionError):
        fail_after(written, sink, compression)
    assert list(tmp_path.iterdir()) == []


class Full:
    """A sink on a disk that takes so many bytes and then is full."""

    def __init__(self, room: int) -> None:
        self._room = room

    def write(self, data: bytes) -> int:
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)

    def scratch(self) -> IO[bytes]:
        return io.BytesIO()


def fill(sink: Sink, compression: str, pieces: int) -> None:
    with compressed(sink, compression, lambda: "claims.csv") as output:
        for _ in range(pieces):
            output.write(NOISE)


@pytest.mark.parametrize(("room", "pieces"), [(0, 0), (0, 40), (200_000, 40), (200_000, 1)])
@pytest.mark.parametrize("compression", ALL)
def test_a_full_disk_is_told_to_whoever_writes_or_ends(compression: str, room: int, pieces: int) -> None:
    with pytest.raises(OSError, match="No space left"):
        fill(Full(room), compression, pieces)


@pytest.mark.parametrize("compression", ALL)
def test_nothing_can_be_written_after_the_end(compression: str) -> None:
    sink = CompressingSink(StreamSink(io.BytesIO()), compression, lambda: "x")
    sink.end()
    sink.abandon()
    with pytest.raises(ValueError, match="has ended"):
        sink.write(b"x")


# Exports


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    with opened(tmp_path) as case:
        for number in range(1_000):
            case.add(CLAIMS, id=f"c{number}", text="line\r\nline, é\x00" if number % 3 else "=1+1")
        yield case


@pytest.mark.parametrize("format", ["csv", "json"])
@pytest.mark.parametrize("compression", ALL)
def test_an_export_unpacked_is_byte_for_byte_the_one_without_compression(
    compression: str, format: str, case: Case
) -> None:
    plain = case.export(format, "claims")
    before = case.last
    data = case.export(format, "claims", compression=compression)
    assert unpacked(compression, data) == plain
    assert data == case.export(format, "claims", compression=compression)
    assert before is not None
    assert case.last is not None
    assert case.last.completeness == before.completeness
    assert case.last.adjustments == before.adjustments
    assert case.last.file_extension == compressed_extension(f".{format}", compression)


def test_the_file_in_a_zip_is_named_after_the_target(case: Case) -> None:
    with zipfile.ZipFile(io.BytesIO(case.export("json", "claims", compression="zip"))) as archive:
        assert archive.namelist() == ["claims.json"]


def test_an_empty_target_is_compressed_too(case: Case) -> None:
    data = case.export("json", "documents", compression="zstd")
    assert json.loads(unpacked("zstd", data))["records"] == []


def test_several_tables_are_the_zip_that_they_are_anyway(case: Case) -> None:
    plain = case.export("csv", "graph")
    assert case.export("csv", "graph", compression="zip") == plain


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_several_matrices_are_a_zip_in_the_file_that_was_asked_for(compression: str, case: Case) -> None:
    for number in range(2):
        case.add(MATRICES, id=f"m{number}", title="t")
        case.add(HYPOTHESES, id=f"h{number}", matrix_id=f"m{number}")
    plain = case.export("csv", "matrix")
    data = case.export("csv", "matrix", compression=compression)
    assert unpacked(compression, data) == plain
    assert case.last is not None
    assert case.last.file_extension == compressed_extension(".zip", compression)


@pytest.mark.parametrize("compression", ALL)
def test_a_writer_that_fails_midway_leaves_no_thread(
    compression: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    splice: Callable[..., Any] = CsvWriter.splice

    def failing(writer: CsvWriter, part: bytes, rows: int) -> None:
        splice(writer, part, rows)
        writer._sink.write(LARGE * 4)
        raise StoreFailed("gone")

    monkeypatch.setattr(CsvWriter, "splice", failing)
    with pytest.raises(StoreFailed, match="gone"):
        case.export("csv", "claims", compression=compression)


def test_a_zlib_reader_finds_one_member_and_nothing_after_it() -> None:
    reader = zlib.decompressobj(31)
    assert reader.decompress(packed("gzip", [LARGE])) == LARGE
    assert (reader.eof, reader.unused_data) == (True, b"")
