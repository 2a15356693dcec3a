"""Quadratic information: naive twin, closed forms, bounds, intervals, and where it goes wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from infoflow.errors import EstimateError
from infoflow.kernels import (
    DistanceMatrix,
    Gaussian,
    Indicator,
    Product,
    bandwidth,
    gram,
    standardised,
)
from infoflow.kernels import squared_distances as distances_of
from infoflow.measures.activations.closed_forms import (
    quadratic_gaussian_entropy,
    quadratic_gaussian_information,
)
from infoflow.measures.activations.quadratic import (
    QuadraticInformation,
    cauchy_schwarz_influence,
    quadratic_entropy,
    quadratic_information,
)
from infoflow.statistics.intervals import paired_difference, standard_error
from tests.activations import naive
from tests.activations.drawing import chain, normal, pair


def half_median(x: Tensor) -> Gaussian:
    distances = distances_of(x)
    return Gaussian.of(DistanceMatrix(distances), bandwidth("half-median", distances, 1))


def information(x: Tensor, t: Tensor) -> QuadraticInformation:
    return quadratic_information(half_median(x), half_median(t))


@given(seed=st.integers(0, 999), samples=st.integers(2, 12), block=st.integers(1, 13))
@settings(max_examples=25, deadline=None)
def test_the_naive_twin(seed: int, samples: int, block: int) -> None:
    x, t = normal(samples, 2, seed=seed), normal(samples, 3, seed=seed + 1000)
    found = quadratic_information(Gaussian.of(x, 1.5), Gaussian.of(t, 2.5), block)
    expected = naive.quadratic(
        naive.gaussian_gram(x.numpy(), 1.5), naive.gaussian_gram(t.numpy(), 2.5)
    )
    assert (float(found.value), float(found.cauchy_schwarz)) == pytest.approx(expected, abs=1e-9)


@given(seed=st.integers(0, 999), block=st.integers(3, 40), correlation=st.floats(-0.99, 0.99))
@settings(max_examples=25, deadline=None)
def test_laws(seed: int, block: int, correlation: float) -> None:
    x, t = pair(30, correlation, seed)
    k_x, k_t = half_median(x), half_median(t)
    found = quadratic_information(k_x, k_t, block)
    assert float(found.value) == pytest.approx(
        float(found.cauchy_schwarz + found.density_matching), abs=1e-12
    )
    assert found.value <= found.ceiling + 1e-12
    # Zero but for the median's place between two of the 435 distances.
    assert abs(float(found.influence.mean())) <= 0.02 * float(found.influence.std()) + 1e-9
    own = quadratic_information(k_x, k_x)
    assert float(own.value) == pytest.approx(float(found.self_x), abs=1e-12)
    assert float(own.ratio) == pytest.approx(1, abs=1e-12)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(seed))
    shuffled = quadratic_information(half_median(x[order]), half_median(t[order]))
    assert float(shuffled.value) == pytest.approx(float(found.value), abs=1e-10)
    turned = quadratic_information(k_t, k_x)
    assert float(turned.value) == pytest.approx(float(found.value), abs=1e-12)
    whole = quadratic_information(k_x, k_t)
    assert torch.allclose(whole.influence, found.influence, atol=1e-10)
    assert whole.effective_pairs == pytest.approx(found.effective_pairs)


@pytest.mark.parametrize(("correlation", "sigma"), [(0.9, 0.3), (0.5, 1.0), (0.0, 1.0)])
def test_closed_form_of_gaussian_pairs(correlation: float, sigma: float) -> None:
    drawn = []
    for seed in range(40):
        x, t = pair(200, correlation, seed)
        found = quadratic_information(Gaussian.of(x, sigma), Gaussian.of(t, sigma))
        drawn.append(float(found.value))
    error = np.std(drawn) / math.sqrt(40)
    expected = quadratic_gaussian_information(correlation, sigma)
    assert np.mean(drawn) == pytest.approx(expected, abs=4 * error)


def test_figures_of_the_closed_form() -> None:
    assert quadratic_gaussian_information(0.9, 0.3) == pytest.approx(1.075, abs=5e-4)
    assert quadratic_gaussian_information(0.5, 1.0) == pytest.approx(0.126, abs=5e-4)
    assert quadratic_gaussian_information(0.9, 1e-6) == pytest.approx(-0.5 * math.log2(0.19))


def test_closed_form_of_the_entropy() -> None:
    drawn = [
        float(quadratic_entropy(Gaussian.of(0.8 * normal(300, 5, seed=s), 1.3))) for s in range(20)
    ]
    expected = quadratic_gaussian_entropy(0.8, 1.3, 5)
    assert np.mean(drawn) == pytest.approx(expected, abs=4 * np.std(drawn) / math.sqrt(20))


def test_the_entropies_are_those_of_the_kernels() -> None:
    x, t = pair(50, 0.5, 1)
    found = information(x, t)
    assert float(found.entropy_x) == pytest.approx(float(quadratic_entropy(half_median(x), 7)))
    joint = Product([half_median(x), half_median(t)])
    total = found.entropy_x + found.entropy_t - quadratic_entropy(joint)
    assert float(total) == pytest.approx(float(found.value), abs=1e-12)


# Derivatives and intervals


def test_it_is_differentiable() -> None:
    x, t = normal(6, 2, seed=1).requires_grad_(), normal(6, 3, seed=2).requires_grad_()
    sigma = torch.tensor(1.2, dtype=torch.float64, requires_grad=True)

    def figures(x: Tensor, t: Tensor, sigma: Tensor) -> tuple[Tensor, ...]:
        found = quadratic_information(Gaussian.of(x, sigma), Gaussian.of(t, 2.0), block=4)
        return found.value, found.cauchy_schwarz, found.ceiling, found.ratio

    assert torch.autograd.gradcheck(figures, (x, t, sigma))


def jackknife(x: Tensor, t: Tensor, which: str) -> np.ndarray:
    """Influences by leaving out one sample, σ chosen anew each time."""
    whole = information(x, t)
    left_out = []
    for i in range(len(x)):
        rest = [j for j in range(len(x)) if j != i]
        left_out.append(float(getattr(information(x[rest], t[rest]), which)))
    return naive.jackknife_influence(left_out, float(getattr(whole, which)))


def test_influences_are_the_jackknifes() -> None:
    x, t = pair(150, 0.8, 3)
    expected = jackknife(x, t, "value")
    found = information(x, t).influence.numpy()
    assert np.corrcoef(found, expected)[0, 1] > 0.96
    assert found.std() == pytest.approx(expected.std(), rel=0.15)


def test_influences_on_cauchy_schwarz_are_the_jackknifes() -> None:
    x, t = pair(150, 0.8, 4)
    expected = jackknife(x, t, "cauchy_schwarz")
    found = cauchy_schwarz_influence(half_median(x), half_median(t)).numpy()
    assert np.corrcoef(found, expected)[0, 1] > 0.96
    assert found.std() == pytest.approx(expected.std(), rel=0.15)
    blocks = cauchy_schwarz_influence(half_median(x), half_median(t), block=70)
    assert np.allclose(found, blocks.numpy())


def test_the_slope_in_sigma_is_its_difference() -> None:
    """One sample's influence on log σ, times ∂I₂/∂log σ by ±1 % in σ."""
    x, t = pair(100, 0.7, 5)
    unit = torch.ones(100, dtype=torch.float64)
    fixed = quadratic_information(Gaussian.of(x, 0.8), Gaussian.of(t, 0.9))
    moved = quadratic_information(
        Gaussian(Gaussian.of(x, 0.8).distances, 0.8, unit), Gaussian.of(t, 0.9)
    )
    up, down = (
        float(quadratic_information(Gaussian.of(x, 0.8 * f), Gaussian.of(t, 0.9)).value)
        for f in (1.01, 1 / 1.01)
    )
    slope = (up - down) / (2 * math.log(1.01))
    assert (moved.influence - fixed.influence).tolist() == pytest.approx([slope] * 100, abs=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("samples", [32, 128, 512])
@pytest.mark.parametrize("correlation", [0.5, 0.9])
def test_coverage_of_the_intervals(samples: int, correlation: float) -> None:
    """Of 95 % intervals, σ chosen from the samples: 91 to 99.5 % of 400."""
    x, t = pair(6000, correlation, 999)
    truth = float(information(x[:5000], t[:5000]).value)
    held = 0
    for seed in range(400):
        x, t = pair(samples, correlation, seed)
        interval = information(x, t).interval()
        held += interval.low <= truth <= interval.high
    assert 0.91 <= held / 400 <= 0.995


@pytest.mark.long
@pytest.mark.parametrize("samples", [64, 256])
def test_coverage_of_paired_differences(samples: int) -> None:
    def layers(count: int, seed: int) -> list[QuadraticInformation]:
        x, first, second = chain(count, 2, 0.7, seed, dimension=2)
        return [information(x, first), information(x, second)]

    first, second = layers(5000, 998)
    truth = float(second.value - first.value)
    held = 0
    for seed in range(300):
        first, second = layers(samples, seed)
        interval = paired_difference(
            float(first.value), float(second.value), first.influence, second.influence
        )
        held += interval.low <= truth <= interval.high
    assert 0.91 <= held / 300 <= 0.997


def test_standard_errors_are_the_spread_over_draws() -> None:
    drawn = [information(*pair(150, 0.8, seed)) for seed in range(60)]
    spread = np.std([float(found.value) for found in drawn], ddof=1)
    told = np.mean([float(standard_error(found.influence)) for found in drawn])
    assert told == pytest.approx(spread, rel=0.3)


# What it is not


def test_shared_scales_raise_it_and_inverse_scales_lower_it() -> None:
    """50-d Gaussians of independent direction; the scale is log-normal."""
    scale = torch.exp(0.5 * normal(1000, 1, seed=6))
    x, t = normal(1000, 50, seed=7), normal(1000, 50, seed=8)
    shared, inverse = information(x * scale, t * scale), information(x * scale, t / scale)
    assert shared.value > 0.5
    assert inverse.value < -1
    assert shared.cauchy_schwarz < 0.1
    assert inverse.cauchy_schwarz < 0.15


def test_xor_in_the_limit() -> None:
    """Two independent bits say nothing of their XOR one by one, and all of it together."""
    bits = torch.randint(0, 2, (400, 2), generator=torch.Generator().manual_seed(9))
    x = Indicator(bits[:, 0] ^ bits[:, 1])
    first, second = Indicator(bits[:, 0]), Indicator(bits[:, 1])
    assert float(quadratic_information(x, first).value) == pytest.approx(0, abs=0.02)
    both = quadratic_information(x, Product([first, second]))
    assert float(both.value) == pytest.approx(1, abs=0.05)


def test_intrinsic_dimension_lowers_the_ceiling_not_the_ratio() -> None:
    for dimension, expected in ((1, 1.63), (10, 1.72), (100, 0.39)):
        x = normal(800, dimension, seed=dimension)
        found = information(x, x)
        assert float(found.value) == pytest.approx(expected, abs=0.12)
        assert float(found.ratio) == pytest.approx(1)


def test_dropping_a_nuisance_raises_it() -> None:
    """T₂ is a function of T₁, and reads more of X: no data processing inequality."""
    x = normal(600, 2, seed=16)
    nuisance = 2 * normal(600, 6, seed=17)
    noisy = torch.cat([x, nuisance], dim=1)
    before, after = information(x, noisy), information(x, x)
    assert after.value > before.value + 0.5
    assert after.cauchy_schwarz > before.cauchy_schwarz


def test_an_outlier_coordinate_hides_the_others() -> None:
    x = normal(500, 10, seed=18)
    t = torch.cat([x, 300 * normal(500, 1, seed=19)], dim=1)
    hidden, seen = information(x, t), information(x, standardised(t))
    assert hidden.value < 0.3
    assert seen.value > 3 * hidden.value


def test_many_dimensions_leave_no_self_information() -> None:
    """Independent coordinates: all samples are equally far apart. The ratio stays 1."""
    x = normal(100, 150_000, seed=20).float()
    found = information(x, x)
    assert abs(float(found.value)) < 0.01
    assert float(found.ratio) == pytest.approx(1)


def test_constants_read_zero_and_say_so() -> None:
    found = information(normal(50, seed=10), torch.ones(50))
    assert float(found.value) == float(found.entropy_t) == float(found.self_t) == 0
    assert found.note.startswith("constant (T)")
    both = information(torch.ones(50), torch.ones(50))
    assert float(both.value) == 0
    assert math.isnan(float(both.ratio))
    assert both.note.startswith("constant (X and T)")
    assert float(both.interval().standard_error) == 0


def test_labels_of_one_class() -> None:
    found = quadratic_information(half_median(normal(20, seed=1)), Indicator(torch.zeros(20)))
    assert float(found.value) == 0
    assert found.note.startswith("constant (T)")


def test_too_sharp_kernels_cannot_be_told() -> None:
    x, t = normal(200, 30, seed=11), normal(200, 30, seed=12)
    few = quadratic_information(Gaussian.of(x, 1.0), Gaussian.of(t, 1.0))
    assert few.note.startswith("cannot be told")
    assert few.effective_pairs < 100
    none = quadratic_information(Gaussian.of(x, 1e-3), Gaussian.of(t, 1e-3))
    assert math.isnan(float(none.value))
    assert "no two samples" in none.note


def test_duplicate_rows_are_counted() -> None:
    x, t = pair(80, 0.6, 13)
    doubled = information(torch.cat([x, x[:30]]), torch.cat([t, t[:30]]))
    assert doubled.copies == 30
    assert "30 samples repeat another one" in doubled.note
    assert doubled.value > information(x, t).value


def test_different_samples_are_refused() -> None:
    with pytest.raises(EstimateError, match="5 and 6"):
        quadratic_information(half_median(normal(5, seed=1)), half_median(normal(6, seed=1)))
    one = Gaussian.of(normal(1, seed=1), 1.0)
    with pytest.raises(EstimateError, match="two or more"):
        quadratic_information(one, one)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_input_type_does_not_matter(dtype: torch.dtype) -> None:
    x = normal(60, 3, seed=14).to(dtype)
    low, high = (quadratic_entropy(Gaussian.of(v, 1.0)) for v in (x, x.double()))
    assert low.dtype == torch.float64
    assert float(low) == float(high)


def test_gram_matrices_beside() -> None:
    """The kernels' own Gram matrices have a unit diagonal, which the sums leave out."""
    x, _ = pair(10, 0.5, 15)
    assert gram(half_median(x)).diagonal().tolist() == [1.0] * 10
