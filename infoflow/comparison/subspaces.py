"""How far the strongest directions of two weights have turned.

A convolution is taken as the matrix of its stored first dimension × the rest, a dense weight as
it is. The left directions are those of the first dimension (the outputs), the right ones those of
the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jaxtyping import Float

MOST = 10
"""Directions that are compared, at most."""

GAP = 1.05
"""σ_k/σ_{k+1} below which the k-th direction may be exchanged for the next by a small change."""

RESOLVED = 1e-6
"""Share of σ₁ from which a direction counts: a Gram matrix in float64 resolves no less."""

BLOCK = 1 << 20
"""Numbers that are converted to float64 at a time."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Leading:
    """The strongest directions of a matrix of m rows and n columns.

    Args:
        values: The k + 1 largest singular values (k where there are no more), descending.
        left: (m, k), orthonormal.
        right: (n, k), orthonormal but for rounding.
    """

    values: Floats
    left: Floats
    right: Floats

    @property
    def count(self) -> int:
        """How many directions there are: k."""
        return int(self.left.shape[1])

    def gap(self, count: int) -> float | None:
        """σ_count / σ_{count + 1}; None where there is no next one but zero."""
        if count < 1 or count >= len(self.values) or self.values[count] == 0:
            return None
        return float(self.values[count - 1] / self.values[count])


@dataclass(frozen=True, slots=True)
class Angles:
    """Principal angles between the strongest directions of two matrices, in degrees, 0 to 90.

    Args:
        directions: How many directions of each are compared.
        left: Largest angle between the left subspaces.
        left_mean: Mean of the angles between the left subspaces.
        right: Largest angle between the right subspaces.
        right_mean: Mean of the angles between the right subspaces.
        gap: The smaller σ_k/σ_{k+1} of the two; None where nothing follows in either.
    """

    directions: int
    left: float
    left_mean: float
    right: float
    right_mean: float
    gap: float | None

    @property
    def stable(self) -> bool:
        """Whether the gap is wide enough for the largest angle to mean something."""
        return self.gap is None or self.gap >= GAP


def wanted_directions(shape: tuple[int, ...]) -> int:
    """How many directions of a weight of this shape are compared.

    At most ten, and at most half of the smaller side: the angle between two subspaces that fill
    most of the space is small whatever they are.

    >>> wanted_directions((64, 32, 3, 3)), wanted_directions((6, 1, 5, 5)), wanted_directions((8,))
    (10, 3, 0)
    """
    if len(shape) < 2 or 0 in shape:
        return 0
    rows, columns = shape[0], int(np.prod(shape[1:]))
    smaller = min(rows, columns)
    return min(MOST, max(smaller // 2, 1)) if smaller > 1 else 0


def leading(weight: Float[NDArray[Any], "rows ..."]) -> Leading | None:
    """The strongest singular directions of a weight, by the smaller of its two Gram matrices.

    Besides the Gram matrix (s² numbers in float64 for a smaller side of s) and the directions
    themselves, memory holds a block of the weight. Directions weaker than 10⁻⁶ σ₁ are left out.

    Returns:
        None where there is no direction to speak of: a vector, or a weight that is all zero or
        holds NaN or infinite values.
    """
    count = wanted_directions(weight.shape)
    if not count:
        return None
    matrix = weight.reshape(weight.shape[0], -1)
    scale = _largest(matrix)
    if not 0 < scale < np.inf:
        return None
    wide = matrix.shape[0] <= matrix.shape[1]
    squares, vectors = _eigenvectors(_gram(matrix, scale, wide), count)
    values = np.sqrt(np.maximum(squares, 0.0))
    count = min(count, int(np.count_nonzero(values > RESOLVED * values[0])))
    near = vectors[:, :count]
    far = _product(matrix, near, scale, wide) / values[:count]
    values = values[: count + 1]
    return Leading(values * scale, *((near, far) if wide else (far, near)))


def angles(before: Leading, after: Leading) -> Angles:
    """The principal angles between the strongest directions of two weights of one shape.

    As many directions as both have. Symmetric in the two.

    Source:
        Björck and Golub 1973, Numerical methods for computing angles between linear subspaces;
        Knyazev and Argentati 2002 for small angles (``scipy.linalg.subspace_angles``).
    """
    count = min(before.count, after.count)
    gaps = [gap for one in (before, after) if (gap := one.gap(count)) is not None]
    left = _angles(before.left[:, :count], after.left[:, :count])
    right = _angles(before.right[:, :count], after.right[:, :count])
    return Angles(
        directions=count,
        left=float(left.max()),
        left_mean=float(left.mean()),
        right=float(right.max()),
        right_mean=float(right.mean()),
        gap=min(gaps, default=None),
    )


def unturned(one: Leading) -> Angles:
    """The angles of a weight with itself."""
    return Angles(one.count, 0.0, 0.0, 0.0, 0.0, one.gap(one.count))


def _angles(one: Floats, other: Floats) -> Floats:
    from scipy.linalg import subspace_angles

    found: Floats = np.degrees(subspace_angles(one, other))
    return found


def _largest(matrix: NDArray[Any]) -> float:
    return float(np.max([np.abs(block).max() for _, block in _blocks(matrix)]))


def _gram(matrix: NDArray[Any], scale: float, wide: bool) -> Floats:
    """W Wᵀ of a wide matrix over its scale, Wᵀ W of a tall one."""
    side = min(matrix.shape)
    gram = np.zeros((side, side))
    for _, block in _blocks(matrix if not wide else matrix.T):
        part = block / scale
        gram += part.T @ part
    return gram


def _eigenvectors(gram: Floats, count: int) -> tuple[Floats, Floats]:
    """The ``count`` + 1 largest eigenvalues, or all there are, descending, with their vectors."""
    from scipy.linalg import eigh

    side = len(gram)
    least = max(side - count - 1, 0)
    values, vectors = eigh(
        gram, subset_by_index=(least, side - 1), overwrite_a=True, check_finite=False
    )
    return values[::-1], vectors[:, ::-1]


def _product(matrix: NDArray[Any], near: Floats, scale: float, wide: bool) -> Floats:
    """Wᵀ U of a wide matrix, W V of a tall one, over the scale."""
    lines = matrix.T if wide else matrix
    product = np.empty((len(lines), near.shape[1]))
    for start, block in _blocks(lines):
        product[start : start + len(block)] = (block / scale) @ near
    return product


def _blocks(lines: NDArray[Any]) -> Any:
    """Rows of a matrix in float64, some at a time, with the number of the first."""
    step = max(BLOCK // max(lines.shape[1], 1), 1)
    for start in range(0, len(lines), step):
        yield start, np.asarray(lines[start : start + step], dtype=np.float64)
