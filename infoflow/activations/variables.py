"""A random variable of the chain: samples, their distances, and a kernel with its bandwidth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from infoflow.kernels import (
    Bandwidth,
    DistanceMatrix,
    Distances,
    Gaussian,
    Indicator,
    Kernel,
    PackedDistances,
    bandwidth,
    gram,
)
from infoflow.kernels.bandwidths import MEDIAN_SAMPLES, thinned
from infoflow.measures.activations.marginals import Marginal, marginal

THIRDS = 3


@dataclass(frozen=True)
class Variable:
    """Samples of X, of a site, or of the labels.

    Args:
        name: For the reader.
        kernel: On all samples.
        width: σ and its rule; None for labels.
        words: The kernel in words, such as ``σ 12.3 (half-median)``.
        marginals: What was computed of it already, by the seed of the thirds.
    """

    name: str
    kernel: Kernel
    width: Bandwidth | None
    words: str
    marginals: dict[int, Marginal] = field(default_factory=dict, repr=False, compare=False)

    @property
    def samples(self) -> int:
        """How many samples there are, n."""
        return self.kernel.samples

    @property
    def constant(self) -> bool:
        """Whether all samples are the same."""
        return self.width is not None and self.width.note == "constant"

    def marginal(self, seed: int) -> Marginal:
        """Its sums by itself, computed once; groups are the thirds of the samples by a seed."""
        if seed not in self.marginals:
            self.marginals[seed] = marginal(self.kernel, thirds(self.samples, seed))
        return self.marginals[seed]

    def part(self, chosen: Tensor) -> Kernel:
        """The kernel on some of the samples, with the σ of all."""
        if isinstance(self.kernel, Indicator):
            return Indicator(self.kernel.labels[chosen])
        assert isinstance(self.kernel, Gaussian)
        smaller = self.kernel.distances.between(chosen, chosen)
        return Gaussian(DistanceMatrix(smaller), self.kernel.sigma)


def thirds(samples: int, seed: int) -> Tensor:
    """(n, 3), float64: 1 where a sample is in a third of a random order."""
    order = torch.randperm(samples, generator=torch.Generator().manual_seed(seed))
    found = torch.zeros(samples, THIRDS, dtype=torch.float64)
    for place, chosen in enumerate(order.chunk(THIRDS)):
        found[chosen, place] = 1.0
    return found


def continuous(
    name: str,
    features: Tensor,
    rule: str | float,
    reference: Variable | None = None,
    scale: Tensor | None = None,
    lengths: Tensor | None = None,
) -> Variable:
    """Samples (n, …) under a Gaussian kernel whose σ a rule chooses.

    Args:
        name: For the reader.
        features: (n, …).
        rule: Name of a bandwidth rule, or σ itself.
        reference: X, with whose kernel the rule ``alignment`` aligns; X itself takes ``median``.
        scale: (…), by which each feature is divided before distances are taken.
        lengths: (n,), by which each sample is divided; 1 if None.

    Raises:
        EstimateError: A value is not finite, or the rule is not known.
    """
    distances = PackedDistances.of(features, lengths, scale)
    found = of_distances(name, distances, features[0].numel(), rule, reference)
    return found if scale is None else replace(found, words=f"standardised, {found.words}")


def of_distances(
    name: str,
    distances: Distances,
    dimension: int,
    rule: str | float,
    reference: Variable | None = None,
) -> Variable:
    """`continuous` of distances that are there, between samples of so many features."""
    if rule == "alignment" and reference is None:
        rule = "median"
    n = distances.samples
    some = n > MEDIAN_SAMPLES
    few = thinned(n) if some else torch.arange(n)
    aligned = rule == "alignment" and reference is not None
    width = bandwidth(
        rule,
        distances.between(few, few) if some else distances.tile(slice(0, n), slice(0, n)),
        dimension,
        samples=n,
        reference=gram(reference.part(few)) if aligned and reference else None,
    )
    return Variable(
        name, Gaussian.of(distances, width), width, f"σ {width.sigma:.3g} ({width.rule})"
    )


def labels(name: str, values: Tensor, classes: Sequence[str] | None = None) -> Variable:
    """Labels (n,) under the indicator kernel."""
    count = len(classes) if classes else len(torch.unique(values))
    return Variable(name, Indicator(values), None, f"labels of {count} classes, equal or not")
