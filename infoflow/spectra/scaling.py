"""Rows and columns brought to unit norm: what a rank and its pivots are judged on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SCALINGS = 3
"""Times that rows and columns are scaled in turn."""


def line_factors(
    squares: NDArray[np.float64], rows: NDArray[np.bool_], columns: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Factors that bring rows and columns to about unit norm in turn; 0 for those left out.

    The shorter side comes last, so that its lines have unit norm, and the longer one's about
    √(shorter / longer).
    """
    by_row, by_column = rows.astype(np.float64), columns.astype(np.float64)
    for step in range(SCALINGS + 1):
        norms = np.einsum("grc,gc->gr", squares, by_column**2)
        unit = np.where(rows & (norms > 0), 1 / np.sqrt(np.where(norms > 0, norms, 1)), 0)
        if step == SCALINGS:
            wide = rows.sum(axis=1) <= columns.sum(axis=1)
            return np.where(wide[:, None], unit, by_row), by_column
        by_row = unit
        norms = np.einsum("grc,gr->gc", squares, by_row**2)
        by_column = np.where(columns & (norms > 0), 1 / np.sqrt(np.where(norms > 0, norms, 1)), 0)
    raise AssertionError("the last step returns")


def equilibrated(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix without lines of zeros, its rows and columns scaled as for a layer's rank.

    Rows are divided by their largest entry first, so that none is too small for its square.
    """
    bounded = matrix / np.abs(matrix).max(axis=1, keepdims=True)
    bounded = bounded / np.abs(bounded).max(axis=0)
    every = [np.ones((1, size), dtype=bool) for size in matrix.shape]
    by_row, by_column = line_factors(bounded[None] ** 2, *every)
    return np.asarray(bounded * by_row[0][:, None] * by_column[0])
