"""Mean and variance of units over a batch, merged with other parts of it, with a light gradient.

Two passes, no E[x²] − E[x]², and nothing of the batch's size is written. The variance is found
without autograd; `with_gradient` gives it the one gradient that it needs, 2(x − mean)/n, where mean
and n are those of the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class UnitMoments:
    """Moments of u units; float32, or float64 where the activations are.

    Args:
        count: (u,), or () where it is the same for all: samples.
        mean: (u,).
        deviation: (u,) sum of squared deviations from the mean.
    """

    count: Tensor
    mean: Tensor
    deviation: Tensor

    @property
    def variance(self) -> Tensor:
        """(u,) population variance; of a unit without samples 0."""
        return self.deviation / self.count.clamp_min(1)

    def merged(self, other: UnitMoments) -> UnitMoments:
        """Of both sets of samples together (Chan, Golub and LeVeque 1979)."""
        count = self.count + other.count
        share = other.count / count.clamp_min(1)
        gap = other.mean - self.mean
        return UnitMoments(
            count,
            self.mean + gap * share,
            self.deviation + other.deviation + gap.square() * self.count * share,
        )


def unit_moments(rows: Tensor, weight: Tensor | None = None) -> UnitMoments:
    """Of rows (n, u), without autograd.

    Args:
        rows: Samples by units, of any floating type.
        weight: (n, u) of ones and zeros: which of them count; all where None.
    """
    rows = rows.detach()
    kind = _kind(rows)
    if weight is not None:
        wide = rows.to(kind)
        counts = weight.to(kind).sum(dim=0)
        mean = (wide * weight).sum(dim=0) / counts.clamp_min(1)
        deviation = ((wide - mean).square() * weight).sum(dim=0)
        return UnitMoments(counts, mean, deviation)
    wide = rows if rows.dtype == kind else rows.to(kind)
    # Batch normalisation's own statistics: two passes in one kernel.
    mean, variance = torch.batch_norm_update_stats(wide, None, None, 0.0)
    count = torch.tensor(float(len(rows)), dtype=kind, device=rows.device)
    return UnitMoments(count, mean, variance * len(rows))


def with_gradient(
    rows: Tensor, moments: UnitMoments, scale: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """The variance of ``moments`` (u,), as a function of these rows of theirs.

    Args:
        rows: (n, u), all of the samples or a part of them.
        moments: Of all samples.
        scale: Times which the gradient is taken.
        weight: As for `unit_moments`.
    """
    value: Tensor = _Variance.apply(
        rows, moments.mean, moments.variance, moments.count, scale, weight
    )
    return value


class _Variance(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        rows: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        scale: float,
        weight: Tensor | None,
    ) -> Tensor:
        context.save_for_backward(rows, mean, count, weight)
        context.scale = scale
        return variance.clone()

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        rows, mean, count, weight = context.saved_tensors
        slope = gradients[0] * (2 * context.scale / count.clamp_min(1))
        found = torch.addcmul(-mean * slope, rows.to(mean.dtype), slope).to(rows.dtype)
        if weight is not None:
            found *= weight
        return found, None, None, None, None, None


def _kind(rows: Tensor) -> torch.dtype:
    return torch.float64 if rows.dtype == torch.float64 else torch.float32
