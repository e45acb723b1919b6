"""XLSX with XlsxWriter in its constant memory mode; it cuts no text, but drops those over 32,767 characters."""

from __future__ import annotations

from datetime import datetime

import xlsxwriter

from benchmarks.peers.claims import arguments, claims

database, output = arguments()
names, rows = claims(database)
book = xlsxwriter.Workbook(
    output, {"constant_memory": True, "strings_to_formulas": False, "remove_timezone": True}
)
sheet = book.add_worksheet("Claims")
header, moment = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
dates = [place for place, name in enumerate(names) if name.endswith("_at")]
for place, name in enumerate(names):
    sheet.write_string(0, place, name, header)
for number, row in enumerate(rows, 1):
    for place, value in enumerate(row):
        if isinstance(value, str) and place in dates:
            sheet.write_datetime(number, place, datetime.fromisoformat(value), moment)
        elif isinstance(value, str):
            sheet.write_string(number, place, value)
        elif value is not None:
            sheet.write_number(number, place, value)
sheet.freeze_panes(1, 0)
book.close()
