"""Known answers of every estimator of activations, computed on a device from inputs of a type."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from infoflow.kernels import Gaussian, Indicator, Product, gram
from infoflow.measures.activations.alignment import linear_cka
from infoflow.measures.activations.batch_entropy import batch_entropy
from infoflow.measures.activations.budget import budget, log_determinants
from infoflow.measures.activations.closed_forms import (
    expected_purity,
    gaussian_entropy,
    gaussian_information,
    quadratic_gaussian_entropy,
    quadratic_gaussian_information,
)
from infoflow.measures.activations.neighbours import unit_entropies
from infoflow.measures.activations.probe import linear_probe
from infoflow.measures.activations.quadratic import quadratic_entropy, quadratic_information
from infoflow.measures.activations.redundancy import dependence, map_kernels, ren_redundancy
from infoflow.measures.activations.renyi import entropy, mutual_information
from infoflow.statistics.moments import Moments
from infoflow.statistics.permutations import mantel_moments

GRID = 600
"""Quantiles of the normal distribution that stand for its samples."""


@dataclass(frozen=True)
class Answer:
    """A figure and what it must be.

    Args:
        name: Of the estimator.
        measured: What it gave.
        expected: What it must give.
        tolerance: Largest difference; from the finite sample where the form is a limit.
        detail: What is compared with what.
    """

    name: str
    measured: float
    expected: float
    tolerance: float
    detail: str


Place = Callable[[Tensor], Tensor]
"""Brings a tensor to the device and type that are asked for."""


def answers(device: str, dtype: torch.dtype) -> Iterator[Answer]:
    """Every estimator once.

    Args:
        device: As torch names it, such as ``cpu`` or ``cuda``.
        dtype: Of the inputs; the estimators compute in float64.
    """
    place: Place = partial(Tensor.to, device=device, dtype=dtype)
    yield from _entropies(place)
    yield from _information(place)
    yield from _labels(device)
    yield from _units(place)
    yield from _networks(place)


def _entropies(place: Place) -> Iterator[Answer]:
    grid = place(_normal_grid(GRID))
    matrix = gram(Gaussian.of(grid, 1.0))
    for alpha in (0.5, 1.0, 1.01, 2.0, 5.0, math.inf):
        yield Answer(
            f"matrix-based entropy, α = {alpha:g}",
            float(entropy(matrix, alpha)),
            gaussian_entropy(1.0, 1.0, alpha),
            0.03 if alpha < 1 else 0.003,
            "bits, a Gaussian against Mehler's spectrum",
        )
    yield Answer(
        "quadratic entropy without diagonal",
        float(quadratic_entropy(Gaussian.of(grid, 1.0))),
        quadratic_gaussian_entropy(1.0, 1.0, 1),
        0.02,
        "bits, a Gaussian against its closed form",
    )
    drawn = place(0.8 * _normal(300, 5, seed=0))
    yield Answer(
        "purity tr A² of few samples",
        2 ** -float(entropy(gram(Gaussian.of(drawn, 1.3)), 2)),
        expected_purity(300, 0.8, 1.3, 5),
        0.01,
        "300 samples in 5 dimensions against the expectation",
    )


def _information(place: Place) -> Iterator[Answer]:
    z = _normal(800, 2, seed=1)
    # Whitened, so that the sample has the moments that the closed forms are about.
    z = (z - z.mean(dim=0)) @ torch.linalg.inv(torch.linalg.cholesky(z.T.cov(correction=0)).T)
    x, t = z[:, 0], 0.8 * z[:, 0] + 0.6 * z[:, 1]
    k_x, k_t = Gaussian.of(place(x), 1.0), Gaussian.of(place(t), 1.0)
    yield Answer(
        "matrix-based information, α = 1",
        float(mutual_information(gram(k_x), gram(k_t), 1)),
        gaussian_information(0.8, 1.0, 1),
        0.03,
        "bits, a Gaussian pair against its closed form",
    )
    yield Answer(
        "quadratic information without diagonal",
        float(quadratic_information(k_x, k_t).value),
        quadratic_gaussian_information(0.8, 1.0),
        0.03,
        "bits, a Gaussian pair against its closed form",
    )
    own = quadratic_information(k_x, k_x)
    yield Answer(
        "ceiling of quadratic information",
        float(own.ratio),
        1.0,
        1e-12,
        "the ratio of X with itself",
    )
    few_x, few_t = (kernel.tile(slice(0, 40), slice(0, 40)) for kernel in (k_x, k_t))
    yield Answer(
        "mean of a permutation null",
        mantel_moments(few_x, few_t).mean,
        _mean_of_pairs(few_x) * _mean_of_pairs(few_t),
        1e-12,
        "Mantel's moment against the product of the means",
    )


def _labels(device: str) -> Iterator[Answer]:
    rows = torch.cartesian_prod(torch.arange(2), torch.arange(2)).to(device)
    first, second = Indicator(rows[:, 0]), Indicator(rows[:, 1])
    xor = Indicator(rows[:, 0] ^ rows[:, 1])
    yield Answer(
        "Shannon's entropy by indicator kernels",
        float(entropy(gram(Product([first, second])), 1)),
        2.0,
        1e-12,
        "bits, two fair coins",
    )
    pair = torch.stack([gram(first), gram(second)])
    yield Answer(
        "REN's redundancy", float(ren_redundancy(gram(xor), pair, 1)), -1.0, 1e-12, "bits, XOR"
    )


def _units(place: Place) -> Iterator[Answer]:
    signs = place(torch.tensor([[1.0], [-1.0]]).repeat(50, 1))
    halves = Moments.of(signs[:30]).merged(Moments.of(signs[30:]))
    yield Answer(
        "batch-entropy",
        float(batch_entropy(halves.variance, halves.count)),
        0.5 * math.log1p(2 * math.pi * math.e),
        1e-12,
        "nats, variance 1 in two batches",
    )
    steps = place(torch.arange(64.0)[:, None])
    yield Answer(
        "nearest-neighbour entropy",
        float(unit_entropies(steps, 1)),
        float(torch.digamma(torch.tensor(64.0, dtype=torch.float64)))
        + 0.5772156649015329
        + math.log(2),
        1e-12,
        "nats, even steps of 1",
    )


def _networks(place: Place) -> Iterator[Answer]:
    x = _normal(60, 4, seed=2)
    rotation = torch.linalg.qr(_normal(4, 4, seed=3)).Q
    yield Answer(
        "centred kernel alignment",
        float(linear_cka(place(x), place(3 * x @ rotation))),
        1.0,
        1e-6,
        "features against the same, rotated",
    )
    maps = torch.stack([x, 3 * x, -x], dim=1)
    yield Answer(
        "dependence of copies",
        float(dependence(map_kernels(place(maps)).grams).min()),
        1.0,
        1e-6,
        "a map, its triple and its negative",
    )
    labels = torch.arange(60) % 3
    apart = 10 * nn.functional.one_hot(labels, 4) + x
    yield Answer(
        "linear probe",
        linear_probe(place(apart), labels.to(place(apart).device)).accuracy,
        1.0,
        1e-12,
        "accuracy, three classes ten standard deviations apart",
    )
    linear = nn.Linear(4, 4)
    with torch.no_grad():
        linear.weight.copy_(_normal(4, 4, seed=4))
    device = place(x).device
    chain = nn.Sequential(linear, nn.Tanh(), nn.LeakyReLU(0.2)).double().to(device)
    batch = place(0.5 * x[:3])
    terms = [term.values for term in budget(list(chain), batch)]
    total = torch.stack([values for values in terms if values is not None]).sum(dim=0)
    gap = (total - log_determinants(chain, batch)).abs().max()
    yield Answer(
        "entropy budget", float(gap.detach()), 0.0, 1e-9, "nats, terms against autograd's Jacobian"
    )


def _normal_grid(count: int) -> Tensor:
    shares = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    quantiles: Tensor = torch.special.ndtri(shares)
    return quantiles


def _normal(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def _mean_of_pairs(matrix: Tensor) -> float:
    n = matrix.shape[0]
    return float((matrix.sum() - matrix.diagonal().sum()) / (n * (n - 1)))
