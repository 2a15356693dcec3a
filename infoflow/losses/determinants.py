"""Logarithms of volumes of matrices, differentiable, with a usable gradient at rank loss.

No determinant is ever formed: that of a 4096 × 4096 layer underflows. Never a batched LU: torch's
own on the CPU returns wrong numbers with several threads (pytorch#141358).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

SINGULAR = 2.0**-23
"""Times k: share of the largest pivot below which a k × k matrix counts as singular."""

JITTER = 1e-12
"""Of `half_log_det`: share of the mean squared singular value that is added to each."""


def log_abs_det(matrix: Tensor) -> Tensor:
    """log|det A| of one square matrix (k, k), in nats; its gradient is A^{−T}.

    By one LU factorisation, in float64 up to k = 1024 and otherwise in float32 (float64 where A
    is). Where a pivot is below k·2⁻²³ of the largest, A counts as singular, and the value is
    Σ asinh(σ/2δ) + log δ with δ = k·2⁻²³·σ_max: log σ for σ ≫ δ and log δ at σ = 0. Its gradient
    U diag(1/√(σ² + 4δ²)) Vᵀ is finite and raises the lost directions first. A matrix of zeros
    has no direction: gradient 0. One that is not finite gives NaN.
    """
    value: Tensor = _LogAbsDet.apply(matrix)
    return value


class _LogAbsDet(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, matrix: Tensor) -> Tensor:
        wide = _wide(matrix.detach())
        factor, pivots, info = torch.linalg.lu_factor_ex(wide)
        diagonal = factor.diagonal().abs()
        epsilon = matrix.shape[0] * SINGULAR
        regular = not int(info) and bool(diagonal.min() > epsilon * diagonal.max())
        context.regular = regular or not bool(torch.isfinite(wide).all())
        if context.regular:
            context.save_for_backward(factor, pivots)
            regular_value: Tensor = diagonal.log().sum().to(_result(matrix))
            return regular_value
        left, sigma, right = torch.linalg.svd(wide)
        largest = sigma[0]
        delta = torch.where(largest > 0, epsilon * largest, torch.ones_like(largest) * 1e-30)
        slope = torch.where(largest > 0, 1 / torch.hypot(sigma, 2 * delta), 0.0)
        context.save_for_backward((left * slope) @ right)
        value: Tensor = ((0.5 * sigma / delta).asinh() + delta.log()).sum().to(_result(matrix))
        return value

    @staticmethod
    def backward(context: Any, *gradients: Any) -> Any:
        (gradient,) = gradients
        if context.regular:
            factor, pivots = context.saved_tensors
            identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
            slope = torch.linalg.lu_solve(factor, pivots, identity).T
        else:
            (slope,) = context.saved_tensors
        return slope.to(gradient.dtype) * gradient


def square_part(weight: Tensor) -> Tensor:
    """The first min(N, d) rows and columns of a weight (N, d): ENT's W_sq."""
    k = min(weight.shape)
    return weight[:k, :k]


def half_log_det(matrices: Tensor) -> Tensor:
    """½ log det of the smaller Gram matrix of each (…, m, n): Σ log σ over min(m, n), in nats.

    In float64 (complex128), by Cholesky's factorisation of AAᴴ + 1e-12·tr(AAᴴ)/k·I: singular values
    below a millionth of their root mean square are lifted to that, so that value and gradient
    are finite at rank loss; a direction that is lost exactly has gradient 0. Of matrices of zeros
    the value is that of k values of 1e-100.
    """
    wide = matrices.to(torch.complex128 if matrices.is_complex() else torch.float64)
    tall = wide.shape[-2] > wide.shape[-1]
    gram = wide.mH @ wide if tall else wide @ wide.mH
    k = gram.shape[-1]
    mean = gram.diagonal(dim1=-2, dim2=-1).real.mean(dim=-1).detach()
    # Scaled to unit mean: extreme weights lose nothing, and the scale comes back as a logarithm.
    safe = torch.clamp_min(mean, 1e-200)
    identity = torch.eye(k, dtype=gram.dtype, device=gram.device)
    factor = torch.linalg.cholesky(gram / safe[..., None, None] + JITTER * identity)
    logs = factor.diagonal(dim1=-2, dim2=-1).real.log().sum(dim=-1)
    found: Tensor = logs + 0.5 * k * safe.log()
    return found


def geometric_inverse(logarithm: Tensor, size: int, epsilon: float) -> Tensor:
    """1/(|det|^{1/k} + ε) from log|det| of a k × k matrix."""
    return 1 / (torch.exp(logarithm / size) + epsilon)


def inverse(logarithm: Tensor, epsilon: float) -> Tensor:
    """1/(|det| + ε) from log|det|, as published.

    Its gradient, |det|/(|det| + ε)² times A^{−T}, is 0 in every type from a few dozen units on.
    """
    return 1 / (torch.exp(logarithm) + epsilon)


def log_slope_of_inverse(logarithm: float, epsilon: float) -> float:
    """Log of |det|/(|det| + ε)²: how much of A^{−T} the published form lets through."""
    if logarithm > 0:
        return -logarithm - 2 * math.log1p(epsilon * math.exp(-min(logarithm, 700.0)))
    return logarithm - 2 * math.log(math.exp(max(logarithm, -700.0)) + epsilon)


def _wide(matrix: Tensor) -> Tensor:
    small = matrix.shape[0] <= 1024
    return matrix.to(torch.float64 if small or matrix.dtype == torch.float64 else torch.float32)


def _result(matrix: Tensor) -> torch.dtype:
    return torch.float64 if matrix.dtype == torch.float64 else torch.float32
