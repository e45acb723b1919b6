"""DOCX with python-docx: a heading, the text and all fields of each claim."""

from __future__ import annotations

import re

import docx

from benchmarks.peers.claims import arguments, claims

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def clean(text: object) -> str:
    return FORBIDDEN.sub("\ufffd", str(text))


database, output, records = arguments()
names, rows = claims(database, records)
document = docx.Document()
for number, row in enumerate(rows, 1):
    record = dict(zip(names, row, strict=True))
    document.add_heading(f"{number}. {clean(record['text'])[:110]}", 3)
    document.add_paragraph(clean(record["text"]))
    paragraph = document.add_paragraph()
    for name, value in record.items():
        if value is not None and name != "text":
            paragraph.add_run(f"{name} ").italic = True
            paragraph.add_run(f"{clean(value)}  ")
document.save(output)
