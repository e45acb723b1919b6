"""Read records: one consistent snapshot, streamed in batches, with related rows read batch by batch."""
