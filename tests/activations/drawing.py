"""Gaussian samples whose information is known."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def pair(samples: int, correlation: float, seed: int) -> tuple[Tensor, Tensor]:
    """Two correlated standard normal variables (n,)."""
    z = normal(samples, 2, seed=seed)
    return z[:, 0], correlation * z[:, 0] + math.sqrt(1 - correlation**2) * z[:, 1]


def chain(samples: int, layers: int, noise: float, seed: int, dimension: int = 5) -> list[Tensor]:
    """X and noisy copies of copies of it: information truly falls."""
    found = [normal(samples, dimension, seed=seed)]
    for layer in range(layers):
        noisy = found[-1] + noise * normal(samples, dimension, seed=1000 * seed + layer + 1)
        found.append(noisy / math.sqrt(1 + noise**2))
    return found
