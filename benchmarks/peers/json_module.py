"""JSON with the json module."""

from __future__ import annotations

import json

from benchmarks.peers.claims import arguments, claims

database, output = arguments()
names, rows = claims(database)
with open(output, "w", encoding="utf-8") as file:
    file.write("[")
    for number, row in enumerate(rows):
        record = dict(zip(names, row, strict=True))
        for name in ("entity_ids", "metadata"):
            record[name] = None if record[name] is None else json.loads(str(record[name]))
        file.write((",\n" if number else "") + json.dumps(record, ensure_ascii=False))
    file.write("]")
