"""The symbol on a grid: against numpy's FFT and the circular operator's singular values."""

from __future__ import annotations

import numpy as np
import pytest

from infoflow.facts import Geometry
from infoflow.operators import circular_operator, convolution_kernel, dense_kernel, frequency_symbol
from infoflow.operators.symbol import symbol_shape
from tests.naive import CONVOLUTIONS


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=lambda layer: layer.name)
def test_the_circular_operators_singular_values_are_the_symbols(layer):
    geometry = Geometry(
        layer.stride, (0,) * len(layer.stride), layer.dilation, layer.groups, layer.transposed
    )
    operator = circular_operator(layer.weight, geometry, layer.size)
    symbol = frequency_symbol(operator.kernel, layer.coarse)
    assert symbol.shape == symbol_shape(layer.weight.shape, geometry, layer.coarse)
    assert symbol.dtype == np.complex128
    found = np.sort(np.linalg.svd(symbol, compute_uv=False), axis=None)[::-1]
    dense = np.linalg.svd(operator.to_dense(), compute_uv=False)
    np.testing.assert_allclose(found, dense[: found.size], atol=1e-12)
    assert np.all(dense[found.size :] < 1e-12)


def test_of_stride_one_it_is_the_conjugate_of_numpys_fft():
    weight = np.random.default_rng(0).standard_normal((4, 3, 3, 3))
    kernel = convolution_kernel(weight, stride=(1, 1), dilation=(1, 1))
    symbol = frequency_symbol(kernel, (5, 8))
    expected = np.fft.fft2(weight, (5, 8)).conj().transpose(2, 3, 0, 1)
    np.testing.assert_allclose(symbol[:, :, 0], expected, atol=1e-13)


def test_rows_are_outputs_of_a_transposed_layer_too():
    weight = np.random.default_rng(1).standard_normal((4, 3, 2, 2))
    kernel = convolution_kernel(weight, stride=(2, 2), dilation=(1, 1), transposed=True)
    symbol = frequency_symbol(kernel, (3, 3))
    assert symbol.shape == (3, 3, 1, 3 * 4, 4)
    own = convolution_kernel(weight, stride=(2, 2), dilation=(1, 1))
    np.testing.assert_array_equal(symbol.conj().swapaxes(-1, -2), frequency_symbol(own, (3, 3)))


def test_single_taps_and_dense_layers_are_constant():
    weight = np.random.default_rng(2).standard_normal((2, 3))
    pointwise = convolution_kernel(weight[..., None, None], stride=(1, 1), dilation=(1, 1))
    symbol = frequency_symbol(pointwise, (2, 3))
    np.testing.assert_array_equal(symbol, np.broadcast_to(weight, (2, 3, 1, 2, 3)))
    np.testing.assert_array_equal(frequency_symbol(dense_kernel(weight), ())[0], weight)


def test_self_conjugate_frequencies_are_real():
    weight = np.random.default_rng(3).standard_normal((2, 2, 3, 3))
    kernel = convolution_kernel(weight, stride=(1, 1), dilation=(1, 1))
    symbol = frequency_symbol(kernel, (4, 6))
    assert not symbol[np.ix_([0, 2], [0, 3])].imag.any()
