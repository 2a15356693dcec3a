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
RATIO = "I₂ over its ceiling"
CAUCHY_SCHWARZ_RATIO = "I_CS over its own"
REN = "REN's preset"
MATRIX = "matrix-based, half the median"
NAMES = (QUADRATIC, CAUCHY_SCHWARZ, RATIO, CAUCHY_SCHWARZ_RATIO, REN, MATRIX)

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
        influence: (n,) of each sample on the figure less its null, the latter not differing from 0;
            of those forms (m,), each batch's such difference less their mean.
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
    whole = _forms(x.kernel(), t.kernel())
    thirds = [_forms(x.kernel(1, c), t.kernel(1, c)) for c in _thirds(len(x.values))]
    half, double = (_forms(x.kernel(f), t.kernel(f)) for f in (0.5, 2.0))
    nulls = quadratic_nulls(x.kernel(), t.kernel(), count, seed)
    influences = _influences(x.kernel(), t.kernel(), whole)
    permuted_forms = {
        QUADRATIC: nulls.quadratic,
        CAUCHY_SCHWARZ: nulls.cauchy_schwarz,
        RATIO: _divided(nulls.quadratic, whole[QUADRATIC] / whole[RATIO]),
        CAUCHY_SCHWARZ_RATIO: _divided(
            nulls.cauchy_schwarz, whole[CAUCHY_SCHWARZ] / whole[CAUCHY_SCHWARZ_RATIO]
        ),
    }
    return {
        name: Estimate(
            value,
            influences[name],
            permuted_forms[name],
            tuple(part[name] for part in thirds),
            (half[name], double[name]),
        )
        for name, value in whole.items()
    }


def _forms(x: Kernel, t: Kernel) -> dict[str, float]:
    """I₂, I_CS, and each over ½(that of X with X + that of T with T)."""
    found = quadratic_information(x, t)
    own = [float(quadratic_information(k, k).cauchy_schwarz) for k in (x, t)]
    bowed = float(found.cauchy_schwarz)
    return {
        QUADRATIC: float(found.value),
        CAUCHY_SCHWARZ: bowed,
        RATIO: float(found.ratio),
        CAUCHY_SCHWARZ_RATIO: 2 * bowed / sum(own),
    }


def _influences(x: Kernel, t: Kernel, values: dict[str, float]) -> dict[str, Tensor]:
    """Of each sample; of a ratio r = I/C: (that on I − r · that on C)/C."""
    found, of_x, of_t = (
        {
            QUADRATIC: quadratic_information(a, b).influence,
            CAUCHY_SCHWARZ: cauchy_schwarz_influence(a, b),
        }
        for a, b in ((x, t), (x, x), (t, t))
    )
    for name, ratio in ((QUADRATIC, RATIO), (CAUCHY_SCHWARZ, CAUCHY_SCHWARZ_RATIO)):
        ceiling = values[name] / values[ratio]
        on_ceiling = (of_x[name] + of_t[name]) / 2
        found[ratio] = (found[name] - values[ratio] * on_ceiling) / ceiling
    return found


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
    marginals = [(entropy(a, ALPHA) + entropy(b, ALPHA), (a, b)) for a, b in pairs]
    drawn = torch.tensor(
        [
            [float(m - entropy(a * permuted(b, order), ALPHA)) for m, (a, b) in marginals]
            for order in permutations(BATCH, count, seed)
        ]
    ).double()
    half, double = (
        fmean(float(mutual_information(a, b, ALPHA)) for a, b in grams(f)) for f in (0.5, 2.0)
    )
    above = values - drawn.mean(dim=0)
    return Estimate(
        value,
        above - above.mean(),
        from_draws(drawn.mean(dim=1), value),
        tuple(values[:3].tolist()),
        (half, double),
    )
