"""Eigenvalues of a large real symmetric matrix, without its eigenvectors.

The usual reduction to tridiagonal form reads the whole matrix once a column and waits for memory.
LAPACK's reduction in two stages (to a band first; Haidar, Ltaief and Dongarra 2011) works on
blocks that stay in the cache: from about a thousand rows on it is two to three times quicker, to
the same rounding. scipy has no function for it, but the LAPACK that numpy or scipy brings has;
where it is not found, scipy's one-stage ``dsyevd`` is as right.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LARGE = 768
"""Side from which two stages are quicker. One thread, time over one stage's: 1.3 at 256, 1.0 at
512, 0.58 at 1024, 0.37 at 2048, 0.28 at 4096."""

_NAMES = (
    ("scipy_LAPACKE_dsyevd_2stage64_", ctypes.c_int64),
    ("scipy_LAPACKE_dsyevd_2stage", ctypes.c_int32),
    ("LAPACKE_dsyevd_2stage", ctypes.c_int32),
)
"""In the libraries of numpy's and scipy's wheels, and in a system's: the name and its integers."""
_COLUMN_MAJOR = 102


def symmetric_eigenvalues(matrix: Floats) -> Floats:
    """The eigenvalues of a symmetric matrix, ascending.

    Args:
        matrix: (n, n) float64 in Fortran order. Its lower triangle is read; it is overwritten.

    Raises:
        LinAlgError: The iteration did not converge, or the matrix is not finite.
    """
    two_stage = _two_stage() if len(matrix) >= LARGE else None
    if two_stage is not None:
        return two_stage(matrix)
    return _one_stage(matrix)


def _one_stage(matrix: Floats) -> Floats:
    from scipy.linalg.lapack import dsyevd

    values, _, info = dsyevd(matrix, compute_v=0, lower=1, overwrite_a=1)
    return _converged(np.asarray(values), info)


def _converged(values: Floats, info: int) -> Floats:
    if info:
        raise np.linalg.LinAlgError("eigenvalues did not converge")
    return values


@cache
def _two_stage() -> Callable[[Floats], Floats] | None:
    """LAPACK's ``dsyevd_2stage`` of a library that is loaded, None where none has it."""
    from threadpoolctl import threadpool_info

    for library in threadpool_info():
        if library["user_api"] != "blas":
            continue
        try:
            loaded = ctypes.CDLL(library["filepath"])
        except OSError:
            continue
        for name, integer in _NAMES:
            if hasattr(loaded, name):
                return _caller(getattr(loaded, name), integer)
    return None


def _caller(
    function: ctypes._NamedFuncPointer, integer: type[ctypes._SimpleCData[int]]
) -> Callable[[Floats], Floats]:
    character, array = ctypes.c_char, ctypes.c_void_p
    function.argtypes = (ctypes.c_int, character, character, integer, array, integer, array)
    function.restype = integer

    def call(matrix: Floats) -> Floats:
        if not (matrix.flags.f_contiguous and matrix.flags.writeable):
            matrix = np.array(matrix, order="F")
        count, values = len(matrix), np.empty(len(matrix))
        place = matrix.ctypes.data
        info = function(_COLUMN_MAJOR, b"N", b"L", count, place, count, values.ctypes.data)
        return _converged(values, info)

    return call
