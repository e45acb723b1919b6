"""What only one host at a time does: the holder of the lease."""
