"""How wide a Gaussian kernel is: rules by name.

σ is the one of exp(−‖x − y‖²/(2σ²)). A published code may write its kernel otherwise; its preset
(`infoflow.measures.activations.presets.PRESETS`) converts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from infoflow.errors import EstimateError

MEDIAN_SAMPLES = 4096
"""More samples than these are thinned evenly before a median of their distances is taken."""

NEAR = 1e-9
"""Relative difference below which two squared distances are the same."""

_ALIGNMENT_FACTORS = tuple(float(f) for f in np.geomspace(0.05, 20.0, 61))
"""Multiples of the median distance among which the best aligned kernel is sought."""


@dataclass(frozen=True)
class Bandwidth:
    """A chosen σ.

    Args:
        sigma: σ > 0.
        rule: The rule's name with its factor, as in ``half-median`` or ``silverman (h = 5)``.
        ties: Share of pairs of samples at distance 0; 0 where the rule looks at no distances.
        note: Empty, or what a reader must know (``constant``, many ties, a thinned median).
        influence: (n,) influence of each sample on log σ; None where σ does not depend on the
            samples, or not smoothly.
    """

    sigma: float
    rule: str
    ties: float = 0.0
    note: str = ""
    influence: Tensor | None = None

    def times(self, factor: float) -> Bandwidth:
        """The same bandwidth, wider by a factor: log σ moves with the samples as before."""
        return replace(self, sigma=self.sigma * factor, rule=f"{factor:g} × {self.rule}")


@dataclass(frozen=True)
class Spread:
    """What a rule may look at.

    Args:
        distances: (m, m), squared, of all n samples or of some of them.
        dimension: d, the number of features.
        samples: n.
        factor: h or γ of the rule; None for its usual one.
        reference: (n, n), the Gram matrix of X, for ``alignment``.
    """

    distances: Tensor
    dimension: int
    samples: int
    factor: float | None = None
    reference: Tensor | None = None


def check_rule(rule: str | float) -> None:
    """Refuse what is neither a rule nor a σ.

    Raises:
        EstimateError: Says what there is.
    """
    if isinstance(rule, str) and rule not in BANDWIDTHS:
        raise EstimateError(
            f"No bandwidth rule is called {rule!r}; there are {', '.join(BANDWIDTHS)}, or a number."
        )
    if not isinstance(rule, str) and not (math.isfinite(rule) and rule > 0):
        raise EstimateError(f"A bandwidth must be a positive number, not {rule!r}.")


def bandwidth(
    rule: str | float,
    distances: Tensor,
    dimension: int,
    *,
    samples: int | None = None,
    factor: float | None = None,
    reference: Tensor | None = None,
) -> Bandwidth:
    """The bandwidth that a rule gives for these samples.

    Args:
        rule: A name in `BANDWIDTHS`, or σ itself.
        distances: (m, m), squared distances. Of more than 4,096 samples some are taken evenly.
        dimension: d, the number of features.
        samples: n, where the distances are those of m of the samples only; m if None.
        factor: h of the Silverman rules (5 if None, as REN's forward pass; REN's error signals
            take 0.1), γ of ``scaled`` (1 if None).
        reference: The Gram matrix of X (m, m), which ``alignment`` needs.

    Raises:
        EstimateError: The rule is unknown, σ is not a positive number, or what the rule needs is
            missing.
    """
    check_rule(rule)
    if not isinstance(rule, str):
        return Bandwidth(float(rule), "given")
    n = distances.shape[0] if samples is None else samples
    if distances.shape[0] > MEDIAN_SAMPLES:
        few = thinned(distances.shape[0]).to(distances.device)
        distances = distances[few][:, few]
        reference = None if reference is None else reference[few][:, few]
    return BANDWIDTHS[rule](Spread(distances.detach(), dimension, n, factor, reference))


def thinned(samples: int) -> Tensor:
    """Indices of 4,096 of more samples, evenly, int64."""
    return torch.linspace(0, samples - 1, MEDIAN_SAMPLES, dtype=torch.float64).round().long()


def silverman_printed(spread: Spread) -> Bandwidth:
    """σ = h·n^(−1/(1 + d)), as REN prints it."""
    h = 5.0 if spread.factor is None else spread.factor
    sigma = h * spread.samples ** (-1 / (1 + spread.dimension))
    return Bandwidth(sigma, f"silverman-printed (h = {h:g})")


def silverman(spread: Spread) -> Bandwidth:
    """σ = h·n^(−1/(4 + d))."""
    h = 5.0 if spread.factor is None else spread.factor
    sigma = h * spread.samples ** (-1 / (4 + spread.dimension))
    return Bandwidth(sigma, f"silverman (h = {h:g})")


def scaled(spread: Spread) -> Bandwidth:
    """σ = γ·√d·n^(−1/(4 + d)), for standardised features."""
    gamma = 1.0 if spread.factor is None else spread.factor
    sigma = gamma * math.sqrt(spread.dimension) * spread.samples ** (-1 / (4 + spread.dimension))
    return Bandwidth(sigma, f"scaled (γ = {gamma:g})")


def median(spread: Spread) -> Bandwidth:
    """The median of all pairwise distances; of those that are not 0 where the median is 0."""
    found = _median(spread, skip_zeros=False)
    if found.sigma > 0:
        return replace(found, rule="median")
    note = "the median distance is 0: that of the non-zero distances is taken"
    return _explained(_median(spread, skip_zeros=True), "median-nonzero", note)


def median_nonzero(spread: Spread) -> Bandwidth:
    """The median of the pairwise distances that are not 0: the median where there are no ties."""
    return _explained(_median(spread, skip_zeros=True), "median-nonzero", "")


def half_median(spread: Spread) -> Bandwidth:
    """Half the median of the non-zero pairwise distances."""
    whole = _explained(_median(spread, skip_zeros=True), "half-median", "")
    return whole if whole.note == CONSTANT else replace(whole, sigma=whole.sigma / 2)


def alignment(spread: Spread) -> Bandwidth:
    """The σ whose Gram matrix K is best aligned with X's: ⟨K_X, K⟩/(‖K_X‖·‖K‖).

    Sought among 61 multiples of the median distance from 1/20 to 20. Whoever compares variables
    gives X's own σ by the median rule.

    Raises:
        EstimateError: The Gram matrix of X is missing.
    """
    if spread.reference is None:
        raise EstimateError("The alignment rule needs the Gram matrix of the input.")
    start = median_nonzero(spread)
    if start.note == CONSTANT:
        return replace(start, rule="alignment")
    reference = spread.reference.detach().to(torch.float64)
    best = max(
        _ALIGNMENT_FACTORS,
        key=lambda f: _aligned(reference, spread.distances, start.sigma * f),
    )
    return Bandwidth(start.sigma * best, "alignment", start.ties, start.note)


Rule = Callable[[Spread], Bandwidth]

BANDWIDTHS: Mapping[str, Rule] = {
    "half-median": half_median,
    "median": median,
    "median-nonzero": median_nonzero,
    "silverman-printed": silverman_printed,
    "silverman": silverman,
    "scaled": scaled,
    "alignment": alignment,
}
"""Every rule by its name; the first is the default."""

CONSTANT = "constant"


def _aligned(reference: Tensor, distances: Tensor, sigma: float) -> float:
    kernel = torch.exp(distances * (-0.5 / sigma**2))
    return float((reference * kernel).sum() / kernel.norm())


def _explained(found: Bandwidth, rule: str, note: str) -> Bandwidth:
    if found.note == CONSTANT:
        return replace(found, rule=rule)
    if found.ties > 0:
        share = f"{found.ties:.1%} of the pairs of samples are at distance 0"
        note = f"{note}; {share}" if note else share
    return replace(found, rule=rule, note="; ".join(filter(None, [note, found.note])))


def _median(spread: Spread, *, skip_zeros: bool) -> Bandwidth:
    matrix = spread.distances
    some = spread.samples > matrix.shape[0]
    note = f"median of the distances of {matrix.shape[0]:,} samples" if some else ""
    pairs = _pairs(matrix)
    apart = pairs > 0
    positive = pairs if apart.all() else pairs[apart]
    ties = 1 - positive.size / max(pairs.size, 1)
    if positive.size == 0:
        return Bandwidth(1.0, "median", ties, CONSTANT)
    chosen = positive if skip_zeros else pairs
    low, middle, high = _quantiles(chosen, (0.45, 0.5, 0.55))
    if middle == 0 or note:
        return Bandwidth(middle, "median", ties, note)
    share = chosen.size / pairs.size
    slope = math.log(high / low) / 0.1 / share if low > 0 else 0.0
    influence = _median_influence(matrix, middle, slope, skip_zeros=skip_zeros)
    return Bandwidth(middle, "median", ties, note, influence)


def _median_influence(matrix: Tensor, middle: float, slope: float, *, skip_zeros: bool) -> Tensor:
    """2(½ p_i − F_i)·s: p_i, F_i shares of sample i's distances that count and are ≤ the median.

    s is the slope of the quantiles of log distance at the median, 1/density.
    """
    others = matrix.shape[0] - 1
    # Distances that equal the median but for rounding count half.
    below = _counted(matrix < middle**2 * (1 - NEAR)) + _counted(matrix <= middle**2 * (1 + NEAR))
    share = (0.5 * below - 1) / others
    if not skip_zeros:
        return 2 * (0.5 - share) * slope
    tied = (_counted(matrix <= 0) - 1).double() / others
    return 2 * (0.5 * (1 - tied) - (share - tied)) * slope


def _counted(hits: Tensor) -> Tensor:
    """(n,) how many of each row hold; int32 takes less time than int64."""
    return hits.sum(dim=1, dtype=torch.int32)


def _pairs(matrix: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The entries above the diagonal, row by row."""
    array: np.ndarray[Any, np.dtype[np.float64]] = matrix.cpu().numpy()
    return np.concatenate([row[place + 1 :] for place, row in enumerate(array)])


def _quantiles(
    squares: np.ndarray[Any, np.dtype[np.float64]], shares: tuple[float, ...]
) -> list[float]:
    """Quantiles of √squares, which are put into another order; interpolated between neighbours."""
    places = [share * (squares.size - 1) for share in shares]
    needed = sorted({int(f(p)) for p in places for f in (math.floor, math.ceil)})
    squares.partition(needed)
    found = []
    for place in places:
        low, high = (math.sqrt(squares[int(f(place))]) for f in (math.floor, math.ceil))
        found.append(low + (place - math.floor(place)) * (high - low))
    return found
