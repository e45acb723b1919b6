"""What a colleague would write with the usual library: each is run as `python -m benchmarks.peers.NAME DB OUT RECORDS`."""
