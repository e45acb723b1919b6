"""The outline of a bound document, which viewers show as bookmarks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import pikepdf
from pikepdf import Array, Dictionary, Name, String


class Entry(NamedTuple):
    """A line of the outline; `level` from 1, `top` in points from the page's lower edge.

    `page` counts from 0 in the body; negative ones count back into the front matter, where -1 is its last page.
    """

    level: int
    title: str
    page: int
    top: float


def outline(pdf: pikepdf.Pdf, entries: Sequence[Entry], pages: Sequence[pikepdf.Object]) -> pikepdf.Object:
    """The /Outlines tree (ISO 32000-1, 12.3.3): each entry is inside the nearest earlier one of a lower level.

    Only level 1 is open. `pages` are those of the body, followed by those of the front matter.
    """
    root = pdf.make_indirect(Dictionary(Type=Name.Outlines))
    children: list[list[int]] = [[] for _ in range(len(entries) + 1)]
    path = [0]
    levels = [0]
    for number, entry in enumerate(entries, start=1):
        while levels[-1] >= entry.level:
            path.pop()
            levels.pop()
        children[path[-1]].append(number)
        path.append(number)
        levels.append(entry.level)
    items = [root, *(pdf.make_indirect(_item(entry, pages)) for entry in entries)]
    for parent, inner in zip(items, children, strict=True):
        _join(parent, [items[number] for number in inner])
    for number, inner in enumerate(children[1:], start=1):
        if inner:
            items[number].Count = len(inner) if entries[number - 1].level == 1 else -len(inner)
    root.Count = len(children[0]) + sum(
        len(children[number]) for number in children[0] if entries[number - 1].level == 1
    )
    return root


def _item(entry: Entry, pages: Sequence[pikepdf.Object]) -> Dictionary:
    place = Array([pages[entry.page], Name.XYZ, None, round(entry.top, 1), None])
    return Dictionary(Title=String(entry.title), Dest=place)


def _join(parent: pikepdf.Object, items: Sequence[pikepdf.Object]) -> None:
    if not items:
        return
    parent.First, parent.Last = items[0], items[-1]
    for item in items:
        item.Parent = parent
    for item, following in pairwise(items):
        item.Next, following.Prev = following, item
