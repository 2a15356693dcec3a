"""The papers' functional for many samples: exact for α = 2, else from random probes, in bits.

Up to α = 1.15 it is tr f(A) with f(λ) = λ^α − λ that is estimated, since tr A = 1 is known: near
α = 1 the plain trace of A^α is off by bits. A few dominant directions Q are taken out (Hutch++):
tr f(A) = tr Qᵀf(A)Q + tr P f(A) P with P = I − QQᵀ, the second by random signs, every quadratic
form by Lanczos quadrature.

α < 1 is refused here: λ^α is infinitely steep at 0, so that thousands of eigenvalues that are 0 but
for rounding weigh as much as the others, and no useful bound on the error exists.

Sources: Ubaru, Chen, Saad (stochastic Lanczos quadrature, 2017); Meyer and others (Hutch++, 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import Kernel, gram, tiles
from infoflow.measures.activations.pair_sums import BLOCK, row_means
from infoflow.measures.activations.renyi import entropy
from infoflow.statistics.intervals import batch_interval

EXACT = 4096
"""Samples up to which all eigenvalues are computed."""

KEPT = 2**31
"""Bytes of a float32 Gram matrix that is kept between steps; a larger one is computed anew."""

DIRECT = 1.15
"""α above which tr A^α itself is estimated: from there on its error is the smaller one (seen)."""

ROUNDING = 2.0**-24
"""Largest relative rounding of an entry of a float32 Gram matrix."""


@dataclass(frozen=True)
class EntropyEstimate:
    """An entropy, and how it was found.

    Args:
        value: S_α in bits.
        low: Lower end of its 95 % interval; the value itself where it is exact.
        high: Upper end.
        method: ``eigenvalues``, ``blocks`` (α = 2) or ``probes``, in words for the figure's label.
    """

    value: float
    low: float
    high: float
    method: str


def entropy_estimate(kernel: Kernel, alpha: float, seed: int = 0) -> EntropyEstimate:
    """S_α of a kernel's samples by the way that is affordable: exact where that is possible.

    Args:
        kernel: n samples.
        alpha: α > 0; α ≥ 1 above 4096 samples, where ∞ is found by the largest Ritz value.
        seed: Of the probes.

    Raises:
        EstimateError: α is below 1 and there are more than 4096 samples, or α is not positive.
    """
    n = kernel.samples
    if alpha == 2:
        return _exact(exact_quadratic_entropy(kernel), "exact, in blocks")
    if n <= EXACT:
        return _exact(float(entropy(gram(kernel), alpha).detach()), "exact, eigenvalues")
    return approximate_entropy(kernel, alpha, seed=seed)


def exact_quadratic_entropy(kernel: Kernel, block: int = BLOCK) -> float:
    """S_2 with the diagonal, −log2 ‖A‖² = −log2 ((1 + (n−1)·mean_{i≠j} k²)/n), in blocks."""
    n = kernel.samples
    mean = float(row_means(kernel, block).mean().detach())
    return math.log2(n) - math.log2(1 + (n - 1) * mean)


def approximate_entropy(
    kernel: Kernel,
    alpha: float,
    *,
    probes: int = 48,
    deflated: int = 48,
    steps: int = 32,
    seed: int = 0,
) -> EntropyEstimate:
    """S_α, α ≥ 1 and not 2, from random probes, with a 95 % interval.

    The interval is the probes' t interval, widened by what the second half of the Lanczos steps
    still changed (a bound on what is missing, where the error falls at least as 1/steps) and by
    what rounding the Gram matrix to float32 may cost (`_rounding`).

    Args:
        kernel: n samples.
        alpha: α ≥ 1, ∞ included.
        probes: Random vectors.
        deflated: Dominant directions that are taken out first.
        steps: Of Lanczos.
        seed: Of the random vectors.

    Raises:
        EstimateError: α is below 1.
    """
    if not alpha >= 1:
        raise EstimateError(
            f"S_α of more than {EXACT:,} samples has no useful bound on its error for α below 1, "
            f"and α is {alpha:g}; take α ≥ 1 or fewer samples."
        )
    n = kernel.samples
    multiply = _multiplier(kernel)
    generator = torch.Generator().manual_seed(seed)
    start = torch.randn(n, deflated, generator=generator, dtype=torch.float64)
    basis = torch.linalg.qr(multiply(torch.linalg.qr(multiply(start)).Q)).Q
    signs = torch.randint(0, 2, (n, probes), generator=generator).to(torch.float64) * 2 - 1
    signs = signs - basis @ (basis.T @ signs)
    vectors = torch.cat([basis, signs], dim=1)
    if math.isinf(alpha):
        return _largest(_lanczos(multiply, basis[:, :1], steps))
    coefficients = _lanczos(multiply, vectors, steps)
    early, late = (_forms(coefficients, count, alpha) for count in (steps // 2, steps))
    interval = batch_interval(late[deflated:].tolist())
    total = float(late[:deflated].sum())
    moved = abs(float(late[:deflated].sum() - early[:deflated].sum())) + abs(
        float((late[deflated:] - early[deflated:]).mean())
    )
    rows = float(multiply(torch.ones(n, 1, dtype=torch.float64)).max())
    off = moved + _rounding(kernel, alpha, rows)
    value, *ends = [
        _entropy(total + trace, alpha)
        for trace in (interval.value, interval.low - off, interval.high + off)
    ]
    # Too wide to have a logarithm: no entropy is above log2 n.
    ends = [math.log2(n) if math.isnan(end) else end for end in ends]
    method = f"{probes} random probes, {deflated} directions taken out, {steps} Lanczos steps"
    return EntropyEstimate(value, min(ends), max(ends), method)


Multiply = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Coefficients:
    """Of the Lanczos recursion, for b vectors: (steps, b), (steps, b) and lengths (b,)."""

    diagonal: Tensor
    beside: Tensor
    lengths: Tensor


def _exact(value: float, method: str) -> EntropyEstimate:
    return EntropyEstimate(value, value, value, method)


def _entropy(trace: float, alpha: float) -> float:
    """From tr f(A) to bits, f of `_function`. NaN for a trace that no spectrum has."""
    if alpha == 1:
        return trace
    total = trace if alpha > DIRECT else 1 + trace
    return math.log2(total) / (1 - alpha) if total > 0 else math.nan


def _function(values: Tensor, alpha: float) -> Tensor:
    """λ^α − λ up to α = 1.15, λ^α above; −λ log2 λ for α = 1.

    Lanczos values below 0 are rounding of 0.
    """
    positive = values > 0
    safe = torch.where(positive, values, 1.0)
    if alpha == 1:
        found = -safe * safe.log2()
    elif alpha > DIRECT:
        found = safe**alpha
    else:
        found = safe * torch.expm1((alpha - 1) * safe.log())
    return torch.where(positive, found, 0.0)


def _rounding(kernel: Kernel, alpha: float, rows: float) -> float:
    """What an error E of the Gram matrix may change in tr f(A), ‖E‖ ≤ 2⁻²⁴ ‖A‖ (Frobenius).

    The eigenvalues move by Σ|e_i| ≤ √n ‖E‖ in all (Mirsky). Up to α = 1.15 |f(λ) − f(μ)| is at most
    |f(|λ − μ|)|, which is concave: n |f(Σ|e_i|/n)| bounds their sum. Above, |f′| ≤ α λ_max^(α−1),
    and λ_max is at most the largest sum of a row.
    """
    n = kernel.samples
    moved = math.sqrt(n) * ROUNDING * 2 ** (-exact_quadratic_entropy(kernel) / 2)
    if alpha > DIRECT:
        return moved * alpha * math.pow(rows * (1 + ROUNDING), alpha - 1)
    each = torch.tensor(moved / n, dtype=torch.float64)
    return n * abs(float(_function(each, alpha)))


def _forms(coefficients: Coefficients, steps: int, alpha: float) -> Tensor:
    """vᵀ f(A) v of every vector: ‖v‖² Σ_k (first entry of eigenvector k)² f(θ_k)."""
    values, vectors = torch.linalg.eigh(_tridiagonal(coefficients, steps))
    weights = vectors[:, 0, :].square()
    forms: Tensor = (weights * _function(values, alpha)).sum(dim=1)
    return coefficients.lengths.square() * forms


def _largest(coefficients: Coefficients) -> EntropyEstimate:
    """S_∞ from the largest Ritz value θ: θ ≤ λ_max ≤ θ + residual."""
    steps = coefficients.diagonal.shape[0]
    values, vectors = torch.linalg.eigh(_tridiagonal(coefficients, steps)[0])
    residual = float((coefficients.beside[-1, 0] * vectors[-1, -1]).abs())
    largest = float(values[-1])
    low, high = -math.log2(largest + residual), -math.log2(largest)
    return EntropyEstimate(high, low, high, f"{steps} Lanczos steps")


def _tridiagonal(coefficients: Coefficients, steps: int) -> Tensor:
    beside = coefficients.beside[: steps - 1].T
    return (
        torch.diag_embed(coefficients.diagonal[:steps].T)
        + torch.diag_embed(beside, 1)
        + torch.diag_embed(beside, -1)
    )


def _lanczos(multiply: Multiply, vectors: Tensor, steps: int) -> Coefficients:
    """Lanczos from each of b vectors (n, b) by itself, orthogonalised against all before."""
    lengths = vectors.norm(dim=0)
    current = vectors / lengths
    basis: list[Tensor] = []
    diagonal, beside = [], []
    for _ in range(steps):
        basis.append(current)
        following = multiply(current)
        diagonal.append((following * current).sum(dim=0))
        for before in reversed(basis):
            following = following - before * (following * before).sum(dim=0)
        size = following.norm(dim=0)
        beside.append(size)
        # An exhausted space: zeros from here on, which have no weight in the quadrature.
        exhausted = size <= torch.finfo(torch.float64).eps
        current = torch.where(exhausted, 0.0, following / torch.where(exhausted, 1.0, size))
    return Coefficients(torch.stack(diagonal), torch.stack(beside), lengths)


def _multiplier(kernel: Kernel) -> Multiply:
    """A·v for A = G/n; the Gram matrix kept in float32 where it is small enough, else by tiles."""
    n = kernel.samples
    if 4 * n * n > KEPT:
        return lambda vectors: _by_tiles(kernel, vectors) / n
    kept = torch.empty(n, n, dtype=torch.float32)
    for rows, columns in tiles(n, BLOCK):
        tile = kernel.tile(rows, columns).detach().to(torch.float32).cpu()
        kept[rows, columns] = tile
        kept[columns, rows] = tile.T

    def multiply(vectors: Tensor) -> Tensor:
        # Products in float64: a float32 sum of n terms of one sign is off by far more than a term.
        starts = range(0, n, BLOCK)
        parts = [kept[start : start + BLOCK].to(torch.float64) @ vectors for start in starts]
        return torch.cat(parts) / n

    return multiply


def _by_tiles(kernel: Kernel, vectors: Tensor) -> Tensor:
    found = torch.zeros_like(vectors)
    for rows, columns in tiles(kernel.samples, BLOCK):
        tile = kernel.tile(rows, columns).detach().cpu()
        found[rows] += tile @ vectors[columns]
        if rows.start != columns.start:
            found[columns] += tile.T @ vectors[rows]
    return found
