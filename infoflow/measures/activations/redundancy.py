"""Which filters repeat each other.

REN's quantity Σ_i I(X;T_i) − I(X;{T_1 … T_C}) is shown under its name, but with Gaussian kernels it
is mostly a count of maps: a copy squares the kernel, so that the joint one gets sharper. Beside it
stands the same with the elementwise minimum of the kernels as the joint, which a copy leaves as it
is. Filters are ranked by what finds planted copies: pairwise normalised dependence, and linear
redundancy for combinations.

A map is what one filter gives, (n, …); a layer's maps are (n, C, …).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.kernels import (
    DistanceMatrix,
    Gaussian,
    Kernel,
    Minimum,
    bandwidth,
    gram,
    normalised,
    squared_distances,
)
from infoflow.measures.activations.quadratic import quadratic_information
from infoflow.measures.activations.renyi import entropy, mutual_information, spectral_entropy

COMBINATION = 1e-9
"""1 − R² below which a map is a linear combination of the others."""

CACHED = 2**18
"""Entries of a batch of Gram matrices that are worked on together: 2 MiB, within the cache."""

CHUNK = 2**24
"""Entries of Gram matrices that are held at once: 128 MiB of float64."""


@dataclass(frozen=True)
class MapKernels:
    """The kernels of a layer's maps.

    Args:
        grams: (C, n, n) Gaussian Gram matrices, each with its own σ.
        dead: (C,) whether the map is the same for all samples.
    """

    grams: Tensor
    dead: Tensor


def map_kernels(maps: Tensor, rule: str | float = "half-median") -> MapKernels:
    """Gram matrices of every map, σ by a rule for each by itself: a scaled copy has the same.

    Args:
        maps: (n, C, …); C·n² numbers of float64 are held.
        rule: See `bandwidth`.
    """
    found, dead = [], []
    for one in maps.unbind(dim=1):
        distances = squared_distances(one)
        chosen = bandwidth(rule, distances, one[0].numel())
        found.append(gram(Gaussian(DistanceMatrix(distances), chosen.sigma)))
        dead.append(bool((distances == 0).all()))
    return MapKernels(torch.stack(found), torch.tensor(dead, device=maps.device))


def filter_information(x: Tensor, grams: Tensor, alpha: float = 1.01) -> Tensor:
    """I_α(X; T_i) of every map, in bits: two eigenvalue problems for each, in batches.

    Args:
        x: (n, n), Gram matrix of X.
        grams: (C, n, n), of the maps.
        alpha: α > 0, 1 and ∞ included.

    Returns:
        (C,) float64.
    """
    first = normalised(x)
    n = first.shape[0]
    parts = []
    together = CACHED if grams.device.type == "cpu" else CHUNK
    for part in torch.split(grams, max(1, together // first.numel())):
        density = normalised(part) / n
        parts.append(_of_density(density, alpha) - _of_density(first * density, alpha))
    return entropy(first, alpha) + torch.cat(parts)


def _of_density(matrices: Tensor, alpha: float) -> Tensor:
    """S_α of matrices (…, n, n) of trace 1."""
    if alpha == 2:
        return -matrices.square().sum(dim=(-2, -1)).log2()
    return spectral_entropy(torch.linalg.eigvalsh(matrices), alpha)


def ren_redundancy(x: Tensor, grams: Tensor, alpha: float = 1.01) -> Tensor:
    """REN's Σ_i I(X;T_i) − I(X;{T_1 … T_C}) in bits (Figure 6): above 0 called redundancy, below
    0 synergy. With indicator kernels and α = 1 XOR gives −1 bit and a copy +H; with Gaussian
    kernels it does not.

    Args:
        x: (n, n), Gram matrix of X.
        grams: (C, n, n), of the maps.
        alpha: α > 0, 1 and ∞ included.
    """  # noqa: D205
    # In logarithms: the product of hundreds of kernels must not pass through each partial one.
    joint = grams.log().sum(dim=0).exp()
    return filter_information(x, grams, alpha).sum() - mutual_information(x, joint, alpha)


def copy_invariant_redundancy(x: Kernel, maps: Sequence[Kernel]) -> Tensor:
    """Σ_i I₂(X;T_i) − I₂(X; min), in bits: a copy of T_i adds exactly I₂(X;T_i).

    Diagonal-free, with the elementwise minimum of the maps' kernels as the joint kernel. The
    minimum of two Gaussian kernels need not be positive definite; I₂ does not need it.
    """
    each = torch.stack([quadratic_information(x, kernel).value for kernel in maps])
    return each.sum() - quadratic_information(x, Minimum(maps)).value


def copy_invariant_of_grams(x: Tensor, grams: Tensor) -> Tensor:
    """The same from Gram matrices that are there: x (n, n) and the maps' (C, n, n)."""
    each = _information(x, grams).sum()
    return each - _information(x, grams.amin(dim=0, keepdim=True))[0]


def _information(x: Tensor, grams: Tensor) -> Tensor:
    """I₂ of one kernel and each of several, (C,)."""
    n = len(x)
    pairs = n * (n - 1)
    others = 1 - torch.eye(n, dtype=x.dtype, device=x.device)
    a = x.square() * others
    b = grams.square().flatten(1)
    joint, marginal = b @ a.flatten() / pairs, b @ others.flatten() / pairs
    return joint.log2() - (a.sum() / pairs).log2() - marginal.log2()


def dependence(grams: Tensor) -> Tensor:
    """Normalised dependence I₂(i;j)/√(I₂(i;i)·I₂(j;j)) of every pair of maps, (C, C).

    Exact, scaled and negated copies have 1. NaN in rows and columns of dead maps.

    Args:
        grams: (C, n, n), of the maps.
    """
    count, n = grams.shape[:2]
    joint = grams.new_zeros(count, count)
    mean = grams.new_zeros(count)
    rows = max(1, CHUNK // (count * n))
    for start in range(0, n, rows):
        part = grams[:, start : start + rows].square()
        places = torch.arange(start, min(start + rows, n), device=grams.device)
        part[:, places - start, places] = 0.0
        flat = part.reshape(count, -1)
        joint += flat @ flat.T
        mean += flat.sum(dim=1)
    pairs = n * (n - 1)
    logs = (mean / pairs).log2()
    information = (joint / pairs).log2() - logs[:, None] - logs[None, :]
    own = information.diagonal()
    scale = torch.where(own == 0, torch.nan, own).sqrt()
    return information / (scale[:, None] * scale[None, :])


def unexplained(maps: Tensor) -> Tensor:
    """1 − R² of every map on the layer's other maps, (C,): 0 for a linear combination of them.

    Observations are samples and positions together. Maps before the nonlinearity: after a ReLU a
    negated copy is no linear combination. NaN for a constant map.

    Args:
        maps: (n, C, …).
    """
    unit, alive = _unit(maps)
    found = unit.new_full((len(unit),), torch.nan)
    if bool(alive.any()):
        found[alive] = _unexplained(unit[alive] @ unit[alive].T)
    return found


def correlations(maps: Tensor) -> Tensor:
    """Correlation (C, C) of maps (n, C, …) over samples and positions; 0 for constant maps."""
    unit, _ = _unit(maps)
    return unit @ unit.T


def _unit(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Centred values of each map (C, samples · positions) at length 1, and which vary at all.

    What is left of a constant after centring is rounding, and becomes 0.
    """
    values = maps.to(torch.float64).transpose(0, 1).flatten(1)
    largest = values.abs().amax(dim=1)
    values = values - values.mean(dim=1, keepdim=True)
    length = values.norm(dim=1)
    rounding = 4 * torch.finfo(torch.float64).eps * values.shape[1] ** 0.5 * largest
    alive = length > rounding
    unit = values / torch.where(alive, length, 1.0)[:, None]
    return torch.where(alive[:, None], unit, 0.0), alive


def _unexplained(correlation: Tensor) -> Tensor:
    """1/(R⁻¹)_ii by eigenvectors: 0 for whoever takes part in a null vector."""
    values, vectors = torch.linalg.eigh(correlation)
    floor = correlation.shape[0] * torch.finfo(torch.float64).eps * values[-1]
    null = values <= floor
    shares = vectors.square()
    explained = shares[:, null].sum(dim=1) > COMBINATION
    precision = (shares[:, ~null] / values[~null]).sum(dim=1)
    return torch.where(explained, 0.0, 1 / precision)
