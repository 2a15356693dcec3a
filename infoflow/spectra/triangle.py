"""A large dense matrix reduced to one triangle: log-volume, least and all singular values from it.

With M the matrix, its shorter side k as rows, M Mᵀ = RᵀR. R is Cholesky's factor of the Gram matrix
where that keeps its digits (κ < 1e6, which it squares), else that of a QR decomposition of Mᵀ. The
Gram matrix is summed over panels; so is the QR decomposition. One array of k × k is all that
is held: Cholesky's factor goes into the triangle that the Gram matrix does not need.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.blocks import BlockedMatrix
from infoflow.spectra.eigenvalues import symmetric_eigenvalues
from infoflow.spectra.log_volume import GRAM_LIMIT
from infoflow.spectra.spectrum import SVD_LIMIT

Floats = NDArray[np.float64]

VECTORS, STEPS = 4, 12
"""Random vectors, and steps of (inverse) iteration, that estimate extreme singular values."""

_COPIED = 512
"""Columns moved at a time from one triangle to the other."""

_STACKED = 3
"""Times k rows of a QR decomposition at once: more rows are taken in turn."""


@dataclass(eq=False)
class Triangle:
    """R with RᵀR = M Mᵀ; the array may hold the Gram matrix too, and is used up by its values.

    Args:
        array: (k, k) in Fortran's order: R in the upper triangle and, of ``way`` ``Gram``, the
            Gram matrix strictly below.
        diagonal: The Gram matrix's diagonal; empty where the way is ``QR``.
        way: ``Gram`` or ``QR``.
        log_volume: Σ log σᵢ; −∞ where R has a zero on its diagonal.
        largest: Estimate of σ_max, from below, by a few per cent.
        least: Estimate of σ_min, from above, by a few per cent; 0 where there is none.
    """

    array: Floats
    diagonal: Floats
    way: str
    log_volume: float
    largest: float
    least: float

    def singular_values(self) -> Floats:
        """All k, descending; asked once, since ``array`` is overwritten and let go."""
        array, self.array = self.array, np.empty((0, 0))
        if self.way == "QR":
            return _values_of_upper(array)
        np.fill_diagonal(array, self.diagonal)
        return _roots(symmetric_eigenvalues(array))


def triangle(matrix: BlockedMatrix) -> Triangle:
    """The triangle of a matrix, by its Gram matrix where that keeps its digits, else by QR."""
    if matrix.short > SVD_LIMIT:
        found = _by_gram(matrix)
        if found is not None:
            return found
    upper = triangular(matrix)
    diagonal = np.abs(upper.diagonal())
    with np.errstate(divide="ignore"):
        log_volume = float(np.log(diagonal).sum())
    regular = bool(np.all(diagonal > 0))
    largest = math.sqrt(_extreme(lambda x: upper.T @ (upper @ x), len(upper)))
    least = 1 / math.sqrt(_extreme(_solver(upper), len(upper))) if regular else 0.0
    return Triangle(upper, np.empty(0), "QR", log_volume, largest, least)


def gram(matrix: BlockedMatrix) -> Floats:
    """M Mᵀ in Fortran's order, the lower triangle only; summed over panels of the longer side."""
    from scipy.linalg.blas import dsyrk

    total = np.zeros((matrix.short, matrix.short), order="F")
    for panel in matrix.panels():
        columns = panel.flags.f_contiguous
        total = dsyrk(
            1.0,
            panel if columns else panel.T,
            beta=1.0,
            c=total,
            trans=0 if columns else 1,
            lower=1,
            overwrite_c=1,
        )
    return total


def triangular(matrix: BlockedMatrix) -> Floats:
    """R of Mᵀ = QR in Fortran's order, zeros below; at most 3k rows are held at a time."""
    from scipy.linalg.lapack import dgeqrf, dgeqrf_lwork

    k, long = matrix.short, matrix.long
    rows = min(long, _STACKED * k)
    stack = np.zeros((rows, k), order="F")
    work = int(dgeqrf_lwork(rows, k)[0])
    filled = 0
    for panel in matrix.panels(max(min(k, matrix.panel_bytes // (8 * k)), 1)):
        taken = 0
        while taken < panel.shape[1]:
            if filled == rows:
                stack = _reduced(dgeqrf(stack, lwork=work, overwrite_a=1)[0], k)
                filled = k
            part = panel[:, taken : taken + rows - filled]
            stack[filled : filled + part.shape[1]] = part.T
            filled, taken = filled + part.shape[1], taken + part.shape[1]
    stack[filled:] = 0.0
    return _upper(dgeqrf(stack, lwork=work, overwrite_a=1)[0], k)


def values_by_gram(matrix: BlockedMatrix) -> Floats:
    """Singular values as roots of the Gram matrix's eigenvalues, descending."""
    return _roots(symmetric_eigenvalues(gram(matrix)))


def values_by_qr(matrix: BlockedMatrix) -> Floats:
    """Singular values of R, descending: right to rounding times the largest."""
    return _values_of_upper(triangular(matrix))


def least_directions(matrix: BlockedMatrix, count: int) -> Floats:
    """(k, count): the left singular vectors, of the shorter side, of the least singular values."""
    from scipy.linalg import eigh

    chosen = (0, count - 1)
    _, vectors = eigh(
        gram(matrix), lower=True, overwrite_a=True, check_finite=False, subset_by_index=chosen
    )
    return np.asarray(vectors)


def _by_gram(matrix: BlockedMatrix) -> Triangle | None:
    """By Cholesky's decomposition, or None where the condition number forbids it."""
    from scipy.linalg.blas import dsymm
    from scipy.linalg.lapack import dpotrf

    array = gram(matrix)
    diagonal = array.diagonal().copy()
    largest = math.sqrt(_extreme(lambda x: dsymm(1.0, array, x, lower=1), len(array)))
    _mirror(array)
    array, info = dpotrf(array, lower=0, clean=0, overwrite_a=1)
    if info:
        return None
    least = 1 / math.sqrt(_extreme(_solver(array), len(array)))
    if not largest < GRAM_LIMIT * least:
        return None
    log_volume = float(np.log(array.diagonal()).sum())
    return Triangle(array, diagonal, "Gram", log_volume, largest, least)


def _extreme(apply: Callable[[Floats], Floats], size: int) -> float:
    """Largest eigenvalue of a symmetric operator, from below, by iteration on random vectors."""
    vectors = np.random.default_rng(size).standard_normal((size, VECTORS))
    vectors /= np.linalg.norm(vectors, axis=0)
    largest = 0.0
    for _ in range(STEPS):
        vectors = np.asfortranarray(apply(np.asfortranarray(vectors)))
        norms = np.linalg.norm(vectors, axis=0)
        largest = float(norms.max())
        if not 0 < largest < math.inf:
            return largest
        vectors = vectors / np.where(norms > 0, norms, 1.0)
    return largest


def _solver(upper: Floats) -> Callable[[Floats], Floats]:
    """The map x ↦ (RᵀR)⁻¹ x."""
    from scipy.linalg.lapack import dpotrs

    return lambda x: np.asarray(dpotrs(upper, x, lower=0)[0])


def _mirror(array: Floats) -> None:
    """Copies the lower triangle onto the upper one."""
    for start in range(0, len(array), _COPIED):
        stop = min(start + _COPIED, len(array))
        corner = np.tril(array[start:stop, start:stop], -1)
        array[start:stop, start:stop] += corner.T - np.triu(array[start:stop, start:stop], 1)
        array[start:stop, stop:] = array[stop:, start:stop].T


def _reduced(stack: Floats, k: int) -> Floats:
    """The decomposed rows as R alone, at the top of zeros."""
    stack[:k] = np.triu(stack[:k])
    stack[k:] = 0.0
    return stack


def _upper(stack: Floats, k: int) -> Floats:
    """R alone; of a square matrix in its own memory."""
    upper = stack if len(stack) == k else np.array(stack[:k], order="F")
    for column in range(k):
        upper[column + 1 :, column] = 0.0
    return upper


def _roots(values: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(values[::-1], 0.0)))


def _values_of_upper(upper: Floats) -> Floats:
    from scipy.linalg.lapack import dgesdd

    _, values, _, info = dgesdd(upper, compute_uv=0, overwrite_a=1)
    if info:
        raise np.linalg.LinAlgError("singular values did not converge")
    return np.asarray(values)
