"""The claims as data frames of pandas, one after another."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from sqlalchemy import create_engine

from benchmarks.peers.claims import is_postgres
from benchmarks.queries import CLAIMS_AS_THEY_ARE

CHUNK_ROWS = 50_000


def frames(database: str) -> Iterator[pd.DataFrame]:
    if is_postgres(database):
        url = database.replace("postgresql://", "postgresql+psycopg://", 1)
    else:
        url = f"sqlite:///{database}"
    with create_engine(url).connect().execution_options(stream_results=True) as connection:
        yield from pd.read_sql(CLAIMS_AS_THEY_ARE, connection, chunksize=CHUNK_ROWS)
