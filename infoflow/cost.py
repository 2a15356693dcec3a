"""How long an analysis will take and how much memory it will need, told before it starts.

Counts of floating-point operations over speeds seen on one core of a server processor; an
estimate within a factor of two or three, for progress and for people who would rather use
``--fast``.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from infoflow.report import LayerSummary

LU, GRAM, EIGEN, COMPLEX_LU, COMPLEX_GRAM, COMPLEX_EIGEN = 20e9, 20e9, 4e9, 14e9, 14e9, 5e9
"""Operations a second, one thread, float64 (complex128)."""
OVERHEAD = 0.003
"""Seconds a layer, whatever its size."""
START_UP = 150 * 2**20


@dataclass(frozen=True)
class Cost:
    """Seconds for each layer, in order, and bytes at the peak."""

    seconds: tuple[float, ...]
    memory: int

    @property
    def total(self) -> float:
        """Seconds in all."""
        return sum(self.seconds)


def estimate(layers: Sequence[LayerSummary], measures: Collection[str], *, fast: bool) -> Cost:
    """The cost of these measures for these layers.

    Args:
        layers: What will be analysed.
        measures: Names of measures.
        fast: Whether the coarser tolerances are used.
    """
    seconds = tuple(_seconds(layer, measures, fast) for layer in layers)
    largest = max((8 * layer.parameters for layer in layers), default=0)
    return Cost(seconds, START_UP + 2 * largest)


def _seconds(layer: LayerSummary, measures: Collection[str], fast: bool) -> float:
    if layer.kind == "normalisation" or len(layer.shape) < 2:
        return OVERHEAD / 3
    exact = any(name.startswith(("log-volume", "rank")) for name in measures)
    spectral = any(name.startswith(("spectral", "stable", "effective")) for name in measures)
    small, large = _matrix(layer)
    taps = layer.shape[2:]
    if layer.kind in {"dense", "embedding"} or (layer.kind == "low-rank update" and not taps):
        surrogate = 2 / 3 * small**3 / LU
        # One Gram matrix serves the rank, the log-volume and the spectrum.
        gram = (exact or spectral) * (small**2 * large + small**3 / 3) / GRAM
        return float(OVERHEAD + surrogate + gram + spectral * small**3 / EIGEN)
    axes = sum(taps > 1 for taps in _coarse_taps(layer))
    frequencies = 11 * _grid(small, square=small == large, fast=fast) ** axes if axes else 1
    product = 8 * small**2 * large / COMPLEX_GRAM
    density = exact * frequencies * (8 / 3 * small**3 / COMPLEX_LU + (small != large) * product)
    points = (8 if small <= 128 and not fast else 4) ** axes / 2 + 1
    spectrum = spectral * points * (product + 16 / 3 * small**3 / COMPLEX_EIGEN)
    return float(OVERHEAD + layer.groups * (density + spectrum))


def _matrix(layer: LayerSummary) -> tuple[int, int]:
    """Smaller and larger side of the matrix at one frequency of one group."""
    if layer.kind == "low-rank update":
        # As many rows as its factors are wide: r·(out + in·taps) numbers.
        width = layer.parameters // (layer.shape[0] + math.prod(layer.shape[1:]))
        return min(width, layer.shape[1]), max(width, layer.shape[1])
    phases = math.prod(
        min(stride, size) for stride, size in zip(layer.stride, layer.shape[2:], strict=False)
    )
    rows, columns = layer.shape[0] // layer.groups, layer.shape[1] * phases
    return min(rows, columns), max(rows, columns)


def _coarse_taps(layer: LayerSummary) -> list[int]:
    """Taps along each axis after the stride has taken its phases apart."""
    strides = layer.stride or (1,) * (len(layer.shape) - 2)
    return [-(-size // stride) for size, stride in zip(layer.shape[2:], strides, strict=False)]


def _grid(channels: int, *, square: bool, fast: bool) -> float:
    """Side of the grid at which shifted means agree: more channels average more by themselves."""
    side = (55 if square else 20) / math.sqrt(max(channels, 1))
    return max(side / (3 if fast else 1), 1.0)
