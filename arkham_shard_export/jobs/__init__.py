"""Jobs: their life, the table that keeps them, and the running of them in worker processes."""
