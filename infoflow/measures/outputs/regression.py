"""Outputs that are numbers: error and explained variance."""

from __future__ import annotations

import torch
from torch import Tensor


def mean_squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """Squared error of each sample, the mean over its numbers, (n,)."""
    difference = outputs.to(torch.float64) - targets.to(torch.float64).reshape(outputs.shape)
    return difference.square().reshape(len(outputs), -1).mean(dim=1)


def explained_variance(outputs: Tensor, targets: Tensor) -> Tensor:
    """R² = 1 − Σ(y − ŷ)²/Σ(y − ȳ)² over all numbers; −∞ or NaN where the targets are constant."""
    wanted = targets.to(torch.float64).reshape(outputs.shape)
    spread = (wanted - wanted.mean(dim=0)).square().sum()
    return 1 - (wanted - outputs.to(torch.float64)).square().sum() / spread
