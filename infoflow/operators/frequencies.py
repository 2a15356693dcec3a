"""Grids of frequencies on the torus, in radians a position, as (frequencies, axes) arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Frequencies = NDArray[np.float64]


def random_frequencies(count: int, axes: int, generator: np.random.Generator) -> Frequencies:
    """Independent frequencies, uniform on the torus; a single empty one where there is no axis."""
    if axes == 0:
        return np.zeros((1, 0))
    return generator.uniform(0.0, 2 * math.pi, size=(count, axes))


def shifted_grid(n: int, shift: NDArray[np.float64]) -> Frequencies:
    """The n × … × n grid 2πk/n moved by ``shift`` (in radians, one number an axis).

    With a shift uniform on [0, 2π/n) the grid's mean of any function is an unbiased estimate of
    its mean over the torus, whatever n is.
    """
    axes = len(shift)
    steps = np.indices((n,) * axes).reshape(axes, n**axes).T
    return steps * (2 * math.pi / n) + shift


def symmetric_grid(shape: tuple[int, ...]) -> tuple[Frequencies, NDArray[np.float64]]:
    """The distinct frequencies of a circular grid and how often each stands for itself.

    The symbol of a real kernel at −ω is the conjugate of that at ω, so its singular values are
    the same: about half of the grid is enough (14 × 14: 100 of 196), of multiplicity 2, and 1
    where ω = −ω.

    Args:
        shape: Number of positions along each axis; ``()`` gives the one empty frequency.

    Returns:
        The frequencies (count, axes) and their multiplicities (count,), which sum to the number
        of positions.
    """
    axes, total = len(shape), math.prod(shape)
    index = np.arange(total)
    digits = np.stack(np.unravel_index(index, shape)) if axes else np.zeros((0, 1), dtype=int)
    sizes = np.array(shape, dtype=int).reshape(axes, 1)
    mirrored = np.ravel_multi_index(tuple((-digits) % sizes), shape) if axes else index
    chosen = index <= mirrored
    multiplicities = np.where(index == mirrored, 1.0, 2.0)[chosen]
    return (2 * math.pi * digits / sizes).T[chosen], multiplicities
