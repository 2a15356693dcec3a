"""Histograms of a stream over a range that is known: fixed, or from a first pass (`Moments`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infoflow.errors import EstimateError


@dataclass(frozen=True)
class Histogram:
    """Counts of values in equal bins, for one range or for a range a unit.

    Args:
        low: (r,) lower ends of the ranges: r = 1 for all units together, or one a unit.
        high: (r,) upper ends, included in the last bin.
        counts: (r, bins), int64.
        below: (r,) values below the range.
        above: (r,) values above it.
    """

    low: Tensor
    high: Tensor
    counts: Tensor
    below: Tensor
    above: Tensor

    @classmethod
    def empty(cls, low: Tensor | float, high: Tensor | float, bins: int) -> Histogram:
        """Without values yet. A range of no width has all its values in the first bin.

        Args:
            low: A number for all units together, or (units,).
            high: Likewise, nowhere below ``low``.
            bins: How many, one or more.

        Raises:
            EstimateError: A range ends before it begins, or there are no bins.
        """
        first = torch.as_tensor(low, dtype=torch.float64).reshape(-1)
        last = torch.as_tensor(high, dtype=torch.float64).reshape(-1)
        if bins < 1 or first.shape != last.shape or not bool((last >= first).all()):
            raise EstimateError("A histogram needs bins, and ranges that end after they begin.")
        counts = torch.zeros(first.shape[0], bins, dtype=torch.int64, device=first.device)
        none = torch.zeros_like(counts[:, 0])
        return cls(first, last, counts, none, none)

    def with_batch(self, batch: Tensor) -> Histogram:
        """With the values of a batch (samples, …) counted in.

        Raises:
            EstimateError: There are ranges for another number of units.
        """
        ranges, bins = self.counts.shape
        x = batch.detach().to(torch.float64).reshape(batch.shape[0], -1)
        x = x.reshape(-1, 1) if ranges == 1 else x
        if x.shape[1] != ranges:
            raise EstimateError(f"There are {x.shape[1]} units and ranges for {ranges}.")
        width = torch.where(self.high > self.low, self.high - self.low, 1.0)
        place = ((x - self.low) / width * bins).floor()
        below, above = x < self.low, x > self.high
        inside = ~(below | above)
        # The upper end belongs to the last bin, and rounding must not carry a value past it.
        place = torch.where(inside, place, 0.0).clamp(0, bins - 1).to(torch.int64)
        flat = place + torch.arange(ranges, device=x.device) * bins
        counts = torch.bincount(flat[inside], minlength=ranges * bins).reshape(ranges, bins)
        return replace(
            self,
            counts=self.counts + counts,
            below=self.below + below.sum(dim=0),
            above=self.above + above.sum(dim=0),
        )

    @property
    def edges(self) -> Tensor:
        """(r, bins + 1) ends of the bins."""
        steps = torch.linspace(
            0, 1, self.counts.shape[1] + 1, dtype=torch.float64, device=self.low.device
        )
        return self.low[:, None] + (self.high - self.low)[:, None] * steps
