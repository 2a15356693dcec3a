"""Kernels of samples and their Gram matrices.

A kernel gives its values tile by tile, so that what needs only sums over pairs never holds an
n × n matrix. Products of Gaussian kernels are one Gaussian kernel of scaled, concatenated
features; products of other kernels go their own way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels.bandwidths import MEDIAN_SAMPLES, Bandwidth, bandwidth, thinned
from infoflow.kernels.distances import DistanceMatrix, Distances, points, squared_distances


class Kernel(Protocol):
    """A positive definite kernel with k(x, x) = 1, on n samples."""

    @property
    def samples(self) -> int:
        """How many samples there are, n."""

    @property
    def sigma_influence(self) -> Tensor | None:
        """Influence of each sample on log σ (n,), where σ was chosen from the same samples."""

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Kernel values (rows, columns), float64."""


@dataclass(frozen=True)
class Gaussian:
    """exp(−‖x − y‖²/(2σ²)).

    Args:
        distances: Squared distances of the samples.
        sigma: σ > 0; a tensor of one number where a gradient with respect to σ is wanted.
        sigma_influence: (n,), see `Bandwidth.influence`.
    """

    distances: Distances
    sigma: float | Tensor
    sigma_influence: Tensor | None = None

    @classmethod
    def of(cls, x: Tensor | Distances, width: Bandwidth | float | Tensor) -> Gaussian:
        """The kernel of samples (n, …), or of distances, with a chosen bandwidth."""
        distances = points(x) if isinstance(x, Tensor) else x
        if isinstance(width, Bandwidth):
            return cls(distances, width.sigma, width.influence)
        return cls(distances, width)

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.distances.samples

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Kernel values (rows, columns)."""
        return torch.exp(self.distances.tile(rows, columns) * (-0.5 / self.sigma**2))


@dataclass(frozen=True)
class Indicator:
    """1 where two labels are equal, else 0.

    With it α = 1 gives Shannon's plug-in entropies: the eigenvalues of the normalised Gram matrix
    are the class frequencies.

    Args:
        labels: (n,) of any dtype, or (n, …): equal where all entries are.
    """

    labels: Tensor

    def __post_init__(self) -> None:
        if self.labels.ndim > 1:
            # Numbers for distinct masks: pairs of whole masks would take n² times their size.
            flat = self.labels.reshape(self.samples, -1)
            numbers = torch.unique(flat, dim=0, return_inverse=True)[1]
            object.__setattr__(self, "labels", numbers)

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.labels.shape[0]

    @property
    def sigma_influence(self) -> None:
        """There is no σ."""
        return

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Kernel values (rows, columns)."""
        return (self.labels[rows, None] == self.labels[None, columns]).to(torch.float64)


@dataclass(frozen=True)
class Product:
    """The elementwise product: the joint kernel of several variables."""

    kernels: Sequence[Kernel]

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.kernels[0].samples

    @property
    def sigma_influence(self) -> None:
        """Several σ: none is given."""
        return

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Kernel values (rows, columns)."""
        return reduce(torch.mul, (kernel.tile(rows, columns) for kernel in self.kernels))


@dataclass(frozen=True)
class Minimum:
    """The elementwise minimum: a joint kernel that a copy of a variable leaves as it is."""

    kernels: Sequence[Kernel]

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.kernels[0].samples

    @property
    def sigma_influence(self) -> None:
        """Several σ: none is given."""
        return

    def tile(self, rows: slice, columns: slice) -> Tensor:
        """Kernel values (rows, columns)."""
        return reduce(torch.minimum, (kernel.tile(rows, columns) for kernel in self.kernels))


def gram(kernel: Kernel) -> Tensor:
    """The Gram matrix (n, n) of a kernel, float64, with unit diagonal."""
    whole = slice(0, kernel.samples)
    return kernel.tile(whole, whole)


def kernel_of(
    x: Tensor,
    rule: str | float = "half-median",
    *,
    factor: float | None = None,
    reference: Tensor | None = None,
    precision: torch.dtype = torch.float64,
) -> tuple[Gaussian, Bandwidth]:
    """The Gaussian kernel of samples (n, …) with σ by a rule, and how σ was found.

    Up to 4,096 samples the distances are computed once and kept; beyond that tile by tile, and a
    median is that of 4,096 samples taken evenly.

    Args:
        x: (n, …).
        rule: See `bandwidth`.
        factor: See `bandwidth`.
        reference: See `bandwidth`.
        precision: Of the distances that are kept, see `squared_distances`.
    """
    dimension = x[0].numel() if x.ndim else 0
    if x.ndim == 0 or x.shape[0] <= MEDIAN_SAMPLES:
        distances = squared_distances(x, precision=precision)
        chosen = bandwidth(rule, distances, dimension, factor=factor, reference=reference)
        return Gaussian.of(DistanceMatrix(distances), chosen), chosen
    few = thinned(x.shape[0]).to(x.device)
    chosen = bandwidth(
        rule,
        squared_distances(x[few], precision=precision),
        dimension,
        samples=x.shape[0],
        factor=factor,
        reference=None if reference is None else reference[few][:, few],
    )
    return Gaussian.of(points(x), chosen), chosen


def product_of_gaussians(
    variables: Tensor | Sequence[Tensor],
    sigmas: Tensor | Sequence[float | Tensor],
    precision: torch.dtype = torch.float64,
) -> Gaussian:
    """Π_c exp(−‖x_c − y_c‖²/(2σ_c²)) as one Gaussian kernel with σ = 1.

    One symmetric product of scaled features instead of one for each variable. Differentiable.

    Args:
        variables: Maps (n, C, …), or C tensors (n, …).
        sigmas: (C,).
        precision: See `squared_distances`.

    Raises:
        EstimateError: The variables have different numbers of samples or of sigmas.
    """
    widths = [torch.as_tensor(sigma, dtype=torch.float64) for sigma in sigmas]
    if isinstance(variables, Tensor):
        features, sizes = variables, [variables[0, 0].numel()] * variables.shape[1]
    else:
        flat = [x.reshape(x.shape[0], -1) for x in variables]
        _check_same_samples(flat)
        features, sizes = torch.cat(flat, dim=1), [x.shape[1] for x in flat]
    if len(widths) != len(sizes):
        raise EstimateError(f"There are {len(sizes)} variables and {len(widths)} bandwidths.")
    repeats = torch.tensor(sizes, device=widths[0].device)
    scale = torch.stack(widths).repeat_interleave(repeats)
    return Gaussian(DistanceMatrix(squared_distances(features.flatten(1), scale, precision)), 1.0)


def _check_same_samples(variables: Sequence[Tensor]) -> None:
    counts = sorted({x.shape[0] for x in variables})
    if len(counts) != 1:
        said = " and ".join(map(str, counts)) or "none"
        raise EstimateError(f"A joint kernel needs the same samples in each variable, not {said}.")


def normalised(matrix: Tensor) -> Tensor:
    """G_ij / √(G_ii G_jj): any Gram matrix (…, n, n) with unit diagonal, float64.

    Raises:
        EstimateError: A diagonal entry is not positive.
    """
    matrix = matrix.to(torch.float64)
    diagonal = matrix.diagonal(dim1=-2, dim2=-1)
    if not bool((diagonal > 0).all()):
        raise EstimateError("A Gram matrix needs a positive diagonal to be normalised.")
    scale = diagonal.sqrt()
    return matrix / (scale[..., :, None] * scale[..., None, :])


def centred(matrix: Tensor) -> Tensor:
    """H G H with H = I − 11ᵀ/n: the Gram matrix (…, n, n) of centred features."""
    rows = matrix.mean(dim=-1, keepdim=True)
    columns = matrix.mean(dim=-2, keepdim=True)
    return matrix - rows - columns + rows.mean(dim=-2, keepdim=True)
