"""Filters taken out of a network, and what that costs on data."""

from infoflow.pruning.prune import METHODS, Pruned, prune

__all__ = ["METHODS", "Pruned", "prune"]
