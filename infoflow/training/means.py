"""Weighted means of what the steps since the last row gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import distributed


@dataclass
class Means:
    """Sums of values and of their weights.

    Args:
        sums: Σ weight · value, by name.
        weights: Σ weight, by name.
    """

    sums: dict[str, float] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)

    def add(self, values: Mapping[str, float], weight: float) -> None:
        """Takes in some values."""
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + weight * value
            self.weights[name] = self.weights.get(name, 0.0) + weight

    def taken(self, processes: int) -> dict[str, float]:
        """The means over all processes, in which the same values were taken in; then none."""
        names = list(self.sums)
        both = torch.tensor(
            [[self.sums[name] for name in names], [self.weights[name] for name in names]],
            dtype=torch.float64,
        )
        if processes > 1:
            distributed.all_reduce(both)
        self.sums, self.weights = {}, {}
        return {name: float(both[0, i] / both[1, i]) for i, name in enumerate(names)}
