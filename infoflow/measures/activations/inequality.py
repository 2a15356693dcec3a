"""Data processing inequalities: does information fall from layer to layer of a chain?

A step is judged by the t interval of the paired difference on the same samples, Holm-corrected
over the chain. Three words: falls, rises, cannot be told. The estimators are no mutual
information and a deterministic network with continuous input has an infinite one, so that
"violated" is kept for chains whose true order is known.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.statistics.intervals import Interval, holm, paired_difference

SAME = "the two are the same to rounding"

Verdict = Literal["falls", "rises", "cannot be told"]

SIGNIFICANCE = 0.05
"""Rate, over a whole chain, of steps that are called one way without a true difference."""

ROUNDING = 1e-9
"""Bits below which two estimates are the same, whatever their influences say."""


@dataclass(frozen=True)
class Point:
    """An estimate in a chain.

    Args:
        name: Of the layer.
        value: The estimate, in bits.
        influence: (n,) of each sample on it; of an estimate that is the mean over m disjoint
            batches, (m,): each batch's estimate less the mean.
        reason: Why it cannot be told from anything (``saturated``, ``within its null``,
            ``constant``, too few effective pairs); empty if it can.
    """

    name: str
    value: float
    influence: Tensor
    reason: str = ""


@dataclass(frozen=True)
class Step:
    """From one layer of a chain to the next.

    Args:
        first: Name of the layer before.
        second: Name of the layer after.
        difference: Second less first, with its own 95 % interval and p-value.
        adjusted: p-value after Holm's correction over the chain's judged steps.
        verdict: ``falls``, ``rises`` or ``cannot be told``.
        reason: Why it cannot be told; empty otherwise.
    """

    first: str
    second: str
    difference: Interval
    adjusted: float
    verdict: Verdict
    reason: str


def steps(chain: Sequence[Point]) -> tuple[Step, ...]:
    """Every step of a chain of estimates on the same samples, in order.

    A step at either end of which an estimate cannot be told is not judged, and does not count
    for the correction.

    Raises:
        EstimateError: The estimates are of different numbers of samples.
    """
    if len({point.influence.shape for point in chain}) > 1:
        raise EstimateError("The estimates of a chain must be on the same samples.")
    pairs = list(itertools.pairwise(chain))
    differences = [
        paired_difference(a.value, b.value, a.influence.detach(), b.influence.detach())
        for a, b in pairs
    ]
    reasons = [
        _reason(a, b) or (SAME if abs(difference.value) < ROUNDING else "")
        for (a, b), difference in zip(pairs, differences, strict=True)
    ]
    judged = [place for place, reason in enumerate(reasons) if not reason]
    corrected = holm([differences[place].p_value for place in judged])
    adjusted = dict(zip(judged, corrected, strict=True))
    return tuple(
        _step(a, b, differences[place], adjusted.get(place), reasons[place])
        for place, (a, b) in enumerate(pairs)
    )


def _step(
    first: Point, second: Point, difference: Interval, adjusted: float | None, reason: str
) -> Step:
    if adjusted is None:
        return Step(first.name, second.name, difference, 1.0, "cannot be told", reason)
    if adjusted >= SIGNIFICANCE:
        reason = "the difference is within its interval"
        return Step(first.name, second.name, difference, adjusted, "cannot be told", reason)
    verdict: Verdict = "falls" if difference.value < 0 else "rises"
    return Step(first.name, second.name, difference, adjusted, verdict, "")


def _reason(first: Point, second: Point) -> str:
    """The reasons of both ends; an estimate of NaN cannot be told either."""
    ends = [
        f"{point.name}: {point.reason or 'no number'}"
        for point in (first, second)
        if point.reason or math.isnan(point.value)
    ]
    return "; ".join(ends)
