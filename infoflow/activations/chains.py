"""Data processing along the chain, as rows: does each step lose, gain, or can nobody tell?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from infoflow.activations.information import Information, number
from infoflow.measures.activations.inequality import Point, steps
from infoflow.report import Measurement


def step_rows(direction: str, chain: Sequence[tuple[str, Information]]) -> Iterator[Measurement]:
    """The rows of each step; the first site of the chain has none.

    ``value`` is the paired difference, its note the verdict; ``agreement`` the share of the
    stability line (half and double σ, three thirds of the samples) in which it has the same sign.

    Args:
        direction: ``input``, ``label`` or ``error``.
        chain: Sites in the chain's order (for errors from the output backwards).
    """
    points = [
        Point(name, found.within.value, found.quadratic.influence, "; ".join(found.reasons))
        for name, found in chain
    ]
    for step, (before, after) in zip(steps(points), pairwise(chain), strict=True):
        note = step.verdict + (f": {step.reason}" if step.reason else "")
        agreement = _agreement(step.difference.value, before[1], after[1])
        if agreement is not None and agreement < 1:
            unsteady = "the sign changes with σ or between thirds of the samples"
            note += f"; {unsteady}" if step.reason else f": {unsteady}"
        measure = f"data-processing.{direction}"
        method = f"from {step.first}; paired influences; p {step.adjusted:.2g} after Holm"
        yield number(
            step.second, measure, "value", step.difference.value,
            low=step.difference.low, high=step.difference.high, method=method, note=note,
        )  # fmt: skip
        if agreement is not None:
            method = "half and double σ, three thirds of the samples"
            yield number(
                step.second, measure, "agreement", agreement, unit="share", method=method
            )  # fmt: skip


def _agreement(difference: float, before: Information, after: Information) -> float | None:
    """Share of the stability line in which the step has the same sign; None without a line."""
    same = [
        (after.stability[name] - before.stability[name]) * difference > 0
        for name in before.stability.keys() & after.stability.keys()
    ]
    return sum(same) / len(same) if same else None
