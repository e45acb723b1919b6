"""CSV with the csv module."""

from __future__ import annotations

import csv

from benchmarks.peers.claims import arguments, claims

database, output = arguments()
names, rows = claims(database)
with open(output, "w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows(rows)
