"""What a colleague would write with the usual library: each is run as `python -m benchmarks.peers.NAME DATABASE OUTPUT`.

DATABASE is a SQLite file or the URL of a PostgreSQL database.
"""
