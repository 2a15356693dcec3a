"""Which channels are copies or mixtures of others: the names behind a lost rank."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 12
"""Random directions that two copies must agree in; no two unequal vectors do by chance."""

CHANCE = 1e-3
"""Rate at which random vectors may hold a pair that counts as a copy."""

PARTICIPATION = 1e-2
"""Share of the largest coefficient from which a vector takes part in a dependence."""

Floats = NDArray[np.float64]


def anchored(taps: Floats, offsets: tuple[tuple[int, ...], ...]) -> Floats:
    """Vectors (taps, vectors, entries) moved so that each one's support begins at offset 0.

    A filter and its copy shifted by whole coarse positions differ by a factor of modulus 1 at
    every frequency; moved like this they are equal. Only exact zeros count as outside of the
    support. An axis whose offsets are not evenly spaced is left alone.
    """
    axes = [sorted(set(column)) for column in zip(*offsets, strict=True)]
    grid = taps.reshape(*(len(axis) for axis in axes), *taps.shape[1:])
    for axis, places in enumerate(axes):
        if len({b - a for a, b in itertools.pairwise(places)}) != 1:
            continue
        by_axis = np.moveaxis(grid, axis, 0)
        occupied = np.any(by_axis != 0, axis=(*range(1, len(axes)), by_axis.ndim - 1))
        first = np.argmax(occupied, axis=0)
        if np.any(first):
            grid = grid.copy()
            by_axis = np.moveaxis(grid, axis, 0)
            for vector in np.flatnonzero(first):
                by_axis[..., vector, :] = np.roll(by_axis[..., vector, :], -first[vector], axis=0)
    return grid.reshape(taps.shape)


@dataclass(frozen=True)
class Sketch:
    """Unit vectors seen in a few random directions.

    Args:
        values: (vectors, directions): moduli of their products with the directions.
        dimension: Of the vectors.
    """

    values: Floats
    dimension: int


def sketched(vectors: Floats, generator: np.random.Generator) -> Sketch:
    """The sketch of vectors (m, d), none of them zero."""
    count, dimension = vectors.shape
    if count < 2 or dimension < 2:
        return Sketch(np.zeros((count, 0)), dimension)
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    products = np.abs(vectors @ directions(dimension, generator))
    return Sketch(products / norms[:, None], dimension)


def directions(dimension: int, generator: np.random.Generator) -> Floats:
    """Random directions as columns."""
    return generator.standard_normal((dimension, DIRECTIONS))


def duplicates(sketch: Sketch, epsilon: float) -> tuple[tuple[int, ...], ...]:
    """Sets of vectors that are equal up to scale and sign, as the stored type can tell.

    Unit vectors are compared through their sketches, sorted along the first direction: m·d work
    instead of m²·d.

    Args:
        sketch: Of the vectors.
        epsilon: Of the stored type: a scaled copy is rounded by about ε/5 of its norm.
    """
    values, dimension = sketch.values, sketch.dimension
    count = len(values)
    if count < 2 or dimension < 2:
        return ()
    # In few dimensions random vectors come close by chance: pairs · distance^(d−1) ≤ CHANCE.
    by_chance = (CHANCE / count**2) ** (1 / (dimension - 1))
    tolerance = min(4 * epsilon, by_chance) + 1e-12
    representative = np.arange(count)
    remaining = np.argsort(values[:, 0])
    step = 1
    while step < len(remaining):
        low, high = remaining[:-step], remaining[step:]
        close = values[high, 0] - values[low, 0] <= tolerance
        if not np.any(close):
            break
        close[close] = np.all(np.abs(values[high[close]] - values[low[close]]) <= tolerance, axis=1)
        if not np.any(close):
            step += 1
            continue
        # Copies of copies are copies: one of each pair is enough from here on.
        for one, other in zip(low[close], high[close], strict=True):
            representative[other] = representative[one]
        remaining = np.delete(remaining, step + np.flatnonzero(close))
        step = 1
    while np.any(representative != representative[representative]):
        representative = representative[representative]
    roots, sizes = np.unique(representative, return_counts=True)
    sets = (np.flatnonzero(representative == root) for root in roots[sizes > 1])
    return tuple(sorted(tuple(int(i) for i in members) for members in sets))


def dependent(matrix: NDArray[Any], rank: int, epsilon: float) -> tuple[list[int], list[int]]:
    """Rows and columns that take part in the linear dependences of a matrix below full rank.

    A null vector's coefficients say which rows (of the shorter side; of both sides of a square
    matrix) are mixtures of each other. A mixture cannot tell its parts from itself, so all of
    them are named. The null vectors of the *other* side of a square matrix spread over
    everything, and say nothing: only the side that fewer take part in is returned.

    Args:
        matrix: (m, n) of unit-norm rows and columns, none zero.
        rank: Its rank.
        epsilon: Of the stored type, whose rounding gives everything a share in the null vectors.
    """
    m, n = matrix.shape
    if rank >= min(m, n):
        return [], []
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    least = max(PARTICIPATION, 4 * epsilon)
    rows = participants(left[:, rank:], least) if m <= n else None
    columns = participants(right[rank:].conj().T, least) if n <= m else None
    if rows is None or (columns is not None and len(columns) < len(rows)):
        return [], columns or []
    return rows, []


def participants(null_vectors: NDArray[Any], least: float) -> list[int]:
    """Lines whose share in the null vectors is above ``least`` times the largest share."""
    weight = np.linalg.norm(null_vectors, axis=1)
    return [int(i) for i in np.flatnonzero(weight > least * weight.max())]
