"""log|det| of one square matrix, and ½ log det of a rectangular one, from pivots.

Pivots are the diagonal of U in an LU factorisation, or of R in a QR factorisation: the sum of
their logarithms is the number, and a pivot lost in rounding betrays lost rank, which the sum
alone would hide behind an ordinary looking figure.

Never a batched LU from torch on the CPU: with several threads it returns wrong numbers
(pytorch#141358). Torch tensors in the computer's memory become numpy arrays first; on a graphics
card one matrix is factorised at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from infoflow.operators.arrays import is_torch

Array = Any

_SCIPY_FROM = 128
"""Below this size numpy's QR costs less than importing scipy.linalg (0.17 s)."""

_SUSPICIOUS = 1e-4
"""Least pivot over greatest below which the rank is looked into."""

_PRECISIONS = {"float64": 2.0**-52, "complex128": 2.0**-52}
"""Relative spacing of stored types finer than float32's."""


@dataclass(frozen=True)
class LogDeterminant:
    """Logarithm of a volume. ``value`` is None where it is −∞ or of no meaning; ``note`` says why.

    A finite value has a note where a row or column is so small that it hardly counts.
    """

    value: float | None
    rank: int
    full: int
    tolerance: float
    note: str = ""


def on_accelerator(array: Array) -> bool:
    """Whether the array is a torch tensor outside the computer's memory."""
    return not isinstance(array, np.ndarray) and is_torch(array) and array.device.type != "cpu"


def to_numpy(array: Array) -> np.ndarray[Any, Any]:
    """The array as float64 in the computer's memory, wherever it is."""
    if not isinstance(array, np.ndarray) and is_torch(array):
        array = array.detach().cpu().double().numpy()
    return np.asarray(array, dtype=np.float64)


def tolerance_of(dtype: str) -> float:
    """Least pivot, of a matrix of unit rows and columns, that is not rounding.

    Eight spacings of the stored type. A linear combination of rows, rounded to that type, leaves
    a pivot below one spacing; a random matrix of any size has its least pivot near one. Types
    coarser than float32 count as float32: what they hold is exact there, and eight spacings
    of theirs would hide honest pivots.
    """
    return 8 * _PRECISIONS.get(dtype, 2.0**-23)


def log_determinant(matrix: Array, dtype: str) -> LogDeterminant:
    """log|det A| of a square matrix, ½ log det of the smaller Gram matrix of any other.

    Args:
        matrix: (rows, columns), of any real type; a memory map is read, not written.
        dtype: Of the stored tensor: its spacing sets the tolerance.

    Returns:
        The value; None where a row or column is zero or the rank is lost at the tolerance.
    """
    full = min(matrix.shape)
    tolerance = tolerance_of(dtype)
    pivots = _pivots(matrix)
    least, greatest = pivots.min(), pivots.max()
    if least > _SUSPICIOUS * greatest:
        return LogDeterminant(float(np.log(pivots).sum()), full, full, tolerance)
    return _looked_into(to_numpy(matrix), tolerance)


def _looked_into(matrix: np.ndarray[Any, Any], tolerance: float) -> LogDeterminant:
    """The slow way for a matrix whose pivots differ much: scale it, then judge its rank."""
    full = min(matrix.shape)
    rows, columns = (np.abs(matrix).max(axis=axis) for axis in (1, 0))
    live_rows, live_columns = np.flatnonzero(rows), np.flatnonzero(columns)
    rank = min(live_rows.size, live_columns.size)
    if rank:
        scaled, _ = _scaled_rows(matrix[np.ix_(live_rows, live_columns)])
        rank = int((_pivots(_scaled_rows(scaled.T)[0]) > tolerance).sum())
    if rank < full:
        causes = [
            f"{size - live.size} of {size} {name} {'is' if size - live.size == 1 else 'are'} "
            f"exactly zero ({name_indices(np.setdiff1d(np.arange(size), live))})"
            for name, size, live in (
                ("rows", matrix.shape[0], live_rows),
                ("columns", matrix.shape[1], live_columns),
            )
            if live.size < size
        ]
        causes.append(f"rank {rank} of {full} (pivot tolerance {tolerance:.1e})")
        return LogDeterminant(None, rank, full, tolerance, "−∞: " + "; ".join(causes))
    note = "; ".join(
        f"{name} {name_indices(found)} hardly count: below {tolerance / 8:.1e} of the largest"
        for name, sizes in (("rows", rows), ("columns", columns))
        if (found := np.flatnonzero(sizes < tolerance / 8 * sizes.max())).size
    )
    # A volume does not see the scale of its edges: taken out, they cannot drown each other.
    edges, log_scale = _scaled_rows(matrix if matrix.shape[0] == full else matrix.T)
    value = float(np.log(_pivots(edges)).sum()) + log_scale
    return LogDeterminant(value, full, full, tolerance, note)


def _scaled_rows(matrix: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], float]:
    """Rows of unit norm, and the sum of the logarithms of their norms."""
    # By the greatest entry first: squares of 1e-200 are zero.
    greatest = np.abs(matrix).max(axis=1, keepdims=True)
    scaled = matrix / greatest
    norms = np.linalg.norm(scaled, axis=1, keepdims=True)
    return scaled / norms, float((np.log(greatest) + np.log(norms)).sum())


def name_indices(indices: Any) -> str:
    """At most twelve indices, and how many more."""
    named = ", ".join(str(index) for index in indices[:12])
    return named + (f" and {len(indices) - 12} more" if len(indices) > 12 else "")


def _pivots(matrix: Array) -> np.ndarray[Any, Any]:
    """Absolute pivots, min(rows, columns) of them."""
    rows, columns = matrix.shape
    if on_accelerator(matrix):
        return _torch_pivots(matrix.double() if rows >= columns else matrix.double().T)
    if rows == columns and rows >= _SCIPY_FROM:
        return _lu_pivots(matrix)
    tall = to_numpy(matrix if rows >= columns else matrix.T)
    pivots: np.ndarray[Any, Any] = np.abs(np.diagonal(np.linalg.qr(tall, mode="r")))
    return pivots


def _torch_pivots(tall: Array) -> np.ndarray[Any, Any]:
    """Of a single matrix: by LU if it is square, else by QR."""
    import torch

    square = tall.shape[0] == tall.shape[1]
    factor = torch.linalg.lu_factor(tall)[0] if square else torch.linalg.qr(tall, mode="r")[1]
    return to_numpy(factor.diagonal().abs())


def _lu_pivots(matrix: Array) -> np.ndarray[Any, Any]:
    from scipy.linalg.lapack import dgetrf

    # A row-major matrix read as its transpose is in Fortran's order, with the same determinant:
    # one copy (the conversion to float64, from the map's pages straight to memory that LAPACK
    # may overwrite), no transposition.
    host = matrix if isinstance(matrix, np.ndarray) else to_numpy(matrix)
    factor, _, _ = dgetrf(np.array(host, dtype=np.float64, order="C").T, overwrite_a=1)
    pivots: np.ndarray[Any, Any] = np.abs(factor.diagonal())
    return pivots
