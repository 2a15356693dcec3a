"""The papers' functional: naive twin, Mehler's spectra, Shannon, bounds, and what does not hold."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.errors import EstimateError
from infoflow.kernels import Gaussian, Indicator, gram
from infoflow.measures.activations import presets
from infoflow.measures.activations.closed_forms import (
    expected_purity,
    gaussian_entropy,
    gaussian_information,
)
from infoflow.measures.activations.renyi import (
    ceiling,
    conditional_entropy,
    conditional_mutual_information,
    entropy,
    is_saturated,
    joint_entropy,
    mutual_information,
    spectral_entropy,
    total_correlation,
)
from tests.activations import naive
from tests.activations.drawing import normal, pair

ORDERS = (0.5, 1.0, 1.01, 2.0, 5.0, math.inf)


def labels(*counts: int) -> torch.Tensor:
    return torch.cat([torch.full((count,), value) for value, count in enumerate(counts)])


@pytest.mark.parametrize("alpha", ORDERS)
@pytest.mark.parametrize("sigma", [0.1, 1.0, 30.0])
def test_the_naive_twin(alpha: float, sigma: float) -> None:
    x = normal(25, 3, seed=1)
    expected = naive.renyi_entropy(naive.gaussian_gram(x.numpy(), sigma), alpha)
    assert float(entropy(gram(Gaussian.of(x, sigma)), alpha)) == pytest.approx(expected, abs=1e-9)


def test_a_batch_of_matrices() -> None:
    grams = torch.stack([gram(Gaussian.of(normal(9, 2, seed=s), 1.0)) for s in range(4)])
    for alpha in ORDERS:
        each = [float(entropy(one, alpha)) for one in grams]
        assert entropy(grams, alpha).tolist() == pytest.approx(each, abs=1e-12)


def test_continuity_in_alpha() -> None:
    matrix = gram(Gaussian.of(normal(40, 2, seed=2), 0.8))
    for alpha in (1.0, 2.0):
        there = float(entropy(matrix, alpha))
        for step in (-1e-7, 1e-7, 1e-12):
            assert float(entropy(matrix, alpha + step)) == pytest.approx(there, abs=1e-5)
    # On both sides of where the formula changes.
    around = [float(entropy(matrix, 1 + 1e-3 + step)) for step in (-1e-9, 1e-9)]
    assert around[0] == pytest.approx(around[1], abs=1e-7)


@given(alpha=st.floats(0.05, 20), seed=st.integers(0, 99), sigma=st.floats(0.05, 20))
@settings(max_examples=40, deadline=None)
def test_laws(alpha: float, seed: int, sigma: float) -> None:
    x, t = normal(14, 2, seed=seed), normal(14, 3, seed=seed + 100)
    k_x, k_t = gram(Gaussian.of(x, sigma)), gram(Gaussian.of(t, 1.0))
    first, second = entropy(k_x, alpha), entropy(k_t, alpha)
    both = joint_entropy(k_x, k_t, alpha=alpha)
    assert -1e-9 <= first <= ceiling(14) + 1e-9
    # Eigenvalues within rounding of 0 count for little, but more the smaller α is.
    slack = 1e-6 if alpha > 0.5 else 1e-2
    assert both >= torch.maximum(first, second) - slack
    assert entropy(k_x, alpha * 1.5) <= first + slack
    order = torch.randperm(14, generator=torch.Generator().manual_seed(seed))
    assert float(entropy(k_x[order][:, order], alpha)) == pytest.approx(float(first), abs=slack)


@pytest.mark.parametrize(
    ("alpha", "expected"), [(0.5, 2.083), (1.0, 1.552), (2.0, 1.1610), (5.0, 0.865)]
)
def test_mehler(alpha: float, expected: float) -> None:
    assert gaussian_entropy(1, 1, alpha) == pytest.approx(expected, abs=6e-4)
    found = float(entropy(gram(Gaussian.of(normal(1000, seed=3), 1.0)), alpha))
    assert found == pytest.approx(expected, abs=0.08)


def test_mehler_in_the_limits() -> None:
    for alpha in (1.0, math.inf):
        near = gaussian_entropy(1, 0.7, 1 + 1e-7 if alpha == 1 else 1e7)
        assert gaussian_entropy(1, 0.7, alpha) == pytest.approx(near, abs=1e-5)


@pytest.mark.parametrize(
    ("alpha", "sigma", "expected"), [(1.0, 1.0, 0.685), (1.01, 1.0, 0.683), (2.0, 0.3, 1.075)]
)
def test_information_of_gaussian_pairs(alpha: float, sigma: float, expected: float) -> None:
    assert gaussian_information(0.9, sigma, alpha) == pytest.approx(expected, abs=6e-4)
    x, t = pair(1200, 0.9, 4)
    found = mutual_information(gram(Gaussian.of(x, sigma)), gram(Gaussian.of(t, sigma)), alpha)
    assert float(found) == pytest.approx(expected, abs=0.12 if sigma < 1 else 0.06)


def test_expected_purity_of_few_samples() -> None:
    expected = expected_purity(200, 0.8, 1.3, 5)
    assert expected == pytest.approx(0.10421, abs=5e-6)
    drawn = [
        2 ** -float(entropy(gram(Gaussian.of(0.8 * normal(200, 5, seed=s), 1.3)), 2))
        for s in range(60)
    ]
    assert np.mean(drawn) == pytest.approx(expected, abs=4 * np.std(drawn) / math.sqrt(60))


def test_indicator_kernels_are_shannon() -> None:
    draws = torch.randint(0, 3, (200, 2), generator=torch.Generator().manual_seed(5))
    x, y = draws[:, 0], (draws[:, 0] + draws[:, 1]) % 3 // 2
    k_x, k_y = gram(Indicator(x)), gram(Indicator(y))
    h_x, h_y = naive.shannon(x.tolist()), naive.shannon(y.tolist())
    h_xy = naive.shannon(list(zip(x.tolist(), y.tolist(), strict=True)))
    assert float(entropy(k_x, 1)) == pytest.approx(h_x, abs=1e-12)
    assert float(mutual_information(k_x, k_y, 1)) == pytest.approx(h_x + h_y - h_xy, abs=1e-12)
    assert float(conditional_entropy(k_x, k_y, 1)) == pytest.approx(h_xy - h_y, abs=1e-12)
    assert float(total_correlation(k_x, k_y, alpha=1)) == pytest.approx(h_x + h_y - h_xy, abs=1e-12)


def test_xor() -> None:
    rows = torch.tensor(list(product((0, 1), repeat=2)))
    first, second, xor = (gram(Indicator(v)) for v in (rows[:, 0], rows[:, 1], rows.sum(1) % 2))
    assert float(mutual_information(first, xor, 1)) == pytest.approx(0, abs=1e-12)
    assert float(conditional_mutual_information(first, xor, second, 1)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("table", "alpha", "expected"),
    [((1, 4, 4, 191), 0.5, -0.040), ((2, 17, 20, 161), 1.01, -1.3e-5)],
)
def test_a_negative_information_is_real(
    table: tuple[int, ...], alpha: float, expected: float
) -> None:
    cells = labels(*table)
    x, y = gram(Indicator(cells // 2)), gram(Indicator(cells % 2))
    found = float(mutual_information(x, y, alpha))
    assert found == pytest.approx(expected, rel=0.03)


def test_published_settings_say_seven_bits_of_independent_variables() -> None:
    x, y = normal(128, 784, seed=6), normal(128, 784, seed=7)
    found = float(presets.preset("ren").information([x], [y]))
    assert found == pytest.approx(7.00, abs=0.005)
    assert is_saturated(found, 128)
    assert is_saturated(0.1, 128)
    assert not is_saturated(4.0, 128)


def test_hundreds_of_kernels_do_not_underflow() -> None:
    grams = [gram(Gaussian.of(normal(32, 4, seed=s), 3.0)) for s in range(300)]
    assert float(joint_entropy(*grams)) == pytest.approx(5.0, abs=1e-3)


@pytest.mark.parametrize("alpha", [0.7, 1.0, 1.0005, 1.01, 2.0, 3.0, math.inf])
def test_it_is_differentiable(alpha: float) -> None:
    x = normal(5, 2, seed=8).requires_grad_()
    t = normal(5, 2, seed=9)

    def figure(x: torch.Tensor) -> torch.Tensor:
        return mutual_information(gram(Gaussian.of(x, 1.0)), gram(Gaussian.of(t, 1.0)), alpha)

    assert torch.autograd.gradcheck(figure, x)


def test_constants_have_no_entropy() -> None:
    for alpha in ORDERS:
        assert float(entropy(torch.ones(6, 6), alpha)) == pytest.approx(0, abs=1e-9)
        assert float(entropy(torch.eye(6), alpha)) == pytest.approx(math.log2(6))


def test_any_gram_matrix_is_normalised() -> None:
    x = normal(7, 20, seed=10)
    products = x @ x.T
    scale = torch.rand(7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
    scaled = products * scale[:, None] * scale[None, :]
    assert float(entropy(scaled, 1.5)) == pytest.approx(float(entropy(products, 1.5)), abs=1e-10)


@pytest.mark.parametrize("alpha", [0, -1, math.nan])
def test_impossible_orders_are_refused(alpha: float) -> None:
    with pytest.raises(EstimateError, match="α must be positive"):
        entropy(torch.eye(3), alpha)


def test_spectra() -> None:
    values = torch.tensor([0.5, 0.5, -1e-18, 1e-19], dtype=torch.float64)
    for alpha in (0.1, *ORDERS):
        assert float(spectral_entropy(values, alpha)) == pytest.approx(1)


# Presets


def test_presets_are_what_they_say() -> None:
    x = normal(60, 5, seed=11)
    grams = {name: one.gram([x]).numpy() for name, one in presets.PRESETS.items()}
    distances = naive.distance_matrix(x.numpy())
    assert grams["ren"] == pytest.approx(np.exp(-distances / (2 * (5 * 60 ** (-1 / 6)) ** 2)))
    assert grams["ren-error"] == pytest.approx(
        np.exp(-distances / (2 * (0.1 * 60 ** (-1 / 6)) ** 2)), abs=1e-12
    )
    assert grams["gir"] == pytest.approx(np.exp(-distances / (2 * (5 * 60 ** (-1 / 9)) ** 2)))
    sigma = np.sqrt(distances[:, :10]).mean()
    assert grams["brain-ib"] == pytest.approx(np.exp(-distances / sigma**2))
    unit = (x - x.mean(0)) / x.std(0, correction=0)
    sigma = math.sqrt(5) * 60 ** (-1 / 9)
    expected = np.exp(-naive.distance_matrix(unit.numpy()) / (2 * sigma**2))
    assert grams["tapia"] == pytest.approx(expected)


def test_maps_are_multiplied() -> None:
    maps = normal(20, 3, 4, seed=12)
    preset = presets.preset("ren")
    joint = preset.gram(list(maps.unbind(dim=1)))
    each = torch.stack([preset.gram([one]) for one in maps.unbind(dim=1)])
    assert torch.allclose(joint, each.prod(dim=0), atol=1e-12)


def test_alignment_with_labels_or_with_the_input() -> None:
    x = normal(40, 3, seed=13)
    y = (x[:, 0] > 0).long()
    ipdl = presets.preset("ipdl")
    assert float(ipdl.information([x], [x])) != float(ipdl.information([x], [x], y))


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(EstimateError, match=r"'yu'.*ren"):
        presets.preset("yu")
