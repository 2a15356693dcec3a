"""What the information measures read when one variable's samples are permuted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import Kernel, gram, normalised
from infoflow.measures.activations.renyi import entropy
from infoflow.statistics.permutations import (
    MatrixMoments,
    Null,
    from_draws,
    mantel_moments,
    permutation_null,
    permutations,
)

QUANTILE = 1.959963984540054
"""Of the normal distribution, for 95 %."""


@dataclass(frozen=True)
class QuadraticNulls:
    """Nulls of I₂ and of I_CS from the same permutations, in bits."""

    quadratic: Null
    cauchy_schwarz: Null


def quadratic_nulls(x: Kernel, t: Kernel, count: int, seed: int = 0) -> QuadraticNulls:
    """I₂ and I_CS with T's samples permuted; the marginal terms stay as they are.

    O(n²) time for each permutation, O(n²) memory.

    Args:
        x: Kernel of X, n samples.
        t: Kernel of T, the same samples.
        count: Permutations; 100 or more for the quantiles.
        seed: Of the permutations: the same ones for every layer.
    """
    a, b = _squares(x), _squares(t)
    n = a.shape[0]
    rows_a, rows_b = a.sum(dim=1) / (n - 1), b.sum(dim=1) / (n - 1)
    marginal = rows_a.mean().log2() + rows_b.mean().log2()

    def joint_and_crossed(order: Tensor) -> tuple[Tensor, Tensor]:
        joint = torch.dot(a.reshape(-1), permuted(b, order).reshape(-1)) / (n * (n - 1))
        return joint.log2(), (rows_a * rows_b[order.to(a.device)]).mean().log2()

    def values(joint: Tensor, crossed: Tensor) -> tuple[Tensor, Tensor]:
        return joint - marginal, joint + marginal - 2 * crossed

    observed = values(*joint_and_crossed(torch.arange(n)))
    drawn = [values(*joint_and_crossed(order)) for order in permutations(n, count, seed)]
    nulls = [
        from_draws(torch.stack(draws).cpu(), float(seen))
        for draws, seen in zip(zip(*drawn, strict=True), observed, strict=True)
    ]
    return QuadraticNulls(*nulls)


def quadratic_null_moments(x: Kernel, t: Kernel) -> Null:
    """The null of I₂ from Mantel's exact moments of V_J, without a permutation, in bits.

    V_J has mean V_M exactly; log2 is expanded to second order (mean −s²/(2 ln 2), standard
    deviation s/ln 2, s that of V_J/V_M) and quantiles are those of a normal distribution.

    Raises:
        EstimateError: There are fewer than 4 samples.
    """
    a, b = _squares(x), _squares(t)
    value = _mean_product(a, b).log2() - _mean(a).log2() - _mean(b).log2()
    return _expanded(a, b, 0.0, float(value))


def renyi_null(x: Tensor, t: Tensor, alpha: float, count: int, seed: int = 0) -> Null:
    """I_α of the papers' functional with T's samples permuted, in bits.

    One eigenvalue problem for each permutation (none for α = 2): S(X) and S(T) do not change.

    Args:
        x: (n, n), Gram matrix of X.
        t: (n, n), Gram matrix of T.
        alpha: α > 0, 1 and ∞ included.
        count: Permutations; 100 or more for the quantiles.
        seed: Of the permutations.
    """
    x, t = normalised(x.detach()), normalised(t.detach())
    marginal = entropy(x, alpha) + entropy(t, alpha)

    def information(order: Tensor) -> float:
        return float(marginal - entropy(x * permuted(t, order), alpha))

    observed = information(torch.arange(x.shape[0]))
    return permutation_null(information, observed, x.shape[0], count, seed)


def renyi_null_moments(x: Tensor, t: Tensor) -> Null:
    """The null of I_2 of the papers' functional from Mantel's exact moments, in bits.

    tr (A∘B)² = (n + Σ_{i≠j} a b)/n² with a, b the squared entries: the diagonal is the same under
    every permutation. Expanded as in `quadratic_null_moments`.

    Args:
        x: (n, n), Gram matrix of X.
        t: (n, n), Gram matrix of T.

    Raises:
        EstimateError: There are fewer than 4 samples.
    """
    a, b = (_hollow(normalised(matrix.detach()).square()) for matrix in (x, t))
    diagonal = 1 / (x.shape[0] - 1)
    joint, mean_a, mean_b = (diagonal + m for m in (_mean_product(a, b), _mean(a), _mean(b)))
    # (n + Σ)/n² is (1/(n−1) + mean)·(n−1)/n: the factor enters once in J, twice in the marginals.
    factor = (x.shape[0] - 1) / x.shape[0]
    value = (joint / (mean_a * mean_b * factor)).log2()
    return _expanded(a, b, diagonal, float(value), float((mean_a * mean_b * factor).log2()))


def permuted(matrix: Tensor, order: Tensor) -> Tensor:
    """A Gram matrix (n, n) of the samples in another order (n,)."""
    if matrix.device.type != "cpu":
        order = order.to(matrix.device)
        return matrix[order][:, order]
    # numpy takes columns four times faster than torch.
    rows = matrix.numpy()[order.numpy()]
    return torch.from_numpy(np.take(rows, order.numpy(), axis=1))


def _expanded(
    a: Tensor, b: Tensor, diagonal: float, observed: float, marginal: float | None = None
) -> Null:
    """Null of log2(diagonal + Z) − marginal, Z Mantel's mean product."""
    if a.shape[0] < 4:
        raise EstimateError("Exact moments of a null need four samples or more.")
    return null_of_moments(mantel_moments(a, b), diagonal, observed, marginal)


def null_of_moments(
    moments: MatrixMoments, diagonal: float, observed: float, marginal: float | None = None
) -> Null:
    """Null of log2(diagonal + Z) − marginal, in bits, Z a mean product with these moments.

    Expanded as in `quadratic_null_moments`; the marginal is log2 of Z's mean where it is None.
    """
    centre = diagonal + moments.mean
    if not (centre > 0 and moments.mean > 0):
        # No two samples are within the kernels' reach: there is no logarithm to speak of.
        return Null(math.nan, math.nan, math.nan, math.nan, 0, 1.0)
    # Where all kernels are near 1 the variance is the rounding of larger numbers' difference.
    spread = math.sqrt(max(moments.variance, 0.0)) / centre
    base = math.log2(moments.mean) if marginal is None else marginal
    mean = math.log2(centre) - base - spread**2 / (2 * math.log(2))
    deviation = spread / math.log(2)
    z = (observed - mean) / deviation if deviation > 0 else 0.0
    return Null(
        mean,
        deviation,
        mean - QUANTILE * deviation,
        mean + QUANTILE * deviation,
        0,
        0.5 * math.erfc(z / math.sqrt(2)),
    )


def _squares(kernel: Kernel) -> Tensor:
    return _hollow(gram(kernel).detach().square())


def _hollow(matrix: Tensor) -> Tensor:
    inside = torch.eye(matrix.shape[0], dtype=torch.bool, device=matrix.device)
    return matrix.masked_fill(inside, 0.0)


def _mean(matrix: Tensor) -> Tensor:
    n = matrix.shape[0]
    return matrix.sum() / (n * (n - 1))


def _mean_product(a: Tensor, b: Tensor) -> Tensor:
    return _mean(a * b)
