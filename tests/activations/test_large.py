"""Many samples: exact in blocks for α = 2, probes with an interval that holds for other orders."""

from __future__ import annotations

import math

import pytest
import torch

from infoflow.kernels import Gaussian, Indicator, gram
from infoflow.measures.activations import large
from infoflow.measures.activations.renyi import entropy
from tests.activations.drawing import normal


def test_quadratic_entropy_in_blocks() -> None:
    kernel = Gaussian.of(normal(90, 4, seed=1), 1.0)
    expected = float(entropy(gram(kernel), 2))
    for block in (7, 90, 1000):
        assert large.exact_quadratic_entropy(kernel, block) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("alpha", [0.3, 0.7, 1.0, 1.01, 1.2, 1.5, 3.0, 5.0])
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
