"""Large blocks in portions, for writers that set a part of a report at a time: what one record holds has no limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from arkham_shard_export.formats.report.blocks import Block, Item, Paragraph, Table

PORTION_CHARACTERS = 200_000
PORTION_CELLS = 3_000


def portions(block: Block) -> Iterator[Block]:
    """The block, or blocks that say the same one after another."""
    match block:
        case Paragraph() if len(block.text) > PORTION_CHARACTERS:
            yield from _paragraphs(block)
        case Item() if sum(len(each.text) for each in block.paragraphs) > PORTION_CHARACTERS:
            yield replace(block, paragraphs=())
            for paragraph in block.paragraphs:
                for each in _paragraphs(paragraph):
                    yield Item("", (), (each,))
        case Table() if len(block.rows) * len(block.widths) > PORTION_CELLS:
            rows = max(1, PORTION_CELLS // len(block.widths))
            for start in range(0, len(block.rows), rows):
                caption = block.caption if start == 0 else ""
                yield replace(block, rows=block.rows[start : start + rows], caption=caption)
        case _:
            yield block


def _paragraphs(paragraph: Paragraph) -> Iterator[Paragraph]:
    """Divided at the last line end or space before the limit, which the new paragraph stands for."""
    text, label = paragraph.text, paragraph.label
    while len(text) > PORTION_CHARACTERS:
        half = PORTION_CHARACTERS // 2
        place = text.rfind("\n", half, PORTION_CHARACTERS)
        place = place if place > 0 else text.rfind(" ", half, PORTION_CHARACTERS)
        end, start = (place, place + 1) if place > 0 else (PORTION_CHARACTERS, PORTION_CHARACTERS)
        yield replace(paragraph, text=text[:end], label=label)
        text, label = text[start:], ""
    yield replace(paragraph, text=text, label=label)
