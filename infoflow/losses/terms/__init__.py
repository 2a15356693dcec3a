"""One file a loss: pure functions for the mathematics, a thin term over an unmodified model."""
