"""The rank of a large dense layer, its weight read in blocks; see `rank` for what it means."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.blocks import BlockedMatrix
from infoflow.spectra.blocked import Decomposition
from infoflow.spectra.dependence import PARTICIPATION, Sketch, directions, participants
from infoflow.spectra.rank import GRAM_RESOLUTION, Found, Rank, assembled, tolerance_of
from infoflow.spectra.scaling import SCALINGS
from infoflow.spectra.sides import Side, judged
from infoflow.spectra.spectrum import SVD_LIMIT
from infoflow.spectra.triangle import Triangle, least_directions, values_by_gram, values_by_qr

Floats = NDArray[np.float64]
Lines = list[NDArray[np.int64]]

CERTAIN = 2.0
"""How much an estimated least singular value may be too large and still certify full rank."""


def blocked_rank(layer: Decomposition, *, epsilon: float, generator: np.random.Generator) -> Rank:
    """Rank of a dense layer, and the channels that lower it.

    The least singular value of the layer certifies full rank where it stays above the tolerance
    whatever the scaling does; otherwise the scaled matrix is decomposed.

    Args:
        layer: Whose triangle is computed only where full rank can be certified.
        epsilon: ε of the stored type (``machine_epsilon``).
        generator: Of random directions.
    """
    matrix = layer.matrix
    both = _sides(matrix, epsilon)
    kept = (both[0].kept[0], both[1].kept[0])
    scaling = blocked_factors(matrix, *kept)
    lines = (both[0].kept.sum(axis=1), both[1].kept.sum(axis=1))
    found = None
    if int(np.minimum(*lines)[0]) == matrix.short:
        found = _certificate(matrix, lines, scaling, epsilon, layer.triangle)
    if found is None:
        found = _decomposed(matrix, lines, scaling, epsilon)
    return assembled(
        (matrix.rows, matrix.cols),
        False,
        both,
        BlockedVectors(matrix, scaling, epsilon, generator),
        found,
        (scaling[0][None], scaling[1][None]),
        epsilon=epsilon,
    )


def blocked_factors(
    matrix: BlockedMatrix, rows: NDArray[np.bool_], columns: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """As `scaling.line_factors`, for the rows and columns that are kept.

    Each pass over the weight is a step of the rows and one of the columns.
    """
    by_row, by_column = rows.astype(np.float64), columns.astype(np.float64)
    for _ in range(SCALINGS):
        norms, squared = np.zeros(matrix.cols), by_column**2
        for part, block in matrix.row_blocks():
            np.square(block, out=block)
            by_row[part] = _inverse_root(block @ squared, rows[part])
            norms += by_row[part] ** 2 @ block
        by_column = _inverse_root(norms, columns)
    if rows.sum() <= columns.sum():
        squared = by_column**2
        for part, block in matrix.row_blocks():
            np.square(block, out=block)
            by_row[part] = _inverse_root(block @ squared, rows[part])
    return by_row, by_column


def _inverse_root(squares: Floats, kept: NDArray[np.bool_]) -> Floats:
    good = kept & (squares > 0)
    return np.where(good, 1 / np.sqrt(np.where(good, squares, 1.0)), 0.0)


def _sides(matrix: BlockedMatrix, epsilon: float) -> tuple[Side, Side]:
    by_row, by_column = np.zeros(matrix.rows), np.zeros(matrix.cols)
    for part, block in matrix.row_blocks():
        np.square(block, out=block)
        by_row[part] = block.sum(axis=1)
        by_column += block.sum(axis=0)
    rows, columns = np.arange(matrix.rows)[None], np.arange(matrix.cols)[None]
    weight: Any = matrix.weight
    return (
        judged(np.sqrt(by_row)[None], rows, epsilon, lambda _, row: weight[row]),
        judged(np.sqrt(by_column)[None], columns, epsilon, lambda _, column: weight[:, column]),
    )


def _certificate(
    matrix: BlockedMatrix,
    lines: tuple[NDArray[np.int64], NDArray[np.int64]],
    scaling: tuple[Floats, Floats],
    epsilon: float,
    triangle: Triangle,
) -> Found | None:
    """Full rank, since σ_min(D₁ W D₂) ≥ min D₁ · σ_min(W) · min D₂, or None."""
    # Lines of the longer side that are left out are too small to matter.
    least = triangle.least / CERTAIN
    for factors in scaling:
        least *= float(np.min(factors, where=factors > 0, initial=np.inf))
    kept = np.minimum(*lines)
    shape = (matrix.rows, matrix.cols)
    tolerance = tolerance_of(shape, lines, epsilon, math.sqrt(kept[0]))
    if not least > tolerance:
        return None
    return Found(tolerance, least, kept, None, None, triangle.largest / triangle.least)


def _decomposed(
    matrix: BlockedMatrix,
    lines: tuple[NDArray[np.int64], NDArray[np.int64]],
    scaling: tuple[Floats, Floats],
    epsilon: float,
) -> Found:
    """By the singular values of the scaled matrix."""
    shape, scaled = (matrix.rows, matrix.cols), matrix.scaled(*scaling)
    resolution = GRAM_RESOLUTION
    by_gram = matrix.short > SVD_LIMIT
    if by_gram:
        values = values_by_gram(scaled)
        tolerance = tolerance_of(shape, lines, epsilon, float(values[0]))
        by_gram = tolerance >= 2 * GRAM_RESOLUTION * float(values[0])
    if not by_gram:
        values = values_by_qr(scaled)
        tolerance = tolerance_of(shape, lines, epsilon, float(values[0]))
        resolution = matrix.long * 2.0**-52
    kept = int(np.minimum(*lines)[0])
    rank = min(int(np.sum(values > tolerance)), kept)
    least = float(values[kept - 1]) if kept else math.inf
    gap = None
    if 0 < rank < kept and values[rank] > resolution * values[0]:
        gap = float(values[rank - 1] / values[rank])
    return Found(tolerance, least, np.array([rank]), None, gap, None)


@dataclass(frozen=True)
class BlockedVectors:
    """Rows and columns of a large dense layer, in which names are found (`naming.Vectors`)."""

    matrix: BlockedMatrix
    scaling: tuple[Floats, Floats]
    epsilon: float
    generator: np.random.Generator

    def sketch(self, group: int, of: int, lines: Lines) -> tuple[Sketch, NDArray[np.int64]]:
        """Of the numbers on the given lines."""
        chosen, matrix = lines[of], self.matrix
        dimension = (matrix.cols, matrix.rows)[of]
        if len(chosen) < 2 or dimension < 2:
            return Sketch(np.zeros((len(chosen), 0)), dimension), chosen
        counted = np.zeros(dimension)
        counted[lines[1 - of]] = 1.0
        drawn = directions(dimension, self.generator) * counted[:, None]
        count = (matrix.rows, matrix.cols)[of]
        products, squares = np.zeros((count, drawn.shape[1])), np.zeros(count)
        across = of == (1 if matrix.rows < matrix.cols else 0)
        start = 0
        for panel in matrix.panels():
            part = slice(start, start + panel.shape[1])
            if across:
                products[part] = panel.T @ drawn
                squares[part] = counted @ np.square(panel, out=panel)
            else:
                products += panel @ drawn[part]
                squares += np.square(panel, out=panel) @ counted[part]
            start = part.stop
        values = np.abs(products[chosen]) / np.sqrt(squares[chosen])[:, None]
        return Sketch(values, dimension), chosen

    def mixtures(self, group: int, rank: int, lines: Lines) -> tuple[list[int], list[int]]:
        """As `dependence.dependent`: the side of which fewer take part in the null vectors."""
        rows, columns = (len(chosen) for chosen in lines)
        lost = min(rows, columns) - rank
        if lost <= 0:
            return [], []
        found: tuple[list[int], list[int]] = ([], [])
        least = max(PARTICIPATION, 4 * self.epsilon)
        part = self.matrix.restricted(*lines).scaled(
            *(factors[chosen] for factors, chosen in zip(self.scaling, lines, strict=True))
        )
        if rows >= columns:
            found = ([], participants(least_directions(part, lost), least))
        if rows <= columns:
            across = part if rows < columns else part.transposed()
            of_rows = participants(least_directions(across, lost), least)
            if not found[1] or len(of_rows) <= len(found[1]):
                found = (of_rows, [])
        return found
