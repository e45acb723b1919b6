"""The ZIP of a workbook: sheets are streamed into it, one at a time or from spools; the lists of them come last."""

from __future__ import annotations

import re
import unicodedata

from arkham_shard_export.archive import Archive
from arkham_shard_export.formats.spool import Spool
from arkham_shard_export.formats.workbook.sheets import Sheet
from arkham_shard_export.formats.workbook.styles import styles_part
from arkham_shard_export.formats.xml import XmlText
from arkham_shard_export.ports import Output, Sink
from arkham_shard_export.presentation.times import Times

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_FORBIDDEN_IN_NAME = re.compile(r"[\[\]:*?/\\\x00-\x1f\ud800-\udfff\ufffe\uffff]+")
_MAX_NAME = 31


class Package:
    """Numbers the sheets as they are opened; `close` takes the order in which they stand in the workbook."""

    def __init__(self, sink: Sink, xml: XmlText, times: Times | None = None) -> None:
        self._times = times or Times()
        self._sink = sink
        self._xml = xml
        self._archive = Archive(sink, fast=True)
        self._numbers: dict[int, int] = {}
        self._names: set[str] = {"history"}
        self._spools: list[tuple[Sheet, Spool]] = []
        self._part("[Content_Types].xml", _CONTENT_TYPES)
        self._part("_rels/.rels", _RELATIONS)

    def open(self, title: str) -> tuple[Sheet, Output]:
        """A sheet written straight into the archive: it ends where the next is opened."""
        sheet = self._sheet(title)
        return sheet, self._archive.open(self._path(sheet), zip64=False)

    def open_aside(self, title: str) -> tuple[Sheet, Output]:
        """A sheet that is written while others are, and put into the archive at the end."""
        sheet, spool = self._sheet(title), Spool(self._sink.scratch())
        self._spools.append((sheet, spool))
        return sheet, spool

    def flush(self) -> None:
        """Put the sheets that were written aside into the archive."""
        for sheet, spool in self._spools:
            member = self._archive.open(self._path(sheet), zip64=False)
            for chunk in spool.chunks():
                member.write(chunk)
        self._spools.clear()

    def drop(self) -> None:
        """Forget the sheets that were written aside and are not in the archive yet; their names are free again."""
        for sheet, spool in self._spools:
            spool.close()
            del self._numbers[id(sheet)]
            self._names.discard(_key(sheet.name))
        self._spools.clear()

    def close(self, sheets: list[Sheet], title: str, created: str) -> None:
        """Write what lists the sheets, in this order. `created` is ISO 8601, or empty."""
        self.flush()
        numbers = [self._numbers[id(sheet)] for sheet in sheets]
        self._part("xl/workbook.xml", self._workbook(sheets, numbers))
        self._part("xl/_rels/workbook.xml.rels", _workbook_relations(numbers))
        self._part("xl/styles.xml", styles_part(self._times))
        self._part("docProps/app.xml", _APPLICATION)
        self._part("docProps/core.xml", _core(self._xml(title), created))
        self._archive.close()

    def abandon(self) -> None:
        """Let go of everything, written or not."""
        self._archive.abandon()
        for _, spool in self._spools:
            spool.close()

    def _sheet(self, title: str) -> Sheet:
        sheet = Sheet(self._free_name(title))
        self._numbers[id(sheet)] = len(self._numbers) + 1
        return sheet

    def _path(self, sheet: Sheet) -> str:
        return f"xl/worksheets/sheet{self._numbers[id(sheet)]}.xml"

    def _free_name(self, title: str) -> str:
        """By the rules of Excel: 31 UTF-16 units, none of []:*?/\\, no apostrophe at an end, none twice."""
        plain = _FORBIDDEN_IN_NAME.sub(" ", title).strip(" '") or "Sheet"
        name, number = _fitting(plain, ""), 2
        while _key(name) in self._names:
            name, number = _fitting(plain, f" ({number})"), number + 1
        self._names.add(_key(name))
        return name

    def _part(self, path: str, content: str) -> None:
        self._archive.open(path, zip64=False).write(f"{_DECLARATION}{content}".encode())

    def _workbook(self, sheets: list[Sheet], numbers: list[int]) -> str:
        listed = "".join(
            f'<sheet name="{self._xml.attribute(sheet.name)}" sheetId="{number}" r:id="rId{number}"/>'
            for sheet, number in zip(sheets, numbers, strict=True)
        )
        filters = "".join(
            f'<definedName name="_xlnm._FilterDatabase" localSheetId="{place}" hidden="1">'
            f"{self._xml(quoted(sheet.name))}!{sheet.filtered}</definedName>"
            for place, sheet in enumerate(sheets)
            if sheet.filtered
        )
        return (
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView activeTab="0"/></bookViews>'
            f"<sheets>{listed}</sheets>{f'<definedNames>{filters}</definedNames>' if filters else ''}</workbook>"
        )


def quoted(name: str) -> str:
    """A sheet's name as formulas and links write it."""
    return "'" + name.replace("'", "''") + "'"


def _key(name: str) -> str:
    """Equal for names that a spreadsheet might take for one."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _fitting(name: str, suffix: str) -> str:
    room = _MAX_NAME - len(suffix)
    units = name.encode("utf-16-le")[: 2 * room]
    return units.decode("utf-16-le", errors="ignore").rstrip(" '") + suffix


# Sheets are the default, so that this part can stand first, where programs look for it, before their number is known.
_CONTENT_TYPES = (
    f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Default Extension="xml" ContentType="{_TYPE}.worksheet+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
    '<Override PartName="/docProps/app.xml"'
    ' ContentType="application/vnd.openxmlformats-officedocument.extended-properties+xml"/>'
    '<Override PartName="/docProps/core.xml"'
    ' ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
)
_RELATIONS = (
    f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    f'<Relationship Id="rId2" Type="{_PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>'
    f'<Relationship Id="rId3" Type="{_OFFICE}/extended-properties" Target="docProps/app.xml"/></Relationships>'
)
_APPLICATION = (
    '<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties">'
    "<Application>arkham-shard-export</Application></Properties>"
)


def _workbook_relations(numbers: list[int]) -> str:
    sheets = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in numbers
    )
    styles = f'<Relationship Id="rId{len(numbers) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/>'
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{sheets}{styles}</Relationships>'


def _core(title: str, created: str) -> str:
    moment = f"{created[:19]}Z"
    times = "".join(
        f'<dcterms:{name} xsi:type="dcterms:W3CDTF">{moment}</dcterms:{name}>'
        for name in ("created", "modified")
        if created
    )
    return (
        f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{title}</dc:title><dc:creator>arkham-shard-export</dc:creator>{times}</cp:coreProperties>"
    )
