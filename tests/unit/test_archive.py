"""What is unpacked from an archive of ours lies below the folder it is unpacked in."""

from __future__ import annotations

import io
import zipfile

import pytest

from arkham_shard_export.archive import Archive
from arkham_shard_export.sinks.stream import StreamSink


@pytest.mark.parametrize(
    "name",
    ["../a.csv", "/a.csv", "a/../b.csv", "a//b.csv", "", ".", "..", "./a.csv", "a/", "C:a.csv", "C:\\a.csv", "..\\a.csv", "\\\\host\\a.csv",
     "a\0.csv", "a\n.csv", "\u202evsc.a", "-a.csv", "~a.csv", "a" * 300, ".profile", "a/.ssh/b", "é.csv"],
)  # fmt: skip
def test_a_member_that_would_leave_its_folder_is_refused(name: str) -> None:
    archive = Archive(StreamSink(io.BytesIO()))
    with pytest.raises(ValueError, match="no name for a file"):
        archive.open(name)
    archive.abandon()


@pytest.mark.parametrize("name", ["claims.csv", "nodes.csv", "Plan-A-m1-2.csv", "xl/worksheets/sheet1.xml", "[Content_Types].xml", "_rels/.rels", "word/_rels/document.xml.rels"])  # fmt: skip
def test_the_names_of_our_own_members_are_taken(name: str) -> None:
    stream = io.BytesIO()
    archive = Archive(StreamSink(stream))
    archive.open(name).write(b"x")
    archive.close()
    with zipfile.ZipFile(stream) as read:
        assert read.namelist() == [name]
