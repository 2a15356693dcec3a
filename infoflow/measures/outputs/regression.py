"""Outputs that are numbers: errors and explained variance, gathered batch by batch.

Source: Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983 (the merging of
sums of squares).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from infoflow.errors import DataError
from infoflow.statistics.moments import Moments
from infoflow.words import shape_text


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error of each sample, the mean over its numbers, (n,)."""
    return _differences(outputs, targets).square().mean(dim=1)


def mean_absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Absolute error of each sample, the mean over its numbers, (n,)."""
    return _differences(outputs, targets).abs().mean(dim=1)


def explained_variance(outputs: Tensor, targets: Tensor) -> Tensor:
    """R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)² over all numbers; −∞ or NaN where the targets are constant."""
    wanted = targets.to(torch.float64).reshape(len(targets), -1)
    spread = (wanted - wanted.mean(dim=0)).square().sum()
    return 1 - _differences(outputs, targets).square().sum() / spread


def _differences(outputs: Tensor, targets: Tensor) -> Tensor:
    if outputs.numel() != targets.numel():
        raise DataError(
            f"the network gives numbers of the shape {shape_text(tuple(outputs.shape))}, and the "
            f"targets are {shape_text(tuple(targets.shape))}."
        )
    flat = outputs.to(torch.float64).reshape(len(outputs), -1)
    return flat - targets.to(torch.float64).reshape(flat.shape)


@dataclass(frozen=True)
class Regression:
    """What outputs that are numbers say of their targets.

    Args:
        squared: Squared error of each sample (n,), the mean over its numbers, float64.
        absolute: Absolute error likewise.
        explained_variance: R² over all numbers; None where the targets are constant.
    """

    squared: Tensor
    absolute: Tensor
    explained_variance: float | None

    @property
    def samples(self) -> int:
        """N."""
        return len(self.squared)

    @property
    def mean_squared_error(self) -> float:
        """Over all numbers."""
        return float(self.squared.mean())

    @property
    def mean_absolute_error(self) -> float:
        """Over all numbers."""
        return float(self.absolute.mean())


@dataclass
class RegressionStream:
    """Takes outputs and targets batch by batch and keeps two numbers a sample."""

    _squared: list[Tensor] = field(default_factory=list)
    _absolute: list[Tensor] = field(default_factory=list)
    _targets: Moments | None = None
    _numbers: int = 1

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        """One batch of as many outputs as targets, (n, …) each.

        Raises:
            DataError: They are not as many.
        """
        with torch.no_grad():
            targets = targets.to(outputs.device)
            self._squared.append(mean_squared_error(outputs, targets).cpu())
            self._absolute.append(mean_absolute_error(outputs, targets).cpu())
            moments = Moments.of(targets.reshape(len(targets), -1).cpu())
            self._targets = moments if self._targets is None else self._targets.merged(moments)
            self._numbers = targets.numel() // len(targets)

    def result(self) -> Regression:
        """What all batches so far say; there must be one."""
        assert self._targets is not None
        squared = torch.cat(self._squared)
        error = float(squared.sum()) * self._numbers
        spread = float(self._targets.variance.sum()) * len(squared)
        found = 1 - error / spread if spread > 0 else None
        return Regression(squared, torch.cat(self._absolute), found)
