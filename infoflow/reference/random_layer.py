"""What a random layer of the same shape has, in closed form: what spectra are compared with.

Of independent Gaussian weights the singular values of a k × n matrix (k ≤ n), over √n, follow
Marchenko and Pastur's law of ratio k/n. A convolution's symbol is such a matrix at each frequency.
The laws are asymptotic: from k = 8 on they hold within a few per cent. Where a stride shares the
taps unevenly among the phases (3 × 3 at stride 2), columns differ in size and the entropies lie
up to 0.12 bits lower.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from infoflow.report import LayerSummary

_POINTS = 400


def sides(layer: LayerSummary) -> tuple[int, int]:
    """Rows and columns of the map of one group at one position, the smaller first.

    Dense (N, d): N and d. Convolution: output channels of a group, and its input channels times
    the phases of the stride that the kernel meets. Transposed: the adjoint's.
    """
    if len(layer.shape) < 2:
        raise ValueError(f"{layer.name}: a vector is no map between two sides")
    first, second, *kernel = layer.shape
    first //= max(layer.groups, 1)
    steps = zip(kernel, layer.stride, layer.dilation, strict=False)
    phases = math.prod(min(taps, step // math.gcd(step, by)) for taps, step, by in steps)
    small, large = sorted((first, second * phases))
    return small, large


def stable_rank(small: int, large: int) -> float:
    """Σσ²/σ_max² at the law's edge: k·n / (√k + √n)²."""
    return small * large / (math.sqrt(small) + math.sqrt(large)) ** 2


def von_neumann_deficit(small: int, large: int) -> float:
    """log2 k − S₁ in bits: k/(2n·ln 2). Source: Page 1993, the average entropy of a subsystem."""
    return small / (2 * large * math.log(2))


def renyi_deficit(small: int, large: int) -> float:
    """log2 k − S₂ in bits: log2(1 + k/n), since E Σp² = (k + n)/(kn + 1)."""
    return math.log2(small * (small + large) / (small * large + 1))


@lru_cache(maxsize=256)
def effective_rank_share(small: int, large: int) -> float:
    """exp(−Σ p log p)/k, p = σ/Σσ, under Marchenko and Pastur's law: 0.80 for square, 1 for k ≪ n.

    With x = σ²/n in [(1−√y)², (1+√y)²], y = k/n, density √((b−x)(x−a))/(2πyx); substituted
    x = (a+b)/2 + (b−a)/2·cos t, so that the ends are smooth.
    """
    ratio = small / large
    low, high = (1 - math.sqrt(ratio)) ** 2, (1 + math.sqrt(ratio)) ** 2
    angle = (np.arange(_POINTS) + 0.5) * (math.pi / _POINTS)
    x = np.maximum((low + high) / 2 + (high - low) / 2 * np.cos(angle), 1e-12)
    mass = np.sin(angle) ** 2 / x
    mass /= mass.sum()
    value = np.sqrt(x)
    mean = float(mass @ value)
    return math.exp(math.log(mean) - float(mass @ (value * np.log(value))) / mean)
