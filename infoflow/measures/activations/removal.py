"""In which order redundant filters may go: greedy, ranked anew after each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from infoflow.measures.activations.redundancy import COMBINATION

Reason = Literal["dead", "copy", "combination", "similar"]

COPY = 1 - 1e-6
"""Normalised dependence from which two maps are copies of each other, up to scale and sign."""


@dataclass(frozen=True)
class Removal:
    """One filter that may go.

    Args:
        filter: Its index.
        reason: ``dead``; ``copy`` of a filter that stays so far; linear ``combination`` of those;
            or merely ``similar`` to one.
        like: Index of the most dependent filter that was left then; None for a dead filter.
        score: Normalised dependence on it; 1 for a combination; NaN for a dead filter.
    """

    filter: int
    reason: Reason
    like: int | None
    score: float


def removals(
    dependence: Tensor, dead: Tensor, correlation: Tensor, count: int
) -> tuple[Removal, ...]:
    """The first ``count`` filters to remove, most redundant first.

    Dead filters go first. Then, again and again: the filter with the largest normalised
    dependence on one that is left, a linear combination of those left counting as 1. Of a pair
    the one goes whose dependence on all others is larger. Ranked anew each time: otherwise both
    copies of a pair go.

    Args:
        dependence: (C, C), see `redundancy.dependence`; NaN where a map is dead.
        dead: (C,) bool.
        correlation: (C, C) of the maps before the nonlinearity, see `redundancy.correlations`.
        count: How many, at most C − 1.
    """
    filters = dependence.shape[0]
    left = [index for index in range(filters) if not bool(dead[index])]
    gone = [Removal(i, "dead", None, math.nan) for i in range(filters) if bool(dead[i])]
    scores = dependence.detach().cpu().clone()
    scores.fill_diagonal_(-math.inf)
    while len(gone) < min(count, filters - 1) and len(left) > 1:
        chosen = _next(scores, correlation, left)
        gone.append(chosen)
        left.remove(chosen.filter)
    return tuple(gone[:count])


def _next(scores: Tensor, correlation: Tensor, left: list[int]) -> Removal:
    places = torch.tensor(left)
    among = scores[places][:, places]
    best, partner = among.max(dim=1)
    exact = _combinations(correlation.cpu()[places][:, places])
    ranked = torch.where(exact, torch.maximum(best, torch.ones_like(best)), best)
    # Of equal ones (both of a pair have the same), the one nearer to all the others.
    tied = torch.nonzero(ranked >= ranked.max() - 1e-9).flatten()
    towards_all = among.masked_fill(torch.isinf(among), 0.0).sum(dim=1)[tied]
    place = int(tied[towards_all.argmax()])
    score = float(ranked[place])
    reason: Reason = "similar"
    if float(best[place]) >= COPY:
        reason = "copy"
    elif bool(exact[place]):
        reason = "combination"
    return Removal(left[place], reason, left[int(partner[place])], score)


def _combinations(correlation: Tensor) -> Tensor:
    """Whether each variable is a linear combination of the others."""
    values, vectors = torch.linalg.eigh(correlation)
    null = values <= COMBINATION * values[-1]
    shares: Tensor = vectors[:, null].square().sum(dim=1)
    return shares > math.sqrt(COMBINATION)
