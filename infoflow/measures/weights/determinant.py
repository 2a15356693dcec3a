"""log|det| of one square matrix, and ½ log det of a rectangular one, from pivots.

Pivots are the diagonal of U in an LU factorisation, or of R in a QR factorisation: the sum of
their logarithms is the number, and a pivot lost in rounding betrays lost rank, which the sum
alone would hide behind an ordinary looking figure.

Never a batched LU from torch on the CPU: with several threads it returns wrong numbers
(pytorch#141358). Torch tensors in the computer's memory become numpy arrays first; on a graphics
card one matrix is factorised at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from infoflow.operators.arrays import is_torch
from infoflow.operators.blocks import BlockedMatrix, give_back
from infoflow.report import MINUS_INFINITY
from infoflow.spectra.blocked_rank import blocked_factors
from infoflow.spectra.scaling import equilibrated
from infoflow.spectra.sides import SINGLE
from infoflow.spectra.tolerance import machine_epsilon, rank_tolerance
from infoflow.spectra.triangle import triangular

if TYPE_CHECKING:
    from infoflow.measures.weights.subject import Subject

Array = Any

_SCIPY_FROM = 128
"""Below this size numpy's QR costs less than importing scipy.linalg (0.17 s)."""

_SUSPICIOUS = 1e-4
"""Least pivot over greatest below which the rank is looked into."""

_SMALL = 128
"""Smaller side up to which a layer's rank is asked for always: it costs milliseconds there."""

_NEAR = 30
"""How near to the layer's tolerance pivots may come before its rank is asked for."""

_BLOCKED = 512
"""Smaller side from which a matrix of a narrow type is looked into without copies beside it."""

_EXTREME = 300
"""Powers of two beyond which products of pivots' makings might leave the range of float64."""


@dataclass(frozen=True)
class LogDeterminant:
    """Logarithm of a volume. ``value`` is None where it is −∞ or of no meaning; ``note`` says why.

    A finite value has a note where a row or column is so small that it hardly counts; ``least`` is
    its least pivot over its greatest, 0 where they had to be looked into.
    """

    value: float | None
    rank: int
    full: int
    tolerance: float
    note: str = ""
    least: float = 0.0


def on_accelerator(array: Array) -> bool:
    """Whether the array is a torch tensor outside the computer's memory."""
    return not isinstance(array, np.ndarray) and is_torch(array) and array.device.type != "cpu"


def to_numpy(array: Array) -> np.ndarray[Any, Any]:
    """The array as float64 in the computer's memory, wherever it is."""
    if not isinstance(array, np.ndarray) and is_torch(array):
        array = array.detach().cpu().double().numpy()
    return np.asarray(array, dtype=np.float64)


def log_determinant(matrix: Array, dtype: str) -> LogDeterminant:
    """log|det A| of a square matrix, ½ log det of the smaller Gram matrix of any other.

    The rank is that of pivots above ``rank_tolerance``, the matrix scaled as for a layer's rank.
    A pivot is at least the smallest singular value: rank lost here is lost there too.

    Args:
        matrix: (rows, columns), of any real type; a memory map is read, not written.
        dtype: Of the stored tensor: its spacing sets the tolerance.

    Returns:
        The value; None where a row or column is zero or the rank is lost at the tolerance.
    """
    full = min(matrix.shape)
    power = _exponent(matrix)
    if power:
        matrix = np.ldexp(to_numpy(matrix), -power)
    pivots = _pivots(matrix)
    least, greatest = float(pivots.min()), float(pivots.max())
    if least > _SUSPICIOUS * greatest:
        tolerance = rank_tolerance(matrix.shape[0], matrix.shape[1], machine_epsilon(dtype))
        value = float(np.log(pivots).sum()) + full * power * math.log(2)
        return LogDeterminant(value, full, full, tolerance, "", least / greatest)
    large = isinstance(matrix, np.ndarray) and matrix.dtype != np.float64 and full >= _BLOCKED
    look = _looked_into_blocks if large else _looked_into
    found = look(matrix if large else to_numpy(matrix), machine_epsilon(dtype))
    if found.value is None:
        return found
    return replace(found, value=found.value + full * power * math.log(2))


def of_layer(found: LogDeterminant, subject: Subject) -> LogDeterminant:
    """The part's log-determinant, but −∞ where the whole layer has lost rank.

    A surrogate may not be finite where the exact log-volume is −∞, though a part of a matrix that
    has lost rank to rounding can pass for a random matrix of its own, smaller shape. The layer's
    rank is asked for where it costs little or the pivots come near its tolerance.
    """
    if found.value is None:
        return found
    if "rank" not in vars(subject) and min(subject.layer.weight.shape[:2]) > _SMALL:
        shape = subject.layer.weight.shape
        near = rank_tolerance(shape[0], shape[1], machine_epsilon(subject.layer.dtype))
        if found.least > max(_SUSPICIOUS, min(_NEAR * near, 1.0)):
            return found
    rank = subject.rank
    if rank.is_full:
        return found
    note = f"{MINUS_INFINITY}: the whole layer has lost rank: {rank.sentence}"
    return LogDeterminant(None, found.rank, found.full, rank.tolerance, note)


def _exponent(matrix: Array) -> int:
    """Power of two of the largest magnitude where that is extreme, else 0."""
    if on_accelerator(matrix):
        largest = float(matrix.abs().max())
    else:
        largest = max(float(matrix.max()), -float(matrix.min()))
    power = math.frexp(largest)[1]
    return power if abs(power) > _EXTREME else 0


def _looked_into(matrix: np.ndarray[Any, Any], epsilon: float) -> LogDeterminant:
    """The slow way for a matrix whose pivots differ much: scale it, then judge its rank."""
    full = min(matrix.shape)
    sizes = tuple(np.abs(matrix).max(axis=axis) for axis in (1, 0))
    live = tuple(np.flatnonzero(size) for size in sizes)
    rank = min(live[0].size, live[1].size)
    tolerance = rank_tolerance(live[0].size, live[1].size, epsilon)
    if rank:
        scaled = equilibrated(matrix[np.ix_(*live)])
        pivots = _qr_pivots(scaled)
        greatest = float(np.linalg.norm(scaled, 2)) if rank <= _SMALL else float(pivots.max())
        tolerance = rank_tolerance(live[0].size, live[1].size, epsilon, greatest)
        rank = int((pivots > tolerance).sum())
    if rank < full:
        return _lost(matrix.shape, live, rank, tolerance)
    # A volume does not see the scale of its edges: taken out, they cannot drown each other.
    edges, log_scale = _scaled_rows(matrix if matrix.shape[0] == full else matrix.T)
    value = float(np.log(_pivots(edges)).sum()) + log_scale
    return LogDeterminant(value, full, full, tolerance, _hardly_count(sizes, epsilon))


def _looked_into_blocks(weight: np.ndarray[Any, Any], epsilon: float) -> LogDeterminant:
    """The same, with one float64 array of the matrix's shape at a time."""
    matrix, full = BlockedMatrix(weight), min(weight.shape)
    sizes = np.zeros(matrix.rows), np.zeros(matrix.cols)
    for part, block in matrix.row_blocks():
        np.abs(block, out=block)
        sizes[0][part] = block.max(axis=1)
        np.maximum(sizes[1], block.max(axis=0), out=sizes[1])
    live = tuple(np.flatnonzero(size) for size in sizes)
    rank = min(live[0].size, live[1].size)
    tolerance = rank_tolerance(live[0].size, live[1].size, epsilon)
    if rank:
        scaled = matrix.scaled(*blocked_factors(matrix, *(size > 0 for size in sizes)))
        pivots = np.abs(triangular(scaled.restricted(*live)).diagonal())
        greatest = float(pivots.max())
        tolerance = rank_tolerance(live[0].size, live[1].size, epsilon, greatest)
        rank = int((pivots > tolerance).sum())
    if rank < full:
        return _lost(weight.shape, live, rank, tolerance)
    of_rows = matrix.rows == full
    edges = matrix if of_rows else matrix.transposed()
    norms = np.zeros(full)
    for part, block in edges.row_blocks():
        norms[part] = np.linalg.norm(block, axis=1)
    edges = edges.scaled(1 / norms, None)
    if edges.rows == edges.cols:
        pivots = _lu_pivots(edges.whole())
    else:
        pivots = np.abs(triangular(edges).diagonal())
    value = float(np.log(pivots).sum() + np.log(norms).sum())
    value += full * matrix.exponent * math.log(2)
    return LogDeterminant(value, full, full, tolerance, _hardly_count(sizes, epsilon))


def _lost(
    shape: tuple[int, ...], live: tuple[np.ndarray[Any, Any], ...], rank: int, tolerance: float
) -> LogDeterminant:
    """−∞ and why, of a matrix whose live rows and columns have that rank."""
    full = min(shape)
    causes = [
        f"{size - some.size} of {size} {name} {'is' if size - some.size == 1 else 'are'} "
        f"exactly zero ({name_indices(np.setdiff1d(np.arange(size), some))})"
        for name, size, some in zip(("rows", "columns"), shape, live, strict=True)
        if some.size < size
    ]
    causes.append(f"rank {rank} of {full} (pivot tolerance {tolerance:.1e})")
    return LogDeterminant(None, rank, full, tolerance, "−∞: " + "; ".join(causes))


def _hardly_count(sizes: tuple[np.ndarray[Any, Any], ...], epsilon: float) -> str:
    """Which rows and columns of these largest magnitudes are next to nothing."""
    negligible = min(epsilon, SINGLE)
    return "; ".join(
        f"{name} {name_indices(found)} hardly count: below {negligible:.1e} of the largest"
        for name, size in zip(("rows", "columns"), sizes, strict=True)
        if (found := np.flatnonzero(size < negligible * size.max())).size
    )


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
    return _qr_pivots(to_numpy(matrix))


def _qr_pivots(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
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
    copied = np.array(host, dtype=np.float64, order="C")
    give_back(host)
    factor, _, _ = dgetrf(copied.T, overwrite_a=1)
    pivots: np.ndarray[Any, Any] = np.abs(factor.diagonal())
    return pivots
