"""Means over the torus of frequencies: randomly shifted grids, with an honest interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infoflow.layers import Array
from infoflow.operators.polyphase import PolyphaseKernel
from infoflow.spectra.over_frequencies import over_frequencies, over_grids

SHIFTS = 8
PILOTS = 4
"""Shifts that predict the grid; pooled over two levels, as many draws as the fresh ones."""
STUDENT = 2.364624251592785
"""97.5 % quantile of Student's t with SHIFTS − 1 = 7 degrees of freedom."""

FEW = 4
"""Channels up to which a symbol is tiny and its grid means are few and skewed: more shifts."""

MANY_SHIFTS = 64
MANY_STUDENT = 1.998340542520741
"""97.5 % quantile of Student's t with MANY_SHIFTS − 1 = 63 degrees of freedom."""

MOST = 1 << 14
"""Most frequencies of one grid, whatever the tolerance."""

Sum = Callable[[Array], Array]
"""Symbols (F, groups, rows, cols) → (F,) or (F, n)."""


@dataclass(frozen=True)
class Estimate:
    """A mean over the torus: of a number, or of an array elementwise."""

    mean: NDArray[np.float64]
    half: float
    grid: int
    shifts: int
    method: str
    missed: bool


def torus_mean(
    function: Sum, kernel: PolyphaseKernel, tolerance: float, generator: np.random.Generator
) -> Estimate:
    """Mean over all frequencies of a function of the symbol, with the half of its 95 % interval.

    Args:
        function: (F, groups, rows, cols) → (F,) or (F, n).
        kernel: Whose symbol.
        tolerance: Half width wanted (root mean square over the n).
        generator: Of the shifts.
    """
    axes = len(kernel.axes)
    if axes == 0:
        mean = over_frequencies(kernel, np.zeros((1, 0)), function)[0]
        return Estimate(mean, 0.0, 1, 1, "exact", False)
    few = kernel.rank_channels <= FEW
    shifts, student = (MANY_SHIFTS, MANY_STUDENT) if few else (SHIFTS, STUDENT)
    n = _grid_size(function, kernel, tolerance, student / math.sqrt(shifts), generator)
    fresh = _shift_means(function, kernel, n, shifts, generator)
    half = student * _spread(fresh) / math.sqrt(shifts)
    side = " × ".join([str(n)] * axes)
    points = f"random shifts of a {side} frequency grid" if n > 1 else "random frequencies"
    method = f"mean and 95 % t interval of {shifts} {points}"
    return Estimate(fresh.mean(axis=0), half, n, shifts, method, half > 2 * tolerance)


def _grid_size(
    function: Sum,
    kernel: PolyphaseKernel,
    tolerance: float,
    reach: float,
    generator: np.random.Generator,
) -> int:
    """Frequencies along an axis for which the fresh shifts are predicted to be within tolerance.

    ``reach`` times the spread of the shifts is the half width: the t quantile by their root.

    Pilot shifts at n = 1, 2, 4, … tell the spread s(n) of the grid means. For a square symbol
    log|det| has logarithmic poles at isolated points of two axes (Fourier coefficients like
    |h|⁻²), and s(n) falls like n⁻²; like n⁻¹ at least on one axis; and much faster where the
    symbol is not square and generically never loses rank. The size wanted follows from s(n).
    The law sets in as n grows, so it is trusted up to ¾n²; beyond, the pilot doubles.
    """
    axes = len(kernel.axes)
    power = min(axes, 2) if kernel.rows == kernel.cols else 4
    most = max(int(round(math.exp(math.log(MOST) / axes), 6)), 2)
    n, before = 1, math.nan
    while True:
        spread = _spread(_shift_means(function, kernel, n, PILOTS, generator))
        # Two levels tell more than one; brought to this n by the same law.
        pooled = spread if math.isnan(before) else math.hypot(spread, before) / math.sqrt(2)
        predicted = pooled * reach
        growth = float((predicted / tolerance) ** (1 / power))
        wanted = math.ceil(n * growth)
        if wanted <= max(0.75 * n**2, 1) or 2 * n > most:
            # Where the means converge faster than the law it must not be followed backwards.
            return min(max(wanted, n // 2 + 1 if n > 1 else 1), most)
        n, before = 2 * n, spread / 2**power


def _shift_means(
    function: Sum, kernel: PolyphaseKernel, n: int, shifts: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Grid means for random shifts, (shifts, …)."""
    axes = len(kernel.axes)
    moves = generator.uniform(0.0, 2 * math.pi / n, size=(shifts, axes))
    return np.asarray(over_grids(kernel, n, moves, function).mean(axis=1))


def _spread(means: NDArray[np.float64]) -> float:
    """Standard deviation over the shifts, root mean square over the elements that are finite."""
    flat = means.reshape(len(means), -1)
    finite = flat[:, np.all(np.isfinite(flat), axis=0)]
    return math.sqrt(float(np.mean(np.var(finite, axis=0, ddof=1)))) if finite.size else 0.0
