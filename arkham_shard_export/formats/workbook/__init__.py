"""A workbook (SpreadsheetML, ECMA-376 part 1, chapter 18), streamed sheet by sheet into a ZIP."""
