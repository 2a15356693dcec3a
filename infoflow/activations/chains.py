"""Data processing along the chain, as rows: does each step lose, gain, or can nobody tell?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from infoflow.activations.information import Information, number
from infoflow.measures.activations.inequality import Point, steps
from infoflow.report import Measurement


def step_rows(direction: str, chain: Sequence[tuple[str, Information]]) -> Iterator[Measurement]:
    """A row a step; the first site of the chain has none.

    Args:
        direction: ``input``, ``label`` or ``error``.
        chain: Sites in the chain's order (for errors from the output backwards).
    """
    points = [
        Point(name, found.within.value, found.quadratic.influence, "; ".join(found.reasons))
        for name, found in chain
    ]
    for step in steps(points):
        note = step.verdict + (f": {step.reason}" if step.reason else "")
        yield number(
            step.second,
            f"data-processing.{direction}",
            "value",
            step.difference.value,
            low=step.difference.low,
            high=step.difference.high,
            method=f"from {step.first}; paired influences; p {step.adjusted:.2g} after Holm",
            note=note,
        )
