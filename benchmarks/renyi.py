"""Entropies and information of layers from samples, in this process, one thread.

Run: python benchmarks/renyi.py
Needs numpy, scipy, torch, torchvision and 8 GB. A quarter of an hour.

Each figure is verified before it is timed. Goals:

- Joint entropy of C = 512 maps of 14 × 14 at α = 1.01: at least 3 times faster than the best
  published loop over C Gram matrices in float64, 5 times with a float32 product (within 1e-6 bits);
  at most 1.25 times its floor: one symmetric product, one exp, one eigenvalue problem.
- α = 2 at n = 20,000 and d = 784, exactly: at most 1.3 times the symmetric product alone.
- Information of each of 512 filters, n = 128: at most 1.5 times its 1,024 eigenvalue problems.
- Information plane (I(X;T) and I(T;Y)) of VGG16's layers at 32 × 32, n = 128: at least 5 times
  faster than the published way, whose functions make their Gram matrices map by map and anew.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from harness import again, compare_here, header

from infoflow.kernels import Gaussian, gram, product_of_gaussians
from infoflow.measures.activations.large import exact_quadratic_entropy
from infoflow.measures.activations.quadratic import quadratic_entropy
from infoflow.measures.activations.redundancy import filter_information
from infoflow.measures.activations.renyi import entropy, joint_entropy, mutual_information

ALPHA = 1.01
MAPS, SIDE = 512, 14


def maps_of(samples: int, seed: int = 0) -> Tensor:
    """Maps as a ReLU gives them, float32."""
    generator = torch.Generator().manual_seed(seed)
    shape = (samples, MAPS, SIDE, SIDE)
    return torch.randn(shape, generator=generator).relu_()


def width(maps: int) -> float:
    """σ of each map: the median distance of one, times √C, as one kernel over all would have."""
    return math.sqrt(2 * SIDE * SIDE * 0.34 * maps)


def published(maps: Tensor, sigma: float) -> float:
    """The published loop: a Gram matrix a map, their product, all eigenvalues; float64."""
    joint: Tensor | None = None
    for one in maps.unbind(dim=1):
        x = one.reshape(len(one), -1).double()
        norms = (x * x).sum(dim=1)
        kernel = torch.exp((norms[:, None] + norms - 2 * x @ x.T) * (-0.5 / sigma**2))
        joint = kernel if joint is None else joint * kernel
    assert joint is not None
    values = torch.linalg.eigvalsh(joint / torch.trace(joint)).abs()
    return float((values**ALPHA).sum().log2() / (1 - ALPHA))


def ours(maps: Tensor, sigma: float, precision: torch.dtype) -> float:
    sigmas = torch.full((maps.shape[1],), sigma, dtype=torch.float64)
    return float(entropy(gram(product_of_gaussians(maps, sigmas, precision)), ALPHA))


def floor(x: np.ndarray, sigma: float) -> float:
    """One symmetric product of float64 features that are there, one exp, one eigenvalue problem."""
    product = torch.from_numpy(x @ x.T)
    norms = product.diagonal()
    kernel = torch.exp((norms[:, None] + norms - 2 * product) * (-0.5 / sigma**2))
    values = torch.linalg.eigvalsh(kernel / len(x))
    return float(values.abs().pow(ALPHA).sum())


def joint_entropies(samples: int, runs: int) -> None:
    maps, sigma = maps_of(samples), width(MAPS)
    x = maps.flatten(1).double().numpy()
    expected = published(maps, sigma)
    name = f"joint entropy of {MAPS} maps, n = {samples}"
    for precision, goal in ((torch.float64, 3), (torch.float32, 5)):
        found = ours(maps, sigma, precision)
        assert abs(found - expected) < 1e-6, (found, expected)
        word = str(precision).removeprefix("torch.")
        against = compare_here(
            f"{name}, {word} product: published loop",
            lambda precision=precision: ours(maps, sigma, precision),
            lambda: published(maps, sigma),
            runs,
        )
        print(against.row(f"≥ {goal} ×", times=True), flush=True)
    least = compare_here(
        f"{name}: floor", lambda: ours(maps, sigma, torch.float64), lambda: floor(x, sigma), runs
    )
    print(least.row("≤ 1.25"), flush=True)


def many_samples() -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(20_000, 784, generator=generator)
    sigma = 20.0
    few = Gaussian.of(x[:1500], sigma)
    assert abs(exact_quadratic_entropy(few) - float(entropy(gram(few), 2))) < 1e-9
    wide = x.double().numpy()
    for name, function in (
        ("S₂ with the diagonal", exact_quadratic_entropy),
        ("S₂ without the diagonal", quadratic_entropy),
    ):
        against = compare_here(
            f"{name}, n = 20,000, d = 784: symmetric product alone",
            lambda function=function: function(Gaussian.of(x, sigma)),
            lambda: wide @ wide.T,
            3,
        )
        print(against.row("≤ 1.3"), flush=True)


def filters() -> None:
    generator = torch.Generator().manual_seed(2)
    x = gram(Gaussian.of(torch.randn(128, 50, generator=generator), 7.0))
    grams = torch.stack(
        [gram(Gaussian.of(torch.randn(128, 9, generator=generator), 3.0)) for _ in range(512)]
    )
    few = filter_information(x, grams[:3], ALPHA)
    each = torch.stack([mutual_information(x, one, ALPHA) for one in grams[:3]])
    assert torch.allclose(few, each, atol=1e-9)
    both = torch.cat([grams, grams * x]) / 128

    def eigenvalues() -> None:
        for one in both:
            torch.linalg.eigvalsh(one)

    against = compare_here(
        "information of each of 512 filters, n = 128: 1,024 eigenvalue problems",
        lambda: filter_information(x, grams, ALPHA),
        eigenvalues,
        5,
    )
    print(against.row("≤ 1.5"), flush=True)


def layers() -> list[Tensor]:
    """The outputs of VGG16's convolutions and dense layers, after the ReLU, at 32 × 32."""
    from torchvision.models import vgg16

    torch.manual_seed(0)
    network = vgg16(weights=None).eval()
    value = torch.randn(128, 3, 32, 32)
    found = [value]
    with torch.no_grad():
        for module in network.features:
            value = module(value)
            if isinstance(module, torch.nn.ReLU):
                found.append(value.clone())
        value = network.avgpool(value).flatten(1)
        for module in network.classifier:
            value = module(value)
            if isinstance(module, torch.nn.Linear):
                found.append(value.clone())
    return found


def by_silverman(variable: Tensor) -> float:
    """REN's σ = 5·n^(−1/(1 + d)) of a map."""
    return 5 * float(len(variable) ** (-1 / (1 + variable[0].numel())))


def plane_published(outputs: list[Tensor], labels: Tensor) -> list[tuple[float, float]]:
    """I(X; T) and I(T; Y) of each layer as the published codes put them together.

    A function for the entropy of a variable and one for the joint entropy of two, each of which
    makes its Gram matrices; information is S(X) + S(T) − S(X, T). (MI.py of
    SJYuCNEL/Matrix-based-Dependence has this form for one map a variable.)
    """

    def kernel(value: Tensor) -> Tensor:
        joint: Tensor | None = None
        for one in value.unbind(dim=1) if value.ndim == 4 else [value]:
            x = one.reshape(len(one), -1).double()
            norms = (x * x).sum(dim=1)
            distances = norms[:, None] + norms - 2 * x @ x.T
            gram = torch.exp(distances * (-0.5 / by_silverman(one) ** 2))
            joint = gram if joint is None else joint * gram
        assert joint is not None
        return joint

    def bits(matrix: Tensor) -> float:
        values = torch.linalg.eigvalsh(matrix / torch.trace(matrix)).abs()
        return float((values**ALPHA).sum().log2() / (1 - ALPHA))

    def information(first: Tensor, second: Tensor) -> float:
        joint = bits(kernel(first) * kernel(second))
        return bits(kernel(first)) + bits(kernel(second)) - joint

    return [(information(outputs[0], value), information(value, labels)) for value in outputs[1:]]


def plane_ours(outputs: list[Tensor], labels: Tensor) -> list[tuple[float, float]]:
    """The same figures, each Gram matrix and entropy once."""

    def kernel(value: Tensor) -> Tensor:
        maps = value if value.ndim == 4 else value[:, None]
        sigma = by_silverman(maps[:, 0])
        return gram(product_of_gaussians(maps, torch.full((maps.shape[1],), sigma)))

    x, y = kernel(outputs[0]), kernel(labels)
    s_x, s_y = entropy(x, ALPHA), entropy(y, ALPHA)
    found = []
    for value in outputs[1:]:
        t = kernel(value)
        s_t = entropy(t, ALPHA)
        s_xt, s_ty = (joint_entropy(t, other, alpha=ALPHA) for other in (x, y))
        found.append((float(s_x + s_t - s_xt), float(s_t + s_y - s_ty)))
    return found


def plane() -> None:
    outputs = layers()
    classes = torch.arange(128) % 10
    labels = torch.nn.functional.one_hot(classes, 10).float()
    found, expected = plane_ours(outputs, labels), plane_published(outputs, labels)
    assert np.abs(np.array(found) - np.array(expected)).max() < 1e-6
    against = compare_here(
        "information plane of VGG16 at 32 × 32, n = 128: published way",
        lambda: plane_ours(outputs, labels),
        lambda: plane_published(outputs, labels),
        5,
    )
    print(against.row("≥ 5 ×", times=True), flush=True)


def main() -> None:
    if len(sys.argv) == 1:
        print(header("what | infoflow | the other side | ratio | goal"))
        again(1)
        return
    torch.set_num_threads(1)
    filters()
    plane()
    joint_entropies(512, 5)
    joint_entropies(2000, 2)
    many_samples()


if __name__ == "__main__":
    main()
