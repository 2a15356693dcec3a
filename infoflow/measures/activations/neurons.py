"""Saturated neurons, counted over a stream of batches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

EDGE = 0.01
"""Share of a bounded nonlinearity's range, at each end, that counts as saturated."""

ALMOST_ALWAYS = 0.95
"""Share of the samples in which a unit must be at an end of the range to be saturated."""


@dataclass(frozen=True)
class NeuronCounts:
    """How often each of u units was at an end of its range.

    Args:
        count: Samples seen.
        at_ends: (u,) samples within 1 % of an end of the range.
    """

    count: int
    at_ends: Tensor

    @classmethod
    def of(cls, batch: Tensor, bounds: tuple[float, float]) -> NeuronCounts:
        """Of one batch (samples, …) of post-nonlinearity values.

        Args:
            batch: Each position besides the samples is a unit.
            bounds: Range of the nonlinearity: (−1, 1) of tanh, (0, 1) of the logistic function.
        """
        x = batch.detach().reshape(batch.shape[0], -1)
        low, high = bounds
        margin = EDGE * (high - low)
        return cls(x.shape[0], _count((x <= low + margin) | (x >= high - margin)))

    def merged(self, other: NeuronCounts) -> NeuronCounts:
        """Of both sets of samples together."""
        return NeuronCounts(self.count + other.count, self.at_ends + other.at_ends)

    @property
    def saturated(self) -> Tensor:
        """(u,) whether the unit was at an end of its range in 95 % of the samples or more."""
        return self.at_ends >= ALMOST_ALWAYS * self.count


def _count(hits: Tensor) -> Tensor:
    """(u,) how many of (samples, u) hold; in int32, which takes two thirds of int64's time."""
    return hits.sum(dim=0, dtype=torch.int32).to(torch.int64)


def share(units: Tensor) -> float:
    """The share of units (u,) for which something holds."""
    return float(units.double().mean())
