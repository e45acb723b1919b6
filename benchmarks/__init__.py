"""Measurements against peers: `make bench`, or `python -m benchmarks --help`."""
