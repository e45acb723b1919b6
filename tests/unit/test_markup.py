"""Blocks as Typst source, set and read back: what is long is broken, and every character is there."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import typst
from hypothesis import given
from hypothesis import strategies as st

from arkham_shard_export.formats.report.blocks import Block, Cell, Facts, Heading, Item, Paragraph, Table
from arkham_shard_export.formats.typesetting.breaking import LONGEST_CHARACTER, break_places
from arkham_shard_export.formats.typesetting.fonts import font_folders
from arkham_shard_export.formats.typesetting.markup import Markup
from arkham_shard_export.records import Adjustments
from tests.tools import needed


class Set:
    """Blocks on paper: `text` is what poppler reads, `right` how far the words reach, in points."""

    def __init__(self, tmp_path: Path, *blocks: Block, wide: bool = False) -> None:
        self.adjustments = Adjustments()
        markup = Markup(self.adjustments, "Title", "state", wide)
        source = markup.preamble + "".join(map(markup.block, blocks))
        fonts = typst.Fonts(False, False, [str(each) for each in font_folders()])
        compiler = typst.Compiler(b"", font_paths=fonts, ignore_system_fonts=True)
        path = tmp_path / "page.pdf"
        compiler.compile(source.encode(), str(path), format="pdf", pdf_tags=False)
        program = needed("pdftotext", "poppler-utils")
        self.text = subprocess.run(
            [program, "-raw", path, "-"], capture_output=True, text=True, check=True
        ).stdout
        boxes = subprocess.run(
            [program, "-bbox", path, "-"], capture_output=True, text=True, check=True
        ).stdout
        self.right = max(float(each.split('"')[0]) for each in boxes.split(' xMax="')[1:])

    def squeezed(self) -> str:
        return "".join(self.text.split())


HASH = "5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"


def test_a_hash_is_read_back_as_it_is(tmp_path: Path) -> None:
    assert HASH in Set(tmp_path, Facts((("Hash", HASH),))).text


@pytest.mark.parametrize(
    "word",
    ["W" * 400, HASH * 8, "क्षत्रि" * 60, "https://example.org/" + "a_b=" * 90, "ש" * 300, "ქართული" * 40],
    ids=["wide", "hash", "Devanagari", "address", "Hebrew", "Georgian"],
)
def test_a_word_longer_than_a_line_stays_on_the_page(tmp_path: Path, word: str) -> None:
    blocks = (
        Paragraph(word, "Label"),
        Facts((("Label", word),)),
        Item(word, (("Label", word),), (Paragraph(word),)),
    )
    for block in blocks:
        page = Set(tmp_path, block)
        assert page.right <= 595 - 55
        assert "\u200b" not in page.text
        if word.isascii():
            assert word in page.squeezed()


def test_long_words_stay_in_their_cells(tmp_path: Path) -> None:
    header = ("From", "Donaudampfschifffahrtsgesellschaftskapitänsmütze", "To", "Days")
    page = Set(tmp_path, Table(header, ((Cell(HASH), Cell(HASH), Cell(HASH), Cell("1")),), (1.0,) * 4))
    assert page.right <= 595 - 55
    assert page.squeezed().count("1") >= 1
    wide = Set(tmp_path, Table(header, ((Cell(HASH),) * 4,), (1.0,) * 4), wide=True)
    assert wide.right <= 842 - 55


def test_a_character_without_a_glyph_is_shown_by_its_code_and_counted_where_it_is_told(
    tmp_path: Path,
) -> None:
    page = Set(tmp_path, Heading(3, "1. a 𓀀", repeated=True), Paragraph("𓀀𓀀 and \x07", lead=True))
    assert page.text.count("[U+13000]") == 3
    assert "[U+0007]" in page.text
    assert page.adjustments.counts == {"missing_glyphs": 3}


@pytest.mark.parametrize(
    "text", ['a"b', "a\\b", "#let x = 1", "$x$ *y* _z_ `c`", "[[", "//c /*d*/", "\\u{41}", "<l> @l"]
)
def test_nothing_in_a_text_is_taken_for_markup(tmp_path: Path, text: str) -> None:
    page = Set(
        tmp_path,
        Heading(1, text),
        Facts(((text, text),)),
        Paragraph(text, text),
        Table((text,), ((Cell(text),),), (1,), text),
    )
    assert page.text.count(text) == 8


def test_lines_and_tabs_are_kept_apart(tmp_path: Path) -> None:
    lines = Set(tmp_path, Paragraph("one\ntwo\r\nthree\rfour\u2028five\tsix")).text.splitlines()
    assert [each.strip() for each in lines if each.strip() in ("one", "two", "three", "four")] == [
        "one",
        "two",
        "three",
        "four",
    ]


@given(st.text(max_size=200), st.integers(3, 60))
def test_breaks_are_in_order_within_the_text_and_lose_nothing(text: str, run: int) -> None:
    places = break_places(text, run)
    assert places == sorted(set(places))
    assert all(0 < place < len(text) for place in places)


def test_a_letter_with_thousands_of_marks_is_broken_all_the_same() -> None:
    """Typst cannot draw a character of 64 KiB, nor a PDF say what it stands for."""
    places = break_places("a" + "\u0300" * 40_000, 45)
    assert max(end - start for start, end in pairwise([0, *places, 40_001])) <= 45 + LONGEST_CHARACTER


def test_a_break_never_parts_a_letter_from_its_mark() -> None:
    word = "e\u0301" * 100
    assert {word[place] for place in break_places(word, 7)} == {"e"}
    assert break_places("ก" * 200 + "漢" * 200 + "short words only", 45) == []
