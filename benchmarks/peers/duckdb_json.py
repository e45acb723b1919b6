"""JSON with DuckDB, an object a line; JSON columns as JSON."""

from __future__ import annotations

from benchmarks.peers.claims import arguments
from benchmarks.peers.duckdb_tables import attached
from benchmarks.queries import CLAIMS_WITH_JSON

database, output = arguments()
attached(database).execute(f"COPY ({CLAIMS_WITH_JSON}) TO '{output}' (FORMAT json)")
