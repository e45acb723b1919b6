"""WordprocessingML (ECMA-376, transitional), written by hand: every element of a report as text."""
