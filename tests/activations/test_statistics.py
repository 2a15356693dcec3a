"""Moments, histograms, intervals, permutation nulls, stability."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.errors import EstimateError
from infoflow.kernels import Gaussian, Indicator, gram
from infoflow.measures.activations.nulls import (
    quadratic_null_moments,
    quadratic_nulls,
    renyi_null,
    renyi_null_moments,
)
from infoflow.measures.activations.quadratic import quadratic_information
from infoflow.measures.activations.renyi import mutual_information
from infoflow.statistics.histograms import Histogram
from infoflow.statistics.intervals import (
    batch_interval,
    holm,
    interval,
    paired_difference,
    standard_error,
    t_quantile,
)
from infoflow.statistics.moments import Moments
from infoflow.statistics.permutations import mantel_moments, permutation_null, permutations
from infoflow.statistics.stability import order_changes, subsamples
from tests.activations import naive
from tests.activations.drawing import normal, pair

# Moments


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    offset=st.sampled_from([0.0, 1.0, 1e6]),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_moments_do_not_depend_on_the_batches(sizes: list[int], offset: float, seed: int) -> None:
    x = normal(sum(sizes), 2, 3, seed=seed) + offset
    parts = [Moments.of(part) for part in x.split(sizes)]
    found = parts[0]
    for part in parts[1:]:
        found = found.merged(part)
    flat = x.reshape(len(x), -1).numpy()
    assert found.count == len(x)
    assert found.mean.numpy() == pytest.approx(flat.mean(axis=0), rel=1e-12)
    assert found.variance.numpy() == pytest.approx(flat.var(axis=0), rel=1e-8, abs=1e-20)
    assert torch.equal(found.low, x.reshape(len(x), -1).amin(dim=0))
    assert torch.equal(found.high, x.reshape(len(x), -1).amax(dim=0))
    assert torch.equal(found.magnitude, x.reshape(len(x), -1).abs().amax(dim=0))


def test_channels_pool_their_positions() -> None:
    x = normal(5, 3, 2, 4, seed=12)
    found = Moments.of_channels(x)
    assert found.count == 5 * 2 * 4
    expected = x.transpose(0, 1).flatten(1).var(dim=1, correction=0)
    assert torch.allclose(found.variance, expected)
    assert Moments.of_channels(x[:, :, 0, 0]).count == 5


def test_a_quiet_unit_keeps_its_variance() -> None:
    """E[x²] − E[x]² loses all of it in float32."""
    x = (1.0 + 1e-4 * normal(512, 1, seed=1)).float()
    found = Moments.of(x[:256]).merged(Moments.of(x[256:]))
    assert float(found.variance) == pytest.approx(float(x.double().var(correction=0)), rel=1e-10)


def test_moments_are_differentiable() -> None:
    x = normal(6, 3, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: Moments.of(v).variance, x)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(EstimateError, match="without samples"):
        Moments.of(torch.zeros(0, 3))


# Histograms


@given(seed=st.integers(0, 99), bins=st.integers(1, 20), size=st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_histograms_are_numpys(seed: int, bins: int, size: int) -> None:
    x = normal(size, 4, seed=seed)
    found = Histogram.empty(-1.0, 1.5, bins)
    for part in x.split(7):
        found = found.with_batch(part)
    expected, edges = np.histogram(x.numpy(), bins=bins, range=(-1.0, 1.5))
    assert found.counts[0].tolist() == expected.tolist()
    assert found.edges[0].tolist() == pytest.approx(edges.tolist())
    assert int(found.below) == int((x < -1).sum())
    assert int(found.above) == int((x > 1.5).sum())


def test_a_range_for_each_unit() -> None:
    x = normal(50, 3, seed=3) * torch.tensor([1.0, 100.0, 0.0])
    moments = Moments.of(x)
    found = Histogram.empty(moments.low, moments.high, 8).with_batch(x)
    assert found.counts.sum(dim=1).tolist() == [50, 50, 50]
    assert found.counts[2].tolist() == [50] + [0] * 7
    for unit in range(2):
        expected = np.histogram(x[:, unit].numpy(), bins=8)[0]
        assert found.counts[unit].tolist() == expected.tolist()


def test_impossible_histograms_are_refused() -> None:
    with pytest.raises(EstimateError, match="needs bins"):
        Histogram.empty(1.0, 0.0, 3)
    with pytest.raises(EstimateError, match="needs bins"):
        Histogram.empty(0.0, 1.0, 0)
    with pytest.raises(EstimateError, match="3 units and ranges for 2"):
        Histogram.empty(torch.zeros(2), torch.ones(2), 3).with_batch(torch.zeros(5, 3))


# Intervals


def test_t_intervals_are_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    x = normal(20, seed=4) + 0.3
    found = interval(float(x.mean()), x - x.mean())
    expected = stats.ttest_1samp(x.numpy(), 0.0)
    low, high = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p_value == pytest.approx(expected.pvalue)
    over_batches = batch_interval(x.tolist())
    assert (over_batches.low, over_batches.high) == pytest.approx((low, high))
    assert t_quantile(19) == pytest.approx(stats.t.ppf(0.975, 19))


def test_paired_differences_are_the_paired_t_test() -> None:
    stats = pytest.importorskip("scipy.stats")
    x, y = pair(30, 0.9, 5)
    found = paired_difference(float(x.mean()), float(y.mean()), x - x.mean(), y - y.mean())
    expected = stats.ttest_rel(y.numpy(), x.numpy())
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.low < found.value < found.high


def test_intervals_of_what_does_not_vary() -> None:
    nothing = torch.zeros(5)
    assert interval(0.0, nothing).p_value == 1
    assert interval(0.5, nothing).p_value == 0
    assert math.isnan(float(standard_error(torch.zeros(1))))


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([]) == ()
    assert holm([0.5, 0.9]) == (1, 1)


# Permutations


@pytest.mark.parametrize("samples", [4, 5, 6])
def test_mantels_moments_over_all_orders(samples: int) -> None:
    a, b = normal(samples, samples, seed=6), normal(samples, samples, seed=7)
    a, b = a + a.T + 3, b + b.T - 1
    products = naive.permuted_products(a.numpy(), b.numpy())
    found = mantel_moments(a, b)
    assert found.mean == pytest.approx(products.mean(), rel=1e-12)
    assert found.variance == pytest.approx(products.var(), rel=1e-10)


def test_permutations_are_the_same_for_the_same_seed() -> None:
    first, again = (torch.stack(list(permutations(10, 3, 1))) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, torch.stack(list(permutations(10, 3, 2))))
    assert first.sort(dim=1).values.tolist() == [list(range(10))] * 3


def test_a_null_of_a_correlation() -> None:
    x, y = pair(50, 0.8, 8)
    null = permutation_null(lambda order: float((x * y[order]).mean()), 0.8, 50, 200)
    assert null.low < 0 < null.high
    assert null.p_value == pytest.approx(1 / 201)
    assert null.holds(0.0)
    assert not null.holds(0.8)


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_exact_moments_agree_with_permutations(correlation: float) -> None:
    x, t = pair(120, correlation, 9)
    k_x, k_t = Gaussian.of(x, 0.7), Gaussian.of(t, 0.7)
    drawn, exact = quadratic_nulls(k_x, k_t, 400).quadratic, quadratic_null_moments(k_x, k_t)
    assert drawn.mean == pytest.approx(exact.mean, abs=0.02)
    assert drawn.standard_deviation == pytest.approx(exact.standard_deviation, rel=0.15)
    g_x, g_t = gram(k_x), gram(k_t)
    drawn, exact = renyi_null(g_x, g_t, 2, 400), renyi_null_moments(g_x, g_t)
    assert drawn.mean == pytest.approx(exact.mean, abs=0.02)
    assert drawn.standard_deviation == pytest.approx(exact.standard_deviation, rel=0.15)


def test_nulls_permute_what_they_say() -> None:
    x, t = pair(40, 0.6, 10)
    k_x, k_t = Gaussian.of(x, 0.7), Gaussian.of(t, 0.7)
    (order,) = permutations(40, 1, 3)
    null = quadratic_nulls(k_x, k_t, 1, seed=3)
    moved = quadratic_information(k_x, Gaussian.of(t[order], 0.7))
    assert null.quadratic.mean == pytest.approx(float(moved.value))
    assert null.cauchy_schwarz.mean == pytest.approx(float(moved.cauchy_schwarz))
    for alpha in (1.01, 2):
        expected = mutual_information(gram(k_x), gram(Gaussian.of(t[order], 0.7)), alpha)
        found = renyi_null(gram(k_x), gram(k_t), alpha, 1, seed=3)
        assert found.mean == pytest.approx(float(expected))


def test_information_of_independent_variables_lies_in_its_null() -> None:
    held = 0
    for seed in range(20):
        x, y = pair(80, 0.0, seed)
        k_x, k_y = Gaussian.of(x, 0.7), Indicator((y > 0).long())
        value = float(quadratic_information(k_x, k_y).value)
        held += quadratic_nulls(k_x, k_y, 100, seed).quadratic.holds(value)
    assert held >= 15  # 19 expected; 15 or fewer in 3 of 1000


def test_nulls_of_a_constant() -> None:
    x = Gaussian.of(normal(20, seed=11), 1.0)
    constant = Gaussian.of(torch.ones(20), 1.0)
    assert quadratic_null_moments(x, constant).standard_deviation == pytest.approx(0, abs=1e-9)
    null = quadratic_nulls(x, constant, 10).quadratic
    assert (null.low, null.high) == pytest.approx((0, 0), abs=1e-12)


def test_too_few_samples_for_exact_moments() -> None:
    kernel = Gaussian.of(normal(3, seed=1), 1.0)
    with pytest.raises(EstimateError, match="four samples"):
        quadratic_null_moments(kernel, kernel)


# Stability


def test_order_changes() -> None:
    rows = [[3.0, 2.0, 1.0], [3.0, 2.1, 1.0], [3.0, 0.9, 1.0]]
    assert order_changes(rows) == (1, 2)
    assert order_changes(rows, tolerance=0.2) == ()
    assert order_changes([]) == ()
    assert subsamples(10) == (slice(0, 3), slice(3, 6), slice(6, 9))
