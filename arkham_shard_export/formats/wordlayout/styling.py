"""The styles of a layout and ours in one: what is called alike is one style, with the looks that the layout gives it."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import count
from string import Template
from typing import Any

from arkham_shard_export.formats.wordlayout.opening import STYLES, tree_of
from arkham_shard_export.formats.wordlayout.reading import W

_ID = f"{W}styleId"
_REFERENCES = tuple(
    f"{W}{name}"
    for name in ("pStyle", "rStyle", "tblStyle", "basedOn", "next", "link", "numStyleLink", "styleLink")
)
_DEFAULTS = {
    "paragraph": "Normal",
    "character": "DefaultParagraphFont",
    "table": "TableNormal",
    "numbering": "NoList",
}
_WITH_STYLES = re.compile(r"word/(?:document|styles|numbering|header\d*|footer\d*|footnotes|endnotes)\.xml")


def with_our_styles(parts: dict[str, bytes], text_width: int) -> dict[str, bytes]:
    """The parts with the styles that reports use, under our ids: of the layout where it has them by name, else ours.

    `text_width` is in twips.
    """
    from lxml import etree

    trees = {name: tree_of(data) for name, data in parts.items() if _WITH_STYLES.fullmatch(name)}
    styles = trees[STYLES]
    before = [(each, each.get(_ID)) for each in styles.findall(f"{W}style")]
    added = []
    for ours in _our_styles(text_width):
        known = _known(styles, ours)
        if known is not None:
            if known.get(_ID) != ours.get(_ID):
                _free(styles, ours.get(_ID))
                known.set(_ID, ours.get(_ID))
            continue
        _free(styles, ours.get(_ID))
        for listed in ours.findall(f"{W}pPr/{W}numPr"):
            # Its bullet is that of a list that the layout has not.
            listed.getparent().remove(listed)
        ours.attrib.pop(f"{W}default", None)
        added.append(ours)
    renamed = {old: each.get(_ID) for each, old in before if old is not None and each.get(_ID) != old}
    for tree in trees.values():
        for each in tree.iter(*_REFERENCES):
            value = each.get(f"{W}val")
            if value in renamed:
                each.set(f"{W}val", renamed[value])
    styles.extend(added)
    whole = {
        name: etree.tostring(tree, xml_declaration=True, encoding="UTF-8", standalone=True)
        for name, tree in trees.items()
    }
    return {**parts, **whole}


def _our_styles(text_width: int) -> list[Any]:
    text = (files("arkham_shard_export.formats.wordprocessing") / "parts" / "styles.xml").read_text("utf-8")
    root = tree_of(Template(text).substitute(text_width=text_width).encode())
    return list(root.iter(f"{W}style"))


def _name(style: Any) -> str:
    name = style.find(f"{W}name")
    return "" if name is None else (name.get(f"{W}val") or "").casefold()


def _known(styles: Any, ours: Any) -> Any:
    """The style of the layout that ours is: of the same kind and name, or the default of its kind where ours is one."""
    kind = ours.get(f"{W}type")
    others = [each for each in styles.findall(f"{W}style") if each.get(f"{W}type", "paragraph") == kind]
    if ours.get(_ID) == _DEFAULTS.get(kind):
        default = next((each for each in others if each.get(f"{W}default") in ("1", "true", "on")), None)
        if default is not None:
            return default
    return next((each for each in others if _name(each) == _name(ours)), None)


def _free(styles: Any, wanted: str) -> None:
    """Gives another id to whatever style of the layout has this one."""
    ids = {each.get(_ID) for each in styles.findall(f"{W}style")}
    for each in styles.findall(f"{W}style"):
        if each.get(_ID) == wanted:
            number = next(number for number in count(2) if f"{wanted}{number}" not in ids)
            each.set(_ID, f"{wanted}{number}")
