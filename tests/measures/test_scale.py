"""The size of weights and what it does to a signal: closed forms, a loop, and torch itself."""

from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from infoflow.facts import Geometry
from infoflow.layers import Layer
from infoflow.measures.weights import scale
from infoflow.measures.weights.scale import fan_in, root_mean_square
from infoflow.measures.weights.subject import Subject


def dense(weight: np.ndarray[Any, Any]) -> Layer:
    return Layer("fc", "dense", weight, str(weight.dtype))


def gain_of(layer: Layer) -> float | None:
    (row,) = scale.signal_gain(Subject(layer))
    return row.value


@settings(max_examples=50, deadline=None)
@given(
    arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=4, max_side=5),
        elements=st.floats(-1e100, 1e100, allow_subnormal=False),
    )
)
def test_root_mean_square_is_that_of_a_loop(weight: np.ndarray[Any, Any]) -> None:
    largest = float(np.max(np.abs(weight)))
    expected = 0.0
    if largest:
        total = math.fsum((float(value) / largest) ** 2 for value in weight.ravel())
        expected = largest * math.sqrt(total / weight.size)
    assert root_mean_square(weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1.0, 1e160, 1e300])
def test_squares_neither_overflow_nor_vanish(size: float) -> None:
    assert root_mean_square(np.full((3, 5), size)) == pytest.approx(size, rel=1e-14)


def test_blocks_join() -> None:
    weight = np.random.default_rng(0).standard_normal(3 * scale._BLOCK + 5).astype(np.float32)
    expected = math.sqrt(np.mean(weight.astype(np.float64) ** 2))
    assert root_mean_square(weight) == pytest.approx(expected, rel=1e-12)


def test_narrow_types_are_squared_in_float64() -> None:
    weight = np.full((4, 4), 2.0**-70).astype(ml_dtypes.bfloat16)
    assert root_mean_square(weight) == 2.0**-70


def test_an_empty_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="empty weight"):
        root_mean_square(np.zeros((0, 3)))


def test_gains_of_the_usual_initialisations() -> None:
    generator = np.random.default_rng(0)
    he = generator.standard_normal((400, 300)) * math.sqrt(2 / 300)
    default = generator.uniform(-1, 1, (400, 300)) / math.sqrt(300)
    orthogonal = np.linalg.qr(generator.standard_normal((60, 60)))[0]
    assert gain_of(dense(he)) == pytest.approx(math.log(2) / 2, abs=0.01)
    assert gain_of(dense(he / math.sqrt(2))) == pytest.approx(0, abs=0.01)  # LeCun's
    assert gain_of(dense(default)) == pytest.approx(-math.log(3) / 2, abs=0.01)
    assert gain_of(dense(orthogonal)) == pytest.approx(0, abs=1e-12)


ACTIVATIONS = {
    "none": (lambda x: x, 0.0),
    "relu": (lambda x: np.maximum(x, 0), -30 * math.log(2) / 2),
    "tanh": (np.tanh, 0.0),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_thirty_default_layers_do_to_a_real_signal_what_their_gains_say(name: str) -> None:
    """The linear gains, and what a contracting activation loses beyond."""
    activation, beyond = ACTIVATIONS[name]
    generator = np.random.default_rng(1)
    weights = [generator.uniform(-1, 1, (128, 128)) / math.sqrt(128) for _ in range(30)]
    signal = generator.standard_normal((128, 200))
    start = math.log(signal.std())
    for weight in weights:
        signal = weight @ activation(signal)
    gains = math.fsum(gain_of(dense(weight)) or 0 for weight in weights)
    assert gains == pytest.approx(30 * -math.log(3) / 2, abs=0.2)
    change = math.log(math.sqrt(np.mean(signal**2))) - start
    assert change == pytest.approx(gains + beyond, abs=2)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, ml_dtypes.bfloat16])
def test_the_largest_magnitude_is_found_in_every_block(dtype: Any) -> None:
    weight = np.zeros((2, scale._BLOCK // 2 + 3), dtype)
    assert scale.largest_magnitude(weight) == 0
    weight[0, 5], weight[1, -1] = 3, -4
    assert scale.largest_magnitude(weight) == 4
    torch = pytest.importorskip("torch")
    assert scale.largest_magnitude(torch.from_numpy(weight.astype(float))) == 4


def test_a_zero_layer_passes_nothing() -> None:
    (row,) = scale.signal_gain(Subject(dense(np.zeros((3, 4), dtype=np.float32))))
    assert row.is_minus_infinity
    (row,) = scale.weight_scale(Subject(dense(np.zeros((3, 4), dtype=np.float32))))
    assert row.value == 0


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_scaling_the_weights_adds_its_logarithm(factor: float, seed: int) -> None:
    weight = np.random.default_rng(seed).standard_normal((5, 7))
    first, second = gain_of(dense(weight)), gain_of(dense(factor * weight))
    assert first is not None
    assert second == pytest.approx(first + math.log(factor), abs=1e-9)


@pytest.mark.parametrize(
    ("stride", "groups", "kernel"), [(1, 1, 3), (2, 1, 4), (2, 3, 2), (3, 1, 3), (2, 2, 6)]
)
def test_fan_in_is_what_torch_sums(stride: int, groups: int, kernel: int) -> None:
    """Ones through weights of ones: each output counts what it sums."""
    torch = pytest.importorskip("torch")
    channels = 6
    plain = torch.ones(channels, channels // groups, kernel, kernel)
    image = torch.ones(1, channels, 24, 24)
    geometry = Geometry((stride, stride), (0, 0), (1, 1), groups)
    out = torch.nn.functional.conv2d(image, plain, stride=stride, groups=groups)
    layer = Layer("c", "convolution", plain.numpy(), "float32", geometry)
    assert fan_in(layer) == pytest.approx(float(out.mean()))
    out = torch.nn.functional.conv_transpose2d(image, plain, stride=stride, groups=groups)
    inner = out[..., 2 * kernel : 2 * kernel + 2 * stride, 2 * kernel : 2 * kernel + 2 * stride]
    layer = Layer("t", "transposed convolution", plain.numpy(), "float32", geometry)
    assert fan_in(layer) == pytest.approx(float(inner.mean()))


def test_torch_tensors_give_the_same() -> None:
    torch = pytest.importorskip("torch")
    weight = np.random.default_rng(3).standard_normal((4, 5))
    assert root_mean_square(torch.from_numpy(weight)) == pytest.approx(root_mean_square(weight))
    assert root_mean_square(torch.zeros(2, 2, dtype=torch.float64)) == 0
