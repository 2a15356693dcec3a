"""Many samples: exact in blocks for α = 2, probes with an interval that holds for other orders."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from infoflow.errors import EstimateError
from infoflow.kernels import Gaussian, Indicator, Kernel, gram
from infoflow.measures.activations import large
from infoflow.measures.activations.renyi import entropy
from tests.activations.drawing import normal


def test_quadratic_entropy_in_blocks() -> None:
    kernel = Gaussian.of(normal(90, 4, seed=1), 1.0)
    expected = float(entropy(gram(kernel), 2))
    for block in (7, 90, 1000):
        assert large.exact_quadratic_entropy(kernel, block) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("alpha", [1.0, 1.01, 1.2, 1.5, 3.0, 5.0])
@pytest.mark.parametrize("sigma", [1.0, 3.0])
def test_the_interval_holds_the_exact_value(alpha: float, sigma: float) -> None:
    kernel = Gaussian.of(normal(500, 10, seed=2), sigma)
    expected = float(entropy(gram(kernel), alpha))
    held = 0
    for seed in range(8):
        found = large.approximate_entropy(kernel, alpha, seed=seed)
        assert found.low <= found.value <= found.high
        assert found.value == pytest.approx(expected, abs=0.3)
        held += found.low <= expected <= found.high
    assert held >= 6  # of 8 at 95 %: fewer in 6 of 1000


def with_spectrum(eigenvalues: torch.Tensor) -> torch.Tensor:
    """A Gram matrix of random eigenvectors, scaled to unit diagonal."""
    vectors = torch.linalg.qr(normal(len(eigenvalues), len(eigenvalues), seed=6)).Q
    matrix = vectors * eigenvalues @ vectors.T
    scale = matrix.diagonal().sqrt()
    return matrix / scale[:, None] / scale


@dataclass(frozen=True)
class Fixed:
    """A kernel that is its Gram matrix."""

    matrix: torch.Tensor
    sigma_influence: None = None

    @property
    def samples(self) -> int:
        return len(self.matrix)

    def tile(self, rows: slice, columns: slice) -> torch.Tensor:
        return self.matrix[rows, columns]


def adversarial() -> dict[str, Kernel]:
    n = 300
    x = normal(n // 2, 10, seed=7)
    far = torch.cat([1e-3 * normal(n - 1, 3, seed=8), torch.full((1, 3), 100.0)])
    ones, unit = torch.ones(n, n, dtype=torch.float64), torch.eye(n, dtype=torch.float64)
    return {
        "a steep spectrum": Gaussian.of(normal(n, 10, seed=9), 100.0),
        "one dimension": Gaussian.of(normal(n, 1, seed=10), 3.0),
        "near pairs": Gaussian.of(torch.cat([x, x + 1e-5 * normal(n // 2, 10, seed=11)]), 2.0),
        "a power law": Fixed(with_spectrum(torch.arange(1, n + 1).double() ** -2)),
        "two levels": Fixed(with_spectrum(torch.where(torch.arange(n) < 5, 1e4, 1.0).double())),
        "all but one eigenvalue 0 but for rounding": Fixed((ones + 1e-9 * unit) / (1 + 1e-9)),
        "an outlier": Gaussian.of(far, 1.0),
    }


@pytest.mark.parametrize("alpha", [1.01, 3.0])
@pytest.mark.parametrize("name", list(adversarial()))
def test_the_interval_holds_for_awkward_kernels(name: str, alpha: float) -> None:
    kernel = adversarial()[name]
    expected = float(entropy(gram(kernel), alpha))
    found = [large.approximate_entropy(kernel, alpha, seed=seed) for seed in range(3)]
    assert sum(each.low <= expected <= each.high for each in found) >= 2


@pytest.mark.parametrize("alpha", [0.5, 0.99, 0.0, -1.0])
def test_no_approximation_below_one(alpha: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "EXACT", 100)
    with pytest.raises(EstimateError, match=r"take α ≥ 1 or fewer samples"):
        large.entropy_estimate(Gaussian.of(normal(120, 3, seed=5), 1.0), alpha)


def test_the_largest_eigenvalue() -> None:
    kernel = Gaussian.of(normal(300, 5, seed=3), 2.0)
    found = large.approximate_entropy(kernel, math.inf)
    expected = float(entropy(gram(kernel), math.inf))
    assert found.value == pytest.approx(expected, abs=1e-6)


def test_tiles_and_the_kept_matrix_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Gaussian.of(normal(200, 5, seed=4), 1.5)
    kept = large.approximate_entropy(kernel, 1.01)
    monkeypatch.setattr(large, "KEPT", 0)
    monkeypatch.setattr(large, "BLOCK", 64)
    tiled = large.approximate_entropy(kernel, 1.01)
    assert tiled.value == pytest.approx(kept.value, abs=1e-4)


def test_few_eigenvalues_exhaust_lanczos() -> None:
    labels = torch.arange(240) % 3
    found = large.approximate_entropy(Indicator(labels), 1.0)
    assert found.value == pytest.approx(math.log2(3), abs=1e-5)


def test_the_way_is_chosen_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Gaussian.of(normal(120, 3, seed=5), 1.0)
    exact = large.entropy_estimate(kernel, 1.01)
    assert exact.method == "exact, eigenvalues"
    assert exact.low == exact.value == exact.high
    assert large.entropy_estimate(kernel, 2).method == "exact, in blocks"
    monkeypatch.setattr(large, "EXACT", 100)
    found = large.entropy_estimate(kernel, 1.01)
    assert found.method.startswith("48 random probes")
    assert found.low < found.value < found.high
