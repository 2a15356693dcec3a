from __future__ import annotations

import math

import numpy as np
import pytest

from infoflow.operators.frequencies import random_frequencies, shifted_grid, symmetric_grid


@pytest.mark.parametrize("shape", [(), (1,), (2,), (5,), (4, 4), (3, 4), (14, 14), (2, 3, 4)])
def test_symmetric_grid_stands_for_the_whole_grid(shape: tuple[int, ...]) -> None:
    frequencies, multiplicities = symmetric_grid(shape)
    assert frequencies.shape == (len(multiplicities), len(shape))
    assert multiplicities.sum() == math.prod(shape)

    def even(omega: np.ndarray) -> np.ndarray:  # any function of the symbol's moduli is even
        return np.cos(omega.sum(axis=1)) + np.cos(2 * omega[:, :1].sum(axis=1)) ** 2

    steps = np.indices(shape).reshape(len(shape), math.prod(shape)).T
    whole = steps * (2 * math.pi / np.array(shape, dtype=float))
    np.testing.assert_allclose(multiplicities @ even(frequencies), even(whole).sum(), atol=1e-9)


def test_fourteen_by_fourteen_has_a_hundred_distinct_frequencies() -> None:
    assert len(symmetric_grid((14, 14))[0]) == 100


def test_shifted_grids_are_unbiased() -> None:
    generator = np.random.default_rng(0)
    means = [
        np.mean(np.cos(4 * shifted_grid(2, generator.uniform(0, math.pi, 2))[:, 0]) ** 2)
        for _ in range(2000)
    ]
    # A mode that a fixed grid of 2 takes for a constant.
    assert abs(np.mean(means) - 0.5) < 5 * np.std(means) / math.sqrt(len(means))


def test_no_axis_needs_one_empty_frequency() -> None:
    assert random_frequencies(3, 0, np.random.default_rng(0)).shape == (1, 0)
    assert shifted_grid(4, np.zeros(0)).shape == (1, 0)
