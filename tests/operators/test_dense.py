from __future__ import annotations

import numpy as np
import pytest

from infoflow.operators.dense import completed, square_part

EXAMPLE_4 = np.array([[1.0, 2, 3, 1, 0], [4, 5, 6, 0, 2], [7, 8, 3, 1, 1]])
"""A 3 × 5 matrix whose first three columns have determinant 18."""


def test_completion_keeps_the_determinant() -> None:
    whole = completed(EXAMPLE_4)
    assert whole.shape == (5, 5)
    np.testing.assert_array_equal(whole[:3], EXAMPLE_4)
    np.testing.assert_array_equal(whole[3:], np.eye(5)[3:])
    assert np.linalg.det(whole) == pytest.approx(np.linalg.det(square_part(EXAMPLE_4)))


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (4, 4), (1, 6), (6, 1)])
def test_completion_of_every_shape(shape: tuple[int, int]) -> None:
    weight = np.random.default_rng(0).standard_normal(shape)
    whole = completed(weight)
    assert whole.shape == (max(shape),) * 2
    np.testing.assert_array_equal(whole[: shape[0], : shape[1]], weight)
    assert np.linalg.det(whole) == pytest.approx(np.linalg.det(square_part(weight)))


def test_completion_of_a_torch_tensor() -> None:
    torch = pytest.importorskip("torch")
    whole = completed(torch.from_numpy(EXAMPLE_4))
    np.testing.assert_array_equal(whole.numpy(), completed(EXAMPLE_4))
