"""How an export is to look, as somebody asked for it: columns, times, the dialect of CSV, the front of a report.

Each part is checked here on its own, and is then a value that sources and writers read. Whether it means anything for a
target and a format is the business of `pipeline.request`.
"""
