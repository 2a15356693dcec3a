"""A random variable of the chain: samples, their distances, and a kernel with its bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infoflow.kernels import (
    Bandwidth,
    DistanceMatrix,
    Distances,
    Gaussian,
    Indicator,
    Kernel,
    bandwidth,
    points,
)

LARGEST_MATRIX = 6000
"""Samples up to which distances are held as a matrix (288 MB at this size)."""


@dataclass(frozen=True)
class Variable:
    """Samples of X, of a site, or of the labels.

    Args:
        name: For the reader.
        kernel: On all samples.
        width: σ and its rule; None for labels.
        words: The kernel in words, such as ``σ 12.3 (half-median)``.
    """

    name: str
    kernel: Kernel
    width: Bandwidth | None
    words: str

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.kernel.samples

    @property
    def constant(self) -> bool:
        """Whether all samples are the same."""
        return self.width is not None and self.width.note == "constant"

    def wider(self, factor: float) -> Kernel:
        """The kernel with σ times a factor; the labels' is as it is."""
        if self.width is None or not isinstance(self.kernel, Gaussian):
            return self.kernel
        return Gaussian.of(self.kernel.distances, self.width.times(factor))

    def part(self, chosen: Tensor) -> Kernel:
        """The kernel on some of the samples, with the σ of all."""
        if isinstance(self.kernel, Indicator):
            return Indicator(self.kernel.labels[chosen])
        assert isinstance(self.kernel, Gaussian)
        distances = self.kernel.distances
        if isinstance(distances, DistanceMatrix):
            smaller: Distances = DistanceMatrix(distances.matrix[chosen][:, chosen])
        else:
            whole = slice(0, distances.samples)
            smaller = DistanceMatrix(_rows(distances, chosen, whole)[:, chosen])
        return Gaussian(smaller, self.kernel.sigma)


def _rows(distances: Distances, chosen: Tensor, columns: slice) -> Tensor:
    return torch.cat([distances.tile(slice(i, i + 1), columns) for i in chosen.tolist()])


def continuous(name: str, features: Tensor, rule: str | float) -> Variable:
    """Samples (n, …) under a Gaussian kernel whose σ a rule chooses.

    Raises:
        EstimateError: A value is not finite, or the rule is not known.
    """
    dimension = features[0].numel()
    if len(features) <= LARGEST_MATRIX:
        distances: Distances = DistanceMatrix.of(features)
        known = distances.tile(slice(0, len(features)), slice(0, len(features)))
    else:
        distances = points(features)
        thinned = torch.linspace(0, len(features) - 1, LARGEST_MATRIX).round().long()
        known = DistanceMatrix.of(features[thinned]).matrix
    width = bandwidth(rule, known, dimension)
    if width.influence is not None and len(width.influence) != len(features):
        width = Bandwidth(width.sigma, width.rule, width.ties, width.note)
    return Variable(
        name, Gaussian.of(distances, width), width, f"σ {width.sigma:.3g} ({width.rule})"
    )


def labels(name: str, values: Tensor, classes: Sequence[str] | None = None) -> Variable:
    """Labels (n,) under the indicator kernel."""
    count = len(classes) if classes else len(torch.unique(values))
    return Variable(name, Indicator(values), None, f"labels of {count} classes, equal or not")
