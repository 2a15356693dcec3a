"""Mean and variance of units over a batch, merged with other parts of it, with a light gradient.

Two passes in blocks of columns that stay in the cache: nothing of the batch's size is written, no
E[x²] − E[x]². The variance is found without autograd; `with_gradient` gives it the one gradient
that it needs, 2(x − mean)/n, where mean and n are those of the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

BLOCK = 1 << 18
"""Numbers of a block: 1 MiB of float32."""


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
    n, units = rows.shape
    count = torch.tensor(float(n), dtype=kind, device=rows.device)
    mean, deviation = (torch.empty(units, dtype=kind, device=rows.device) for _ in range(2))
    width = _width(rows)
    buffer = torch.empty(n * min(width, units), dtype=kind, device=rows.device)
    for start in range(0, units, width):
        columns = slice(start, start + width)
        block = rows[:, columns]
        block = block if block.dtype == kind else block.to(kind)
        torch.mean(block, dim=0, out=mean[columns])
        centred = buffer[: block.numel()].view(block.shape)
        torch.sub(block, mean[columns], out=centred)
        centred.square_()
        torch.sum(centred, dim=0, out=deviation[columns])
    return UnitMoments(count, mean, deviation)


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
        found = torch.empty_like(rows)
        width = _width(rows)
        for start in range(0, rows.shape[1], width):
            columns = slice(start, start + width)
            if rows.dtype == mean.dtype:
                part = found[:, columns]
                torch.sub(rows[:, columns], mean[columns], out=part)
                part.mul_(slope[columns])
            else:
                found[:, columns] = (rows[:, columns] - mean[columns]) * slope[columns]
        if weight is not None:
            found *= weight
        return found, None, None, None, None, None


def _width(rows: Tensor) -> int:
    """Columns of a block; one block on an accelerator."""
    if rows.device.type != "cpu":
        return max(rows.shape[1], 1)
    return max(BLOCK // max(rows.shape[0], 1), 16)


def _kind(rows: Tensor) -> torch.dtype:
    return torch.float64 if rows.dtype == torch.float64 else torch.float32
