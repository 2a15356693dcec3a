"""Matrix-based Rényi entropy, the papers' functional, in bits.

With A = G/n, G a Gram matrix with unit diagonal and eigenvalues λ of A:

    S_α = 1/(1−α) · log2 Σ λ^α;   α → 1: −Σ λ log2 λ;   α → ∞: −log2 λ_max;   0 ≤ S_α ≤ log2 n.

The joint entropy is that of the elementwise product of the Gram matrices. The inequality
S(A∘B) ≤ S(A) + S(B) of GIR and REN fails for every α except 0 and 1, so that a negative "mutual
information" is possible and real; it is not clamped. S(A∘B) ≥ max(S(A), S(B)) has held always.

The diagonal k(x, x) = 1 biases every figure up to log2 n, whatever the data: read I beside its
permutation null, or use the diagonal-free form (`quadratic`).

Sources: Sanchez Giraldo, Rao, Principe (IEEE TIT 61(1), 2015; GIR); Yu, Jenssen, Principe (REN).
"""

from __future__ import annotations

import math
from functools import reduce

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import normalised

NEAR_ONE = 1e-3
"""|α − 1| below which 1/(1 − α) would magnify the rounding of log Σ λ^α."""

SATURATION = 0.05
"""S within this share of log2 n, from either end of 0 to log2 n, is saturated."""


def entropy(gram: Tensor, alpha: float = 1.01) -> Tensor:
    """S_α of a Gram matrix, in bits.

    Eigenvalues within rounding of 0 (n·ε·λ_max) count as 0. Differentiable. α = 2 needs no
    eigenvalues: −log2 ‖A‖².

    Args:
        gram: (…, n, n), symmetric, positive semi-definite; normalised to unit diagonal here.
        alpha: α > 0, 1 and ∞ (``math.inf``) included.

    Returns:
        (…,) float64.

    Raises:
        EstimateError: α is not positive, or a diagonal entry is not.
    """
    if not alpha > 0:
        raise EstimateError(f"Rényi's α must be positive, not {alpha!r}.")
    matrix = normalised(gram) / gram.shape[-1]
    if alpha == 2:
        return -matrix.square().sum(dim=(-2, -1)).log2()
    return spectral_entropy(torch.linalg.eigvalsh(matrix), alpha)


def spectral_entropy(eigenvalues: Tensor, alpha: float) -> Tensor:
    """S_α of eigenvalues (…, n) with sum 1, in bits; those within rounding of 0 count as 0."""
    largest = eigenvalues.detach().abs().amax(dim=-1, keepdim=True)
    floor = eigenvalues.shape[-1] * torch.finfo(eigenvalues.dtype).eps * largest
    counted = eigenvalues > floor
    logs = torch.where(counted, eigenvalues, 1.0).log()
    if math.isinf(alpha):
        return -eigenvalues.amax(dim=-1).log2()
    weights = torch.where(counted, eigenvalues, 0.0)
    if alpha == 1:
        return -(weights * logs).sum(dim=-1) / math.log(2)
    if abs(alpha - 1) < NEAR_ONE:
        # Σ λ = 1 is known: log Σ λ^α = log1p Σ λ (λ^(α−1) − 1).
        excess = (weights * torch.expm1((alpha - 1) * logs)).sum(dim=-1)
        return torch.log1p(excess) / ((1 - alpha) * math.log(2))
    powers = torch.where(counted, alpha * logs, -math.inf)
    return torch.logsumexp(powers, dim=-1) / ((1 - alpha) * math.log(2))


def joint_entropy(*grams: Tensor, alpha: float = 1.01) -> Tensor:
    """S_α of the elementwise product of any number of Gram matrices, in bits.

    Args:
        grams: (…, n, n) each; each normalised to unit diagonal before the product, so that
            nothing underflows however many there are.
        alpha: See `entropy`.
    """
    return entropy(reduce(torch.mul, (normalised(gram) for gram in grams)), alpha)


def mutual_information(x: Tensor, t: Tensor, alpha: float = 1.01) -> Tensor:
    """I_α(X; T) = S(X) + S(T) − S(X, T), in bits. Negative values are possible; see the module.

    Args:
        x: (…, n, n), a Gram matrix; the joint one of several variables (`product_of_gaussians`).
        t: (…, n, n).
        alpha: See `entropy`.
    """
    return entropy(x, alpha) + entropy(t, alpha) - joint_entropy(x, t, alpha=alpha)


def conditional_entropy(x: Tensor, given: Tensor, alpha: float = 1.01) -> Tensor:
    """S_α(X | Z) = S(X, Z) − S(Z), in bits. Arguments as in `mutual_information`."""
    return joint_entropy(x, given, alpha=alpha) - entropy(given, alpha)


def conditional_mutual_information(
    x: Tensor, t: Tensor, given: Tensor, alpha: float = 1.01
) -> Tensor:
    """I_α(X; T | Z) = S(X, Z) + S(T, Z) − S(X, T, Z) − S(Z), in bits."""
    return (
        joint_entropy(x, given, alpha=alpha)
        + joint_entropy(t, given, alpha=alpha)
        - joint_entropy(x, t, given, alpha=alpha)
        - entropy(given, alpha)
    )


def total_correlation(*grams: Tensor, alpha: float = 1.01) -> Tensor:
    """Σ_c S(X_c) − S(X_1, …, X_C), in bits."""
    each = reduce(torch.add, (entropy(gram, alpha) for gram in grams))
    return each - joint_entropy(*grams, alpha=alpha)


def ceiling(samples: int) -> float:
    """Log2 n, in bits: no entropy and no information of this kind exceeds it."""
    return math.log2(samples)


def is_saturated(value: float, samples: int) -> bool:
    """Whether an entropy is within 5 % of log2 n or of 0: then the kernel cannot tell."""
    top = ceiling(samples)
    return value >= (1 - SATURATION) * top or value <= SATURATION * top
