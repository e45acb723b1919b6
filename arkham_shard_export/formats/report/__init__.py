"""A report as data: built once from sections of records, set on paper by each writer in its own way."""
