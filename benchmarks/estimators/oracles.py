"""Gaussian pairs against closed forms, and noisy chains whose order is known."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from statistics import fmean, pstdev

import torch
from torch import Tensor

from estimators.estimates import (
    CAUCHY_SCHWARZ,
    CAUCHY_SCHWARZ_RATIO,
    NAMES,
    QUADRATIC,
    RATIO,
    Estimator,
    Samples,
    estimates,
    matrix_based,
    of_preset,
    quadratic,
)
from estimators.tables import number, table
from infoflow.kernels import Gaussian, gram
from infoflow.measures.activations.closed_forms import (
    gaussian_information,
    quadratic_gaussian_information,
)
from infoflow.measures.activations.inequality import Point, steps
from infoflow.measures.activations.quadratic import quadratic_information
from infoflow.measures.activations.renyi import mutual_information

DRAWS = 30
LAYERS = 8
DIMENSION = 10

ESTIMATORS: dict[str, Estimator] = {
    "REN's preset": of_preset("ren"),
    "Tapia's preset": of_preset("tapia"),
    "matrix-based, α = 1.01, median": matrix_based("median", 1.01),
    "matrix-based, α = 1.01, half the median": matrix_based("half-median", 1.01),
    "matrix-based, α = 2, half the median": matrix_based("half-median", 2.0),
    "I₂ without diagonal": lambda x, t: float(quadratic(x, t).value),
    "I_CS without diagonal": lambda x, t: float(quadratic(x, t).cauchy_schwarz),
    "ratio of I₂ to its ceiling": lambda x, t: float(quadratic(x, t).ratio),
}


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def closed_forms() -> None:
    print("\n## Gaussian pairs against closed forms\n\n20 draws, mean ± deviation, bits")
    heads = ("ρ", "σ", "n", "I₂", "closed", "matrix-based, α = 1", "closed, n → ∞", "Shannon")
    print(table(heads, [_pair(*case) for case in itertools.product(_PAIRS, (64, 512))]))


_PAIRS = ((0.9, 0.3), (0.9, 1.0), (0.5, 1.0), (0.0, 1.0))


def _pair(case: tuple[float, float], samples: int) -> list[str]:
    rho, sigma = case
    ours, matrix = [], []
    for seed in range(20):
        z = normal(samples, 2, seed=seed)
        t = rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1]
        a, b = Gaussian.of(z[:, 0], sigma), Gaussian.of(t, sigma)
        ours.append(float(quadratic_information(a, b).value))
        matrix.append(float(mutual_information(gram(a), gram(b), 1)))
    return [
        f"{rho}", f"{sigma}", f"{samples}",
        f"{number(fmean(ours), 3)} ± {pstdev(ours):.3f}",
        number(quadratic_gaussian_information(rho, sigma), 3),
        f"{number(fmean(matrix), 3)} ± {pstdev(matrix):.3f}",
        number(gaussian_information(rho, sigma, 1), 3),
        number(-0.5 * math.log2(1 - rho**2), 3),
    ]  # fmt: skip


def chains() -> None:
    for samples in (128, 512):
        print(
            f"\n## Chains of {LAYERS} noisy layers\n\n{DIMENSION} dimensions, n = {samples}; "
            f"{DRAWS} draws; the information truly falls at every step"
        )
        drawn = [_chain(samples, seed) for seed in range(DRAWS)]
        heads = ("estimator", "first", "last", "permuted", "deviation", "steps in the true order")
        print(table(heads, [_curve(name, drawn) for name in ESTIMATORS]))
        print("\nVerdicts on the steps, Holm-corrected")
        print(table(("estimator", "falls", "rises", "cannot be told"), _verdicts(drawn)))


def _chain(samples: int, seed: int) -> list[Tensor]:
    """X and eight noisy copies of copies of it."""
    found = [normal(samples, DIMENSION, seed=10_000 * seed)]
    for layer in range(LAYERS):
        noise = normal(samples, DIMENSION, seed=10_000 * seed + layer + 1)
        found.append((found[-1] + 0.6 * noise) / math.sqrt(1.36))
    return found


def _curve(name: str, drawn: list[list[Tensor]]) -> list[str]:
    estimator = ESTIMATORS[name]
    curves = [[estimator(x, layer) for layer in layers] for x, *layers in drawn]
    nulls = [estimator(layers[0].roll(1, dims=0), layers[1]) for layers in drawn]
    ordered = [a > b for curve in curves for a, b in itertools.pairwise(curve)]
    first, last = ([curve[place] for curve in curves] for place in (0, -1))
    return [
        name, number(fmean(first)), number(fmean(last)), number(fmean(nulls)),
        number(pstdev(first)), f"{fmean(ordered):.0%}",
    ]  # fmt: skip


def _verdicts(drawn: list[list[Tensor]]) -> list[list[str]]:
    """Of the matrix-based forms only where there are batches enough to tell."""
    samples = len(drawn[0][0])
    quadratic_forms = (QUADRATIC, CAUCHY_SCHWARZ, RATIO, CAUCHY_SCHWARZ_RATIO)
    names = quadratic_forms if samples < 512 else NAMES
    words: dict[str, Counter[str]] = {name: Counter() for name in names}
    for x, *layers in drawn:
        found = [estimates(Samples(x), Samples(layer), count=2) for layer in layers]
        for name in names:
            points = [
                Point(str(place), each[name].value, each[name].influence)
                for place, each in enumerate(found)
            ]
            words[name].update(step.verdict for step in steps(points))
    return [
        [name, *(f"{found[word] / found.total():.0%}" for word in VERDICTS)]
        for name, found in words.items()
    ]


VERDICTS = ("falls", "rises", "cannot be told")
