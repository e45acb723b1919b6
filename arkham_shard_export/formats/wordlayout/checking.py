"""A Word file as the layout of reports: what it may be is accepted, all else is refused with the reason."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from typing import Any

from arkham_shard_export.errors import FieldProblem, InvalidRequest
from arkham_shard_export.formats.wordlayout.fields import BLOCKS, fields_of
from arkham_shard_export.formats.wordlayout.filling import NO_PROPERTIES, SAMPLES, Filled
from arkham_shard_export.formats.wordlayout.opening import DOCUMENT, STORIES, Unfit, opened, packed, tree_of
from arkham_shard_export.formats.wordlayout.reading import NAMESPACES, W, block_of

LIBRARY = "docxtpl"
REMEDY = "pip install arkham-shard-export[word]"
MAX_FIELDS = 200
_FIELD = re.compile(r"\{\{[^{}]*\}\}|\{%[^{}]*%\}")
_ODD = re.compile(r"\{\{-|\{%-|-\}\}|-%\}|\{\{\s*(?:p|r|tr|tc)\s+\w|\{%\s*(?:vm|hm|colspan|cellbg|r)\b")
"""What the library knows besides and makes of a document what cannot be checked."""
_BRACES = ("{{", "}}", "{%", "%}", "{#", "#}")
_WORD_FIELDS = frozenset(
    [
        "PAGE",
        "NUMPAGES",
        "SECTION",
        "SECTIONPAGES",
        "DATE",
        "TIME",
        "CREATEDATE",
        "SAVEDATE",
        "PRINTDATE",
        "TITLE",
        "SUBJECT",
        "AUTHOR",
        "KEYWORDS",
        "COMMENTS",
        "STYLEREF",
        "REF",
        "PAGEREF",
        "NOTEREF",
        "SEQ",
        "TOC",
        "HYPERLINK",
        "DOCPROPERTY",
        "SYMBOL",
    ]
)
"""Fields of Word's own that show what the document itself holds."""


@dataclass(frozen=True, slots=True)
class LayoutInfo:
    """A layout that was accepted: the fields that it uses, and its paper in millimetres."""

    sha256: str
    size: int
    fields: tuple[str, ...]
    paper: str


def missing_library() -> str | None:
    """What brings the library that layouts need, where it is not there."""
    return None if find_spec(LIBRARY) is not None else REMEDY


def check_layout(data: bytes, field: str = "layout") -> LayoutInfo:
    """What the file is as a layout; InvalidRequest with the reason why it cannot be one. Takes up to some seconds of one core."""
    if (remedy := missing_library()) is not None:
        message = f"A Word file as layout needs {LIBRARY}, which is not installed here: {remedy}."
        raise InvalidRequest([FieldProblem(field, None, message)])
    try:
        parts = opened(data)
        fields = _fields(parts)
        paper = _paper(tree_of(parts[DOCUMENT]))
        for sample in SAMPLES:
            Filled(data, sample, NO_PROPERTIES)
    except Unfit as error:
        raise InvalidRequest([FieldProblem(field, None, f"The file cannot be a layout. {error}")]) from None
    except Exception as error:  # whatever libraries make of a file that anybody sent
        reason = f"What fills layouts cannot read it ({type(error).__name__})."
        raise InvalidRequest([FieldProblem(field, None, f"The file cannot be a layout. {reason}")]) from error
    return LayoutInfo(sha256(data).hexdigest(), len(data), tuple(sorted(fields)), paper)


def _fields(parts: dict[str, bytes]) -> set[str]:
    found: set[str] = set()
    count = 0
    for name, data in parts.items():
        if not name.startswith("word/") or not name.endswith(".xml"):
            continue
        root = tree_of(data)
        if name == DOCUMENT:
            _check_namespaces(root)
        count += _check_story(root, STORIES.fullmatch(name) is not None)
    if count > MAX_FIELDS:
        raise Unfit(f"It has {count} fields; a layout has at most {MAX_FIELDS}.")
    for source in _sources(parts):
        found |= fields_of(source)
    _check_blocks(parts)
    return found


def _check_namespaces(root: Any) -> None:
    if root.tag != f"{W}document":
        raise Unfit("It is a Strict Open XML document; save it as Word document (.docx).")
    for prefix, uri in NAMESPACES.items():
        if root.nsmap.get(prefix, uri) != uri:
            raise Unfit(f"It uses the prefix {prefix} for something else than Word does.")


def _check_story(root: Any, may_have_fields: bool) -> int:
    """How many fields stand in a part, each of which must end where it begins: in one paragraph."""
    from lxml import etree

    texts: dict[Any, list[str]] = {}
    depth, instructions = 0, [""]
    for each in root.iter():
        if each.tag is etree.ProcessingInstruction or each.tag is etree.Comment:
            raise Unfit("It has comments or instructions in its XML, which Word does not write.")
        for value in each.attrib.values():
            _refuse_braces(value)
        if each.tag == f"{W}t":
            paragraph = next(each.iterancestors(f"{W}p"), None)
            texts.setdefault(paragraph, []).append(each.text or "")
        elif each.tag in (f"{W}altChunk", f"{W}object", f"{W}control", f"{W}subDoc", f"{W}dir"):
            raise Unfit(f"It has an embedded object or document ({etree.QName(each).localname}).")
        elif each.tag == f"{W}fldSimple":
            _check_word_field(each.get(f"{W}instr", ""))
        elif each.tag == f"{W}fldChar":
            depth, instructions = _field_character(each.get(f"{W}fldCharType"), depth, instructions)
        elif each.tag == f"{W}instrText":
            instructions[-1] += each.text or ""
            _refuse_braces(each.text or "")
        elif each.text:
            _refuse_braces(each.text)
        _refuse_braces(each.tail or "")
    if depth:
        raise Unfit("It has a Word field that does not end.")
    count = 0
    for pieces in texts.values():
        text = "".join(pieces)
        if _ODD.search(text):
            raise Unfit(
                "It has fields of another kind than {{ name }}: without p, r, tr or tc, and without a hyphen."
            )
        count += len(_FIELD.findall(text))
        _refuse_braces(_FIELD.sub("", text))
    if count and not may_have_fields:
        raise Unfit("It has fields outside of its text.")
    return count


def _field_character(kind: str | None, depth: int, instructions: list[str]) -> tuple[int, list[str]]:
    """One of the marks of a complex field (17.16.18): `begin`, instructions, `separate`, its result, `end`."""
    if kind == "begin":
        if depth and instructions[-1] is not _READ:
            raise Unfit("It has a Word field within the instructions of another (a recursive field).")
        return depth + 1, [*instructions, ""]
    if kind in ("separate", "end") and depth:
        if instructions[-1] is not _READ:
            _check_word_field(instructions[-1])
        if kind == "separate":
            return depth, [*instructions[:-1], _READ]
        return depth - 1, instructions[:-1]
    raise Unfit("It has a Word field whose marks are out of order.")


_READ = "\0read"


def _check_word_field(instruction: str) -> None:
    name = instruction.split()[0].upper() if instruction.split() else ""
    if name not in _WORD_FIELDS:
        raise Unfit(f"It has the Word field {name[:40] or '(empty)'}, which a layout may not have.")


def _refuse_braces(text: str) -> None:
    if "{" in text or "}" in text:
        found = next((each for each in _BRACES if each in text), None)
        if found is not None:
            raise Unfit(
                f"It has {found} where no field of a layout can be; a field begins and ends in one paragraph."
            )


def _sources(parts: dict[str, bytes]) -> list[str]:
    """The texts of its stories as the library hands them to Jinja."""
    from docxtpl import DocxTemplate
    from lxml import etree

    library = DocxTemplate(io.BytesIO(packed(parts)))
    return [
        library.patch_xml(etree.tostring(tree_of(data), encoding="unicode"))
        for name, data in parts.items()
        if STORIES.fullmatch(name)
    ]


def _check_blocks(parts: dict[str, bytes]) -> None:
    """Blocks stand alone in a paragraph of the body, each once, and the records must be there."""
    everywhere = "\n".join(
        "".join(each.itertext(f"{W}t"))
        for name, data in parts.items()
        if STORIES.fullmatch(name)
        for each in tree_of(data).iter(f"{W}p")
    )
    body = tree_of(parts[DOCUMENT]).find(f"{W}body")
    alone = [] if body is None else [block_of(each) for each in body]
    for name, meaning in BLOCKS.items():
        used = len(re.findall(r"\{\{-?\s*" + name + r"\s*-?\}\}", everywhere))
        in_other_words = len(re.findall(r"\{[{%][^{}]*\b" + name + r"\b[^{}]*[}%]\}", everywhere))
        if used > 1 or in_other_words > used or used != alone.count(name):
            raise Unfit(
                f"The field {{{{ {name} }}}} must stand alone in a paragraph of the text, once. {meaning}"
            )
    if "records" not in alone:
        raise Unfit("It has no place for the records: a paragraph with {{ records }} and nothing else.")


def _paper(root: Any) -> str:
    size = next(root.iter(f"{W}pgSz"), None)
    try:
        sides = (
            [int(size.get(f"{W}{side}")) / 1440 * 25.4 for side in ("w", "h")]
            if size is not None
            else [210, 297]
        )
    except (TypeError, ValueError):
        raise Unfit("Its paper has no size.") from None
    if not all(50 <= side <= 2000 for side in sides):
        raise Unfit(f"Its paper of {sides[0]:.0f} × {sides[1]:.0f} mm is of no use.")
    return f"{sides[0]:.0f} × {sides[1]:.0f} mm"
