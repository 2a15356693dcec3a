"""The singular values of a layer: all of them, or the symbol's on a grid of frequencies."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.frequencies import symmetric_grid
from infoflow.operators.polyphase import PolyphaseKernel
from infoflow.spectra.log_volume import (
    GRAM_LIMIT,
    gram_singular_values,
    singular_values,
)
from infoflow.spectra.over_frequencies import over_frequencies

SVD_LIMIT = 48
"""Smaller side up to which an SVD costs no more than the Gram matrix's eigenvalues."""

GRID, FAST_GRID = 8, 4
LARGE = 128
"""Smaller side above which the coarse grid is used: it holds over a thousand values already."""


@dataclass(frozen=True)
class Spectrum:
    """Singular values, descending.

    Args:
        values: The distinct ones computed, float64, descending.
        weights: How many singular values *a position* each stands for; they sum to
            groups · min(rows, cols). Ones for a dense layer.
        shape: Of the operator a position: (groups · rows, groups · cols).
        method: How they were computed.
        exact: Whether they are the whole spectrum of the operator named in ``method``; otherwise
            a sample of it on a grid of frequencies, and the largest a lower bound.
        resolved: Whether Σσ² is exact: a grid has at least as many frequencies as the kernel taps.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    shape: tuple[int, int]
    method: str
    exact: bool
    resolved: bool = True


def singular_spectrum(
    kernel: PolyphaseKernel,
    *,
    input_size: tuple[int, ...] | None = None,
    fast: bool = False,
) -> Spectrum:
    """The singular values of a layer.

    Dense layers and 1 × 1 convolutions: all of them. Other convolutions: those of the circular
    operator, K̂(ω)'s on its grid (SED), exact where the input's size is known and its grid is no
    larger than the one used otherwise: 8 positions along each axis, 4 in fast mode and for layers
    of more than 128 channels on the smaller side.

    Args:
        kernel: The layer.
        input_size: Of its input, where known.
        fast: Take the coarse grid.
    """
    shape = (kernel.groups * kernel.rows, kernel.groups * kernel.cols)
    scale, kernel = kernel.exponent, kernel.normalised
    if not kernel.axes:
        values, way = _values(kernel, np.zeros((1, 0)))
        values = values.ravel()
        order = np.argsort(values)[::-1]
        ordered = np.ldexp(values[order], scale)
        return Spectrum(ordered, np.ones(len(values)), shape, f"all, {way}", True)
    side = FAST_GRID if fast or min(kernel.rows, kernel.cols) > LARGE else GRID
    grid, exact = (side,) * len(kernel.axes), False
    chosen = kernel.primitive
    if input_size is not None:
        circular = tuple(kernel.positions(input_size)[axis] for axis in kernel.axes)
        if math.prod(circular) <= math.prod(grid):
            grid, exact, chosen = circular, True, kernel
    frequencies, multiplicities = symmetric_grid(grid)
    values, way = _values(chosen, frequencies)
    weights = np.repeat(multiplicities / math.prod(grid), values[0].size)
    values = values.ravel()
    order = np.argsort(values)[::-1]
    positions = " × ".join(map(str, grid))
    name = f"circular operator on {positions} positions" if exact else f"{positions} frequency grid"
    spans = (max(column) for column in zip(*chosen.offsets, strict=True))
    resolved = exact or all(span < side for span in spans)
    return Spectrum(
        np.ldexp(values[order], scale), weights[order], shape, f"{name}, {way}", exact, resolved
    )


def _values(
    kernel: PolyphaseKernel, frequencies: NDArray[np.float64]
) -> tuple[NDArray[np.float64], str]:
    """(F, groups, k) singular values and the way they were found."""
    if min(kernel.rows, kernel.cols) > SVD_LIMIT:
        values = over_frequencies(kernel, frequencies, gram_singular_values)
        if bool(np.all(values[..., -1] * GRAM_LIMIT > values[..., 0])):
            return values, "eigenvalues of the Gram matrix"
    return over_frequencies(kernel, frequencies, singular_values), "SVD"
