"""JSON with pandas, an object a line; JSON columns stay text."""

from __future__ import annotations

from benchmarks.peers.claims import arguments
from benchmarks.peers.pandas_frames import frames

database, output = arguments()
for number, frame in enumerate(frames(database)):
    frame.to_json(output, orient="records", lines=True, force_ascii=False, mode="a" if number else "w")
