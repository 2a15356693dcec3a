"""Quadratic Rényi mutual information, entropy-difference form, without diagonal, and its kin.

With a = k_X², b = k_T² (Gaussian kernels of width σ/√2) and means over pairs i ≠ j:
V_J = mean a b, V_M = mean a · mean b, V_C = mean over i of (row mean of a)(row mean of b),

    I₂ = log2 V_J − log2 V_M,   S₂(X) = −log2 mean a,
    I_CS = log2 (V_J V_M / V_C²),   I₂ = I_CS + 2 log2 (V_C / V_M).

All in bits, and properties of the distribution at the kernels' resolution, whatever n. I₂ is no
mutual information: it is negative for some dependent variables and 0 for others, and no data
processing inequality is proved for it or for I_CS (Principe's Cauchy-Schwarz quadratic mutual
information). The second term is density matching, of either sign. The parts are old: information
potential, quadratic Rényi entropy, Mantel's statistic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.kernels import Kernel
from infoflow.measures.activations.pair_sums import (
    BLOCK,
    PairSums,
    pair_sums,
    row_means,
    weighted_rows,
)
from infoflow.statistics.intervals import LEVEL, Interval, interval

FEWEST_PAIRS = 100
"""Effective pairs below which a figure cannot be told."""


@dataclass(frozen=True)
class QuadraticInformation:
    """What two kernels on the same samples say of each other; numbers are 0-d tensors, in bits.

    Args:
        value: I₂.
        cauchy_schwarz: I_CS.
        density_matching: I₂ − I_CS.
        entropy_x: S₂(X).
        entropy_t: S₂(T).
        self_x: I₂(X; X).
        self_t: I₂(T; T).
        ceiling: ½(I₂(X;X) + I₂(T;T)), which I₂ does not exceed.
        ratio: I₂ over its ceiling: what compares layers. NaN where the ceiling is 0.
        influence: (n,) of each sample on I₂, the σ's included where they come from the samples.
        effective_pairs: (Σ w)²/Σ w² over pairs i < j, w = a b.
        copies: Samples that repeat an earlier one in X and in T: they inflate the figure.
        note: Empty, or words for the reader, separated by ``; ``. It begins with ``constant`` where
            X or T is constant, with ``cannot be told`` where there are fewer than 100 effective
            pairs.
    """

    value: Tensor
    cauchy_schwarz: Tensor
    density_matching: Tensor
    entropy_x: Tensor
    entropy_t: Tensor
    self_x: Tensor
    self_t: Tensor
    ceiling: Tensor
    ratio: Tensor
    influence: Tensor
    effective_pairs: float
    copies: int
    note: str

    def interval(self, level: float = LEVEL) -> Interval:
        """The t interval of I₂ from its influences.

        Under independence with balanced labels the first-order influences vanish and the interval
        is too wide: the permutation null is what tells there.
        """
        return interval(float(self.value.detach()), self.influence.detach(), level)


def quadratic_information(x: Kernel, t: Kernel, block: int = BLOCK) -> QuadraticInformation:
    """I₂, I_CS, their parts, ceiling and influences for two kernels on the same n samples.

    One pass over tiles: O(n²) time, O(block²) memory. Differentiable in the features and in σ.
    Nothing is clamped: where no pair is within the kernels' reach the logarithms are −∞ or NaN
    and the note says so.

    Args:
        x: Kernel of X (n samples): `Gaussian`, `Indicator` of labels, or any other.
        t: Kernel of T (the same samples).
        block: Rows of a tile.

    Raises:
        EstimateError: The kernels have different numbers of samples, or fewer than 2.
    """
    return from_sums(pair_sums(x, t, block), x.sigma_influence, t.sigma_influence)


def from_sums(
    sums: PairSums, x_sigma: Tensor | None = None, t_sigma: Tensor | None = None
) -> QuadraticInformation:
    """`quadratic_information` from sums that are already there.

    Args:
        sums: Of the two kernels.
        x_sigma: (n,) influence of each sample on log σ_X; None where σ_X is fixed.
        t_sigma: Likewise of σ_T.
    """
    mean_a, mean_b, joint = sums.a.mean(), sums.b.mean(), sums.ab.mean()
    crossed = (sums.a * sums.b).mean()
    value = joint.log2() - mean_a.log2() - mean_b.log2()
    matching = 2 * (crossed.log2() - mean_a.log2() - mean_b.log2())
    self_x = sums.aa.log2() - 2 * mean_a.log2()
    self_t = sums.bb.log2() - 2 * mean_b.log2()
    ceiling = (self_x + self_t) / 2
    pairs = sums.samples * (sums.samples - 1) / 2
    effective = float((joint.square() * pairs / sums.abab).detach())
    return QuadraticInformation(
        value,
        value - matching,
        matching,
        -mean_a.log2(),
        -mean_b.log2(),
        self_x,
        self_t,
        ceiling,
        torch.where(ceiling == 0, torch.nan, value / torch.where(ceiling == 0, 1.0, ceiling)),
        _influence(sums, x_sigma, t_sigma),
        effective,
        sums.copies,
        _note(sums, effective),
    )


def quadratic_entropy(kernel: Kernel, block: int = BLOCK) -> Tensor:
    """S₂ = −log2 mean over i ≠ j of k_ij², in bits, a 0-d tensor; ∞ where no pair is in reach."""
    return -row_means(kernel, block).mean().log2()


def cauchy_schwarz_influence(x: Kernel, t: Kernel, block: int = BLOCK) -> Tensor:
    """(n,) influence of each sample on I_CS, in bits, with the σ's where they have influences.

    A second pass over the tiles: V_C is a mean over triples, in which a sample is also the
    neighbour of others.
    """
    sums = pair_sums(x, t, block)
    as_neighbour = weighted_rows(x, sums.b, block) + weighted_rows(t, sums.a, block)
    return cauchy_schwarz_influence_of(sums, as_neighbour, x.sigma_influence, t.sigma_influence)


def cauchy_schwarz_influence_of(
    sums: PairSums, as_neighbour: Tensor, x_sigma: Tensor | None, t_sigma: Tensor | None
) -> Tensor:
    """`cauchy_schwarz_influence` from sums that are already there.

    Args:
        sums: Of the two kernels.
        as_neighbour: (n,) mean over j ≠ i of a_ij (row mean of b)_j + b_ij (row mean of a)_j.
        x_sigma: (n,) influence of each sample on log σ_X; None where σ_X is fixed.
        t_sigma: Likewise of σ_T.
    """
    crossed = (sums.a * sums.b).mean()
    relative = (sums.a * sums.b + as_neighbour) / crossed - 3
    found = 2 * (
        sums.ab / sums.ab.mean() + sums.a / sums.a.mean() + sums.b / sums.b.mean() - 3 - relative
    )
    for slope, slope_other, mean, other, sigma in (
        (sums.a_slope, sums.a_slope_b, sums.a, sums.b, x_sigma),
        (sums.b_slope, sums.b_slope_a, sums.b, sums.a, t_sigma),
    ):
        if slope is not None and slope_other is not None and sigma is not None:
            change = slope_other / sums.ab.mean() + slope.mean() / mean.mean()
            found = found + (change - 2 * (slope * other).mean() / crossed) * sigma
    return found / math.log(2)


def _influence(sums: PairSums, x_sigma: Tensor | None, t_sigma: Tensor | None) -> Tensor:
    """2(r_ab/V_J − r_a/mean a − r_b/mean b + 1)/ln 2, and ∂I₂/∂log σ times σ's influences."""
    joint = sums.ab.mean()
    found = 2 * (sums.ab / joint - sums.a / sums.a.mean() - sums.b / sums.b.mean() + 1)
    if x_sigma is not None and sums.a_slope is not None and sums.a_slope_b is not None:
        found = found + (sums.a_slope_b / joint - sums.a_slope.mean() / sums.a.mean()) * x_sigma
    if t_sigma is not None and sums.b_slope is not None and sums.b_slope_a is not None:
        found = found + (sums.b_slope_a / joint - sums.b_slope.mean() / sums.b.mean()) * t_sigma
    return found / math.log(2)


def _note(sums: PairSums, effective: float) -> str:
    words = []
    constant = [n for n, r in (("X", sums.a), ("T", sums.b)) if bool((r.detach() == 1).all())]
    if constant:
        words.append(f"constant ({' and '.join(constant)}): the figure is 0")
    elif math.isnan(effective):
        words.append("cannot be told: no two samples are within reach of both kernels")
    elif effective < FEWEST_PAIRS:
        words.append(f"cannot be told: {effective:.3g} effective pairs, {FEWEST_PAIRS} are needed")
    if sums.copies and not constant:
        words.append(f"{sums.copies} samples repeat another one")
    return "; ".join(words)
