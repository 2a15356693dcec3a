"""Which estimator of information to trust: chains of known order, closed forms, and bad cases.

Run: python benchmarks/estimator_study.py
Needs infoflow. Two to three minutes on one core.
No goals: a study, whose tables stand in the documentation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from statistics import fmean, pstdev

import torch
from torch import Tensor

from infoflow.kernels import DistanceMatrix, Gaussian, bandwidth, gram, squared_distances
from infoflow.measures.activations.closed_forms import (
    gaussian_information,
    quadratic_gaussian_information,
)
from infoflow.measures.activations.inequality import Point, steps
from infoflow.measures.activations.presets import preset
from infoflow.measures.activations.quadratic import QuadraticInformation, quadratic_information
from infoflow.measures.activations.renyi import mutual_information

DRAWS = 30
LAYERS = 8

Estimator = Callable[[Tensor, Tensor], float]


def normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


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


ESTIMATORS: dict[str, Estimator] = {
    "REN's preset": of_preset("ren"),
    "Tapia's preset": of_preset("tapia"),
    "matrix-based, α = 1.01, median": matrix_based("median", 1.01),
    "matrix-based, α = 2, half the median": matrix_based("half-median", 2.0),
    "I₂ without diagonal": lambda x, t: float(quadratic(x, t).value),
    "I_CS without diagonal": lambda x, t: float(quadratic(x, t).cauchy_schwarz),
}


def chain(samples: int, dimension: int, seed: int) -> list[Tensor]:
    """X and eight noisy copies of copies of it: the information truly falls at every step."""
    found = [normal(samples, dimension, seed=10_000 * seed)]
    for layer in range(LAYERS):
        noise = normal(samples, dimension, seed=10_000 * seed + layer + 1)
        found.append((found[-1] + 0.6 * noise) / math.sqrt(1.36))
    return found


def chains(samples: int, dimension: int) -> None:
    print(
        f"\nChains of {LAYERS} noisy layers, {dimension} dimensions, n = {samples}; {DRAWS} draws"
    )
    print("\n| estimator | first | last | the same, permuted | spread | steps in order |")
    print("| --- | --- | --- | --- | --- | --- |")
    drawn = [chain(samples, dimension, seed) for seed in range(DRAWS)]
    for name, estimator in ESTIMATORS.items():
        curves = [[estimator(x, layer) for layer in layers] for x, *layers in drawn]
        nulls = [estimator(layers[0].roll(1, dims=0), layers[1]) for layers in drawn]
        ordered = [a > b for curve in curves for a, b in itertools.pairwise(curve)]
        first, last = ([curve[place] for curve in curves] for place in (0, -1))
        print(
            f"| {name} | {fmean(first):.3f} | {fmean(last):.3f} | {fmean(nulls):.3f} "
            f"| {pstdev(first):.3f} | {fmean(ordered):.0%} |"
        )
    words: dict[str, int] = {"falls": 0, "rises": 0, "cannot be told": 0}
    for x, *layers in drawn:
        found = [quadratic(x, layer) for layer in layers]
        points = [Point(str(i), float(q.value), q.influence) for i, q in enumerate(found)]
        for step in steps(points):
            words[step.verdict] += 1
    total = sum(words.values())
    said = ", ".join(f"{word} {count / total:.0%}" for word, count in words.items())
    print(f"\nVerdicts on the steps by I₂ with Holm's correction: {said}")


def closed_forms() -> None:
    print("\nGaussian pairs against closed forms, 20 draws: I₂, and the matrix-based form at α = 1")
    print("\n| ρ | σ | n | I₂ | closed | matrix-based | closed, n → ∞ | Shannon |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for rho, sigma in ((0.9, 0.3), (0.9, 1.0), (0.5, 1.0), (0.0, 1.0)):
        for samples in (64, 512):
            pairs = []
            for seed in range(20):
                z = normal(samples, 2, seed=seed)
                pairs.append((z[:, 0], rho * z[:, 0] + math.sqrt(1 - rho**2) * z[:, 1]))
            kernels = [[Gaussian.of(v, sigma) for v in pair] for pair in pairs]
            ours = [float(quadratic_information(*pair).value) for pair in kernels]
            matrix = [float(mutual_information(gram(a), gram(b), 1)) for a, b in kernels]
            print(
                f"| {rho} | {sigma} | {samples} | {fmean(ours):.3f} ± {pstdev(ours):.3f} "
                f"| {quadratic_gaussian_information(rho, sigma):.3f} "
                f"| {fmean(matrix):.3f} ± {pstdev(matrix):.3f} "
                f"| {gaussian_information(rho, sigma, 1):.3f} "
                f"| {-0.5 * math.log2(1 - rho**2):.3f} |"
            )


def bad_cases(samples: int = 800) -> dict[str, tuple[Tensor, Tensor]]:
    """Where a figure says something else than the information between X and T."""
    x = normal(samples, 10, seed=1)
    directions = normal(samples, 50, seed=2), normal(samples, 50, seed=3)
    scale = torch.exp(0.5 * normal(samples, 1, seed=4))
    nuisance = torch.cat([x[:, :2], 2 * normal(samples, 6, seed=5)], dim=1)
    sparse = torch.relu(x - 1.5)
    wide = normal(samples, 20_000, seed=6).float()
    outlier = torch.cat([x, 300 * normal(samples, 1, seed=7)], dim=1)
    half = samples // 2
    repeated = x[:half].repeat(2, 1)
    noisy = x + normal(samples, 10, seed=8)
    return {
        "independent": (x, normal(samples, 10, seed=9)),
        "the same": (x, x),
        "noisy copy": (x, noisy),
        "noisy copy, every sample twice": (repeated, noisy[:half].repeat(2, 1)),
        "independent directions, shared scale": (directions[0] * scale, directions[1] * scale),
        "independent directions, inverse scales": (directions[0] * scale, directions[1] / scale),
        "X's two coordinates with a nuisance": (x[:, :2], nuisance),
        "X's two coordinates, nuisance dropped": (x[:, :2], x[:, :2]),
        "sparse: active in 7 % of the samples": (x, sparse),
        "the same in 20,000 dimensions": (wide, wide),
        "the same and a coordinate of huge variance": (x, outlier),
    }


def cases() -> None:
    print("\nWhere it goes wrong (n = 800, half the median, bits)")
    print("\n| X and T | I₂ | I_CS | ceiling | ratio | interval | REN's preset | note |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, (x, t) in bad_cases().items():
        found = quadratic(x, t)
        told = found.interval()
        print(
            f"| {name} | {float(found.value):.3f} | {float(found.cauchy_schwarz):.3f} "
            f"| {float(found.ceiling):.3f} | {float(found.ratio):.2f} "
            f"| {told.low:.2f} to {told.high:.2f} | {of_preset('ren')(x, t):.2f} "
            f"| {found.note} |"
        )


if __name__ == "__main__":
    closed_forms()
    chains(128, 10)
    chains(512, 10)
    cases()
