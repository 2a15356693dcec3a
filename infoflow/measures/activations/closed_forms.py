"""What the estimators must read on Gaussian data: closed forms, in bits.

For X ~ N(0, s²) and the Gaussian kernel of width σ the eigenvalues of A = G/n tend, as n → ∞, to
Mehler's: with a = 1/(4s²), b = 1/(2σ²), c = √(a² + 2ab) and q = b/(a + b + c), λ_k = (1 − q) q^k.
Independent dimensions add.
"""

from __future__ import annotations

import math


def gaussian_entropy(scale: float, sigma: float, alpha: float) -> float:
    """S_α of N(0, s²) in the limit of many samples, α > 0, 1 and ∞ included."""
    a, b = 1 / (4 * scale**2), 1 / (2 * sigma**2)
    q = b / (a + b + math.sqrt(a**2 + 2 * a * b))
    if alpha == 1:
        return -math.log2(1 - q) - q / (1 - q) * math.log2(q)
    if math.isinf(alpha):
        return -math.log2(1 - q)
    return (alpha * math.log2(1 - q) - math.log2(1 - q**alpha)) / (1 - alpha)


def gaussian_information(correlation: float, sigma: float, alpha: float) -> float:
    """I_α of a Gaussian pair of unit variances and the same σ, in the limit of many samples.

    The joint entropy is the sum over the principal axes, of standard deviations √(1 ± ρ).
    """
    axes = (math.sqrt(1 + correlation), math.sqrt(1 - correlation))
    joint = sum(gaussian_entropy(axis, sigma, alpha) for axis in axes)
    return 2 * gaussian_entropy(1.0, sigma, alpha) - joint


def quadratic_gaussian_information(correlation: float, sigma: float) -> float:
    """I₂ of the same pair for any n: −½ log2(1 − ρ²/(1 + σ²/4)²), → Shannon's as σ → 0."""
    return -0.5 * math.log2(1 - (correlation / (1 + sigma**2 / 4)) ** 2)


def quadratic_gaussian_entropy(scale: float, sigma: float, dimension: int) -> float:
    """S₂ without diagonal of N(0, s²·1) in d dimensions, for any n: (d/2) log2(1 + 4s²/σ²)."""
    return dimension / 2 * math.log2(1 + 4 * scale**2 / sigma**2)


def expected_purity(samples: int, scale: float, sigma: float, dimension: int) -> float:
    """E tr(A²) of n samples of N(0, s²·1) in d dimensions, exactly: with the diagonal."""
    pair: float = (1 + 4 * scale**2 / sigma**2) ** (-dimension / 2)
    return 1 / samples + (1 - 1 / samples) * pair
