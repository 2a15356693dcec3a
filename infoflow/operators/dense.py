"""The square part of a dense layer and its completion W′ (ENT Theorem 3, eq. 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infoflow.layers import Array
from infoflow.operators.arrays import namespace

if TYPE_CHECKING:
    from jaxtyping import Float


def square_part(weight: Float[Array, "out in"]) -> Float[Array, "k k"]:
    """W_sq: the first k = min(N, d) rows and columns of a weight (N, d)."""
    k = min(weight.shape)
    return weight[:k, :k]


def completed(weight: Float[Array, "out in"]) -> Float[Array, "n n"]:
    """W′: the square matrix that completes a weight (N, d), with det W′ = det W_sq.

    N < d: [[W_sq, W_rest], [0, I]], d × d, which carries the last d − N inputs along unchanged.
    N > d: [[W_sq, 0], [W_rest, I]], N × N. Source: ENT, Theorem 3 and eq. 4.

    ENT's Example 4 in figures: det W_sq = det W′ = 18, log 18 = 2.8904, while the log-volume
    ½ log det(WWᵀ) is 5.7343. The matrix below is *not* the paper's: it was found to have the same
    determinant and the same log-volume.

    >>> import numpy as np
    >>> W = np.array([[5.0, 4, 5, 3, 2], [3, 3, 1, 4, 6], [0, 0, 6, 2, 6]])
    >>> round(np.linalg.det(square_part(W))), round(np.linalg.det(completed(W)))
    (18, 18)
    >>> sign, log_determinant = np.linalg.slogdet(W @ W.T)
    >>> round(float(np.log(18)), 4), round(float(log_determinant) / 2, 4)
    (2.8904, 5.7343)
    """
    xp = namespace(weight)
    rows, columns = weight.shape
    device = {"device": weight.device} if hasattr(weight, "device") else {}
    whole = xp.eye(max(rows, columns), dtype=weight.dtype, **device)
    whole[:rows, :columns] = weight
    return whole
