"""Training: settings, sampling, the loop, and what survives a kill."""
