"""CSV with pandas."""

from __future__ import annotations

from benchmarks.peers.claims import arguments
from benchmarks.peers.pandas_frames import frames

database, output = arguments()
for number, frame in enumerate(frames(database)):
    frame.to_csv(output, mode="a" if number else "w", header=not number, index=False)
