"""The generic rank of a layer, and the channels that take rank away, by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.arrays import as_numpy
from infoflow.operators.frequencies import random_frequencies
from infoflow.operators.polyphase import PolyphaseKernel
from infoflow.spectra.log_volume import gram_singular_values, singular_values
from infoflow.spectra.naming import names_of
from infoflow.spectra.sides import sides
from infoflow.spectra.spectrum import SVD_LIMIT, Spectrum
from infoflow.spectra.words import explain

EPSILON = {
    "float64": 2.0**-52,
    "float32": 2.0**-23,
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float8_e4m3fn": 2.0**-3,
    "float8_e4m3fnuz": 2.0**-3,
    "float8_e5m2": 2.0**-2,
    "float8_e5m2fnuz": 2.0**-2,
}
"""Spacing of the numbers next to 1, by the name of the stored type."""

FREQUENCIES, FAST_FREQUENCIES = 3, 2
RANDOM_SHARE = 1e-3
GRAM_RESOLUTION = 3e-8
"""Share of the largest singular value that eigenvalues of a Gram matrix resolve: √ε and a bit."""
SCALINGS = 3


def machine_epsilon(dtype: str) -> float:
    """ε of a stored type; that of float32 for a type without one of its own (integers)."""
    return EPSILON.get(dtype, EPSILON["float32"])


def relative_tolerance(rows: int, columns: int, epsilon: float) -> float:
    """Share of the largest singular value below which one counts as zero.

    max(m, n)·ε (methods.md §0), but never above 10⁻³/max(m, n): the smallest singular value of a
    *random* square matrix is about σ_max/(2n), so that max(m, n)·ε alone would call a fresh
    4096 × 4096 layer in float32, or any large one in bfloat16, rank-deficient. With this bound one
    random matrix in 1500 falls below it.
    """
    longest = max(rows, columns)
    return min(longest * epsilon, RANDOM_SHARE / longest)


@dataclass(frozen=True)
class Rank:
    """The generic rank of a layer a position, and why it is not full.

    "Rows" are the output's channels and "columns" the input's; the other way round for a
    transposed convolution. Every index is a channel of the whole layer, counted over the groups.

    Args:
        rank: Largest rank of the symbol at the frequencies looked at, summed over the groups.
        full: groups · min(rows, cols).
        tolerance: Share of the largest singular value, after scaling, that counts as zero.
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
    semicontinuous, so almost every frequency has it. See ``relative_tolerance`` for what counts
    as zero.

    Args:
        kernel: The layer.
        epsilon: ε of the stored type (``machine_epsilon``).
        generator: Of the frequencies.
        fast: Look at fewer frequencies.
        spectrum: The layer's, where it is at hand anyway: a large dense layer whose smallest
            singular value is above the tolerance needs no second decomposition.
    """
    count = FAST_FREQUENCIES if fast else FREQUENCIES
    frequencies = random_frequencies(count, len(kernel.axes), generator)
    tolerance = relative_tolerance(kernel.rows, kernel.cols, epsilon)
    squares = _squares(as_numpy(kernel.taps))
    rows, columns = sides(kernel, squares, epsilon)
    kept = np.minimum(rows.kept.sum(axis=1), columns.kept.sum(axis=1))
    found = _certificate(kernel, kept, tolerance, spectrum) or _decompose(
        kernel, frequencies, tolerance, kept, _scaling(squares, rows.kept, columns.kept)
    )
    names = names_of(
        kernel,
        (rows, columns),
        ranks=found.ranks,
        matrices=found.matrices,
        epsilon=epsilon,
        generator=generator,
    )
    rank, full = int(found.ranks.sum()), kernel.rank_channels
    return Rank(
        rank=rank,
        full=full,
        tolerance=tolerance,
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
        frequencies=len(frequencies),
        sentence=explain((rank, full), kernel.transposed, (rows, columns), names),
        group_ranks=tuple(int(r) for r in found.ranks),
        kept_rows=rows.kept,
        kept_columns=columns.kept,
    )


@dataclass(frozen=True)
class _Found:
    """What the singular values say: rank of each group, and the matrices that said so."""

    ranks: NDArray[np.int64]
    matrices: NDArray[Any] | None
    gap: float | None
    condition: float | None


def _squares(taps: NDArray[np.float64]) -> NDArray[np.float64]:
    """(groups, rows, cols): Σ over taps of squares, of weights brought to a largest of 1."""
    largest = float(max(np.max(taps), -np.min(taps))) if taps.size else 0.0
    if largest == 0:
        return np.zeros(taps.shape[1:])
    scaled = taps / largest
    return np.asarray(np.einsum("tgrc,tgrc->grc", scaled, scaled))


def _scaling(
    squares: NDArray[np.float64], rows: NDArray[np.bool_], columns: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factors that bring rows and columns to about unit norm in turn; 0 for those left out."""
    by_row, by_column = rows.astype(np.float64), columns.astype(np.float64)
    for _ in range(SCALINGS):
        norms = np.einsum("grc,gc->gr", squares, by_column**2)
        by_row = np.where(rows & (norms > 0), 1 / np.sqrt(np.where(norms > 0, norms, 1)), 0)
        norms = np.einsum("grc,gr->gc", squares, by_row**2)
        by_column = np.where(columns & (norms > 0), 1 / np.sqrt(np.where(norms > 0, norms, 1)), 0)
    return by_row, by_column


def _certificate(
    kernel: PolyphaseKernel,
    kept: NDArray[np.int64],
    tolerance: float,
    spectrum: Spectrum | None,
) -> _Found | None:
    """Full rank by the spectrum at hand, or None where it does not show it."""
    if spectrum is None or kernel.axes or kernel.groups > 1 or kept[0] < kernel.rank_channels:
        return None
    largest, smallest = float(spectrum.values[0]), float(spectrum.values[-1])
    if smallest <= tolerance * largest:
        return None
    return _Found(kept, None, None, largest / smallest)


def _decompose(
    kernel: PolyphaseKernel,
    frequencies: NDArray[np.float64],
    tolerance: float,
    kept: NDArray[np.int64],
    scaling: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> _Found:
    """Ranks by the singular values of the scaled symbols."""
    symbols = as_numpy(kernel.primitive.symbol(frequencies))
    by_row, by_column = scaling
    scaled = symbols * by_row[:, :, None] * by_column[:, None, :]
    values, resolution = _values(scaled, tolerance)
    counts = np.sum(values > tolerance * values[..., :1], axis=-1)
    best, ranks = np.argmax(counts, axis=0), np.max(counts, axis=0)
    every = np.arange(kernel.groups)
    values, matrices = values[best, every], scaled[best, every]
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
    return _Found(ranks, matrices, gap, condition)


def _values(matrices: NDArray[Any], tolerance: float) -> tuple[NDArray[np.float64], float]:
    """Singular values and the share of the largest that they resolve."""
    if min(matrices.shape[-2:]) > SVD_LIMIT and tolerance >= GRAM_RESOLUTION:
        return gram_singular_values(matrices), GRAM_RESOLUTION
    return singular_values(matrices), max(matrices.shape[-2:]) * 2.0**-52
