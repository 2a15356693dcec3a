"""Comparisons for people and machines: one file an output, as for reports."""
