"""The formats, in the order they are listed. A new format is one file here and one line in `FORMATS`."""

from __future__ import annotations

from importlib import import_module

from arkham_shard_export.formats.base import FormatSpec, Writer

FORMATS: dict[str, str] = {
    "json": "arkham_shard_export.formats.json:JsonWriter",
    "csv": "arkham_shard_export.formats.csv:CsvWriter",
    "xlsx": "arkham_shard_export.formats.xlsx:XlsxWriter",
    "pdf": "arkham_shard_export.formats.pdf:PdfWriter",
    "docx": "arkham_shard_export.formats.docx:DocxWriter",
}


def writer_class(name: str) -> type[Writer]:
    """The writer of a listed format; KeyError for any other name."""
    module, _, attribute = FORMATS[name].partition(":")
    found: type[Writer] = getattr(import_module(module), attribute)
    return found


def specs() -> list[FormatSpec]:
    """The specs of all formats, in listing order."""
    return [writer_class(name).spec for name in FORMATS]


def available() -> list[str]:
    """The formats whose libraries are all installed."""
    return [spec.format for spec in specs() if spec.missing_library is None]
