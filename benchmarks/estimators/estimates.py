"""The estimators that are compared, and an estimate with what must stand beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

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
    product_of_gaussians,
    squared_distances,
)
from infoflow.measures.activations.nulls import permuted, quadratic_nulls
from infoflow.measures.activations.presets import preset
from infoflow.measures.activations.quadratic import (
    QuadraticInformation,
    cauchy_schwarz_influence,
    quadratic_information,
)
from infoflow.measures.activations.renyi import entropy, mutual_information
from infoflow.statistics.permutations import Null, from_draws, permutations
from infoflow.statistics.stability import subsamples

ALPHA = 1.01
BATCH = 128
"""REN's mini-batch: the matrix-based functional depends on n, so that n is theirs."""

QUADRATIC = "I₂"
CAUCHY_SCHWARZ = "I_CS"
RATIO = "ratio to the ceiling"
REN = "REN's preset"
MATRIX = "matrix-based, half the median"
NAMES = (QUADRATIC, CAUCHY_SCHWARZ, RATIO, REN, MATRIX)

Estimator = Callable[[Tensor, Tensor], float]


def kernel(x: Tensor, rule: str = "half-median") -> Gaussian:
    distances = squared_distances(x)
    return Gaussian.of(DistanceMatrix(distances), bandwidth(rule, distances, x[0].numel()))


def quadratic(x: Tensor, t: Tensor) -> QuadraticInformation:
    return quadratic_information(kernel(x), kernel(t))


def of_preset(name: str) -> Estimator:
    chosen = preset(name)
    return lambda x, t: float(chosen.information([x], [t]))


def matrix_based(rule: str, alpha: float) -> Estimator:
    def information(x: Tensor, t: Tensor) -> float:
        return float(mutual_information(gram(kernel(x, rule)), gram(kernel(t, rule)), alpha))

    return information


class Samples:
    """A variable: its samples' distances once, and each kernel that an estimator makes of them.

    Args:
        values: (n, …), or labels (n,) of whole numbers.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self.is_label = not values.is_floating_point()

    @cached_property
    def distances(self) -> Tensor:
        """(n, n), squared."""
        return squared_distances(self.values)

    @cached_property
    def width(self) -> Bandwidth:
        """Half the median distance."""
        return bandwidth("half-median", self.distances, self.values[0].numel())

    def kernel(self, factor: float = 1.0, chosen: Tensor | None = None) -> Kernel:
        """One kernel for all features, σ times a factor; some samples keep the σ of all."""
        if self.is_label:
            return Indicator(self.values if chosen is None else self.values[chosen])
        if chosen is None:
            return Gaussian.of(DistanceMatrix(self.distances), self.width.times(factor))
        part = DistanceMatrix(self.distances[chosen][:, chosen])
        return Gaussian.of(part, self.width.sigma * factor)

    def ren_gram(self, chosen: Tensor, factor: float) -> Tensor:
        """The product of a kernel for each map, σ = 5·n^(−1/(1+d)) times a factor."""
        if self.is_label:
            return gram(Indicator(self.values[chosen]))
        few = self.values[chosen]
        maps = list(few.unbind(1)) if few.ndim == 4 else [few]
        rule = preset("ren").width
        widths = [factor * rule(each.flatten(1).double(), None) for each in maps]
        return gram(product_of_gaussians(maps, widths))


@dataclass(frozen=True)
class Estimate:
    """What an estimator reads, in bits (the ratio: a share).

    Args:
        value: On all samples; of the matrix-based forms the mean over disjoint batches of 128.
        influence: (n,) of each sample; of those forms (m,), each batch's less the mean.
        null: The same with T's samples permuted.
        thirds: On three disjoint thirds; of those forms on the first three batches.
        sigmas: At half and at double σ.
    """

    value: float
    influence: Tensor
    null: Null
    thirds: tuple[float, ...]
    sigmas: tuple[float, float]


def estimates(x: Samples, t: Samples, count: int, seed: int = 0) -> dict[str, Estimate]:
    """Every estimator on one pair, with ``count`` permutations."""
    return {
        **_quadratic_forms(x, t, count, seed),
        REN: _by_batches(x, t, count, seed, Samples.ren_gram),
        MATRIX: _by_batches(x, t, count, seed, _one_kernel),
    }


def _one_kernel(variable: Samples, chosen: Tensor, factor: float) -> Tensor:
    return gram(variable.kernel(factor, chosen))


def _quadratic_forms(x: Samples, t: Samples, count: int, seed: int) -> dict[str, Estimate]:
    k_x, k_t = x.kernel(), t.kernel()
    whole = quadratic_information(k_x, k_t)
    thirds = [quadratic_information(x.kernel(1, c), t.kernel(1, c)) for c in _thirds(len(x.values))]
    sigmas = [quadratic_information(x.kernel(f), t.kernel(f)) for f in (0.5, 2.0)]
    nulls = quadratic_nulls(k_x, k_t, count, seed)
    own = [quadratic_information(k, k).influence for k in (k_x, k_t)]
    ceiling, ratio = float(whole.ceiling), float(whole.ratio)
    influences = {
        QUADRATIC: whole.influence,
        CAUCHY_SCHWARZ: cauchy_schwarz_influence(k_x, k_t),
        RATIO: (whole.influence - ratio * (own[0] + own[1]) / 2) / ceiling,
    }
    normal = {
        QUADRATIC: nulls.quadratic,
        CAUCHY_SCHWARZ: nulls.cauchy_schwarz,
        RATIO: _divided(nulls.quadratic, ceiling),
    }
    return {
        name: Estimate(
            _read(whole, name),
            influence,
            normal[name],
            tuple(_read(part, name) for part in thirds),
            (_read(sigmas[0], name), _read(sigmas[1], name)),
        )
        for name, influence in influences.items()
    }


def _read(found: QuadraticInformation, name: str) -> float:
    form = {
        QUADRATIC: found.value,
        CAUCHY_SCHWARZ: found.cauchy_schwarz,
        RATIO: found.ratio,
    }[name]
    return float(form)


def _divided(null: Null, by: float) -> Null:
    """A permutation leaves the ceiling as it is."""
    parts = (null.mean, null.standard_deviation, null.low, null.high)
    return Null(*(part / by for part in parts), null.permutations, null.p_value)


def _thirds(samples: int) -> Sequence[Tensor]:
    return [torch.arange(part.start, part.stop) for part in subsamples(samples)]


def _by_batches(
    x: Samples,
    t: Samples,
    count: int,
    seed: int,
    matrix: Callable[[Samples, Tensor, float], Tensor],
) -> Estimate:
    """The matrix-based functional at α = 1.01, the mean over disjoint batches of 128."""
    batches = torch.arange(len(x.values)).split(BATCH)
    batches = [batch for batch in batches if len(batch) == BATCH]

    def grams(factor: float) -> list[tuple[Tensor, Tensor]]:
        return [(matrix(x, batch, factor), matrix(t, batch, factor)) for batch in batches]

    pairs = grams(1.0)
    values = torch.tensor([float(mutual_information(a, b, ALPHA)) for a, b in pairs]).double()
    value = float(values.mean())
    marginals = [float(entropy(a, ALPHA) + entropy(b, ALPHA)) for a, b in pairs]
    drawn = [
        fmean(
            marginal - float(entropy(a * permuted(b, order), ALPHA))
            for marginal, (a, b) in zip(marginals, pairs, strict=True)
        )
        for order in permutations(BATCH, count, seed)
    ]
    half, double = (
        fmean(float(mutual_information(a, b, ALPHA)) for a, b in grams(f)) for f in (0.5, 2.0)
    )
    return Estimate(
        value,
        values - value,
        from_draws(torch.tensor(drawn).double(), value),
        tuple(values[:3].tolist()),
        (half, double),
    )
