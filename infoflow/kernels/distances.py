"""Squared Euclidean distances between samples, whole or tile by tile.

One shape inside: features (n, d), float64, centred. A distance does not change when all samples
are shifted, but its rounding does: an offset of 100 costs a float32 Gram matrix 2e-4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels.products import centred_products

ROUNDING = 64 * torch.finfo(torch.float64).eps
"""Share of ‖x‖² + ‖y‖² below which ‖x‖² + ‖y‖² − 2 x·y is the rounding error of 0."""

ROUNDING_FLOAT32 = 8 * torch.finfo(torch.float32).eps
"""The same for a product in float32."""


class Distances(Protocol):
    """Squared distances between n samples, by tiles."""

    @property
    def samples(self) -> int:
        """How many samples there are, n."""

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Squared distances (rows, columns), float64."""

    def between(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Squared distances of any samples (m,) to any others (k,), by their numbers."""


@dataclass(frozen=True)
class Points:
    """Samples whose distances are computed when a tile is asked for.

    Args:
        features: (n, d), float64, centred.
        norms: (n,), their squared lengths.
    """

    features: Tensor
    norms: Tensor

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.features.shape[0]

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Squared distances (rows, columns); equal samples have exactly 0."""
        features, others = self.features[rows], self.features[columns]
        found = _from_products(features @ others.T, self.norms[rows], self.norms[columns])
        return _without_diagonal(found) if rows == columns else found

    def between(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Squared distances of any samples (m,) to any others (k,), by their numbers."""
        product = self.features[rows] @ self.features[columns].T
        found = _from_products(product, self.norms[rows], self.norms[columns])
        return found.masked_fill_(rows[:, None] == columns[None, :], 0.0)


@dataclass(frozen=True)
class DistanceMatrix:
    """Distances that are already there.

    Args:
        matrix: (n, n), squared distances, float64.
    """

    matrix: Tensor

    @classmethod
    def of(cls, x: Tensor, precision: torch.dtype = torch.float64) -> DistanceMatrix:
        """Distances of samples (n, …), computed once for use with several σ and measures."""
        return cls(squared_distances(x, precision=precision))

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.matrix.shape[0]

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Squared distances (rows, columns)."""
        return self.matrix[rows, columns]

    def between(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Squared distances of any samples (m,) to any others (k,), by their numbers."""
        return self.matrix[rows][:, columns]


def points(x: Tensor) -> Points:
    """Samples (n, …) of any dtype as centred float64 features (n, d); (n,) is one feature.

    Raises:
        EstimateError: There are no samples, or a value is NaN or infinite.
    """
    _check_samples(x)
    features = x.to(torch.float64).reshape(x.shape[0], -1)
    features = features - features.mean(dim=0)
    norms = (features * features).sum(dim=1)
    _check_finite(norms)
    return Points(features, norms)


def squared_distances(
    x: Tensor, scale: Tensor | None = None, precision: torch.dtype = torch.float64
) -> Tensor:
    """‖(x_i − x_j)/scale‖² of samples (n, …), a symmetric matrix (n, n) of float64, zero diagonal.

    One symmetric product, ‖x_i‖² + ‖x_j‖² − 2 x_i·x_j of centred features. What is below its
    rounding error is exactly 0. Differentiable.

    Args:
        x: Any float type; (n,) is one feature.
        scale: Each feature is divided by its own, (…) as x or broadcast to that; 1 if None.
        precision: Of the product: float64, or float32 for half the time on the CPU and relative
            errors of 1e-6 in the distances.

    Raises:
        EstimateError: There are no samples, or a value is NaN or infinite.
    """
    _check_samples(x)
    each = x.new_ones(1) if scale is None else scale
    shape = x.shape[1:] or torch.Size([1])
    flat = each.to(device=x.device, dtype=torch.float64).expand(shape).reshape(-1)
    product = centred_products(x.reshape(x.shape[0], -1), 1 / flat, precision)
    norms = product.diagonal()
    _check_finite(norms)
    rounding = ROUNDING if precision == torch.float64 else ROUNDING_FLOAT32
    return _without_diagonal(_from_products(product, norms, norms, rounding))


def standardised(x: Tensor) -> Tensor:
    """Features (n, d) of samples (n, …) with mean 0 and population variance 1; constants are 0.

    For data in which one coordinate of huge variance would hide all others.
    """
    features = points(x).features
    scale = features.square().mean(dim=0).sqrt()
    return features / torch.where(scale == 0, 1.0, scale)


def duplicates(x: Tensor) -> int:
    """How many of the samples (n, …) repeat an earlier one exactly."""
    distinct: int = torch.unique(x.reshape(x.shape[0], -1), dim=0).shape[0]
    return x.shape[0] - distinct


def tiles(samples: int, block: int) -> Iterator[tuple[slice, slice]]:
    """The upper triangle of an n × n matrix in square tiles, those of the diagonal included."""
    cuts = [slice(start, min(start + block, samples)) for start in range(0, samples, block)]
    for place, rows in enumerate(cuts):
        for columns in cuts[place:]:
            yield rows, columns


def _check_samples(x: Tensor) -> None:
    if x.ndim == 0 or x.shape[0] == 0:
        raise EstimateError("There are no samples to measure distances between.")


def _check_finite(norms: Tensor) -> None:
    if not bool(torch.isfinite(norms).all()):
        raise EstimateError("The features hold NaN or infinite values; they have no distances.")


def _from_products(
    product: Tensor, rows: Tensor, columns: Tensor, rounding: float = ROUNDING
) -> Tensor:
    sums = rows[:, None] + columns[None, :]
    found = torch.add(sums, product, alpha=-2)
    return found.masked_fill(found <= rounding * sums, 0.0)


def _without_diagonal(matrix: Tensor) -> Tensor:
    inside = torch.eye(matrix.shape[0], dtype=torch.bool, device=matrix.device)
    return matrix.masked_fill(inside, 0.0)
