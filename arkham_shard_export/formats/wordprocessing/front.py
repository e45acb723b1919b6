"""The title page, the running header and the footer."""

from __future__ import annotations

from arkham_shard_export.formats.account import NOTES_TITLE
from arkham_shard_export.formats.readable import shortened
from arkham_shard_export.formats.report.blocks import TitlePage
from arkham_shard_export.formats.wordprocessing.drawing import picture
from arkham_shard_export.formats.wordprocessing.page import Page
from arkham_shard_export.formats.wordprocessing.runs import Runs, field, paragraph
from arkham_shard_export.formats.wordprocessing.tables import TABLE_END, column_widths, table_start

HEADER_LENGTH = 90
"""Characters of a title that the running header has room for."""
_LOGO_SPACE = '<w:keepNext/><w:spacing w:before="900" w:after="0" w:line="240" w:lineRule="auto"/>'
_BELOW_LOGO = '<w:spacing w:before="700"/>'
_PLAIN_LOOK = 'w:firstRow="0" w:noHBand="1" w:noVBand="1"'


def title_page(page: TitlePage, runs: Runs, paper: Page) -> str:
    above = [] if page.logo is None else [f"<w:p><w:pPr>{_LOGO_SPACE}</w:pPr>{picture(page.logo)}</w:p>"]
    spacing = "" if page.logo is None else _BELOW_LOGO
    parts = [
        *above,
        paragraph("Title", runs(page.title), text=page.title, after_bidi=spacing),
        paragraph("Subtitle", runs(page.subtitle), text=page.subtitle),
    ]
    if page.facts:
        widths = column_widths((1.0, 3.2), min(paper.text_width, 9400))
        rows = [
            f"<w:tr>{_cell('FactName', label, widths[0], runs)}{_cell('FactValue', value, widths[1], runs)}</w:tr>"
            for label, value in page.facts
        ]
        parts += [table_start("FactTable", widths, _PLAIN_LOOK), *rows, "</w:tbl>", TABLE_END]
    if page.notes:
        parts.append(paragraph("NotesHeading", runs(NOTES_TITLE)))
        parts += [paragraph("ListBullet", runs(note), text=note) for note in page.notes]
    return "".join(parts)


def notes(page: TitlePage, runs: Runs) -> str:
    """What is not in the file, where no title page says it."""
    if not page.notes:
        return ""
    heading = paragraph("NotesHeading", runs(NOTES_TITLE))
    return heading + "".join(paragraph("BodyText", runs(f"– {note}"), text=note) for note in page.notes)


def header(title: str, note: str, runs: Runs) -> str:
    """The paragraph of the header: the title on the left, the note on the right."""
    return paragraph("Header", f"{runs(shortened(title, HEADER_LENGTH))}<w:r><w:tab/></w:r>{runs(note)}")


def footer() -> str:
    number = "<w:r><w:t>1</w:t></w:r>"
    runs = (
        f'<w:r><w:t xml:space="preserve">Page </w:t></w:r>{field("PAGE", number)}'
        f'<w:r><w:t xml:space="preserve"> of </w:t></w:r>{field("NUMPAGES", number)}'
    )
    return paragraph("Footer", runs)


def _cell(style: str, text: str, width: int, runs: Runs) -> str:
    return (
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>'
        f"{paragraph(style, runs(text), text=text)}</w:tc>"
    )
