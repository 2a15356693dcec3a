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
    """
    xp = namespace(weight)
    rows, columns = weight.shape
    device = {"device": weight.device} if hasattr(weight, "device") else {}
    whole = xp.eye(max(rows, columns), dtype=weight.dtype, **device)
    whole[:rows, :columns] = weight
    return whole
