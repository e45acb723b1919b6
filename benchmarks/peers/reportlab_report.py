"""PDF with ReportLab's platypus: a heading, the text and all fields of each claim; one font, Latin only."""

from __future__ import annotations

from xml.sax.saxutils import escape

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

from benchmarks.peers.claims import arguments, claims


def number_page(canvas: object, document: object) -> None:
    canvas.drawCentredString(A4[0] / 2, 30, str(document.page))  # type: ignore[attr-defined]


database, output = arguments()
names, rows = claims(database)
styles = getSampleStyleSheet()
story: list[object] = []
for number, row in enumerate(rows, 1):
    record = dict(zip(names, row, strict=True))
    story.append(Paragraph(f"{number}. {escape(str(record['text'])[:110])}", styles["Heading3"]))
    story.append(Paragraph(escape(str(record["text"])), styles["BodyText"]))
    facts = [
        f"<i>{name}</i> {escape(str(value))}"
        for name, value in record.items()
        if value is not None and name != "text"
    ]
    story.append(Paragraph("&nbsp; ".join(facts), styles["BodyText"]))
    story.append(Spacer(1, 8))
SimpleDocTemplate(output, pagesize=A4).build(story, onFirstPage=number_page, onLaterPages=number_page)
