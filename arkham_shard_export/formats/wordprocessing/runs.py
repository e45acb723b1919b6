"""Text as runs and paragraphs: complete, in any script, with line breaks and tabs as elements."""

from __future__ import annotations

from arkham_shard_export.formats.report.direction import directed, has_rtl, is_rtl
from arkham_shard_export.formats.xml import XmlText
from arkham_shard_export.records import Adjustments

_TEXT = '<w:t xml:space="preserve">'
_BREAK = f"</w:t><w:br/>{_TEXT}"
_TAB = f"</w:t><w:tab/>{_TEXT}"

BOLD = "<w:b/><w:bCs/>"


class Runs:
    """Counts in `adjustments` the characters that XML cannot carry, so set a text once and use the result twice."""

    def __init__(self, adjustments: Adjustments) -> None:
        self._xml = XmlText(adjustments)

    def __call__(self, text: str, properties: str = "") -> str:
        """`properties` are elements of `w:rPr` that stand before `w:rtl` in the schema."""
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not has_rtl(text):
            return self._run(text, properties)
        return "".join(
            self._run(
                part, f'{properties}<w:rtl/><w:lang w:bidi="{_language(part)}"/>' if rtl else properties
            )
            for part, rtl in directed(text)
        )

    def attribute(self, text: str) -> str:
        return self._xml.attribute(text)

    def _run(self, text: str, properties: str) -> str:
        text = self._xml(text)
        if "\n" in text:
            text = text.replace("\n", _BREAK)
        if "\t" in text:
            text = text.replace("\t", _TAB)
        if properties:
            return f"<w:r><w:rPr>{properties}</w:rPr>{_TEXT}{text}</w:t></w:r>"
        return f"<w:r>{_TEXT}{text}</w:t></w:r>"


def paragraph(style: str, runs: str, *, text: str = "", before_bidi: str = "", after_bidi: str = "") -> str:
    """A paragraph that reads as `text` does; the other two are elements of `w:pPr` on either side of `w:bidi`."""
    bidi = "<w:bidi/>" if is_rtl(text) else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{before_bidi}{bidi}{after_bidi}</w:pPr>{runs}</w:p>'


def field(instruction: str, result: str) -> str:
    """A complex field (17.16.18) with the runs that stand for it until a program computes it."""
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f'<w:r><w:instrText xml:space="preserve"> {instruction} </w:instrText></w:r>'
        f'<w:r><w:fldChar w:fldCharType="separate"/></w:r>{result}'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def _language(text: str) -> str:
    """Hebrew has a script of its own; the Arabic script does not tell its language."""
    hebrew = any("\u0590" <= each <= "\u05ff" or "\ufb1d" <= each <= "\ufb4f" for each in text)
    return "he-IL" if hebrew else "ar-SA"
