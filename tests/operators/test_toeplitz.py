"""C_M and C′_M against their blocks, torch, and what ENT proves of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.errors import OperatorError
from infoflow.operators import completed_toeplitz, doubly_block_toeplitz
from infoflow.operators.toeplitz import completed_toeplitz_size, toeplitz_size
from tests.operators import naive

SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda filter: st.tuples(
        st.just(filter),
        st.tuples(st.integers(filter[0], 7), st.integers(filter[1], 7)),
        st.integers(0, 2**31),
    )
)


@settings(deadline=None)
@given(SHAPES)
def test_both_are_their_blocks(case):
    shape, size, seed = case
    filter = np.random.default_rng(seed).standard_normal(shape)
    whole, square = doubly_block_toeplitz(filter, size), completed_toeplitz(filter, size)
    np.testing.assert_array_equal(whole.toarray(), naive.toeplitz(filter, size))
    np.testing.assert_array_equal(square.toarray(), naive.completed_toeplitz(filter, size))
    for matrix, told in (
        (whole, toeplitz_size(shape, size)),
        (square, completed_toeplitz_size(shape, size)),
    ):
        assert matrix.format == "csr"
        assert matrix.has_canonical_format
        assert matrix.shape == (told.rows, told.columns)
        assert matrix.nnz == told.nonzeros


@settings(deadline=None)
@given(SHAPES)
def test_the_completion_is_triangular_with_c11_on_its_diagonal(case):
    shape, size, seed = case
    filter = np.random.default_rng(seed).standard_normal(shape)
    square = completed_toeplitz(filter, size).toarray()
    assert not np.tril(square, -1).any()
    count = (size[0] - shape[0] + 1) * (size[1] - shape[1] + 1)
    diagonal = np.sort(np.diagonal(square))
    expected = np.sort(np.concatenate([np.full(count, filter[0, 0]), np.ones(len(square) - count)]))
    np.testing.assert_array_equal(diagonal, expected)
    found = np.linalg.slogdet(square)[1]
    np.testing.assert_allclose(found, count * np.log(abs(filter[0, 0])), atol=1e-10)


@settings(deadline=None)
@given(SHAPES)
def test_the_surrogate_never_exceeds_the_exact_log_volume(case):
    """Cauchy-Binet: one maximal minor of C_M is c₁₁ to the number of its rows."""
    shape, size, seed = case
    filter = np.random.default_rng(seed).standard_normal(shape)
    matrix = doubly_block_toeplitz(filter, size).toarray()
    exact = np.log(np.linalg.svd(matrix, compute_uv=False)).sum()
    assert len(matrix) * np.log(abs(filter[0, 0])) <= exact + 1e-9


def test_it_is_torchs_convolution():
    torch = pytest.importorskip("torch")
    generator = np.random.default_rng(0)
    filter, image = generator.standard_normal((3, 2)), generator.standard_normal((5, 6))
    theirs = torch.nn.functional.conv2d(
        torch.from_numpy(image)[None, None], torch.from_numpy(filter)[None, None]
    )
    ours = doubly_block_toeplitz(filter, (5, 6)) @ image.ravel()
    np.testing.assert_allclose(ours, theirs.numpy().ravel(), atol=1e-14)


def test_zeros_of_the_filter_are_not_stored():
    assert doubly_block_toeplitz(np.array([[1.0, 0], [0, 2]]), (4, 4)).nnz == 2 * 9
    assert completed_toeplitz(np.zeros((1, 1)), (2, 2)).nnz == 0


def test_stored_types_become_float64():
    filter = np.array([[0.1, 2]], dtype=np.float16)
    matrix = doubly_block_toeplitz(filter, (1, 3))
    assert matrix.dtype == np.float64
    assert matrix[0, 0] == float(np.float16(0.1))


@pytest.mark.parametrize("build", [doubly_block_toeplitz, completed_toeplitz])
def test_what_has_no_matrix(build):
    with pytest.raises(OperatorError, match="3 × 3 filter does not fit into an input of 5 × 2"):
        build(np.ones((3, 3)), (5, 2))
    with pytest.raises(OperatorError, match=r"shape \(2, 3, 3\)"):
        build(np.ones((2, 3, 3)), (5, 5))
