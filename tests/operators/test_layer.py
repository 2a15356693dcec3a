"""Whole layers' operators against torch's own layers, slow loops and each other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings

from infoflow.errors import OperatorError
from infoflow.facts import Geometry
from infoflow.operators import circular_operator, layer_operator
from tests.naive import CONVOLUTIONS, circulant
from tests.operators import naive
from tests.operators.drawing import convolutions, module, transposed_convolutions

torch = pytest.importorskip("torch")

PLAIN = Geometry((1, 1), (0, 0), (1, 1))


def agrees_with_torch(drawn):
    """Every form of the operator, and the size told beforehand."""
    operator = layer_operator(drawn.weight, drawn.geometry, drawn.size)
    layer = module(drawn)
    generator = np.random.default_rng(drawn.seed + 1)
    x = generator.standard_normal((3, *operator.input_shape))
    with torch.inference_mode():
        theirs = layer(torch.from_numpy(x)).numpy()
    assert theirs.shape[1:] == operator.output_shape
    columns, expected = x.reshape(3, -1).T, theirs.reshape(3, -1).T
    matrix = operator.to_sparse()
    assert matrix.format == "csr"
    assert matrix.has_canonical_format
    assert matrix.nnz == np.count_nonzero(matrix.toarray())
    assert matrix.shape == operator.shape == (operator.size.rows, operator.size.columns)
    np.testing.assert_allclose(matrix @ columns, expected, atol=1e-12)
    products = operator.linear_operator()
    np.testing.assert_allclose(products @ columns, expected, atol=1e-12)
    np.testing.assert_allclose(products.matvec(columns[:, 0]), expected[:, 0], atol=1e-12)
    y = generator.standard_normal((3, matrix.shape[0])).T
    np.testing.assert_allclose(products.rmatmat(y), matrix.T @ y, atol=1e-12)
    np.testing.assert_allclose(products.H @ y, matrix.T @ y, atol=1e-12)
    # The adjoint identity, ⟨Ax, y⟩ = ⟨x, Aᵀy⟩.
    one, other = columns[:, 0], y[:, 0]
    np.testing.assert_allclose(
        products.matvec(one) @ other, one @ products.rmatvec(other), atol=1e-11
    )
    ones = layer_operator(np.ones(drawn.shape), drawn.geometry, drawn.size)
    stored, told = ones.to_sparse().nnz, operator.size.nonzeros
    assert stored == told if drawn.geometry.padding_mode == "zeros" else stored <= told
    entries = ones.to_sparse() != 0
    reached = tuple(len(np.unique(place)) for place in entries.nonzero())
    assert operator.reached == reached


@settings(max_examples=200, deadline=None)
@given(convolutions())
def test_convolutions_are_torchs(drawn):
    agrees_with_torch(drawn)


@settings(max_examples=150, deadline=None)
@given(transposed_convolutions())
def test_transposed_convolutions_are_torchs(drawn):
    agrees_with_torch(drawn)


@settings(max_examples=40, deadline=None)
@given(convolutions())
def test_entries_are_those_of_slow_loops(drawn):
    operator = layer_operator(drawn.weight, drawn.geometry, drawn.size)
    slow = naive.convolution_matrix(drawn.weight, drawn.geometry, drawn.size)
    np.testing.assert_allclose(operator.to_dense(), slow, atol=1e-14)


@pytest.mark.parametrize("kernel", [2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 3])
@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_same_padding_of_even_kernels(kernel, dilation, mode):
    from infoflow.architectures import describe

    layer = torch.nn.Conv2d(
        2, 3, kernel, padding="same", dilation=dilation, padding_mode=mode, bias=False
    ).double()
    facts = describe(torch.nn.Sequential(layer), (12, 11)).parameters["0.weight"]
    weight = layer.weight.detach()
    operator = layer_operator(weight, facts.geometry, (12, 11))
    x = torch.randn(1, 2, 12, 11, dtype=torch.float64, generator=torch.manual_seed(0))
    with torch.inference_mode():
        expected = layer(x).numpy().ravel()
    np.testing.assert_allclose(operator.to_sparse() @ x.numpy().ravel(), expected, atol=1e-13)
    np.testing.assert_allclose(operator.linear_operator() @ x.numpy().ravel(), expected, atol=1e-13)
    slow = naive.convolution_matrix(weight.numpy(), facts.geometry, (12, 11))
    np.testing.assert_array_equal(operator.to_dense(), slow)


@pytest.mark.parametrize("layer", CONVOLUTIONS, ids=lambda layer: layer.name)
def test_the_circular_operator_is_the_circulant(layer):
    geometry = Geometry(
        layer.stride, (0,) * len(layer.stride), layer.dilation, layer.groups, layer.transposed
    )
    operator = circular_operator(layer.weight, geometry, layer.size)
    np.testing.assert_allclose(operator.to_dense(), circulant(layer), atol=1e-14)
    x = np.random.default_rng(0).standard_normal(operator.shape[1])
    np.testing.assert_allclose(operator.linear_operator() @ x, circulant(layer) @ x, atol=1e-12)


def test_a_dense_layer():
    weight = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    operator = layer_operator(weight)
    assert operator.shape == (3, 5)
    assert (operator.input_shape, operator.output_shape) == ((5,), (3,))
    assert operator.size.nonzeros == 15
    np.testing.assert_array_equal(operator.to_dense(), weight.astype(np.float64))
    np.testing.assert_array_equal(operator.to_sparse().toarray(), weight.astype(np.float64))
    y = np.arange(3.0)
    np.testing.assert_allclose(operator.linear_operator().rmatvec(y), weight.T.astype(float) @ y)


def test_torch_tensors_and_coarse_types():
    weight = torch.randn(2, 2, 3, 3, generator=torch.manual_seed(1)).bfloat16()
    dense = layer_operator(weight, PLAIN, (4, 5)).to_dense()
    expected = layer_operator(weight.double().numpy(), PLAIN, (4, 5)).to_dense()
    np.testing.assert_array_equal(dense, expected)


def test_read_only_weights_and_vectors():
    weight = np.ones((1, 1, 2, 2), np.float32)
    weight.flags.writeable = False
    x = np.arange(9.0)
    x.flags.writeable = False
    operator = layer_operator(weight, PLAIN, (3, 3))
    np.testing.assert_array_equal(operator.linear_operator() @ x, [8, 12, 20, 24])


def test_nan_weights_stay_where_they_are():
    weight = np.ones((1, 1, 2, 2))
    weight[0, 0, 1, 1] = np.nan
    assert np.isnan(layer_operator(weight, PLAIN, (3, 3)).to_dense()).sum() == 4


def test_the_size_of_a_large_layer_needs_no_memory():
    geometry = Geometry((1, 1), (1, 1), (1, 1), input_size=(14, 14))
    weight = np.broadcast_to(np.float32(1), (512, 512, 3, 3))
    size = layer_operator(weight, geometry).size
    assert (size.rows, size.columns) == (512 * 196, 512 * 196)
    # 14 + 13 + 13 pairs of a position and a tap along each axis lie inside the input.
    assert size.nonzeros == 512 * 512 * 40**2
    assert 5.0e9 < size.sparse_bytes < 5.1e9
    assert size.dense_bytes == 8 * (512 * 196) ** 2
    million = layer_operator(weight, geometry, (10**6, 10**6)).size
    assert million.nonzeros == 512**2 * (3 * 10**6 - 2) ** 2
    assert million.index_bytes == 8


def test_groups_and_kernels_of_one_are_block_diagonal():
    weight = np.arange(1.0, 5).reshape(4, 1, 1, 1)
    geometry = Geometry((1, 1), (0, 0), (1, 1), groups=4)
    dense = layer_operator(weight, geometry, (2, 2)).to_dense()
    np.testing.assert_array_equal(dense, np.diag(np.repeat(np.arange(1.0, 5), 4)))


@pytest.mark.parametrize(
    ("weight", "geometry", "size", "words"),
    [
        ((2, 2, 3, 3), None, None, "no dense layer"),
        ((2, 2, 3, 3), PLAIN, None, "needs the size of its input"),
        ((2, 2, 3, 3), PLAIN, (2, 9), "spans 3 positions does not fit into an input of 2"),
        ((2, 2, 3, 3), PLAIN, (9,), "need as many numbers each"),
        ((2, 2, 3), PLAIN, (9, 9), "need as many numbers each"),
        ((2, 2), PLAIN, (), "0 spatial dimensions"),
        ((3, 2, 3, 3), Geometry((1, 1), (0, 0), (1, 1), groups=2), (9, 9), "into 2 groups"),
        ((2, 0, 3, 3), PLAIN, (9, 9), "empty"),
        ((2, 2, 3, 3), Geometry((0, 1), (0, 0), (1, 1)), (9, 9), "must be positive"),
        (
            (2, 2, 3, 3),
            Geometry((1, 1), (3, 3), (1, 1), padding_mode="reflect"),
            (3, 3),
            "reflect padding of 3 is more than an input of 3",
        ),
        (
            (2, 2, 3, 3),
            Geometry((1, 1), (1, 1), (1, 1), padding_mode="mirror"),
            (3, 3),
            "'mirror' is none of zeros",
        ),
        (
            (2, 2, 3, 3),
            Geometry((1, 1), (0, 0), (1, 1), transposed=True, padding_mode="circular"),
            (3, 3),
            "pads with zeros",
        ),
        (
            (2, 2, 1, 1),
            Geometry((1, 1), (3, 3), (1, 1), transposed=True),
            (3, 3),
            "has no output",
        ),
        (
            (2, 2, 3, 3),
            Geometry((2, 2), (0, 0), (1, 1), transposed=True, output_padding=(2, 2)),
            (3, 3),
            "output padding 2 must be below",
        ),
    ],
)
def test_what_has_no_operator(weight, geometry, size, words):
    with pytest.raises(OperatorError, match=words):
        layer_operator(np.ones(weight), geometry, size)


def test_a_circle_must_divide_by_the_stride():
    with pytest.raises(OperatorError, match="5 positions does not divide by a stride of 2"):
        circular_operator(np.ones((1, 1, 3)), Geometry((2,), (0,), (1,)), (5,))


def test_four_dimensions_have_a_matrix_but_no_products():
    geometry = Geometry((1,) * 4, (0,) * 4, (1,) * 4)
    operator = layer_operator(np.ones((1, 1, 2, 2, 2, 2)), geometry, (2, 2, 2, 2))
    np.testing.assert_array_equal(operator.to_dense(), np.ones((1, 16)))
    with pytest.raises(OperatorError, match="4 spatial dimensions"):
        operator.linear_operator()


def test_complex_vectors_are_refused_by_products():
    operator = layer_operator(np.ones((1, 1, 2)), Geometry((1,), (0,), (1,)), (3,))
    with pytest.raises(OperatorError, match="real vectors"):
        operator.linear_operator().matvec(np.ones(3, dtype=complex))


def test_svds_finds_the_spectral_norm_without_the_matrix():
    from scipy.sparse.linalg import svds

    weight = np.random.default_rng(2).standard_normal((3, 3, 3, 3))
    operator = layer_operator(weight, Geometry((1, 1), (1, 1), (1, 1)), (5, 5))
    largest = svds(operator.linear_operator(), k=1, return_singular_vectors=False, rng=0)
    expected = np.linalg.norm(operator.to_dense(), 2)
    assert math.isclose(float(largest[0]), expected, rel_tol=1e-9)
