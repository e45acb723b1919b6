"""DOCX with python-docx by one who knows it: paragraphs go before the section's end directly.

`document.add_paragraph` looks through the whole body for that place, and again for each style.
"""

from __future__ import annotations

import docx
from docx.oxml import OxmlElement
from docx.text.paragraph import Paragraph

from benchmarks.peers.claims import arguments
from benchmarks.peers.docx_claims import blocks

database, output = arguments()
document = docx.Document()
end = document.element.body.sectPr
heading_style = document.styles["Heading 3"].style_id


def paragraph(style: str | None = None) -> Paragraph:
    element = OxmlElement("w:p")
    end.addprevious(element)
    element.style = style
    return Paragraph(element, document._body)


for heading, text, facts in blocks(database):
    paragraph(heading_style).add_run(heading)
    paragraph().add_run(text)
    fields = paragraph()
    for name, value in facts:
        fields.add_run(f"{name} ").italic = True
        fields.add_run(f"{value}  ")
document.save(output)
