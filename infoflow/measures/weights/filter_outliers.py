"""Filters whose norm stands out from the other filters of their layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from infoflow.measures.weights.filter_facts import CHANCE, FilterFacts

SMALLEST = 16
"""Fewest filters whose spread can be judged: below, the median deviation itself is chance."""


def outlier_limits(filters: int, columns: int) -> tuple[float, float]:
    """How far below and above the median a log-norm must lie, in robust standard deviations.

    At least 5, and beyond what n filters of d independent Gaussian weights reach at a rate of
    CHANCE a layer: the quantiles of ½ log χ²_d at CHANCE/(2n), times 1 + 32/n for the median
    deviation's own error (from 200,000 simulated layers; at n = 16, 32, 64, 256 the factor
    needed is 2.3–3.3, 1.5–2.1, 1.2–1.5, 1.05–1.2).

    Returns:
        Lower limit (negative) and upper limit.
    """
    from scipy.special import gammainccinv, gammaincinv

    def log_norm(tail: float, upper: bool = False) -> float:
        inverse = gammainccinv if upper else gammaincinv
        return 0.5 * math.log(2 * float(inverse(columns / 2, tail)))

    middle = log_norm(0.5)
    spread = 1.4826 * (log_norm(0.75) - log_norm(0.25)) / 2
    tail = CHANCE / (2 * filters)
    factor = 1 + 32 / filters
    low = (log_norm(tail) - middle) / spread * factor
    high = (log_norm(tail, upper=True) - middle) / spread * factor
    return min(low, -5.0), max(high, 5.0)


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
    deviation = logs - np.median(logs)
    spread = 1.4826 * float(np.median(np.abs(deviation)))
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
