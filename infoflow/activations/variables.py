"""A random variable of the chain: samples, their distances, and a kernel with its bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from infoflow.kernels import (
    Bandwidth,
    DistanceMatrix,
    Gaussian,
    Indicator,
    Kernel,
    bandwidth,
    gram,
    squared_distances,
)


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
        assert isinstance(self.kernel.distances, DistanceMatrix)
        smaller = self.kernel.distances.matrix[chosen][:, chosen]
        return Gaussian(DistanceMatrix(smaller), self.kernel.sigma)


def continuous(
    name: str,
    features: Tensor,
    rule: str | float,
    reference: Variable | None = None,
    scale: Tensor | None = None,
) -> Variable:
    """Samples (n, …) under a Gaussian kernel whose σ a rule chooses.

    Args:
        name: For the reader.
        features: (n, …).
        rule: Name of a bandwidth rule, or σ itself.
        reference: X, with whose kernel the rule ``alignment`` aligns; X itself takes ``median``.
        scale: (…), by which each feature is divided before distances are taken.

    Raises:
        EstimateError: A value is not finite, or the rule is not known.
    """
    distances = DistanceMatrix(squared_distances(features, scale))
    found = of_distances(name, distances, features[0].numel(), rule, reference)
    return found if scale is None else replace(found, words=f"standardised, {found.words}")


def of_distances(
    name: str,
    distances: DistanceMatrix,
    dimension: int,
    rule: str | float,
    reference: Variable | None = None,
) -> Variable:
    """`continuous` of distances that are there, between samples of so many features."""
    if rule == "alignment" and reference is None:
        rule = "median"
    width = bandwidth(
        rule,
        distances.matrix,
        dimension,
        reference=gram(reference.kernel) if rule == "alignment" and reference else None,
    )
    return Variable(
        name, Gaussian.of(distances, width), width, f"σ {width.sigma:.3g} ({width.rule})"
    )


def labels(name: str, values: Tensor, classes: Sequence[str] | None = None) -> Variable:
    """Labels (n,) under the indicator kernel."""
    count = len(classes) if classes else len(torch.unique(values))
    return Variable(name, Indicator(values), None, f"labels of {count} classes, equal or not")
