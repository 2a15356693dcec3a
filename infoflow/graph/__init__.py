"""The computation graph of a network, and the layers that form a Markov chain."""

from infoflow.graph.chain import Chain, cut_points

__all__ = ["Chain", "cut_points"]
