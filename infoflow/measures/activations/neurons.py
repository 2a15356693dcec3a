"""Dead and saturated neurons, counted over a stream of batches."""

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
    """How often each of u units was at rest, or at an end of its range.

    Args:
        count: Samples seen.
        resting: (u,) samples in which the value was 0 or below.
        at_ends: (u,) samples within 1 % of an end of the range; None for unbounded values.
    """

    count: int
    resting: Tensor
    at_ends: Tensor | None

    @classmethod
    def of(cls, batch: Tensor, bounds: tuple[float, float] | None = None) -> NeuronCounts:
        """Of one batch (samples, …) of post-nonlinearity values.

        Args:
            batch: Each position besides the samples is a unit.
            bounds: Range of the nonlinearity: (−1, 1) of tanh, (0, 1) of the logistic function.
        """
        x = batch.detach().reshape(batch.shape[0], -1)
        ends = None
        if bounds is not None:
            low, high = bounds
            margin = EDGE * (high - low)
            ends = _count((x <= low + margin) | (x >= high - margin))
        return cls(x.shape[0], _count(x <= 0), ends)

    def merged(self, other: NeuronCounts) -> NeuronCounts:
        """Of both sets of samples together."""
        ends = None
        if self.at_ends is not None and other.at_ends is not None:
            ends = self.at_ends + other.at_ends
        return NeuronCounts(self.count + other.count, self.resting + other.resting, ends)

    @property
    def dead(self) -> Tensor:
        """(u,) whether the unit was never above 0: of a ReLU, that it never passed anything on."""
        return self.resting == self.count

    @property
    def saturated(self) -> Tensor:
        """(u,) whether the unit was at an end of its range in 95 % of the samples or more."""
        if self.at_ends is None:
            return torch.zeros_like(self.dead)
        return self.at_ends >= ALMOST_ALWAYS * self.count


def _count(hits: Tensor) -> Tensor:
    """(u,) how many of (samples, u) hold; in int32, which takes two thirds of int64's time."""
    return hits.sum(dim=0, dtype=torch.int32).to(torch.int64)


def share(units: Tensor) -> float:
    """The share of units (u,) for which something holds."""
    return float(units.double().mean())
