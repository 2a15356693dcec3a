"""What a network's outputs say: entropy, accuracy, calibration, perplexity, ensembles.

Pure functions of log-probabilities (n, classes, …), float64 inside, in nats, on the device of their
input. Classes lie along the second dimension, positions (pixels, tokens) behind it.
"""
