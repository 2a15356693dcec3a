"""The log-volume of a layer a position of its output: Σ log σᵢ over all frequencies (Szegő).

    density = (2π)^(−d) ∫ Σᵢ log σᵢ(K̂(θ)) dθ,

the limit of the circular operator's log-volume a position as its input grows: a property of the
kernel alone (methods.md §2.4). Estimated by means over randomly shifted n × … × n grids, each
unbiased whatever n is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from infoflow.layers import Array
from infoflow.operators.arrays import as_numpy
from infoflow.operators.frequencies import shifted_grid, symmetric_grid
from infoflow.operators.polyphase import PolyphaseKernel
from infoflow.report import MINUS_INFINITY
from infoflow.spectra.log_volume import (
    gram_singular_values,
    log_volumes,
    over_frequencies,
    route,
    singular_values,
)
from infoflow.spectra.rank import Rank

SHIFTS = 8
STUDENT = 2.364624251592785
"""97.5 % quantile of Student's t with SHIFTS − 1 = 7 degrees of freedom."""

SAFETY = 1.25
"""Eight pilot shifts know their spread to ± 25 %."""

TOLERANCE, FAST_TOLERANCE = 1e-3, 1e-2
"""Half width wanted, in nats a channel: absolute, since the density may be near 0."""

MOST = 1 << 14
"""Most frequencies of one grid, whatever the tolerance."""

Sum = Callable[[Array], Array]


@dataclass(frozen=True)
class Density:
    """A layer's log-volume in nats a position, with a 95 % interval.

    Args:
        value: None for −∞ (below full rank).
        low: Lower end; equal to the value where it is exact, None where there is none.
        high: Upper end.
        over_rank: Σ log of the ``rank`` largest singular values: the density itself at full rank,
            None at rank 0.
        over_low: Lower end of that one's interval.
        over_high: Upper end.
        grid: Frequencies along each axis, 1 where one says all.
        shifts: Random shifts of that grid averaged, 1 where exact.
        method: How it was computed.
        note: What must be known to read it right: why −∞, or channels that are zero or copies.
    """

    value: float | None
    low: float | None
    high: float | None
    over_rank: float | None
    over_low: float | None
    over_high: float | None
    grid: int
    shifts: int
    method: str
    note: str = ""


def log_volume_density(
    kernel: PolyphaseKernel, rank: Rank, generator: np.random.Generator, *, fast: bool = False
) -> Density:
    """Density of a layer's log-volume; exact for a dense layer or a 1 × 1 convolution.

    Pilot shifts of grids doubled from 2 predict the size at which the mean of 8 shifts has a half
    width within 1e-3 nats a channel (1e-2 in fast mode); then mean and t interval of 8 *fresh*
    shifts: reporting the draws that stopped the doubling covers too rarely.

    Args:
        kernel: The layer.
        rank: Of the same kernel.
        generator: Of the shifts.
        fast: Be content with the wider interval.
    """
    if rank.rank == 0:
        note = f"{MINUS_INFINITY}: every weight is exactly zero"
        return Density(None, None, None, None, None, None, 0, 0, "rank 0", note)
    function, way, chosen = _summand(kernel, rank)
    tolerance = (FAST_TOLERANCE if fast else TOLERANCE) * rank.rank
    estimate = torus_mean(function, chosen.primitive, tolerance, generator)
    mean, half = float(estimate.mean), float(estimate.half)
    low, high = mean - half, mean + half
    method = f"{estimate.method}, {way}"
    if estimate.missed:
        method += f"; wider than the {tolerance:.2g} nats aimed at"
    if rank.is_full:
        return Density(
            mean, low, high, mean, low, high, estimate.grid, estimate.shifts, method, rank.sentence
        )
    note = f"{MINUS_INFINITY}: {rank.sentence}"
    return Density(None, None, None, mean, low, high, estimate.grid, estimate.shifts, method, note)


def circular_log_volume(
    kernel: PolyphaseKernel, rank: Rank, input_size: tuple[int, ...]
) -> float | None:
    """Total log-volume, in nats, of the circular operator on an input of a known size.

    Σ over the frequencies 2πk/N of Σ log σᵢ, N the coarse positions (``kernel.positions``).
    −∞ (None) below full rank, or where a frequency of this grid is exactly singular.
    """
    if not rank.is_full:
        return None
    positions = kernel.positions(input_size)
    active = tuple(positions[axis] for axis in kernel.axes)
    frequencies, multiplicities = symmetric_grid(active)
    function, _, chosen = _summand(kernel, rank)
    values = over_frequencies(chosen, frequencies, function).reshape(-1)
    total = float(values @ multiplicities) * math.prod(positions) / math.prod(active)
    return total if math.isfinite(total) else None


def slice_densities(
    kernel: PolyphaseKernel, generator: np.random.Generator, *, tolerance: float
) -> Estimate:
    """Densities of every slice (one output, one input channel) as a layer of its own.

    Returns:
        The estimate, an array (channels of rows, channels of columns of a group), −∞ for slices
        of zeros; the half width is the root mean square of the slices'.
    """
    phases = len(kernel.phases)
    count = len(kernel.offsets)
    blocks = kernel.groups * kernel.rows * (kernel.cols // phases)
    taps = kernel.taps.reshape(count, blocks, 1, phases)
    slices = replace(kernel, taps=taps).primitive
    estimate = torus_mean(lambda s: log_volumes(s, "norm"), slices, tolerance, generator)
    shape = (kernel.groups * kernel.rows, kernel.cols // phases)
    return replace(estimate, mean=np.asarray(estimate.mean).reshape(shape))


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
    n = _grid_size(function, kernel, tolerance, generator)
    fresh = _shift_means(function, kernel, n, SHIFTS, generator)
    half = STUDENT * _spread(fresh) / math.sqrt(SHIFTS)
    side = " × ".join([str(n)] * axes)
    method = f"mean and 95 % t interval of {SHIFTS} random shifts of a {side} frequency grid"
    return Estimate(fresh.mean(axis=0), half, n, SHIFTS, method, half > 3 * tolerance)


def _grid_size(
    function: Sum, kernel: PolyphaseKernel, tolerance: float, generator: np.random.Generator
) -> int:
    """Frequencies along an axis for which 8 shifts are predicted to be within the tolerance.

    Pilot shifts at n = 2, 4, 8, … tell the spread s(n) of the grid means. For a square symbol
    log|det| has logarithmic poles at isolated points of two axes (Fourier coefficients like
    |h|⁻²), and s(n) falls like n⁻²; like n⁻¹ at least on one axis; and much faster where the
    symbol is not square and generically never loses rank. The size wanted follows from s(n).
    The law sets in as n grows, so it is trusted up to ¾n²; beyond, the pilot doubles.
    """
    axes = len(kernel.axes)
    power = min(axes, 2) if kernel.rows == kernel.cols else 4
    most = int(max(MOST ** (1 / axes), 2))
    n, before = 2, math.nan
    while True:
        spread = _spread(_shift_means(function, kernel, n, SHIFTS, generator))
        # Two levels tell more than one; brought to this n by the same law.
        pooled = spread if math.isnan(before) else math.hypot(spread, before) / math.sqrt(2)
        predicted = SAFETY * pooled * STUDENT / math.sqrt(SHIFTS)
        wanted = math.ceil(n * (predicted / tolerance) ** (1 / power))
        if wanted <= 0.75 * n**2 or 2 * n > most:
            return min(max(wanted, 2), most)
        n, before = 2 * n, spread / 2**power


def _shift_means(
    function: Sum, kernel: PolyphaseKernel, n: int, shifts: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Grid means for random shifts, (shifts, …)."""
    axes = len(kernel.axes)
    moves = generator.uniform(0.0, 2 * math.pi / n, size=(shifts, axes))
    frequencies = np.concatenate([shifted_grid(n, move) for move in moves])
    values = over_frequencies(kernel, frequencies, function)
    return np.asarray(values.reshape(shifts, -1, *values.shape[1:]).mean(axis=1))


def _spread(means: NDArray[np.float64]) -> float:
    """Standard deviation over the shifts, root mean square over the elements that are finite."""
    flat = means.reshape(len(means), -1)
    finite = flat[:, np.all(np.isfinite(flat), axis=0)]
    return math.sqrt(float(np.mean(np.var(finite, axis=0, ddof=1)))) if finite.size else 0.0


def _summand(kernel: PolyphaseKernel, rank: Rank) -> tuple[Sum, str, PolyphaseKernel]:
    """Σ log σᵢ over the rank, summed over groups; its name; the kernel to apply it to.

    Where taking out zero and negligible rows and columns leaves full rank, what remains is
    treated like any layer (exactly zero ones change no other singular value); otherwise the
    ``rank`` largest singular values of each group are taken, their number fixed.
    """
    core = _core(kernel, rank)
    if core is not None:
        way = route(core, rank.condition)
        return lambda s: as_numpy(log_volumes(s, way)).sum(axis=-1), way, core
    ranks = np.array(rank.group_ranks)

    def over_rank(symbols: Array) -> NDArray[np.float64]:
        values = singular_values(symbols)
        counted = np.arange(values.shape[-1]) < ranks[:, None]
        return np.asarray(np.sum(np.log(np.where(counted, values, 1.0)), axis=(-2, -1)))

    return over_rank, f"{rank.rank} largest singular values", kernel


def _core(kernel: PolyphaseKernel, rank: Rank) -> PolyphaseKernel | None:
    """The kernel without zero and negligible lines, if it has full rank and one shape a group."""
    if rank.is_full and rank.kept_rows.all() and rank.kept_columns.all():
        return kernel
    alive = np.flatnonzero(rank.kept_rows.any(axis=1) & rank.kept_columns.any(axis=1))
    rows = {int(n) for n in rank.kept_rows[alive].sum(axis=1)}
    columns = {int(n) for n in rank.kept_columns[alive].sum(axis=1)}
    if len(rows) != 1 or len(columns) != 1:
        return None
    m, n = rows.pop(), columns.pop()
    if any(rank.group_ranks[g] < min(m, n) for g in alive):
        return None
    row = np.nonzero(rank.kept_rows[alive])[1].reshape(len(alive), m, 1)
    column = np.nonzero(rank.kept_columns[alive])[1].reshape(len(alive), 1, n)
    taps = kernel.taps[:, alive.reshape(-1, 1, 1), row, column]
    # Phases no longer divide the columns evenly; nothing below asks for them.
    return replace(kernel, taps=taps)
