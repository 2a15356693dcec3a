"""The log-volume of a layer a position of its output: Σ log σᵢ over all frequencies (Szegő).

    density = (2π)^(−d) ∫ Σᵢ log σᵢ(K̂(θ)) dθ,

the limit of the circular operator's log-volume a position as its input grows: a property of the
kernel alone. Estimated by means over randomly shifted n × … × n grids, each
unbiased whatever n is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.layers import Array
from infoflow.operators.arrays import as_numpy, is_torch, namespace
from infoflow.operators.factors import factorise
from infoflow.operators.frequencies import Frequencies, symmetric_grid
from infoflow.operators.polyphase import MODERATE, PolyphaseKernel
from infoflow.report import MINUS_INFINITY
from infoflow.spectra.log_volume import (
    gram,
    log_volumes,
    route,
    singular_values,
)
from infoflow.spectra.over_frequencies import over_frequencies
from infoflow.spectra.rank import Rank
from infoflow.spectra.spectrum import SVD_LIMIT
from infoflow.spectra.torus import Estimate, Sum, torus_mean

TOLERANCE, FAST_TOLERANCE = 1e-3, 1e-2
"""Half width wanted, in nats a channel: absolute, since the density may be near 0."""

PROBES = 4
"""Random vectors that tell whether a symbol may be singular."""


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

    Pilot shifts of grids doubled from 1 predict the size at which the mean of 8 shifts (64 up to 4
    channels, whose grid means are skewed) has a half width within 1e-3 nats a channel (1e-2 in
    fast mode); then mean and t interval of that many *fresh* shifts: reporting the draws that
    stopped the doubling covers too rarely.

    Args:
        kernel: The layer.
        rank: Of the same kernel.
        generator: Of the shifts.
        fast: Be content with the wider interval.
    """
    if rank.rank == 0:
        note = f"{MINUS_INFINITY}: every weight is exactly zero"
        return Density(None, None, None, None, None, None, 0, 0, "rank 0", note)
    function, way, chosen = _summand(kernel.normalised, rank)
    tolerance = (FAST_TOLERANCE if fast else TOLERANCE) * rank.rank
    estimate = torus_mean(function, chosen.primitive, tolerance, generator)
    mean, half = float(estimate.mean), estimate.half
    mean += rank.rank * kernel.exponent * math.log(2)
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


@dataclass(frozen=True)
class Circular:
    """Log-volume of a circular operator.

    Args:
        value: In nats; None for −∞.
        singular: Frequencies of the grid, −ω counted as well, at which the symbol is singular.
        frequencies: Of the grid.
    """

    value: float | None
    singular: int
    frequencies: int


def circular_log_volume(
    kernel: PolyphaseKernel, rank: Rank, input_size: tuple[int, ...]
) -> Circular:
    """Total log-volume, in nats, of the circular operator on an input of a known size.

    Σ over the frequencies 2πk/N of Σ log σᵢ, N the coarse positions (``kernel.positions``).
    −∞ (None) below full rank, or where a frequency of this grid is singular: the least singular
    value of the symbol, its rows and columns scaled as for the rank, is no larger than the rank's
    tolerance.
    """
    positions = kernel.positions(input_size)
    active = tuple(positions[axis] for axis in kernel.axes)
    if not rank.is_full:
        return Circular(None, math.prod(active), math.prod(active))
    frequencies, multiplicities = symmetric_grid(active)
    values, lost = _at_frequencies(kernel.normalised, rank, frequencies)
    if lost.any():
        return Circular(None, int(lost.reshape(-1) @ multiplicities), math.prod(active))
    total = float(values @ multiplicities) * math.prod(positions) / math.prod(active)
    total += kernel.rank_channels * math.prod(positions) * kernel.exponent * math.log(2)
    return Circular(total, 0, math.prod(active))


def _at_frequencies(
    kernel: PolyphaseKernel, rank: Rank, frequencies: Frequencies
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Σ log σᵢ of the symbol at each frequency, and whether it is singular there; both (F,)."""
    scaled = replace(kernel, taps=_scaled_taps(kernel, rank))
    function, way, chosen = _summand(kernel, rank)
    if way == "LU" and chosen is kernel and kernel.rows > SVD_LIMIT and not is_torch(kernel.taps):
        found = over_frequencies(scaled, frequencies, lambda s: _factorised(s, rank.tolerance))
        scales = np.log(rank.row_factors).sum() + np.log(rank.column_factors).sum()
        return found[:, 0] - scales, found[:, 1] > 0
    lost = over_frequencies(scaled, frequencies, lambda s: _singular(s, rank.tolerance))
    return over_frequencies(chosen, frequencies, function).reshape(-1), lost > 0


def _scaled_taps(kernel: PolyphaseKernel, rank: Rank) -> NDArray[np.float64]:
    """Taps with rows and columns scaled as for the rank; as numpy."""
    taps = as_numpy(kernel.taps)
    return np.asarray(taps * rank.row_factors[:, :, None] * rank.column_factors[:, None, :])


def _factorised(symbols: Array, tolerance: float) -> NDArray[np.float64]:
    """Σ over groups of log|det|, and whether some group's symbol is singular, (F, 2).

    As ``_singular`` tells it; the factors of one LU serve both.
    """
    symbols = as_numpy(symbols)
    suspect = _Suspicion(symbols.shape[-1], tolerance)
    found = np.zeros((len(symbols), 2))
    for place in np.ndindex(*symbols.shape[:2]):
        factors = factorise(symbols[place].T)  # columns in a row, as LAPACK wants them
        found[place[0], 0] += factors.log_abs_det
        if suspect(factors.solve(suspect.probes)):
            found[place[0], 1] += singular_values(symbols[place])[-1] <= tolerance
    return found


class _Suspicion:
    """Whether solutions for random right sides speak for a singular value within the tolerance.

    A singular value σ makes the norm of A⁻¹x about |uᴴx|/σ, and less than a tenth of the usual
    |uᴴx| has, for all of four x, a chance of 1e-8 (1e-4 where symbols are real).
    """

    def __init__(self, side: int, tolerance: float) -> None:
        generator = np.random.default_rng(side)
        self.probes = generator.standard_normal((side, PROBES)) / math.sqrt(side)
        # Beyond 1e10 rounding blurs what a solution says.
        self._limit = min(0.1 / (math.sqrt(side) * tolerance), 1e10)

    def __call__(self, solved: NDArray[Any]) -> bool:
        return not bool(np.all(np.linalg.norm(solved, axis=0) < self._limit))


def _singular(symbols: Array, tolerance: float) -> NDArray[np.bool_]:
    """Whether some group's symbol has a singular value within the tolerance, (F,).

    By SVDs, of large symbols only where solutions raise the suspicion.
    """
    symbols = as_numpy(symbols)
    k = min(symbols.shape[-2:])
    if k <= SVD_LIMIT:
        return np.asarray(np.any(singular_values(symbols)[..., -1] <= tolerance, axis=-1))
    square = symbols.shape[-1] == symbols.shape[-2]
    matrices = symbols if square else gram(symbols)
    suspect = _Suspicion(k, tolerance if square else tolerance**2)
    found = np.zeros(symbols.shape[:2], dtype=bool)
    for place in np.ndindex(*found.shape):
        if suspect(factorise(matrices[place].T).solve(suspect.probes)):
            found[place] = singular_values(symbols[place])[-1] <= tolerance
    return np.asarray(found.any(axis=-1))


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
    # Each by a power of two of its own: squares of 1e-200 are zero.
    largest = as_numpy(namespace(taps).max(namespace(taps).abs(taps), axis=(0, 2, 3)))
    powers = np.where(largest > 0, np.frexp(largest)[1], 0)
    if np.max(np.abs(powers), initial=0) > MODERATE:
        taps = np.ldexp(as_numpy(taps), -powers[:, None, None])
    else:
        powers = np.zeros_like(powers)
    slices = replace(kernel, taps=taps).primitive
    estimate = torus_mean(lambda s: log_volumes(s, "norm"), slices, tolerance, generator)
    shape = (kernel.groups * kernel.rows, kernel.cols // phases)
    mean = np.asarray(estimate.mean) + powers * math.log(2)
    return replace(estimate, mean=mean.reshape(shape))


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
