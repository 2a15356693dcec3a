"""Filters taken out of a network, and what that costs on data."""

from infoflow.pruning.prune import Pruned, prune
from infoflow.pruning.run import METHODS

__all__ = ["METHODS", "Pruned", "prune"]
