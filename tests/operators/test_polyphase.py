"""The canonical form against the dense circulant matrix and torch's own convolution."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.operators.frequencies import shifted_grid, symmetric_grid
from infoflow.operators.polyphase import PolyphaseKernel, convolution_kernel, dense_kernel
from tests.naive import CONVOLUTIONS, Convolution, circulant


def kernel_of(layer: Convolution) -> PolyphaseKernel:
    return convolution_kernel(
        layer.weight,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
        transposed=layer.transposed,
    )


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=lambda layer: layer.name)
def test_symbols_hold_the_circulants_singular_values(layer: Convolution) -> None:
    kernel = kernel_of(layer)
    positions = kernel.positions(layer.size)
    assert positions == layer.coarse
    active = tuple(positions[axis] for axis in kernel.axes)
    frequencies, multiplicities = symmetric_grid(active)
    values = np.linalg.svd(kernel.symbol(frequencies), compute_uv=False)
    copies = (multiplicities * (math.prod(positions) // math.prod(active))).astype(int)
    pooled = np.sort(np.repeat(values.reshape(len(copies), -1), copies, axis=0).ravel())[::-1]
    dense = np.linalg.svd(circulant(layer), compute_uv=False)
    np.testing.assert_allclose(pooled, dense[: pooled.size], atol=1e-12)
    # What is left are directions that no filter reads, exactly none of the layer's own.
    assert np.all(dense[pooled.size :] < 1e-12)


def direct_sum(kernel: PolyphaseKernel, frequencies: np.ndarray) -> np.ndarray:
    """K̂(ω) = Σ_q W_q exp(i ω·q), tap by tap."""
    total = np.zeros((len(frequencies), *kernel.taps.shape[1:]), dtype=np.complex128)
    for tap, offset in zip(kernel.taps, kernel.offsets, strict=True):
        angles = frequencies @ np.array([offset[axis] for axis in kernel.axes])
        total += np.exp(1j * angles)[:, None, None, None] * tap
    return total


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize(
    "layer", [one for one in CONVOLUTIONS if kernel_of(one).axes], ids=lambda layer: layer.name
)
def test_the_symbols_of_a_grid_by_a_fourier_transform(layer: Convolution, n: int) -> None:
    kernel = kernel_of(layer)
    shift = np.random.default_rng(n).uniform(0, 2 * math.pi / n, len(kernel.axes))
    frequencies = shifted_grid(n, shift)
    found = kernel.grid_symbol(n, shift)
    np.testing.assert_allclose(found, direct_sum(kernel, frequencies), rtol=0, atol=1e-12)
    np.testing.assert_allclose(found, kernel.symbol(frequencies), rtol=0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 7), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=3
    ),
    st.integers(1, 3),
    st.booleans(),
    st.integers(1, 6),
    st.integers(0, 99),
)
def test_a_fourier_transform_for_any_stride_dilation_and_groups(
    along: list[tuple[int, int, int]], groups: int, transposed: bool, n: int, seed: int
) -> None:
    size, stride, dilation = zip(*along, strict=True)
    generator = np.random.default_rng(seed)
    weight = generator.standard_normal((2 * groups, 2, *size))
    kernel = convolution_kernel(
        weight, stride=stride, dilation=dilation, groups=groups, transposed=transposed
    )
    if not kernel.axes:
        return
    shift = generator.uniform(0, 2 * math.pi / n, len(kernel.axes))
    expected = direct_sum(kernel, shifted_grid(n, shift))
    scale = np.abs(kernel.taps).sum(axis=0).max()
    np.testing.assert_allclose(kernel.grid_symbol(n, shift), expected, atol=1e-12 * scale, rtol=0)


def test_empty_phases_are_dropped() -> None:
    pointwise = convolution_kernel(np.ones((4, 3, 1, 1)), stride=(2, 2), dilation=(1, 1))
    assert (pointwise.rows, pointwise.cols, pointwise.axes) == (4, 3, ())
    spread = convolution_kernel(np.ones((4, 3, 2, 2)), stride=(3, 3), dilation=(1, 1))
    assert spread.phases == ((0, 0), (0, 1), (1, 0), (1, 1))


def test_the_corner_is_the_symbol_at_the_origin() -> None:
    weight = np.random.default_rng(0).standard_normal((4, 3, 3, 3))
    plain = convolution_kernel(weight, stride=(1, 1), dilation=(1, 1))
    np.testing.assert_array_equal(plain.corner[0], weight[:, :, 0, 0])
    strided = convolution_kernel(weight, stride=(2, 2), dilation=(1, 1))
    taps = [weight[:, :, a, b] for a in (0, 1) for b in (0, 1)]
    np.testing.assert_array_equal(strided.corner[0], np.stack(taps, axis=-1).reshape(4, -1))
    dilated = convolution_kernel(weight, stride=(2, 2), dilation=(2, 2))
    np.testing.assert_array_equal(dilated.corner[0], weight[:, :, 0, 0])


def test_dilation_leaves_means_over_the_torus_alone() -> None:
    weight = np.random.default_rng(1).standard_normal((3, 3, 3, 3))
    dilated = convolution_kernel(weight, stride=(1, 1), dilation=(2, 3))
    plain = convolution_kernel(weight, stride=(1, 1), dilation=(1, 1))
    assert dilated.primitive.offsets == plain.offsets
    assert plain.primitive is plain
    omega = np.array([[0.3, 1.1]])
    np.testing.assert_allclose(dilated.symbol(omega), plain.symbol(omega * [2, 3]))


def test_a_single_tap_is_one_real_matrix() -> None:
    weight = np.random.default_rng(2).standard_normal((3, 5))
    for kernel in (
        dense_kernel(weight),
        convolution_kernel(weight[..., None, None], stride=(1, 1), dilation=(1, 1)),
    ):
        symbol = kernel.symbol(np.zeros((1, 0)))
        assert symbol.dtype == np.float64
        np.testing.assert_array_equal(symbol[0, 0], weight)


def test_scaled_rows_and_columns() -> None:
    weight = np.random.default_rng(3).standard_normal((4, 2, 3, 3))
    kernel = convolution_kernel(weight, stride=(2, 2), dilation=(1, 1), groups=2)
    rows = kernel.with_rows_scaled(np.arange(1.0, 5.0))
    expected = convolution_kernel(
        weight * np.arange(1.0, 5.0)[:, None, None, None],
        stride=(2, 2),
        dilation=(1, 1),
        groups=2,
    )
    np.testing.assert_array_equal(rows.taps, expected.taps)
    columns = kernel.with_columns_scaled(np.arange(1.0, 5.0))
    np.testing.assert_array_equal(columns.taps[:, 1, :, :4], 3 * kernel.taps[:, 1, :, :4])
    np.testing.assert_array_equal(columns.taps[:, 1, :, 4:], 4 * kernel.taps[:, 1, :, 4:])


def test_a_size_that_the_stride_does_not_divide_is_rounded_up() -> None:
    kernel = convolution_kernel(np.ones((1, 1, 3, 3)), stride=(2, 2), dilation=(1, 1))
    assert kernel.positions((7, 8)) == (4, 4)


@pytest.mark.parametrize("dtype", ["float16", "float32", ">f4"])
def test_stored_types_become_float64(dtype: str) -> None:
    weight = np.random.default_rng(4).standard_normal((2, 2, 3)).astype(dtype)
    kernel = convolution_kernel(weight, stride=(1,), dilation=(1,))
    assert kernel.taps.dtype == np.float64
    np.testing.assert_array_equal(kernel.taps[1, 0], weight[:, :, 1])


def test_bad_geometry() -> None:
    with pytest.raises(ValueError, match="needs as many strides"):
        convolution_kernel(np.ones((2, 2, 3, 3)), stride=(1,), dilation=(1, 1))
    with pytest.raises(ValueError, match="5 channels do not divide into 2 groups"):
        convolution_kernel(np.ones((5, 2, 3)), stride=(1,), dilation=(1,), groups=2)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_naive_circulant_is_torchs_convolution(stride: int, dilation: int, groups: int) -> None:
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(5)
    weight = generator.standard_normal((4, 4 // groups, 3, 3))
    layer = Convolution(weight, (6, 6), (stride,) * 2, (dilation,) * 2, groups)
    x: Any = torch.from_numpy(generator.standard_normal((1, 4, 6, 6)))
    reach = 2 * dilation
    padded = torch.nn.functional.pad(x, (0, reach, 0, reach), mode="circular")
    y = torch.nn.functional.conv2d(
        padded, torch.from_numpy(weight), stride=stride, dilation=dilation, groups=groups
    )
    np.testing.assert_allclose(circulant(layer) @ x.numpy().ravel(), y.numpy().ravel())
    # The adjoint: ⟨Ax, y⟩ = ⟨x, Aᵀy⟩, and Aᵀ is the transposed layer of the same weight.
    up = Convolution(weight, layer.coarse, layer.stride, layer.dilation, groups, transposed=True)
    np.testing.assert_array_equal(circulant(up), circulant(layer).T)


def test_torch_tensors_give_the_same_symbols() -> None:
    torch = pytest.importorskip("torch")
    weight = np.random.default_rng(6).standard_normal((4, 3, 3, 3))
    frequencies = np.random.default_rng(7).uniform(0, 6, (5, 2))
    ours = convolution_kernel(weight, stride=(2, 1), dilation=(1, 2))
    theirs = convolution_kernel(torch.from_numpy(weight), stride=(2, 1), dilation=(1, 2))
    np.testing.assert_allclose(
        theirs.symbol(frequencies).numpy(), ours.symbol(frequencies), atol=1e-13
    )
    assert theirs.primitive.offsets == ours.primitive.offsets
