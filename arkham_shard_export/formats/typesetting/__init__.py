"""From Typst source in chunks to one PDF, in bounded memory and on several processors; knows nothing of records."""
