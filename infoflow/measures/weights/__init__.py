"""Measures that need weights only."""
