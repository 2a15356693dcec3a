"""What chance alone would give: nulls by permuting the samples of one variable."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Null:
    """The distribution of an estimate under independence, in the estimate's unit.

    Args:
        mean: Its mean.
        standard_deviation: Its spread.
        low: 2.5 % quantile.
        high: 97.5 % quantile.
        permutations: How many were drawn; 0 where the moments are exact.
        p_value: (1 + permutations at least as high)/(1 + permutations); of the normal
            approximation where the moments are exact.
    """

    mean: float
    standard_deviation: float
    low: float
    high: float
    permutations: int
    p_value: float

    def holds(self, value: float) -> bool:
        """Whether a value lies within the null's 95 % interval: chance alone would do."""
        return self.low <= value <= self.high


def permutations(samples: int, count: int, seed: int) -> Iterator[Tensor]:
    """Random orders of n samples, int64 (n,), the same ones for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        yield torch.randperm(samples, generator=generator)


def permutation_null(
    statistic: Callable[[Tensor], float], observed: float, samples: int, count: int, seed: int = 0
) -> Null:
    """The null of a statistic of two variables.

    Args:
        statistic: From an order (n,) of the second variable's samples to the estimate.
        observed: The estimate on the samples as they are.
        samples: n.
        count: Permutations; 2.5 % quantiles want 100 or more.
        seed: Of the permutations.
    """
    values = [statistic(order) for order in permutations(samples, count, seed)]
    return from_draws(torch.tensor(values, dtype=torch.float64), observed)


def from_draws(draws: Tensor, observed: float) -> Null:
    """The null of an estimate from its values (m,) under m permutations."""
    low, high = torch.quantile(draws, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    count = draws.shape[0]
    extreme = int((draws >= observed).sum())
    spread = float(draws.std(correction=1)) if count > 1 else math.nan
    return Null(float(draws.mean()), spread, low, high, count, (1 + extreme) / (1 + count))


@dataclass(frozen=True)
class MatrixMoments:
    """Mean and variance of Z = mean over i ≠ j of a_ij b_π(i)π(j) over all n! orders π."""

    mean: float
    variance: float


def mantel_moments(a: Tensor, b: Tensor) -> MatrixMoments:
    """Exact moments of the mean product of two symmetric matrices (n, n), n ≥ 4, diagonals unused.

    Source: Mantel, The detection of disease clustering and a generalized regression approach
    (Cancer Research 27, 1967).
    """
    n = a.shape[0]
    pairs = n * (n - 1)
    (mean_a, same_a, shared_a, apart_a), (mean_b, same_b, shared_b, apart_b) = map(_chains, (a, b))
    second = (
        2 * same_a * same_b / pairs
        + 4 * shared_a * shared_b / (pairs * (n - 2))
        + apart_a * apart_b / (pairs * (n - 2) * (n - 3))
    )
    return MatrixMoments(mean_a * mean_b, second / pairs**2)


def _chains(matrix: Tensor) -> tuple[float, float, float, float]:
    """The mean; of the deviations c Σ c_ij², Σ c_ij c_ik (j ≠ k), Σ c_ij c_kl (all distinct)."""
    n = matrix.shape[0]
    inside = torch.eye(n, dtype=torch.bool, device=matrix.device)
    mean = matrix.to(torch.float64).masked_fill(inside, 0.0).sum() / (n * (n - 1))
    # Centred: the sums below would otherwise be differences of large numbers.
    c = (matrix.to(torch.float64) - mean).masked_fill(inside, 0.0)
    same = float(c.square().sum())
    rows = float(c.sum(dim=1).square().sum())
    return float(mean), same, rows - same, float(c.sum()) ** 2 - 4 * rows + 2 * same
