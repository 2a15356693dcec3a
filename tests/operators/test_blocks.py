from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from infoflow.operators.blocks import BlockedMatrix, give_back

GENERATOR = np.random.default_rng(0)


def small(weight: np.ndarray) -> BlockedMatrix:
    """Blocks of a few rows and panels of a few lines."""
    return BlockedMatrix(weight, row_bytes=8 * 3 * weight.shape[1], panel_bytes=1)


@pytest.mark.parametrize("shape", [(7, 5), (5, 7), (6, 6), (1, 4), (4, 1), (700, 3), (3, 700)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16", "int8"])
def test_blocks_make_the_whole(shape: tuple[int, int], dtype: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    weight = (100 * GENERATOR.standard_normal(shape)).astype(getattr(ml_dtypes, dtype, dtype))
    rows, columns = (GENERATOR.standard_normal(n) for n in shape)
    numbers = weight.astype(np.float64)
    for matrix, expected in (
        (small(weight), numbers),
        (small(weight).scaled(rows, columns), numbers * rows[:, None] * columns),
    ):
        found = np.full(shape, np.nan)
        for part, block in matrix.row_blocks():
            found[part] = block
        np.testing.assert_array_equal(found, expected)
        across = shape[0] < shape[1]
        panels = np.concatenate(list(matrix.panels()), axis=1)
        np.testing.assert_array_equal(panels, expected if across else expected.T)
        np.testing.assert_array_equal(matrix.whole(), expected)
        np.testing.assert_allclose(matrix.transposed().whole(), expected.T, rtol=1e-15)


def test_factors_multiply_and_lines_are_chosen() -> None:
    weight = GENERATOR.standard_normal((6, 4)).astype(np.float32)
    twos, threes = np.full(6, 2.0), np.full(4, 3.0)
    matrix = small(weight).scaled(twos, None).scaled(twos, threes)
    np.testing.assert_array_equal(matrix.whole(), 12 * weight.astype(np.float64))
    rows, columns = np.array([0, 2, 5]), np.array([1, 3])
    part = matrix.restricted(rows, columns)
    np.testing.assert_array_equal(
        part.whole(), 12 * weight.astype(np.float64)[np.ix_(rows, columns)]
    )
    assert matrix.restricted(np.arange(6), np.arange(4)) is matrix


@pytest.mark.parametrize("power", [-300, -120, 0, 120, 300])
def test_extreme_weights_are_divided_by_a_power_of_two(power: int) -> None:
    weight = np.ldexp(GENERATOR.standard_normal((9, 4)), power)
    matrix = small(weight)
    assert (matrix.exponent == 0) == (power == 0)
    np.testing.assert_array_equal(np.ldexp(matrix.whole(), matrix.exponent), weight)


def test_pages_that_are_given_back_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    numbers = GENERATOR.standard_normal((300, 40)).astype(np.float32)
    path.write_bytes(b"x" + numbers.tobytes())
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    weight = np.ndarray((300, 40), np.float32, mapped, 1)
    give_back(weight[10:])
    np.testing.assert_array_equal(BlockedMatrix(weight).whole(), numbers)
    give_back(numbers)
    np.testing.assert_array_equal(BlockedMatrix(weight[:, 5:9]).whole(), numbers[:, 5:9])
