"""Data processing along the chain, as rows: does each step lose, gain, or can nobody tell?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

from infoflow.activations.information import Information
from infoflow.activations.rows import number
from infoflow.measures.activations.inequality import Point, steps
from infoflow.report import Measurement
from infoflow.statistics.stability import order_changes
from infoflow.words import counted, cut

RATIO = "of I₂ over its ceiling"
TOLD = 8
"""Sites that a note names."""
WORDS = {
    "half-sigma": "half σ",
    "double-sigma": "double σ",
    "third-1": "a third of the samples",
    "third-2": "a third of the samples",
    "third-3": "a third of the samples",
}


def step_rows(direction: str, chain: Sequence[tuple[str, Information]]) -> Iterator[Measurement]:
    """The rows of each step; the first site of the chain has none.

    ``value`` is the paired difference of the ratios to the ceiling, its note the verdict;
    ``agreement`` the share of the stability line (half and double σ, three thirds of the samples)
    in which it has the same sign. The ratio and not the bits, since ceilings differ from site to
    site: see docs/estimator-study.md.

    Args:
        direction: ``input``, ``label`` or ``error``.
        chain: Sites in the chain's order (for errors from the output backwards).
    """
    points = [
        Point(name, found.ratio.value, found.ratio_influence, "; ".join(found.reasons))
        for name, found in chain
    ]
    for step, (before, after) in zip(steps(points), pairwise(chain), strict=True):
        note = step.verdict + (f": {step.reason}" if step.reason else "")
        agreement = _agreement(step.difference.value, before[1], after[1])
        if agreement is not None and agreement < 1:
            unsteady = "the sign changes with σ or between thirds of the samples"
            note += f"; {unsteady}" if step.reason else f": {unsteady}"
        measure = f"data-processing.{direction}"
        method = f"{RATIO}, from {step.first}; paired influences; p {step.adjusted:.2g} after Holm"
        yield number(
            step.second, measure, "value", step.difference.value,
            low=step.difference.low, high=step.difference.high, unit="share", method=method,
            note=note,
        )  # fmt: skip
        if agreement is not None:
            method = "half and double σ, three thirds of the samples"
            yield number(
                step.second, measure, "agreement", agreement, unit="share", method=method
            )  # fmt: skip


def order_row(direction: str, chain: Sequence[tuple[str, Information]]) -> Iterator[Measurement]:
    """Whether the order of the chain's sites is the same at every point of the stability line.

    ``order`` is the least of Kendall's τ between the sites' ratios as they are and those at half
    and double σ and of each third of the samples: 1 where no two sites change places. Its note
    names the circumstances and the sites that change places anywhere. Sites without a number
    somewhere (a constant one) have no place in an order and are left out.
    """
    names = [name for name in WORDS if all(name in one.stability for _, one in chain)]
    chain = [(name, found) for name, found in chain if _has_numbers(found, names)]
    if len(chain) < 2 or not names:
        return
    base = [found.ratio.value for _, found in chain]
    lines = {name: [found.stability[name].ratio for _, found in chain] for name in names}
    agreement = {name: kendall(base, line) for name, line in lines.items()}
    worst = min(agreement, key=lambda name: agreement[name])
    note = "the order of sites is the same"
    if agreement[worst] < 1:
        moved = order_changes([base, *lines.values()])
        told = cut([chain[place][0] for place in moved], TOLD)
        note = f"the order of sites changes, most at {WORDS[worst]}: {told}"
    yield number(
        "", f"data-processing.{direction}", "order", agreement[worst], unit="ratio", note=note,
        method=f"least Kendall τ of {counted(len(chain), 'site')} at half and double σ and in "
        "three thirds of the samples",
    )  # fmt: skip


def kendall(one: Sequence[float], other: Sequence[float]) -> float:
    """Kendall's τ: of all pairs, those in the same order less those in the opposite one.

    Two that are equal in both have the same order; equal in one only, neither.

    >>> kendall([1, 2, 3], [1, 3, 2]), kendall([1, 1, 2], [3, 3, 4])
    (0.3333333333333333, 1.0)
    """
    pairs = list(combinations(zip(one, other, strict=True), 2))
    signs = [
        1 if a[0] == b[0] and a[1] == b[1] else (a[0] - b[0]) * (a[1] - b[1]) for a, b in pairs
    ]
    return sum((sign > 0) - (sign < 0) for sign in signs) / len(pairs)


def _has_numbers(found: Information, names: Sequence[str]) -> bool:
    ratios = (found.ratio.value, *(found.stability[name].ratio for name in names))
    return all(map(math.isfinite, ratios))


def _agreement(difference: float, before: Information, after: Information) -> float | None:
    """Share of the stability line in which the step has the same sign; None without a line."""
    same = [
        (after.stability[name].ratio - before.stability[name].ratio) * difference > 0
        for name in before.stability.keys() & after.stability.keys()
    ]
    return sum(same) / len(same) if same else None
