"""The package around the document: its parts, their types and how they refer to each other (ECMA-376, part 2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from string import Template

from arkham_shard_export.archive import Archive
from arkham_shard_export.formats.wordprocessing import contents, drawing
from arkham_shard_export.formats.wordprocessing.front import footer, header
from arkham_shard_export.formats.wordprocessing.page import Page
from arkham_shard_export.formats.wordprocessing.runs import Runs
from arkham_shard_export.formats.xml import XmlText
from arkham_shard_export.presentation.pictures import Picture
from arkham_shard_export.records import Adjustments

LANGUAGE = "en-GB"
CREATOR = "arkham-shard-export"

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = (
    ' xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    f' xmlns:r="{_OFFICE}/relationships"'
)
_OPENING = f"{_DECLARATION}<w:document{_MAIN}{contents.NAMESPACES}{drawing.NAMESPACES}><w:body>"
_CLOSING = "</w:body></w:document>"
_STATIC = ("styles", "settings", "numbering", "fontTable")
_PROPERTIES = {
    "docProps/core.xml": (
        "application/vnd.openxmlformats-package.core-properties+xml",
        f"{_PACKAGE}/relationships/metadata/core-properties",
    ),
    "docProps/app.xml": (
        "application/vnd.openxmlformats-officedocument.extended-properties+xml",
        f"{_OFFICE}/relationships/extended-properties",
    ),
}


@dataclass(frozen=True, slots=True)
class Properties:
    """What a file says of itself. `moment` is an ISO 8601 time in UTC, or empty where it is not to be told."""

    title: str
    subject: str
    description: str
    moment: str


class Package:
    """Writes the parts in one go, the document last; the same input gives the same bytes."""

    def __init__(self, archive: Archive, page: Page, logo: Picture | None = None) -> None:
        self._archive = archive
        self._page = page
        self._logo = logo

    def write(self, properties: Properties, header_note: str, document: Iterable[bytes]) -> None:
        # What these texts cannot carry has been counted where they stand in the document.
        runs = Runs(Adjustments())
        self._part("[Content_Types].xml", _content_types(self._logo))
        targets = {**{name: kind for name, (_, kind) in _PROPERTIES.items()}}
        targets["word/document.xml"] = f"{_OFFICE}/relationships/officeDocument"
        self._part("_rels/.rels", _relationships(targets))
        self._part("docProps/core.xml", core_part(properties))
        self._part("docProps/app.xml", _app())
        self._part("word/_rels/document.xml.rels", _relationships(_document_targets(self._logo)))
        if self._logo is not None:
            self._archive.open(_logo_path(self._logo), zip64=False).write(self._logo.data)
        folder = files(__package__) / "parts"
        for name in _STATIC:
            text = (folder / f"{name}.xml").read_text(encoding="utf-8")
            self._part(f"word/{name}.xml", Template(text).substitute(text_width=self._page.text_width))
        head = header(properties.title, header_note, runs)
        self._part("word/header.xml", f"{_DECLARATION}<w:hdr{_MAIN}>{head}</w:hdr>")
        self._part("word/footer.xml", f"{_DECLARATION}<w:ftr{_MAIN}>{footer()}</w:ftr>")
        member = self._archive.open("word/document.xml", zip64=False)
        for piece in self._document(document):
            member.write(piece)

    def _document(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        yield _OPENING.encode()
        yield from pieces
        yield f"{self._page.section}{_CLOSING}".encode()

    def _part(self, name: str, text: str) -> None:
        self._archive.open(name, zip64=False).write(text.encode())


def _logo_path(logo: Picture) -> str:
    return f"word/media/{drawing.LOGO_ID}.{logo.kind}"


def _content_types(logo: Picture | None) -> str:
    parts = {f"word/{name}.xml": f"{_WORD}.{name}+xml" for name in (*_STATIC, "header", "footer")}
    parts["word/document.xml"] = f"{_WORD}.document.main+xml"
    parts.update({name: content_type for name, (content_type, _) in _PROPERTIES.items()})
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{content_type}"/>' for name, content_type in parts.items()
    )
    picture = "" if logo is None else f'<Default Extension="{logo.kind}" ContentType="image/{logo.kind}"/>'
    return (
        f'{_DECLARATION}<Types xmlns="{_PACKAGE}/content-types">{picture}'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _document_targets(logo: Picture | None) -> dict[str, str]:
    targets = {f"{name}.xml": f"{_OFFICE}/relationships/{name}" for name in (*_STATIC, "header", "footer")}
    if logo is not None:
        targets[_logo_path(logo).removeprefix("word/")] = f"{_OFFICE}/relationships/image"
    return targets


def _relationships(targets: dict[str, str]) -> str:
    """The id of a relationship is the name of its target."""
    each = "".join(
        f'<Relationship Id="{target.rpartition("/")[2].partition(".")[0]}" Type="{kind}" Target="{target}"/>'
        for target, kind in targets.items()
    )
    return f'{_DECLARATION}<Relationships xmlns="{_PACKAGE}/relationships">{each}</Relationships>'


def core_part(properties: Properties) -> str:
    xml = XmlText(Adjustments())
    moment = properties.moment
    times = "".join(
        f'<dcterms:{name} xsi:type="dcterms:W3CDTF">{moment}</dcterms:{name}>'
        for name in ("created", "modified")
        if moment
    )
    return (
        f'{_DECLARATION}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"'
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{xml(properties.title)}</dc:title><dc:subject>{xml(properties.subject)}</dc:subject>"
        f"<dc:creator>{CREATOR}</dc:creator><dc:description>{xml(properties.description)}</dc:description>"
        f"<dc:language>{LANGUAGE}</dc:language><cp:lastModifiedBy>{CREATOR}</cp:lastModifiedBy>{times}"
        "</cp:coreProperties>"
    )


def _app() -> str:
    return (
        f'{_DECLARATION}<Properties xmlns="{_OFFICE}/extended-properties">'
        f"<Application>{CREATOR}</Application></Properties>"
    )
