from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.measures.weights.spectrum import MEASURES, renyi_entropy, spectral_norm_rows
from infoflow.operators.polyphase import convolution_kernel, dense_kernel
from infoflow.spectra import singular_spectrum
from tests.measures.weight_layers import convolution, dense, rows_of, series_of
from tests.naive import CONVOLUTIONS, Convolution, circulant

NAMES = [measure.name for measure in MEASURES]


def value(name: str, subject: Any) -> float | None:
    return rows_of(MEASURES, name, subject)["value"].value


def test_figures_of_a_known_spectrum() -> None:
    generator = np.random.default_rng(0)
    left, _ = np.linalg.qr(generator.standard_normal((4, 4)))
    right, _ = np.linalg.qr(generator.standard_normal((6, 4)))
    sigma = np.array([4.0, 2.0, 1.0, 0.5])
    layer = dense(left @ np.diag(sigma) @ right.T)
    p, q = sigma**2 / np.sum(sigma**2), sigma / np.sum(sigma)
    assert value("spectral-norm", layer) == pytest.approx(4.0)
    assert value("stable-rank", layer) == pytest.approx(np.sum(sigma**2) / 16)
    assert value("effective-rank", layer) == pytest.approx(math.exp(-np.sum(q * np.log(q))))
    assert value("condition-number", layer) == pytest.approx(8.0)
    assert value("spectral-entropy.von-neumann", layer) == pytest.approx(-np.sum(p * np.log2(p)))
    assert value("spectral-entropy.renyi", layer) == pytest.approx(-np.log2(np.sum(p**2)))


def test_an_orthogonal_layer_fills_its_rank() -> None:
    for layer in (dense(np.eye(8)), convolution(np.eye(8)[:, :, None, None])):
        assert value("stable-rank", layer) == pytest.approx(8)
        assert value("effective-rank", layer) == pytest.approx(8)
        assert value("spectral-entropy.von-neumann", layer) == pytest.approx(3)
        assert value("spectral-entropy.renyi", layer) == pytest.approx(3)
        assert value("condition-number", layer) == pytest.approx(1)


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=lambda layer: layer.name)
def test_exact_spectrum_is_the_circulants(layer: Convolution) -> None:
    kernel = convolution_kernel(
        layer.weight,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
        transposed=layer.transposed,
    )
    spectrum = singular_spectrum(kernel, input_size=layer.size)
    assert spectrum.exact
    assert spectrum.weights.sum() == pytest.approx(kernel.rank_channels)
    assert np.all(np.diff(spectrum.values) <= 0)
    dense_values = np.linalg.svd(circulant(layer), compute_uv=False)
    positions = math.prod(layer.coarse)
    squares = spectrum.weights @ spectrum.values**2 * positions
    assert spectrum.values[0] == pytest.approx(dense_values[0])
    assert squares == pytest.approx(np.sum(dense_values**2))


def test_grids_are_samples_and_say_so() -> None:
    weight = np.random.default_rng(1).standard_normal((6, 5, 3, 3))
    fast = singular_spectrum(convolution_kernel(weight, stride=(1, 1), dilation=(1, 1)), fast=True)
    assert not fast.exact
    assert "4 × 4 frequency grid" in fast.method
    subject = convolution(weight, input_size=(32, 32))
    row = rows_of(MEASURES, "spectral-norm", subject)["value"]
    assert "lower bound" in row.note
    assert "8 × 8 frequency grid" in row.method
    stable = rows_of(MEASURES, "stable-rank", subject)["value"]
    assert "upper bound" in stable.note
    finer = rows_of(MEASURES, "stable-rank", convolution(weight, input_size=(8, 8)))["value"]
    assert "upper bound" not in finer.note
    assert "an estimate" in rows_of(MEASURES, "effective-rank", subject)["value"].note
    # Nine taps on eight frequencies: not even Σσ² is exact.
    wide = convolution(np.random.default_rng(1).standard_normal((2, 2, 9)), input_size=(64,))
    assert "an estimate" in rows_of(MEASURES, "stable-rank", wide)["value"].note
    known = rows_of(MEASURES, "spectral-norm", convolution(weight, input_size=(6, 6)))["value"]
    assert known.note == ""
    assert "circular operator on 6 × 6 positions" in known.method


def test_entropies_do_not_grow_with_the_grid() -> None:
    """They are a position: the pooled spectrum's own would grow by log2 of the positions."""
    weight = np.random.default_rng(2).standard_normal((4, 4, 3, 3))
    small, large = convolution(weight, input_size=(4, 4)), convolution(weight, input_size=(8, 8))
    for name in ("spectral-entropy.von-neumann", "spectral-entropy.renyi"):
        one, other = value(name, small), value(name, large)
        assert one is not None
        assert other is not None
        assert abs(one - other) < 0.3
        assert other < 2.0


@settings(max_examples=40, deadline=None)
@given(
    m=st.integers(1, 6),
    n=st.integers(1, 6),
    scale=st.floats(1e-300, 1e300),
    seed=st.integers(0, 2**32 - 1),
)
def test_order_and_scale(m: int, n: int, scale: float, seed: int) -> None:
    weight = np.random.default_rng(seed).standard_normal((m, n))
    layer, scaled = dense(weight), dense(weight * scale)
    figures = {name: value(name, layer) for name in NAMES}
    stable, effective = figures["stable-rank"], figures["effective-rank"]
    neumann, renyi = figures["spectral-entropy.von-neumann"], figures["spectral-entropy.renyi"]
    assert stable is not None
    assert effective is not None
    assert neumann is not None
    assert renyi is not None
    k = min(m, n)
    assert 1 - 1e-9 <= stable <= k + 1e-9
    assert 1 - 1e-9 <= effective <= k + 1e-9
    # S_α falls with α; 2^S_∞ = the stable rank is a lower bound of both.
    assert math.log2(stable) - 1e-9 <= renyi <= neumann + 1e-9 <= math.log2(k) + 1e-8
    for name in NAMES[1:]:
        assert value(name, scaled) == pytest.approx(figures[name], rel=1e-6)


def test_below_full_rank_and_at_rank_zero() -> None:
    weight = np.random.default_rng(3).standard_normal((4, 4))
    weight[1] = 0
    row = rows_of(MEASURES, "condition-number", dense(weight))["value"]
    assert row.value is None
    assert row.note.startswith("∞: rank 3 of 4")
    nothing = dense(np.zeros((3, 3)))
    assert value("spectral-norm", nothing) == 0
    for name in NAMES[1:]:
        row = rows_of(MEASURES, name, nothing)["value"]
        assert row.value is None
        assert row.note


def test_series_are_descending_and_short() -> None:
    few = series_of(MEASURES, dense(np.diag([3.0, 1.0, 2.0])))["spectrum"]
    assert few.values == (3.0, 2.0, 1.0)
    weight = np.random.default_rng(4).standard_normal((16, 16, 3, 3))
    many = series_of(MEASURES, convolution(weight))["spectrum"]
    assert many.shape == (256,)
    numbers = [v for v in many.values if v is not None]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == pytest.approx(next(spectral_norm_rows(convolution(weight))).value)


def test_large_matrices_go_by_the_gram_matrix_when_they_may() -> None:
    weight = np.random.default_rng(5).standard_normal((100, 150))
    spectrum = singular_spectrum(dense_kernel(weight))
    assert "Gram" in spectrum.method
    np.testing.assert_allclose(spectrum.values, np.linalg.svd(weight, compute_uv=False), rtol=1e-9)
    weight[3] = weight[4] * (1 + 1e-9)
    doubtful = singular_spectrum(dense_kernel(weight))
    assert "SVD" in doubtful.method


def test_order_one_is_refused() -> None:
    with pytest.raises(ValueError, match="von Neumann"):
        renyi_entropy(singular_spectrum(dense_kernel(np.eye(2))), order=1)


def test_torch_tensors_give_the_same_spectrum() -> None:
    torch = pytest.importorskip("torch")
    weight = np.random.default_rng(6).standard_normal((5, 4, 3, 3))
    geometry = {"stride": (2, 2), "dilation": (1, 1)}
    ours = singular_spectrum(convolution_kernel(weight, **geometry))
    theirs = singular_spectrum(convolution_kernel(torch.from_numpy(weight), **geometry))
    np.testing.assert_allclose(theirs.values, ours.values)
