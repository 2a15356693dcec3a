"""Filters whose norm stands out from the other filters of their layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from infoflow.measures.weights.filter_facts import CHANCE, FilterFacts

LEAST = 5.0
"""Robust standard deviations from the median within which no filter is an outlier."""

SMALLEST = 16
"""Fewest filters whose spread can be judged: below, the median deviation itself is chance."""


def log_norm_quantile(tail: float, columns: int, *, upper: bool = False) -> float:
    """Quantile of log‖w‖ = ½ log χ²_d for d independent N(0, 1) weights, from a tail's rate.

    Wilson and Hilferty's cube of a normal variable, χ²_d ≈ d·(1 − 2/(9d) + z·√(2/(9d)))³; at the
    lower end, where it fails in few dimensions, no less than 2·(tail·Γ(d/2 + 1))^(2/d), which
    is below the true quantile since P(χ²_d < x) ≤ (x/2)^(d/2)/Γ(d/2 + 1). At rates of 10⁻³ and
    less this is 0.90 to 1 of the true χ² below and 1 to 1.26 of it above, so never too strict.
    (Without scipy, whose import costs more than a small report.)
    """
    z = NormalDist().inv_cdf(tail)
    spread = 2 / (9 * columns)
    root = 1 - spread + (-z if upper else z) * math.sqrt(spread)
    normal = columns * max(root, 0.0) ** 3
    if upper:
        return 0.5 * math.log(normal)
    bound = math.log(2) + (math.log(tail) + math.lgamma(columns / 2 + 1)) * 2 / columns
    return 0.5 * max(bound, math.log(normal) if normal > 0 else -math.inf)


def outlier_limits(filters: int, columns: int) -> tuple[float, float]:
    """How far below and above the median a log-norm must lie, in robust standard deviations.

    At least 5, and beyond what n filters of d independent Gaussian weights reach at a rate of
    CHANCE a layer: the quantiles of ½ log χ²_d at CHANCE/(2n), times 1 + 32/n for the median
    deviation's own error (from 200,000 simulated layers; at n = 16, 32, 64, 256 the factor
    needed is 2.3–3.3, 1.5–2.1, 1.2–1.5, 1.05–1.2).

    Returns:
        Lower limit (negative) and upper limit.
    """
    middle = log_norm_quantile(0.5, columns)
    quarter = log_norm_quantile(0.25, columns, upper=True) - log_norm_quantile(0.25, columns)
    spread = 1.4826 * quarter / 2
    tail = CHANCE / (2 * filters)
    factor = 1 + 32 / filters
    low = (log_norm_quantile(tail, columns) - middle) / spread * factor
    high = (log_norm_quantile(tail, columns, upper=True) - middle) / spread * factor
    return min(low, -LEAST), max(high, LEAST)


@dataclass(frozen=True)
class Outliers:
    """Filters whose log-norm lies beyond the limits, and how many times the median norm."""

    indices: tuple[int, ...]
    ratios: tuple[float, ...]
    low: float
    high: float


def outliers(facts: FilterFacts, columns: int, epsilon: float) -> Outliers | None:
    """Filters of unusual norm: robust z of log-norm beyond `outlier_limits`.

    z = (log‖w‖ − median)/(1.4826·median deviation), over filters that are neither zero nor
    negligible, which have measures of their own.

    Returns:
        None where it cannot be judged: fewer than SMALLEST filters, or at least half of the
        norms equal up to the stored precision, so that the spread is rounding.
    """
    norms = facts.norms.ravel()
    judged = np.flatnonzero((norms > 0) & (norms >= epsilon * norms.max(initial=0.0)))
    if len(judged) < SMALLEST:
        return None
    logs = np.log(norms[judged])
    deviation = logs - np.quantile(logs, 0.5)
    spread = 1.4826 * float(np.quantile(np.abs(deviation), 0.5))
    if spread <= epsilon:
        return None
    low, high = outlier_limits(len(judged), columns)
    unusual = np.flatnonzero((deviation < low * spread) | (deviation > high * spread))
    return Outliers(
        tuple(int(judged[i]) for i in unusual),
        tuple(float(np.exp(deviation[i])) for i in unusual),
        low,
        high,
    )
