"""Eigenvalues in two stages, in one, and without a library that has two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.spectra import eigenvalues
from infoflow.spectra.eigenvalues import LARGE, symmetric_eigenvalues


def symmetric(n: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((n, n))
    return np.asfortranarray(drawn + drawn.T)


def test_numpy_or_scipy_bring_the_two_stages():
    assert eigenvalues._two_stage() is not None


@pytest.mark.parametrize("n", [LARGE, LARGE + 7])
def test_two_stages_are_numpys_eigenvalues(n):
    matrix = symmetric(n)
    expected = np.linalg.eigvalsh(matrix)
    found = symmetric_eigenvalues(matrix.copy(order="F"))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * abs(expected).max() * n)


@given(n=st.integers(1, 40), seed=st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_both_ways_agree_at_every_size(n, seed):
    matrix = symmetric(n, seed)
    one = eigenvalues._one_stage(matrix.copy(order="F"))
    two_stage = eigenvalues._two_stage()
    assert two_stage is not None
    np.testing.assert_allclose(two_stage(matrix.copy(order="F")), one, atol=1e-12 * n)


def test_only_the_lower_triangle_is_read():
    matrix = symmetric(LARGE)
    expected = np.linalg.eigvalsh(matrix)
    matrix[np.triu_indices(LARGE, 1)] = np.inf
    np.testing.assert_allclose(symmetric_eigenvalues(matrix), expected, atol=1e-8)


def test_another_order_and_a_map_that_is_read_only_are_copied():
    matrix = symmetric(LARGE)
    expected = np.linalg.eigvalsh(matrix)
    fixed = np.ascontiguousarray(matrix)
    fixed.flags.writeable = False
    np.testing.assert_allclose(symmetric_eigenvalues(fixed), expected, atol=1e-9)
    np.testing.assert_array_equal(fixed, matrix)


def test_without_such_a_library_one_stage_serves(monkeypatch):
    monkeypatch.setattr(eigenvalues, "_two_stage", lambda: None)
    matrix = symmetric(LARGE)
    expected = np.linalg.eigvalsh(matrix)
    np.testing.assert_allclose(symmetric_eigenvalues(matrix), expected, atol=1e-9)


def test_what_is_not_finite_raises():
    matrix = symmetric(LARGE)
    matrix[5, 3] = np.nan
    with pytest.raises(np.linalg.LinAlgError):
        symmetric_eigenvalues(matrix)
