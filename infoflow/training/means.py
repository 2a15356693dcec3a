"""Weighted means of what the steps since the last row gave."""

from __future__ import annotations

import math
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

    def merge_processes(self, processes: int, device: torch.device) -> None:
        """Adds up what all processes took in, under the same names."""
        if processes == 1:
            return
        names = list(self.sums)
        both = torch.tensor(
            [[one[name] for name in names] for one in (self.sums, self.weights)],
            dtype=torch.float64,
            device=device,
        )
        distributed.all_reduce(both)
        self.sums = {name: float(both[0, i]) for i, name in enumerate(names)}
        self.weights = {name: float(both[1, i]) for i, name in enumerate(names)}

    def include(self, other: Means) -> None:
        """Takes in what another one holds."""
        for name, value in other.sums.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.weights[name] = self.weights.get(name, 0.0) + other.weights[name]

    @property
    def finite(self) -> bool:
        """Whether every sum is."""
        return all(map(math.isfinite, self.sums.values()))

    def taken(self) -> dict[str, float]:
        """The means; then there are none."""
        found = {name: total / (self.weights[name] or 1) for name, total in self.sums.items()}
        self.sums, self.weights = {}, {}
        return found
