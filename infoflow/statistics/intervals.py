"""Intervals and tests for estimates whose samples' influences are known.

An estimate θ of n samples has influences L_i with mean 0; its standard error is sd(L)/√n, and the
difference of two estimates on the same samples has the influences L_i − L′_i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval, in the estimate's unit.

    Args:
        value: The estimate.
        standard_error: Of the estimate.
        low: Lower end.
        high: Upper end.
        p_value: Of a two-sided t test that the true value is 0.
    """

    value: float
    standard_error: float
    low: float
    high: float
    p_value: float


def standard_error(influence: Tensor) -> Tensor:
    """sd(L)/√n of influences (…, n), with n − 1 in the variance; NaN for one sample."""
    n = influence.shape[-1]
    deviations = influence.to(torch.float64) - influence.to(torch.float64).mean(
        dim=-1, keepdim=True
    )
    return (deviations.square().sum(dim=-1) / (n - 1) / n).sqrt()


def t_quantile(freedom: float, level: float = LEVEL) -> float:
    """The t with P(|T| ≤ t) = level at these degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, 0.5 + level / 2))


def interval(value: float, influence: Tensor, level: float = LEVEL) -> Interval:
    """The t interval of an estimate from its influences (n,), n − 1 degrees of freedom."""
    return _interval(value, float(standard_error(influence)), influence.shape[0] - 1, level)


def paired_difference(
    first: float,
    second: float,
    first_influence: Tensor,
    second_influence: Tensor,
    level: float = LEVEL,
) -> Interval:
    """The t interval of second − first, two estimates on the same samples, from L′_i − L_i."""
    return interval(second - first, second_influence - first_influence, level)


def batch_interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """The t interval of the mean of an estimate over disjoint batches, two or more.

    Right, and wider than that from influences; a percentile bootstrap over batches is not right.
    """
    batches = torch.tensor(list(values), dtype=torch.float64)
    return _interval(float(batches.mean()), float(standard_error(batches)), len(values) - 1, level)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, in the given order: of m tests, max over the smaller ones of
    (m − rank)·p, at most 1.

    Source: Holm, A simple sequentially rejective multiple test procedure (1979).
    """  # noqa: D205
    count = len(p_values)
    adjusted = [0.0] * count
    highest = 0.0
    for rank, place in enumerate(sorted(range(count), key=p_values.__getitem__)):
        highest = max(highest, (count - rank) * p_values[place])
        adjusted[place] = min(1.0, highest)
    return tuple(adjusted)


def _interval(value: float, error: float, freedom: int, level: float) -> Interval:
    from scipy.special import stdtr

    half = t_quantile(freedom, level) * error
    if error == 0:
        p_value = 1.0 if value == 0 else 0.0
    else:
        p_value = 2 * float(stdtr(freedom, -abs(value) / error))
    return Interval(value, error, value - half, value + half, p_value)
