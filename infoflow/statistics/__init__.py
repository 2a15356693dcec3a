"""Moments and histograms of streams, intervals, and what chance alone would give."""
