"""Who runs which job, and when: a queue of one process, and one of many."""
