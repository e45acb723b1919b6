"""The package of an uploaded Word file: opened within bounds, and only if all in it is what a layout may be made of."""

from __future__ import annotations

import io
import re
import zipfile
from posixpath import dirname, join, normpath
from typing import Any

from arkham_shard_export.archive import is_safe_name

MAX_LAYOUT_BYTES = 5 << 20
MAX_UNPACKED_BYTES = 50 << 20
MAX_PARTS = 500
MAX_XML_BYTES = 4 << 20
"""Of all parts that are XML; trees take many times as much."""
MAX_PART_BYTES = 2 << 20
"""Of one part that is XML."""
MAX_STORY_BYTES = 512 * 1024
"""Of one part that is text: those that fill it look through it many times."""
STORIES = re.compile(r"word/(?:document|header\d*|footer\d*|footnotes|endnotes)\.xml")
"""Parts whose text a layout may have fields in."""

MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
DOCUMENT = "word/document.xml"
STYLES = "word/styles.xml"
CORE = "docProps/core.xml"
_CORE_TYPE = "application/vnd.openxmlformats-package.core-properties+xml"
_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml."
_TYPES = frozenset(
    {
        MAIN,
        *(f"{_WORD}{name}+xml" for name in ("styles", "settings", "webSettings", "fontTable", "numbering", "header",
                                            "footer", "footnotes", "endnotes")),
        "application/vnd.openxmlformats-officedocument.theme+xml",
        "application/vnd.ms-word.stylesWithEffects+xml",
        _CORE_TYPE,
        "application/vnd.openxmlformats-officedocument.custom-properties+xml",
        "application/vnd.openxmlformats-officedocument.customXmlProperties+xml",
        "application/vnd.openxmlformats-officedocument.extended-properties+xml",
        "application/vnd.openxmlformats-package.relationships+xml",
        "image/png",
        "image/jpeg",
        "image/gif",
    }
)  # fmt: skip
_TYPES_OF_WORDS = {
    "macroEnabled": "It has macros; save it as Word document (.docx) without them.",
    "vbaProject": "It has macros; save it as Word document (.docx) without them.",
    "template.main": "It is a Word template (.dotx); save it as Word document (.docx).",
    "oleObject": "It has an embedded object.",
    "activeX": "It has an ActiveX control.",
    "comments": "It has comments; delete them.",
    "glossary": "It has building blocks of its own; save it without them.",
}
_RELATIONS = ("styles", "settings", "webSettings", "fontTable", "numbering", "header", "footer", "footnotes", "endnotes",
              "theme",
    "stylesWithEffects", "stylesWithEffects", "image", "thumbnail", "customXml", "customXmlProps", "custom-properties", "hyperlink", "officeDocument", "core-properties", "extended-properties")  # fmt: skip
_LINKS = re.compile(r"(?:https?://|mailto:)[^\s\x00-\x1f]{1,2000}\Z")
_NAMESPACE = "{http://schemas.openxmlformats.org/package/2006/%s}%s"


class Unfit(Exception):
    """Why a file cannot be a layout, in a sentence."""


def opened(data: bytes) -> dict[str, bytes]:
    """The parts by their names, or Unfit. Nothing of them is unpacked beyond the bounds."""
    if len(data) > MAX_LAYOUT_BYTES:
        raise Unfit(f"It has {len(data):,} bytes; a layout has at most {MAX_LAYOUT_BYTES >> 20} MiB.")
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise Unfit(
            "It is a Word file of the old form (.doc), or encrypted; save it as Word document (.docx)."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = _unpacked(archive)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        raise Unfit("It is no Word document (.docx), or is damaged.") from error
    if DOCUMENT not in parts or "[Content_Types].xml" not in parts:
        raise Unfit("It is no Word document (.docx): it has no word/document.xml.")
    _check_types(parts)
    for name in parts:
        if name.endswith(".rels"):
            _check_relations(name, parts)
    if STYLES not in parts:
        raise Unfit("It has no styles.")
    return parts


def packed(parts: dict[str, bytes]) -> bytes:
    """The parts as a package, for the library to read."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


def tree_of(data: bytes) -> Any:
    """The XML of a part; no entity is expanded, nothing is fetched, and there is no document type."""
    from lxml import etree

    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unfit("It has a part with a document type, which Word does not write.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Unfit("It has a part that is no XML.") from error


def _unpacked(archive: zipfile.ZipFile) -> dict[str, bytes]:
    members = [each for each in archive.infolist() if not each.is_dir()]
    if len(members) > MAX_PARTS:
        raise Unfit(f"It has {len(members):,} parts; a layout has at most {MAX_PARTS}.")
    parts: dict[str, bytes] = {}
    left = MAX_UNPACKED_BYTES
    xml_left = MAX_XML_BYTES
    for member in members:
        name = member.filename
        if not is_safe_name(name) or name in parts:
            raise Unfit(f"It has a part of the name {name[:60]!r}, which no layout has.")
        if member.flag_bits & 1:
            raise Unfit("It is encrypted.")
        is_xml = name.endswith((".xml", ".rels"))
        most = MAX_STORY_BYTES if STORIES.fullmatch(name) else MAX_PART_BYTES
        bound = min(left, xml_left, most) if is_xml else left
        with archive.open(member) as stream:
            data = stream.read(bound + 1)
        if len(data) > bound:
            raise Unfit(
                f"It unpacks to too much in {name[:60]}: a layout has at most {MAX_UNPACKED_BYTES >> 20} MiB, of which "
                f"{MAX_XML_BYTES >> 20} MiB may be formatting, and {MAX_STORY_BYTES >> 10} KiB the text itself."
            )
        left -= len(data)
        xml_left -= len(data) if is_xml else 0
        parts[name] = data
    return parts


def _check_types(parts: dict[str, bytes]) -> None:
    root = tree_of(parts["[Content_Types].xml"])
    defaults: dict[str, str] = {}
    types: dict[str, str] = {}
    for each in root:
        kind = each.get("ContentType", "")
        if each.tag == _NAMESPACE % ("content-types", "Default"):
            defaults[each.get("Extension", "").lower()] = kind
        elif each.tag == _NAMESPACE % ("content-types", "Override"):
            types[each.get("PartName", "").lstrip("/")] = kind
    for name in parts:
        if name == "[Content_Types].xml":
            continue
        kind = types.get(name) or defaults.get(name.rpartition(".")[2].lower(), "")
        if kind == "application/xml" and name.startswith("customXml/"):
            continue
        if (
            (kind == MAIN) != (name == DOCUMENT)
            or (kind == _CORE_TYPE) != (name == CORE)
            or kind not in _TYPES
        ):
            reason = next(
                (each for word, each in _TYPES_OF_WORDS.items() if word in kind or word in name), ""
            )
            raise Unfit(
                reason or f"It has a part that no layout may have: {name[:60]} ({kind[:80] or 'of no type'})."
            )
        if kind.startswith("image/") and not _is_picture(kind, parts[name]):
            raise Unfit(f"Its picture {name[:60]} is none of the kind it says.")


def _is_picture(kind: str, data: bytes) -> bool:
    starts = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
    return data.startswith(starts[kind])


def _check_relations(name: str, parts: dict[str, bytes]) -> None:
    folder = dirname(dirname(name))
    for each in tree_of(parts[name]):
        kind = each.get("Type", "").rpartition("/")[2]
        target = each.get("Target", "")
        if kind == "attachedTemplate":
            raise Unfit(
                "It is attached to a template that lies elsewhere; in Word: Developer, Document Template, Normal."
            )
        if kind not in _RELATIONS:
            raise Unfit(f"It refers to something that no layout may: {kind[:60] or target[:60]!r}.")
        if each.get("TargetMode", "Internal") != "Internal":
            if kind != "hyperlink" or not _LINKS.match(target):
                raise Unfit(
                    f"It refers to something outside of it, {target[:80]!r}: a picture, a template or an object."
                )
        elif not target.startswith("#") and normpath(join("/", folder, target)).lstrip("/") not in parts:
            raise Unfit(f"It refers to a part that it has not: {target[:80]!r}.")
