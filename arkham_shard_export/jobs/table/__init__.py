"""The tables of jobs: changes of state, pages and counts, and what triggers keep."""
