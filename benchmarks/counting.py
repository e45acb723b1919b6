"""How many records a file holds, whoever wrote it: by the ids that the synthetic records have, or by its rows."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

CHUNK_BYTES = 1 << 23
LONGEST_MATCH = 512
"""Bytes; what may begin in one chunk and end in the next."""


def count(format: str, kind: str, file: Path) -> int:
    """Records of a kind (the beginning of their ids, like `claim`) in a file of a format."""
    identifier = rb"%s-\d+-\d+(?:-\d+)?" % kind.encode()
    match format:
        case "csv":
            return _rows(_chunks(file)) - 1
        case "json":
            return sum(1 for _ in _found(rb'"id"\s*:\s*"%s"' % identifier, _chunks(file)))
        case "xlsx":
            # The first cell of a row: our sheet of long texts names ids as well, further to the right.
            first = rb"<row\b[^>]*><c\b[^>]*><is><t\b[^>]*>%s<" % identifier
            return sum(1 for _ in _found(first, _parts(file, "xl/worksheets/")))
        case "docx":
            return len(set(_found(rb"\b%s\b" % identifier, _parts(file, "word/document"))))
        case "pdf":
            # A line may break within an id.
            text = re.sub(rb"\s+", b"", _text_of_pdf(file))
            return len(set(re.findall(rb"%s-\d+-\d{7}" % kind.encode(), text)))
    raise ValueError(f"records in {format} cannot be counted")


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        beginning = stream.read(4)
        stream.seek(0)
        if beginning.startswith(b"\x1f\x8b"):
            with gzip.open(stream) as plain:
                yield from _read(plain)
        elif beginning == b"\x28\xb5\x2f\xfd":
            with subprocess.Popen(["zstd", "-dc", str(file)], stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                yield from _read(process.stdout)
        else:
            yield from _read(stream)


def _parts(file: Path, beginning: str) -> Iterator[bytes]:
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            if name.startswith(beginning):
                with archive.open(name) as stream:
                    yield from _read(stream)


def _read(stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _rows(chunks: Iterator[bytes]) -> int:
    """Line ends outside of quotes (RFC 4180)."""
    rows, quoted = 0, 0
    for chunk in chunks:
        parts = chunk.split(b'"')
        rows += sum(part.count(b"\n") for part in parts[quoted::2])
        quoted = (quoted + len(parts) - 1) % 2
    return rows


def _found(pattern: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    expression, left = re.compile(pattern), b""
    for chunk in chunks:
        text, end = left + chunk, 0
        for match in expression.finditer(text):
            # What touches the end may go on in the next chunk.
            if match.end() < len(text):
                end = match.end()
                yield match[0]
        left = text[max(end, len(text) - LONGEST_MATCH) :]
    yield from (match[0] for match in expression.finditer(left))


def _text_of_pdf(file: Path) -> bytes:
    if program := shutil.which("pdftotext"):
        return subprocess.run([program, "-q", file, "-"], check=True, capture_output=True).stdout
    import pypdf

    return "".join(page.extract_text() for page in pypdf.PdfReader(file).pages).encode()
