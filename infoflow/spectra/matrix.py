"""The exact log-volume of a matrix as it stands: all singular values, rank first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from infoflow.operators.layer import LayerOperator
from infoflow.report import MINUS_INFINITY
from infoflow.spectra.scaling import equilibrated
from infoflow.spectra.sides import SINGLE
from infoflow.spectra.tolerance import rank_tolerance

AFFORDABLE = 4e9
"""Rows · columns · smaller side of a matrix up to which this takes seconds (an SVD and a QR)."""

AFFORDABLE_ENTRIES = 1 << 22
"""Entries up to which it takes little memory: 32 MB for each of a few copies."""


@dataclass(frozen=True)
class MatrixVolume:
    """The log-volume of a matrix, in nats.

    Args:
        value: Σ log σᵢ over all ``full`` singular values; None for −∞.
        over_rank: Σ log of the ``rank`` largest ones; None at rank 0.
        rank: Singular values above the tolerance, rows and columns scaled as for a layer's rank.
        full: The rank it could have.
        tolerance: Singular value, after scaling, that counts as zero.
        gap: Ratio of the last one kept to the first one that is not; None where there is none.
        note: Why the value is −∞, or ``""``.
    """

    value: float | None
    over_rank: float | None
    rank: int
    full: int
    tolerance: float
    gap: float | None
    note: str = ""


def matrix_log_volume(
    matrix: NDArray[np.float64], *, epsilon: float, full: int | None = None
) -> MatrixVolume:
    """Σ log σᵢ of a dense matrix, −∞ below full rank.

    Lines that are zero, or negligible beside the largest (norm below ε, at most float32's), are
    taken out and cost rank; the rest is judged by ``rank_tolerance``.

    Args:
        matrix: (rows, columns), finite.
        epsilon: ε of the stored weights (``machine_epsilon``).
        full: The rank it could have; the smaller side where None.
    """
    full = min(matrix.shape) if full is None else full
    power = math.frexp(float(np.abs(matrix).max(initial=0.0)))[1]
    live = _without_lost_lines(np.ldexp(matrix, -power), min(epsilon, SINGLE))
    tolerance = rank_tolerance(live.shape[0], live.shape[1], epsilon)
    if not live.size:
        note = f"{MINUS_INFINITY}: every weight is exactly zero"
        return MatrixVolume(None, None, 0, full, tolerance, None, note)
    scaled = np.linalg.svd(equilibrated(live), compute_uv=False)
    tolerance = rank_tolerance(live.shape[0], live.shape[1], epsilon, float(scaled[0]))
    rank = min(int(np.sum(scaled > tolerance)), full)
    if rank == min(live.shape):
        logs = _log_pivots(live)
    else:
        logs = np.log(np.linalg.svd(live, compute_uv=False)[:rank])
    over_rank = float(logs.sum()) + rank * power * math.log(2)
    if rank == full:
        return MatrixVolume(over_rank, over_rank, rank, full, tolerance, None)
    noise = max(live.shape) * 2.0**-52 * float(scaled[0])
    seen = rank < len(scaled) and scaled[rank] > noise
    gap = float(scaled[rank - 1] / scaled[rank]) if seen else None
    note = f"{MINUS_INFINITY}: rank {rank} of {full} (tolerance {tolerance:.2g})"
    return MatrixVolume(None, over_rank, rank, full, tolerance, gap, note)


def is_affordable(shape: tuple[int, int]) -> bool:
    """Whether the log-volume of a matrix of that shape takes seconds and little memory."""
    entries = shape[0] * shape[1]
    return entries <= AFFORDABLE_ENTRIES and entries * min(shape) <= AFFORDABLE


def exact_log_volume(operator: LayerOperator, *, epsilon: float) -> MatrixVolume:
    """Σ log σᵢ of a whole layer on inputs of one size, its borders included.

    Full rank is the smaller number of rows that read something and columns that are read: what
    the geometry leaves out (positions between strides) is no loss of the layer's.

    Args:
        operator: Small enough to be a dense matrix (``is_affordable`` of its shape).
        epsilon: ε of the stored weights.
    """
    return matrix_log_volume(operator.to_dense(), epsilon=epsilon, full=min(operator.reached))


def _log_pivots(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Their sum is Σ log σᵢ, for a fifth of an SVD's time: log|r_ii| of a QR factorisation.

    Lines are scaled to unit norm first, since a volume does not see the scale of its edges.
    """
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    norms = np.linalg.norm(tall, axis=0)
    pivots = np.abs(np.diagonal(np.linalg.qr(tall / norms, mode="r")))
    return np.asarray(np.log(pivots) + np.log(norms))


def _without_lost_lines(matrix: NDArray[Any], negligible: float) -> NDArray[Any]:
    """The matrix without lines of zeros and negligible ones; what one leaves may lose another."""
    while matrix.size:
        rows, columns = (np.linalg.norm(matrix, axis=axis) for axis in (1, 0))
        kept = [(norms > 0) & (norms >= negligible * norms.max()) for norms in (rows, columns)]
        if all(lines.all() for lines in kept):
            break
        matrix = matrix[np.ix_(*kept)]
    return matrix
