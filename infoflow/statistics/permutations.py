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


@dataclass(frozen=True)
class Chains:
    """What the moments need of a symmetric matrix (n, n), its diagonal unused.

    Args:
        samples: n.
        mean: Over i ≠ j.
        same: Of the deviations c from it Σ c_ij².
        shared: Σ c_ij c_ik over j ≠ k.
        apart: Σ c_ij c_kl over distinct i, j, k, l.
    """

    samples: int
    mean: float
    same: float
    shared: float
    apart: float

    @classmethod
    def of(cls, matrix: Tensor) -> Chains:
        """Of a matrix that is there."""
        n = matrix.shape[0]
        inside = torch.eye(n, dtype=torch.bool, device=matrix.device)
        mean = matrix.to(torch.float64).masked_fill(inside, 0.0).sum() / (n * (n - 1))
        # Centred: the sums below would otherwise be differences of large numbers.
        c = (matrix.to(torch.float64) - mean).masked_fill(inside, 0.0)
        return cls._centred(n, float(mean), float(c.square().sum()), c.sum(dim=1))

    @classmethod
    def of_sums(cls, rows: Tensor, square: Tensor) -> Chains:
        """Of the row sums (n,) without diagonal and the mean square over i ≠ j."""
        n = len(rows)
        mean = rows.sum() / (n * (n - 1))
        same = max(float(square - mean.square()), 0.0) * n * (n - 1)
        return cls._centred(n, float(mean), same, rows - (n - 1) * mean)

    @classmethod
    def _centred(cls, n: int, mean: float, same: float, deviations: Tensor) -> Chains:
        rows = float(deviations.square().sum())
        apart = float(deviations.sum()) ** 2 - 4 * rows + 2 * same
        return cls(n, mean, same, rows - same, apart)


def mantel_moments(a: Tensor, b: Tensor) -> MatrixMoments:
    """Exact moments of the mean product of two symmetric matrices (n, n), n ≥ 4, diagonals unused.

    Source: Mantel, The detection of disease clustering and a generalized regression approach
    (Cancer Research 27, 1967).
    """
    return moments_of_chains(Chains.of(a), Chains.of(b))


def moments_of_chains(a: Chains, b: Chains) -> MatrixMoments:
    """The same from what the moments need of each matrix."""
    n = a.samples
    pairs = n * (n - 1)
    second = (
        2 * a.same * b.same / pairs
        + 4 * a.shared * b.shared / (pairs * (n - 2))
        + a.apart * b.apart / (pairs * (n - 2) * (n - 3))
    )
    return MatrixMoments(a.mean * b.mean, second / pairs**2)
