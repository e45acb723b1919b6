"""DOCX with python-docx as its documentation shows it: a heading, the text and all fields of each claim."""

from __future__ import annotations

import docx

from benchmarks.peers.claims import arguments
from benchmarks.peers.docx_claims import blocks

database, output = arguments()
document = docx.Document()
for heading, text, facts in blocks(database):
    document.add_heading(heading, 3)
    document.add_paragraph(text)
    paragraph = document.add_paragraph()
    for name, value in facts:
        paragraph.add_run(f"{name} ").italic = True
        paragraph.add_run(f"{value}  ")
document.save(output)
