"""Measures of what a network computes: pure functions of activations, in nats or bits as said."""
