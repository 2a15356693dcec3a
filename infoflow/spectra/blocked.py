"""Log-volume and spectrum of a large dense layer, its weight read in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from infoflow.operators.blocks import BlockedMatrix
from infoflow.report import MINUS_INFINITY
from infoflow.spectra.density import Density
from infoflow.spectra.rank import Rank
from infoflow.spectra.spectrum import Spectrum
from infoflow.spectra.triangle import Triangle, triangle


def blocked_spectrum(matrix: BlockedMatrix, reduced: Triangle) -> Spectrum:
    """All singular values, of a triangle that is used up.

    Args:
        matrix: The layer.
        reduced: Its triangle.
    """
    values = np.ldexp(reduced.singular_values(), matrix.exponent)
    way = "eigenvalues of the Gram matrix" if reduced.way == "Gram" else "SVD"
    shape = (matrix.rows, matrix.cols)
    return Spectrum(values, np.ones(len(values)), shape, f"all, {way}", True)


def blocked_log_volume(
    matrix: BlockedMatrix,
    rank: Rank,
    *,
    reduced: Callable[[], Triangle],
    spectrum: Callable[[], Spectrum],
    log_determinant: Callable[[], float | None] = lambda: None,
) -> Density:
    """Log-volume of a dense layer; exact, so without an interval.

    Args:
        matrix: The layer.
        rank: Of the same layer.
        reduced: Its triangle.
        spectrum: Its singular values, for the log-volume over a lost rank.
        log_determinant: log|det W| of a square layer by LU, None where there is none.
    """
    if rank.rank == 0:
        note = f"{MINUS_INFINITY}: every weight is exactly zero"
        return Density(None, None, None, None, None, None, 0, 0, "rank 0", note)
    kept = [np.flatnonzero(of[0]) for of in (rank.kept_rows, rank.kept_columns)]
    whole = len(kept[0]) == matrix.rows and len(kept[1]) == matrix.cols
    shift = rank.rank * matrix.exponent * math.log(2)
    if rank.rank < min(map(len, kept)):
        way = f"{rank.rank} largest singular values"
        value = float(np.log(spectrum().values[: rank.rank]).sum())
    elif not whole:
        part = triangle(matrix.restricted(*kept))
        value, way = part.log_volume + shift, part.way
    else:
        value, way = reduced().log_volume + shift, reduced().way
        exact = log_determinant() if matrix.rows == matrix.cols else None
        if exact is not None:
            value, way = exact, "LU"
    method = f"exact, {way}"
    if rank.is_full:
        return Density(value, value, value, value, value, value, 1, 1, method, rank.sentence)
    note = f"{MINUS_INFINITY}: {rank.sentence}"
    return Density(None, None, None, value, value, value, 1, 1, method, note)
