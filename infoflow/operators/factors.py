"""LU of one matrix, by LAPACK through scipy: threads can share such work out.

``np.linalg.slogdet`` holds the interpreter while it works, and keeps nothing to solve with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jaxtyping import Num


class Factors(NamedTuple):
    """P A = L U of a square matrix A, as LAPACK leaves it."""

    lu: NDArray[Any]
    pivots: NDArray[np.int32]

    @property
    def log_abs_det(self) -> float:
        """log|det A|; −∞ for an exactly singular one."""
        with np.errstate(divide="ignore"):
            return float(np.log(np.abs(self.lu.diagonal())).sum())

    def solve(self, right: NDArray[Any]) -> NDArray[Any]:
        """A⁻¹ of the columns of ``right``; not finite where A is exactly singular."""
        from scipy.linalg import lapack

        if not self.lu.diagonal().all():
            return np.full(right.shape, np.inf)
        solver = lapack.zgetrs if np.iscomplexobj(self.lu) else lapack.dgetrs
        return np.asarray(solver(self.lu, self.pivots, right)[0])


def factorise(matrix: Num[np.ndarray, "n n"]) -> Factors:
    """LU with partial pivots, in float64 or complex128."""
    from scipy.linalg import lapack

    function = lapack.zgetrf if np.iscomplexobj(matrix) else lapack.dgetrf
    lu, pivots, _ = function(matrix)
    return Factors(lu, pivots)
