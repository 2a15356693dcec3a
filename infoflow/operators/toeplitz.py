"""The matrix of a single filter, and the square one that completes it (ENT eqs. 5–10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from infoflow.errors import OperatorError
from infoflow.operators.arrays import as_float64, as_numpy
from infoflow.operators.size import MatrixSize
from infoflow.words import with_article

if TYPE_CHECKING:
    from jaxtyping import Float

    from infoflow.layers import Array

Sparse = Any
"""A ``scipy.sparse.csr_array`` (scipy has no types)."""


def doubly_block_toeplitz(filter: Float[Array, "p q"], size: tuple[int, int]) -> Sparse:
    """C_M: the matrix of one p × q filter on an l × w input (ENT eqs. 5–8).

    z = C_M x with x and z in row-major order: cross-correlation, stride 1, no padding. Block row i
    holds the (w−q+1) × w Toeplitz blocks B_1 … B_p, one a filter row, in block columns i … i+p−1.

    Args:
        filter: The filter, as torch stores a slice: ``weight[o, i]``.
        size: (l, w) of the input.

    Returns:
        ((l−p+1)(w−q+1), l·w) float64; entries that are zero are not stored.

    Raises:
        OperatorError: The filter is larger than the input.

    ENT's Example 5 has a 3 × 2 filter with c₁₁ = 2 on a 4 × 4 input, whose output is
    Z = [[7, 22, 45], [13, 3, 26]]. The filter and the input below are *not* the paper's: they were
    found to have the same c₁₁ and the same Z.

    >>> import numpy as np
    >>> filter = np.array([[2, -1], [3, 4], [-2, 1]])
    >>> X = np.array([[4, 3, 3, 1], [0, 1, 5, 5], [2, 2, 0, 5], [0, 0, 0, 1]])
    >>> C = doubly_block_toeplitz(filter, (4, 4))
    >>> C.shape
    (6, 16)
    >>> (C @ X.ravel()).reshape(2, 3)
    array([[ 7., 22., 45.],
           [13.,  3., 26.]])
    """
    entries, (p, q) = _filter(filter), filter.shape
    height, width = _valid(entries, size)
    i, j, a, b = np.ogrid[:height, :width, :p, :q]
    rows = i * width + j + 0 * (a + b)
    columns = (i + a) * size[1] + j + b
    values = np.broadcast_to(entries, columns.shape)
    return _csr(values, rows, columns, (height * width, size[0] * size[1]))


def completed_toeplitz(filter: Float[Array, "p q"], size: tuple[int, int]) -> Sparse:
    """C′_M: the square matrix that completes C_M (ENT eqs. 9 and 10).

    Every block B_j becomes the w × w block B′_j with I_{q−1} at its lower right (eq. 9), and the
    block rows stand over [0 I_{(p−1)w}] (eq. 10): upper triangular, c₁₁ on (l−p+1)(w−q+1) places
    of the diagonal and 1 on the others, so that log|det C′_M| = (l−p+1)(w−q+1)·log|c₁₁|.

    Args:
        filter: The filter.
        size: (l, w) of the input.

    Returns:
        (l·w, l·w) float64; entries that are zero are not stored.

    Raises:
        OperatorError: The filter is larger than the input.

    Example 5, det C′_M = 2⁶ (the filter is not the paper's; only c₁₁ counts here):

    >>> import numpy as np
    >>> C = completed_toeplitz(np.array([[2, -1], [3, 4], [-2, 1]]), (4, 4))
    >>> C.shape, round(np.linalg.det(C.toarray()))
    ((16, 16), 64)
    >>> bool(np.all(np.tril(C.toarray(), -1) == 0))
    True
    """
    entries, (p, q) = _filter(filter), filter.shape
    height, width = _valid(entries, size)
    whole, total = size[1], size[0] * size[1]
    i, j, a, b = np.ogrid[:height, :width, :p, :q]
    taps = (i * whole + j + 0 * (a + b), (i + a) * whole + j + b)
    i, j, a = np.ogrid[:height, width:whole, :p]
    carried = (i * whole + j + 0 * a, (i + a) * whole + j)
    rest = np.arange(height * whole, total)
    rows, columns = (
        np.concatenate([part.ravel() for part in parts])
        for parts in zip(taps, carried, (rest, rest), strict=True)
    )
    filled = np.broadcast_to(entries, taps[0].shape).ravel()
    values = np.concatenate([filled, np.ones(len(rows) - len(filled))])
    return _csr(values, rows, columns, (total, total))


def toeplitz_size(filter_shape: tuple[int, int], size: tuple[int, int]) -> MatrixSize:
    """Size of C_M, known from shapes alone; the non-zeros are those of a filter without zeros."""
    (p, q), (height, width) = filter_shape, size
    rows = (height - p + 1) * (width - q + 1)
    return MatrixSize(rows, height * width, rows * p * q)


def completed_toeplitz_size(filter_shape: tuple[int, int], size: tuple[int, int]) -> MatrixSize:
    """Size of C′_M, known from shapes alone."""
    (p, q), (height, width) = filter_shape, size
    a_block_row = (width - q + 1) * p * q + (q - 1) * p
    nonzeros = (height - p + 1) * a_block_row + (p - 1) * width
    return MatrixSize(height * width, height * width, nonzeros)


def _filter(filter: Array) -> NDArray[np.float64]:
    entries = as_numpy(as_float64(filter))
    if entries.ndim != 2 or 0 in entries.shape:
        raise OperatorError(
            f"C_M is the matrix of one filter of two dimensions, not of an array of shape "
            f"{tuple(entries.shape)}."
        )
    return entries


def _valid(filter: NDArray[np.float64], size: tuple[int, int]) -> tuple[int, int]:
    """Output positions along both dimensions."""
    height, width = (n - k + 1 for n, k in zip(size, filter.shape, strict=True))
    if height < 1 or width < 1:
        p, q = filter.shape
        raise OperatorError(
            f"{with_article(f'{p} × {q} filter')} does not fit into an input of "
            f"{size[0]} × {size[1]} positions."
        )
    return height, width


def _csr(
    values: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    shape: tuple[int, int],
) -> Sparse:
    from scipy.sparse import coo_array

    matrix = coo_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=shape).tocsr()
    matrix.eliminate_zeros()
    return matrix
