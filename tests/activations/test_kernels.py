"""Distances, bandwidth rules and Gram matrices against their definitions."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.errors import EstimateError
from infoflow.kernels import (
    BANDWIDTHS,
    DistanceMatrix,
    Gaussian,
    Indicator,
    Minimum,
    Points,
    Product,
    bandwidth,
    centred,
    duplicates,
    gram,
    kernel_of,
    normalised,
    points,
    product_of_gaussians,
    squared_distances,
    standardised,
    tiles,
)
from tests.activations import naive
from tests.activations.drawing import normal


def off_diagonal(matrix: torch.Tensor) -> np.ndarray:
    return matrix.numpy()[np.triu_indices(len(matrix), 1)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.bfloat16])
def test_distances_are_the_naive_ones(dtype: torch.dtype) -> None:
    x = normal(17, 2, 3, seed=1).to(dtype)
    expected = naive.distance_matrix(x.double().reshape(17, -1).numpy())
    found = squared_distances(x)
    assert found.dtype == torch.float64
    assert found.numpy() == pytest.approx(expected, rel=1e-12, abs=1e-13)
    assert torch.equal(found, found.T)
    assert torch.equal(found.diagonal(), torch.zeros(17, dtype=torch.float64))


@given(
    samples=st.integers(1, 30),
    features=st.integers(1, 6),
    block=st.integers(1, 40),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_tiles_are_the_whole(samples: int, features: int, block: int, seed: int) -> None:
    x = normal(samples, features, seed=seed)
    whole = squared_distances(x)
    found = torch.full_like(whole, math.nan)
    for rows, columns in tiles(samples, block):
        tile = points(x).tile(rows, columns)
        found[rows, columns] = tile
        found[columns, rows] = tile.T
    assert torch.allclose(found, whole, rtol=1e-10, atol=1e-12)


def test_an_offset_does_not_change_distances() -> None:
    x = normal(40, 30, seed=2).float()
    there = squared_distances(x)
    shifted = squared_distances(x.double() + 1e4)
    assert torch.allclose(there, shifted, rtol=1e-9)


def test_equal_samples_are_at_distance_exactly_zero() -> None:
    x = normal(60, 401, seed=3) * 1e3
    x[40:] = x[:20]
    zeros = (squared_distances(x) == 0).sum(dim=1)
    assert zeros.tolist() == [2] * 20 + [1] * 20 + [2] * 20
    assert duplicates(x) == 20


def test_nearly_equal_samples_are_not() -> None:
    x = normal(5, 10, seed=4)
    x[1] = x[0] + 1e-6
    assert float(squared_distances(x)[0, 1]) == pytest.approx(1e-11, rel=1e-3)


def test_distances_are_differentiable_twice() -> None:
    x = normal(5, 3, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(squared_distances, x)
    assert torch.autograd.gradgradcheck(squared_distances, x)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_without_distance_are_refused(value: float) -> None:
    x = normal(4, 2, seed=6)
    x[2, 1] = value
    with pytest.raises(EstimateError, match="NaN or infinite"):
        squared_distances(x)


def test_no_samples_are_refused() -> None:
    with pytest.raises(EstimateError, match="no samples"):
        squared_distances(torch.zeros(0, 3))


def test_standardised_features() -> None:
    x = normal(50, 3, seed=7) * torch.tensor([1.0, 1e6, 0.0]) + 5
    found = standardised(x)
    assert found.square().mean(dim=0).tolist() == pytest.approx([1, 1, 0], abs=1e-12)


# Bandwidths


def test_median_rules_on_distances_without_ties() -> None:
    x = normal(41, 3, seed=8)
    distances = squared_distances(x)
    median = float(np.median(np.sqrt(off_diagonal(distances))))
    for rule, factor in (("median", 1), ("median-nonzero", 1), ("half-median", 0.5)):
        found = bandwidth(rule, distances, 3)
        assert found.sigma == pytest.approx(factor * median, rel=1e-12)
        assert (found.rule, found.ties, found.note) == (rule, 0, "")


def test_sparse_units_take_the_non_zero_distances_and_say_so() -> None:
    x = torch.relu(normal(100, seed=9) - 1)  # active in 16 %
    distances = squared_distances(x)
    pairs = np.sqrt(off_diagonal(distances))
    assert np.median(pairs) == 0
    found = bandwidth("median", distances, 1)
    assert found.rule == "median-nonzero"
    assert found.sigma == pytest.approx(np.median(pairs[pairs > 0]))
    assert found.ties == pytest.approx(np.mean(pairs == 0))
    assert "the median distance is 0" in found.note
    assert "at distance 0" in bandwidth("half-median", distances, 1).note


def test_constant_variables() -> None:
    for rule in ("median", "half-median", "alignment"):
        reference = torch.eye(9, dtype=torch.float64)
        found = bandwidth(rule, squared_distances(torch.ones(9, 2)), 2, reference=reference)
        assert (found.note, found.ties, found.rule) == ("constant", 1, rule)
        assert found.sigma > 0


def test_rules_of_thumb() -> None:
    distances = squared_distances(normal(128, 784, seed=10))
    assert bandwidth("silverman-printed", distances, 784).sigma == pytest.approx(4.97, abs=0.005)
    assert bandwidth("silverman", distances, 4, factor=2).sigma == pytest.approx(2 * 128**-0.125)
    expected = 3 * 28 * 128 ** (-1 / 788)
    assert bandwidth("scaled", distances, 784, factor=3).sigma == pytest.approx(expected)
    assert bandwidth(0.7, distances, 784).sigma == 0.7


def test_alignment_finds_the_width_of_the_input() -> None:
    distances = squared_distances(normal(60, 4, seed=11))
    start = bandwidth("median", distances, 4).sigma
    reference = gram(Gaussian(DistanceMatrix(distances), start))
    assert bandwidth("alignment", distances, 4, reference=reference).sigma == pytest.approx(start)


def test_a_kernel_by_a_rule() -> None:
    x = normal(30, 3, seed=21)
    kernel, chosen = kernel_of(x)
    distances = squared_distances(x)
    assert chosen.sigma == bandwidth("half-median", distances, 3).sigma
    assert torch.equal(gram(kernel), gram(Gaussian.of(DistanceMatrix(distances), chosen)))
    assert kernel.sigma_influence is chosen.influence


def test_many_samples_are_thinned_for_the_median(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("bandwidths", "gram"):
        monkeypatch.setattr(sys.modules[f"infoflow.kernels.{module}"], "MEDIAN_SAMPLES", 50)
    x = normal(200, 3, seed=22)
    kernel, chosen = kernel_of(x)
    assert chosen.note == "median of the distances of 50 samples"
    assert chosen.influence is None
    whole = bandwidth("half-median", squared_distances(x), 3)
    assert whole.sigma == pytest.approx(chosen.sigma)
    assert whole.note == chosen.note
    assert isinstance(kernel.distances, Points)
    printed = kernel_of(x, "silverman-printed")[1]
    assert printed.sigma == pytest.approx(5 * 200 ** (-1 / 4))
    reference = gram(Gaussian.of(x, 1.0))
    assert kernel_of(x, "alignment", reference=reference)[1].sigma == pytest.approx(1.0, rel=0.2)


def test_a_factor_widens_and_keeps_the_influence() -> None:
    found = bandwidth("half-median", squared_distances(normal(30, 2, seed=12)), 2)
    wider = found.times(2.0)
    assert wider.sigma == 2 * found.sigma
    assert wider.rule == "2 × half-median"
    assert wider.influence is found.influence


@pytest.mark.parametrize("sparse", [False, True])
def test_influence_on_the_median_is_its_jackknife(sparse: bool) -> None:
    x = normal(400, 4, seed=13)
    if sparse:
        x = torch.relu(x - 1)
        assert bandwidth("half-median", squared_distances(x), 4).ties > 0.15
    distances = squared_distances(x)
    found = bandwidth("half-median", distances, 1)
    assert found.influence is not None
    left_out = []
    for i in range(400):
        rest = [j for j in range(400) if j != i]
        left_out.append(math.log(bandwidth("half-median", distances[rest][:, rest], 1).sigma))
    expected = naive.jackknife_influence(left_out, math.log(found.sigma))
    influence = found.influence.numpy()
    assert abs(influence.mean()) < 0.03 * influence.std()
    # The sparse distances are atoms around the median, which the jackknife sees one by one.
    assert np.corrcoef(influence, expected)[0, 1] > (0.9 if sparse else 0.97)
    assert influence.std() == pytest.approx(expected.std(), rel=0.2)


@pytest.mark.parametrize("sigma", [0, -1, math.inf, math.nan])
def test_impossible_widths_are_refused(sigma: float) -> None:
    with pytest.raises(EstimateError, match="positive number"):
        bandwidth(sigma, torch.zeros(2, 2), 1)


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(EstimateError, match=r"'scot'.*half-median"):
        bandwidth("scot", torch.zeros(2, 2), 1)
    with pytest.raises(EstimateError, match="Gram matrix of the input"):
        bandwidth("alignment", squared_distances(normal(5, 1, seed=0)), 1)


def test_every_rule_gives_a_width() -> None:
    distances = squared_distances(normal(20, 3, seed=14))
    reference = torch.eye(20, dtype=torch.float64)
    for rule in BANDWIDTHS:
        assert bandwidth(rule, distances, 3, reference=reference).sigma > 0


# Gram matrices


def test_gaussian_gram_matrix() -> None:
    x = normal(12, 3, seed=15)
    assert gram(Gaussian.of(x, 0.8)).numpy() == pytest.approx(
        naive.gaussian_gram(x.numpy(), 0.8), abs=1e-14
    )


def test_product_of_gaussians_is_one_gaussian() -> None:
    variables = [normal(15, 4, seed=seed) for seed in range(3)]
    sigmas = [0.7, 2.0, 1.3]
    kernels = [Gaussian.of(x, s) for x, s in zip(variables, sigmas, strict=True)]
    found = gram(product_of_gaussians(variables, sigmas))
    assert torch.allclose(found, gram(Product(kernels)), rtol=1e-12, atol=1e-15)


def test_a_product_of_maps() -> None:
    maps = normal(15, 3, 2, 2, seed=18)
    sigmas = torch.tensor([0.7, 2.0, 1.3], dtype=torch.float64)
    joint = gram(product_of_gaussians(maps, sigmas))
    apart = gram(product_of_gaussians(list(maps.unbind(dim=1)), sigmas.tolist()))
    assert torch.allclose(joint, apart, rtol=1e-12, atol=1e-15)
    maps.requires_grad_()
    sigmas.requires_grad_()
    few = maps[:4]
    assert torch.autograd.gradcheck(lambda v, s: gram(product_of_gaussians(v, s)), (few, sigmas))


def test_a_product_in_float32_is_good_to_six_digits() -> None:
    maps = 3 * normal(60, 40, 30, seed=19) + 100
    sigmas = [30.0] * 40
    exact = product_of_gaussians(maps, sigmas).distances.tile(slice(0, 60), slice(0, 60))
    single = product_of_gaussians(maps, sigmas, torch.float32)
    found = single.distances.tile(slice(0, 60), slice(0, 60))
    assert torch.allclose(found, exact, rtol=2e-6)
    assert not torch.equal(found, exact)


def test_a_product_needs_the_same_samples() -> None:
    with pytest.raises(EstimateError, match="not 4 and 5"):
        product_of_gaussians([normal(4, seed=1), normal(5, seed=1)], [1.0, 1.0])
    with pytest.raises(EstimateError, match="2 variables and 1 bandwidths"):
        product_of_gaussians([normal(4, seed=1), normal(4, seed=1)], [1.0])


def test_indicators_and_minimum() -> None:
    first, second = Indicator(torch.tensor([0, 1, 1])), Indicator(torch.tensor([0, 0, 1]))
    assert gram(first).tolist() == [[1, 0, 0], [0, 1, 1], [0, 1, 1]]
    assert torch.equal(gram(Minimum([first, second])), gram(Product([first, second])))
    masks = Indicator(torch.tensor([[[0, 1]], [[0, 1]], [[1, 1]]]))
    assert gram(masks).tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]


def test_normalised_and_centred() -> None:
    x = normal(8, 3, seed=16)
    found = normalised(x @ x.T)
    assert torch.allclose(found.diagonal(), torch.ones(8, dtype=torch.float64))
    assert torch.allclose(centred(x @ x.T).sum(dim=0), torch.zeros(8, dtype=torch.float64))
    with pytest.raises(EstimateError, match="positive diagonal"):
        normalised(torch.zeros(3, 3))


def test_gradient_with_respect_to_sigma() -> None:
    x = normal(6, 2, seed=17)
    sigma = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: gram(Gaussian.of(x, s)), sigma)
