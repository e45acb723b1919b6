"""What checks and fillings of a layout find in its XML."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arkham_shard_export.formats.wordlayout.fields import BLOCKS
from arkham_shard_export.formats.wordlayout.opening import STORIES, tree_of

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MARK = "arkham-export"
"""The processing instruction that stands for a block; no layout has any of its own."""
NAMESPACES = {
    "w": W[1:-1],
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
    "w15": "http://schemas.microsoft.com/office/word/2012/wordml",
    "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
    "wpg": "http://schemas.microsoft.com/office/word/2010/wordprocessingGroup",
    "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
}
"""What our elements call things; a layout must not mean something else by these names."""


def block_of(element: Any) -> str | None:
    """The block that a paragraph of the body stands for, if it does."""
    if element.tag != f"{W}p":
        return None
    text = "".join(each.text or "" for each in element.iter(f"{W}t")).strip()
    name = text[2:-2].strip() if text.startswith("{{") and text.endswith("}}") else ""
    return name if name in BLOCKS else None


def uses(parts: Mapping[str, bytes], name: str) -> bool:
    """Whether a layout that was checked has this field."""
    field = re.compile(r"\{[{%][^{}]*\b" + name + r"\b[^{}]*[}%]\}")
    return any(
        field.search("".join(each.itertext(f"{W}t")))
        for part, data in parts.items()
        if STORIES.fullmatch(part)
        for each in tree_of(data).iter(f"{W}p")
    )
