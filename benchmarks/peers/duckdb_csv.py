"""CSV with DuckDB."""

from __future__ import annotations

from benchmarks.peers.claims import arguments
from benchmarks.peers.duckdb_tables import attached
from benchmarks.queries import CLAIMS_AS_THEY_ARE

database, output = arguments()
attached(database).execute(f"COPY ({CLAIMS_AS_THEY_ARE}) TO '{output}' (FORMAT csv, HEADER)")
