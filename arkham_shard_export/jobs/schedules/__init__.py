"""Exports that repeat: when they are due, and that each due time makes one job."""
