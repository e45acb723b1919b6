"""Blocks go to a thread in order, errors come back, and nothing hangs."""

from __future__ import annotations

import io
import random
import threading
import zipfile
from collections.abc import Callable

import pytest

from arkham_shard_export.archive import Archive
from arkham_shard_export.drain import BLOCK_BYTES, Abandoned, Drain
from tests.unit.memory import MemorySink

MANY = 40
"""More blocks than may wait."""
DATA = random.Random(1).randbytes(2 * BLOCK_BYTES + 12_345)
pytestmark = pytest.mark.timeout(30)


def drains() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "drain"]


class Refusing:
    """Takes blocks once it is let; refuses the one of that number and says so."""

    def __init__(self, refused: int) -> None:
        self.refused = refused
        self.taken = 0
        self.may = threading.Event()
        self.has_refused = threading.Event()

    def __call__(self, _block: bytes) -> None:
        self.may.wait()
        self.taken += 1
        if self.taken == self.refused:
            self.has_refused.set()
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("size", [1, 1000, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, len(DATA)])
def test_what_is_written_is_put_in_order_in_blocks_of_one_size(size: int) -> None:
    blocks: list[bytes] = []
    drain = Drain(blocks.append)
    data = DATA[:2000] if size == 1 else DATA
    for start in range(0, len(data), size):
        assert drain.write(data[start : start + size]) == len(data[start : start + size])
    drain.end()
    assert b"".join(blocks) == data
    assert {len(block) for block in blocks[:-1]} <= {BLOCK_BYTES}
    assert 0 < len(blocks[-1]) <= BLOCK_BYTES
    assert not drains()


def test_little_data_starts_no_thread() -> None:
    threads: list[threading.Thread] = []
    drain = Drain(lambda _block: threads.append(threading.current_thread()))
    drain.write(DATA[: BLOCK_BYTES - 1])
    assert not drains()
    drain.end()
    assert threads == [threading.current_thread()]


def test_nothing_written_is_nothing_put() -> None:
    blocks: list[bytes] = []
    drain = Drain(blocks.append)
    drain.write(b"")
    drain.end()
    assert blocks == []


def test_an_error_comes_out_at_a_later_write_and_nothing_more_is_put() -> None:
    put = Refusing(1)
    put.may.set()
    drain = Drain(put)
    drain.write(DATA[:BLOCK_BYTES])
    put.has_refused.wait()
    # It is put aside right after it was raised.
    while drain._error is None:
        assert drains()
    with pytest.raises(OSError, match="No space left"):
        drain.write(DATA[:BLOCK_BYTES])
    drain.abandon()
    assert put.taken == 1
    assert not drains()


def test_an_error_in_the_last_blocks_comes_out_at_the_end() -> None:
    put = Refusing(2)
    drain = Drain(put)
    drain.write(DATA)
    put.may.set()
    with pytest.raises(OSError, match="No space left"):
        drain.end()
    assert put.taken == 2, "what was left is not put after an error"
    assert not drains()


def test_an_error_in_what_was_left_comes_out_at_the_end() -> None:
    put = Refusing(1)
    put.may.set()
    drain = Drain(put)
    drain.write(b"little")
    with pytest.raises(OSError, match="No space left"):
        drain.end()


@pytest.mark.parametrize("ending", [Drain.end, Drain.abandon])
def test_an_error_while_the_writer_waits_for_room_leaves_nobody_waiting(
    ending: Callable[[Drain], None],
) -> None:
    put = Refusing(1)
    drain = Drain(put)
    raised: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(MANY):
                drain.write(DATA[:BLOCK_BYTES])
        except OSError as error:
            raised.append(error)
        try:
            ending(drain)
        except OSError as error:
            raised.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    while not drain._blocks.full():
        assert writer.is_alive()
    put.may.set()
    writer.join()
    assert len(raised) == (2 if ending is Drain.end else 1)
    assert put.taken == 1
    assert not drains()


def test_an_abandoned_drain_puts_nothing_more_and_its_thread_ends() -> None:
    put = Refusing(-1)
    drain = Drain(put)
    drain.write(DATA[:BLOCK_BYTES] * 5 + b"rest")
    abandoning = threading.Thread(target=drain.abandon)
    abandoning.start()
    while drain._error is None:
        assert abandoning.is_alive()
    put.may.set()
    abandoning.join()
    assert put.taken <= 1
    assert not drains()
    drain.write(b"late")
    with pytest.raises(Abandoned):
        drain.end()
    assert put.taken <= 1
    drain.abandon()


def test_a_drain_abandoned_before_its_first_block_puts_nothing() -> None:
    blocks: list[bytes] = []
    drain = Drain(blocks.append)
    drain.write(b"little")
    drain.abandon()
    assert blocks == []


@pytest.mark.parametrize("fast", [False, True])
def test_deflated_bytes_do_not_depend_on_how_a_member_was_written(fast: bool) -> None:
    data = (b"some text that deflates, " * 50 + DATA[:2000]) * 250

    def packed(size: int) -> bytes:
        sink = MemorySink()
        archive = Archive(sink, fast=fast)
        for name in ("one", "two"):
            member = archive.open(name, zip64=False)
            for start in range(0, len(data), size):
                member.write(data[start : start + size])
        archive.close()
        return sink.data

    whole = packed(len(data))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.read("one") == archive.read("two") == data
    assert len(data) > 2 * BLOCK_BYTES
    for size in (997, 65_536, BLOCK_BYTES, BLOCK_BYTES + 1):
        assert packed(size) == whole, f"written {size} bytes at a time"
