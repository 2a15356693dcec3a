"""The generic rank of a layer, and the channels that take rank away, by name."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.arrays import as_numpy
from infoflow.operators.frequencies import random_frequencies
from infoflow.operators.polyphase import PolyphaseKernel
from infoflow.spectra.log_volume import gram_singular_values, singular_values
from infoflow.spectra.naming import KernelVectors, Vectors, names_of
from infoflow.spectra.scaling import line_factors
from infoflow.spectra.sides import Side, sides
from infoflow.spectra.spectrum import SVD_LIMIT, Spectrum
from infoflow.spectra.tolerance import machine_epsilon, rank_tolerance
from infoflow.spectra.words import explain

FREQUENCIES, FAST_FREQUENCIES = 3, 2
GRAM_RESOLUTION = 3e-8
"""Share of the largest singular value that eigenvalues of a Gram matrix resolve: √ε and a bit."""

__all__ = ["Rank", "generic_rank", "machine_epsilon", "rank_tolerance"]


@dataclass(frozen=True)
class Rank:
    """The generic rank of a layer a position, and why it is not full.

    "Rows" are the output's channels and "columns" the input's; the other way round for a
    transposed convolution. Every index is a channel of the whole layer, counted over the groups.

    Args:
        rank: Largest rank of the symbol at the frequencies looked at, summed over the groups.
        full: groups · min(rows, cols).
        tolerance: Singular value, after scaling, that counts as zero (``rank_tolerance``).
        gap: Ratio of the last singular value kept to the first one counted as zero, smallest over
            the groups; None at full rank, or where the rest is zero to the arithmetic's precision.
        condition: Largest condition number of the symbols, unscaled, where it decides how the
            log-volume is computed (not square, full rank); None elsewhere.
        zero_rows: Channels whose weights are all exactly zero.
        zero_columns: The same for columns.
        negligible_rows: Not zero, but of a norm below ε times the largest.
        negligible_columns: The same for columns.
        duplicate_rows: Sets of rows equal up to scale and sign, perhaps shifted.
        duplicate_columns: The same for columns.
        dependent_rows: Rows that take part in a linear dependence beyond those.
        dependent_columns: The same for columns.
        frequencies: How many were looked at; 1 where one says all.
        sentence: All of this in plain words; ``""`` where there is nothing to say.
        group_ranks: Rank of each group.
        kept_rows: (groups, rows): neither zero nor negligible.
        kept_columns: (groups, cols): the same for columns.
        row_factors: (groups, rows): what scales the rows; 0 for those left out.
        column_factors: (groups, cols): the same for columns.
    """

    rank: int
    full: int
    tolerance: float
    gap: float | None
    condition: float | None
    zero_rows: tuple[int, ...]
    zero_columns: tuple[int, ...]
    negligible_rows: tuple[int, ...]
    negligible_columns: tuple[int, ...]
    duplicate_rows: tuple[tuple[int, ...], ...]
    duplicate_columns: tuple[tuple[int, ...], ...]
    dependent_rows: tuple[int, ...]
    dependent_columns: tuple[int, ...]
    frequencies: int
    sentence: str
    group_ranks: tuple[int, ...]
    kept_rows: NDArray[np.bool_] = field(repr=False, compare=False)
    kept_columns: NDArray[np.bool_] = field(repr=False, compare=False)
    row_factors: NDArray[np.float64] = field(repr=False, compare=False)
    column_factors: NDArray[np.float64] = field(repr=False, compare=False)

    @property
    def is_full(self) -> bool:
        """Whether nothing is lost."""
        return self.rank == self.full


def generic_rank(
    kernel: PolyphaseKernel,
    *,
    epsilon: float,
    generator: np.random.Generator,
    fast: bool = False,
    spectrum: Spectrum | None = None,
) -> Rank:
    """Rank of the symbol at almost every frequency, and the channels that lower it.

    Exactly zero rows and columns are taken out, and negligible ones (norm < ε·largest, ε at most
    that of float32), the others scaled to unit norm, rows and columns in turn; then singular
    values at a few random frequencies, of which the largest rank counts: the rank is lower
    semicontinuous, so almost every frequency has it. See ``rank_tolerance`` for what counts as
    zero. Where that is less than the rounding of a coarse type and full rank hangs on it, or
    channels are copies, the sentence says that full rank cannot be told.

    Args:
        kernel: The layer.
        epsilon: ε of the stored type (``machine_epsilon``).
        generator: Of the frequencies.
        fast: Look at fewer frequencies.
        spectrum: The layer's, where it is at hand anyway: a large dense layer whose smallest
            singular value is above the tolerance needs no second decomposition.
    """
    kernel = kernel.normalised
    count = FAST_FREQUENCIES if fast else FREQUENCIES
    frequencies = random_frequencies(count, len(kernel.axes), generator)
    squares = _squares(as_numpy(kernel.taps))
    rows, columns = sides(kernel, squares, epsilon)
    lines = (rows.kept.sum(axis=1), columns.kept.sum(axis=1))
    scaling = line_factors(squares, rows.kept, columns.kept)
    found = _certificate(kernel, lines, scaling, epsilon, spectrum) or _decompose(
        kernel, frequencies, lines, scaling, epsilon
    )
    vectors = KernelVectors(kernel, found.matrices, epsilon, generator)
    return assembled(
        (kernel.rows, kernel.cols),
        kernel.transposed,
        (rows, columns),
        vectors,
        found,
        scaling,
        epsilon=epsilon,
        frequencies=len(frequencies),
    )


def assembled(
    shape: tuple[int, int],
    transposed: bool,
    both: tuple[Side, Side],
    vectors: Vectors,
    found: Found,
    scaling: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    epsilon: float,
    frequencies: int = 1,
) -> Rank:
    """The rank in numbers, names and words.

    Args:
        shape: Rows and columns of a group.
        transposed: Whether rows are the input's channels.
        both: Rows and columns.
        vectors: What names are found in.
        found: What the singular values say.
        scaling: Factors of the rows and of the columns.
        epsilon: Of the stored type.
        frequencies: How many were looked at.
    """
    rows, columns = both
    lines = (rows.kept.sum(axis=1), columns.kept.sum(axis=1))
    # A single row or column has rank 1 unless it is zero.
    coarse = found.tolerance < epsilon and min(shape) > 1
    untold = coarse and bool(np.all(found.ranks == np.minimum(*lines)))
    names = names_of(vectors, both, ranks=found.ranks, epsilon=epsilon, everywhere=untold)
    untold = untold and (found.least <= epsilon or names.costs(*shape))
    rank, full = int(found.ranks.sum()), len(rows.kept) * min(shape)
    return Rank(
        rank=rank,
        full=full,
        tolerance=found.tolerance,
        gap=found.gap,
        condition=found.condition,
        zero_rows=rows.zero,
        zero_columns=columns.zero,
        negligible_rows=rows.negligible,
        negligible_columns=columns.negligible,
        duplicate_rows=names.duplicates[0],
        duplicate_columns=names.duplicates[1],
        dependent_rows=names.mixtures[0],
        dependent_columns=names.mixtures[1],
        frequencies=frequencies,
        sentence=explain((rank, full), transposed, both, names, epsilon if untold else None),
        group_ranks=tuple(int(r) for r in found.ranks),
        kept_rows=rows.kept,
        kept_columns=columns.kept,
        row_factors=scaling[0],
        column_factors=scaling[1],
    )


@dataclass(frozen=True)
class Found:
    """What the singular values say.

    Args:
        tolerance: Singular value that counts as zero.
        least: Least of those that full rank would count.
        ranks: Of each group.
        matrices: (groups, rows, cols): scaled symbols that said so; None where there is no need.
        gap: See ``Rank``.
        condition: See ``Rank``.
    """

    tolerance: float
    least: float
    ranks: NDArray[np.int64]
    matrices: NDArray[Any] | None
    gap: float | None
    condition: float | None


def _squares(taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """(groups, rows, cols): Σ over taps of squares, of weights of a moderate size."""
    total = np.square(taps[0])
    for tap in taps[1:]:
        total += tap * tap
    return np.asarray(total)


def tolerance_of(
    shape: tuple[int, int],
    lines: tuple[NDArray[np.int64], NDArray[np.int64]],
    epsilon: float,
    largest: float,
) -> float:
    """The rule's for the rows and columns that are kept; over several groups the least."""
    shapes = {(int(m), int(n)) for m, n in zip(*lines, strict=True) if m and n}
    shapes = shapes or {shape}
    return min(rank_tolerance(m, n, epsilon, largest) for m, n in shapes)


def _certificate(
    kernel: PolyphaseKernel,
    lines: tuple[NDArray[np.int64], NDArray[np.int64]],
    scaling: tuple[NDArray[np.float64], NDArray[np.float64]],
    epsilon: float,
    spectrum: Spectrum | None,
) -> Found | None:
    """Full rank by the spectrum at hand, or None where it does not show it."""
    kept = np.minimum(*lines)
    if spectrum is None or kernel.axes or kernel.groups > 1 or kept[0] < kernel.rank_channels:
        return None
    # σ_min(D₁ W D₂) ≥ min D₁ · σ_min(W) · min D₂, and σ_max(W) ≥ ‖W‖_F / √k. Lines of the longer
    # side that are left out are too small to matter. The spectrum may be of another power of two.
    ratio = float(spectrum.values[-1]) / float(spectrum.values[0])
    largest = float(np.linalg.norm(as_numpy(kernel.taps))) / math.sqrt(kept[0])
    least = ratio * largest
    for factors in scaling:
        least *= float(np.min(factors, where=factors > 0, initial=np.inf))
    tolerance = tolerance_of((kernel.rows, kernel.cols), lines, epsilon, math.sqrt(kept[0]))
    if not least > tolerance:
        return None
    return Found(tolerance, least, kept, None, None, 1 / ratio)


def _decompose(
    kernel: PolyphaseKernel,
    frequencies: NDArray[np.float64],
    lines: tuple[NDArray[np.int64], NDArray[np.int64]],
    scaling: tuple[NDArray[np.float64], NDArray[np.float64]],
    epsilon: float,
) -> Found:
    """Ranks by the singular values of the scaled symbols."""
    kept = np.minimum(*lines)
    symbols = as_numpy(kernel.primitive.symbol(frequencies))
    by_row, by_column = scaling
    scaled = symbols * by_row[:, :, None] * by_column[:, None, :]
    values, tolerance, resolution = _values(kernel, scaled, lines, epsilon)
    counts = np.sum(values > tolerance, axis=-1)
    counts = np.minimum(counts, kept)
    every = np.arange(kernel.groups)
    # Of frequencies with the same rank the one that shows it most clearly.
    last = np.take_along_axis(values, np.maximum(counts - 1, 0)[..., None], axis=-1)[..., 0]
    best, ranks = np.argmax(counts + last / (1 + last), axis=0), np.max(counts, axis=0)
    values, matrices = values[best, every], scaled[best, every]
    alive = kept > 0
    least = float(np.min(values[every, np.maximum(kept - 1, 0)][alive], initial=np.inf))
    gaps = [
        values[g, r - 1] / values[g, r]
        for g, r in enumerate(ranks)
        if 0 < r < kept[g] and values[g, r] > resolution * values[g, 0]
    ]
    condition = None
    square = kernel.rows == kernel.cols or min(kernel.rows, kernel.cols) == 1
    if not square and np.all(ranks == min(kernel.rows, kernel.cols)):
        unscaled = gram_singular_values(symbols)
        with np.errstate(divide="ignore"):
            worst = float(np.max(unscaled[..., 0] / unscaled[..., -1]))
        condition = worst if np.isfinite(worst) else None
    gap = float(min(gaps)) if gaps else None
    return Found(tolerance, least, ranks, matrices, gap, condition)


def _values(
    kernel: PolyphaseKernel,
    matrices: NDArray[Any],
    lines: tuple[NDArray[np.int64], NDArray[np.int64]],
    epsilon: float,
) -> tuple[NDArray[np.float64], float, float]:
    """Singular values, the tolerance, and the share of the largest that the values resolve."""
    if min(matrices.shape[-2:]) > SVD_LIMIT:
        values = gram_singular_values(matrices)
        largest = float(values[..., 0].max())
        tolerance = tolerance_of((kernel.rows, kernel.cols), lines, epsilon, largest)
        if tolerance >= 2 * GRAM_RESOLUTION * largest:
            return values, tolerance, GRAM_RESOLUTION
    values = singular_values(matrices)
    tolerance = tolerance_of(
        (kernel.rows, kernel.cols), lines, epsilon, float(values[..., 0].max())
    )
    return values, tolerance, max(matrices.shape[-2:]) * 2.0**-52
