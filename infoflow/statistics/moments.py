"""Mean and variance of each unit over a stream of batches.

Two passes inside a batch, Chan's merge between batches: no E[x²] − E[x]², so that a unit that
hardly moves keeps its variance. The order and the size of the batches change rounding only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.errors import EstimateError


@dataclass(frozen=True)
class Moments:
    """Moments of u units over the samples seen so far, float64.

    Args:
        count: Samples seen.
        mean: (u,).
        deviation: (u,) sum of squared deviations from the mean.
        low: (u,) smallest value.
        high: (u,) largest value.
    """

    count: int
    mean: Tensor
    deviation: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, batch: Tensor) -> Moments:
        """Of one batch (samples, …); each of the other positions is a unit. Differentiable.

        Raises:
            EstimateError: The batch is empty.
        """
        if batch.ndim == 0 or batch.shape[0] == 0:
            raise EstimateError("A batch without samples has no moments.")
        given = batch.reshape(batch.shape[0], -1)
        x = given.to(torch.float64)
        mean = x.mean(dim=0)
        deviation = (x - mean).square().sum(dim=0)
        # Each by itself, and before they are float64: torch.aminmax takes ten times as long.
        low, high = (
            end(given.detach(), dim=0).to(torch.float64) for end in (torch.amin, torch.amax)
        )
        return cls(x.shape[0], mean, deviation, low, high)

    @classmethod
    def of_channels(cls, batch: Tensor) -> Moments:
        """Of one batch (samples, channels, …), one unit a channel: positions count as samples."""
        return cls.of(batch.movedim(1, -1).flatten(0, -2))

    def merged(self, other: Moments) -> Moments:
        """Of both sets of samples together (Chan, Golub and LeVeque 1979)."""
        count = self.count + other.count
        gap = other.mean - self.mean
        return Moments(
            count,
            self.mean + gap * (other.count / count),
            self.deviation + other.deviation + gap.square() * (self.count * other.count / count),
            torch.minimum(self.low, other.low),
            torch.maximum(self.high, other.high),
        )

    @property
    def variance(self) -> Tensor:
        """(u,) population variance, ÷ n."""
        return self.deviation / self.count

    @property
    def magnitude(self) -> Tensor:
        """(u,) largest absolute value."""
        return torch.maximum(self.low.abs(), self.high.abs())
