"""The log-volume of a matrix as it stands, and what the borders do to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoflow.facts import Geometry
from infoflow.operators import layer_operator
from infoflow.spectra import boundaries, exact_log_volume, is_affordable, matrix_log_volume
from tests.operators.drawing import convolutions, transposed_convolutions

FINE = 2.0**-52
SINGLE = 2.0**-23


def slow(matrix, count=None):
    """Σ log of the largest singular values."""
    return float(np.log(np.linalg.svd(matrix, compute_uv=False)[:count]).sum())


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (1, 4), (4, 1), (1, 1)])
def test_full_rank_is_the_sum_of_logs(shape):
    matrix = np.random.default_rng(0).standard_normal(shape)
    found = matrix_log_volume(matrix, epsilon=FINE)
    assert found.value == pytest.approx(slow(matrix), abs=1e-12)
    assert (found.rank, found.full, found.gap, found.note) == (min(shape), min(shape), None, "")


def test_an_example_by_hand():
    assert matrix_log_volume(np.diag([2.0, 3, 4]), epsilon=FINE).value == pytest.approx(
        math.log(24)
    )


@given(st.integers(-900, 900))
def test_powers_of_two_only_shift_it(power):
    matrix = np.random.default_rng(1).standard_normal((3, 4))
    found = matrix_log_volume(np.ldexp(matrix, power), epsilon=FINE)
    assert found.value == pytest.approx(slow(matrix) + 3 * power * math.log(2), rel=1e-12)


def test_lost_rank_is_minus_infinity_with_the_value_over_the_rank_beside_it():
    generator = np.random.default_rng(2)
    matrix = generator.standard_normal((5, 3)) @ generator.standard_normal((3, 6))
    found = matrix_log_volume(matrix, epsilon=FINE)
    assert found.value is None
    assert found.note.startswith("−∞: rank 3 of 5")
    assert found.over_rank == pytest.approx(slow(matrix, 3), abs=1e-9)


def test_the_tolerance_is_that_of_the_stored_type():
    matrix = np.array([[1, 1], [1, 1 + 1e-8]])
    assert matrix_log_volume(matrix, epsilon=SINGLE).rank == 1
    assert matrix_log_volume(matrix, epsilon=FINE).rank == 2
    assert matrix_log_volume(matrix, epsilon=SINGLE).gap == pytest.approx(4e8, rel=0.1)


def test_zero_and_negligible_lines_cost_rank():
    matrix = np.random.default_rng(3).standard_normal((4, 4))
    for size, rank in ((0.0, 3), (1e-12, 3), (1e-3, 4)):
        scaled = matrix * np.array([[1.0], [size], [1], [1]])
        assert matrix_log_volume(scaled, epsilon=SINGLE).rank == rank
    nothing = matrix_log_volume(np.zeros((2, 3)), epsilon=SINGLE)
    assert (nothing.value, nothing.over_rank, nothing.rank, nothing.full) == (None, None, 0, 2)
    assert nothing.note == "−∞: every weight is exactly zero"


def test_a_line_that_loses_its_last_entry_is_lost_too():
    matrix = np.diag([1e9, 1.0, 1.0])
    matrix[0, 1] = 1e9
    matrix[2] = [0, 0, 1e-2]
    matrix[1] = [0, 1e9, 0]
    found = matrix_log_volume(matrix, epsilon=SINGLE)
    assert found.rank == 2
    exactly = np.array([[1.0, 2, 3], [2, 4, 6], [0, 0, 1]])
    assert matrix_log_volume(exactly, epsilon=SINGLE).rank == 2


@settings(max_examples=60, deadline=None)
@given(st.one_of(convolutions(), transposed_convolutions()))
def test_layers_are_their_dense_matrices(drawn):
    operator = layer_operator(drawn.weight, drawn.geometry, drawn.size)
    found = exact_log_volume(operator, epsilon=FINE)
    assert found.full == min(operator.reached)
    assert found.rank <= found.full
    if found.over_rank is not None:
        dense = operator.to_dense()
        assert found.over_rank == pytest.approx(slow(dense, found.rank), abs=1e-7)


def test_positions_that_a_stride_leaves_out_are_no_loss():
    weight = np.random.default_rng(4).standard_normal((3, 3, 1, 1))
    operator = layer_operator(weight, Geometry((2, 2), (0, 0), (1, 1)), (5, 4))
    found = exact_log_volume(operator, epsilon=FINE)
    assert found.full == found.rank == 3 * 6
    assert found.value == pytest.approx(6 * slow(weight[..., 0, 0]), abs=1e-10)


def test_the_surrogate_of_a_layer_never_exceeds_it():
    """Cauchy-Binet for a whole layer: block c₁₁ times the valid positions is one minor."""
    for seed in range(20):
        weight = np.random.default_rng(seed).standard_normal((3, 3, 2, 3))
        operator = layer_operator(weight, Geometry((1, 1), (0, 0), (1, 1)), (4, 5))
        positions = math.prod(operator.output_shape[1:])
        block = np.linalg.slogdet(weight[:, :, 0, 0])[1]
        assert positions * block <= exact_log_volume(operator, epsilon=FINE).value + 1e-9


def four(weight, geometry, size, epsilon=FINE):
    found = boundaries(weight, geometry, size, epsilon=epsilon, generator=np.random.default_rng(0))
    assert [one.name for one in found] == ["circular", "valid", "same", "own"]
    return {one.name: one for one in found}


SAME = Geometry((1, 1), (1, 1), (1, 1))


@pytest.mark.parametrize("seed", range(6))
def test_the_gap_to_valid_shrinks_like_one_over_n(seed):
    weight = np.random.default_rng(seed).standard_normal((1, 1, 3, 3))
    small, large = (four(weight, SAME, (n, n))["valid"] for n in (8, 16))
    assert small.gap > large.gap > 0
    assert 1.5 < small.gap / large.gap < 3


def test_same_need_not_converge_where_the_symbol_winds():
    """A shift: circular and valid lose nothing, zero padding loses a whole border."""
    weight = np.zeros((1, 1, 3, 3))
    weight[0, 0, 0, 1] = 2.0
    found = four(weight, SAME, (6, 6))
    assert found["circular"].value == pytest.approx(math.log(2))
    assert found["valid"].value == pytest.approx(math.log(2))
    assert found["same"].value is None
    # A row of 6 outputs of the 36 reads only zeros.
    assert "rank 30 of 36" in found["same"].note


def test_figures_are_what_slow_sums_give():
    weight = np.random.default_rng(2).standard_normal((1, 1, 3, 3))
    found = four(weight, SAME, (8, 8))
    same = layer_operator(weight, SAME, (8, 8)).to_dense()
    valid = layer_operator(weight, Geometry((1, 1), (0, 0), (1, 1)), (8, 8)).to_dense()
    circular = np.log(np.abs(np.fft.fft2(weight[0, 0], (8, 8)))).mean()
    assert found["same"].value == pytest.approx(slow(same) / 64, abs=1e-12)
    assert found["own"].value == found["same"].value
    assert found["valid"].value == pytest.approx(slow(valid) / 36, abs=1e-12)
    assert found["circular"].value == pytest.approx(circular, abs=1e-12)
    assert found["same"].gap == found["same"].value - found["circular"].value


def test_a_circular_layer_has_no_gap():
    weight = np.random.default_rng(5).standard_normal((2, 2, 3, 3))
    geometry = Geometry((1, 1), (1, 1), (1, 1), padding_mode="circular")
    assert four(weight, geometry, (6, 6))["own"].gap == pytest.approx(0, abs=1e-12)


def test_positions_of_layers_with_more_outputs_are_the_inputs():
    weight = np.random.default_rng(6).standard_normal((4, 2, 3, 3))
    found = four(weight, SAME, (8, 8))
    assert (found["circular"].positions, found["valid"].positions) == (64, 64)


def test_what_cannot_be_computed_says_why():
    even = np.random.default_rng(7).standard_normal((1, 1, 2, 2))
    plain = Geometry((1, 1), (0, 0), (1, 1))
    assert "even kernel" in four(even, plain, (4, 4))["same"].note
    strided = Geometry((2, 2), (1, 1), (1, 1))
    kernel = np.random.default_rng(8).standard_normal((1, 1, 3, 3))
    found = four(kernel, strided, (5, 5))
    assert "no multiple of the stride" in found["circular"].note
    assert found["own"].value is not None
    assert found["own"].gap is None
    assert "too large" in four(kernel, SAME, (80, 80))["own"].note
    assert not is_affordable((1, 1 << 23))


def test_of_a_transposed_layer_they_are_its_adjoints():
    weight = np.random.default_rng(9).standard_normal((2, 2, 3, 3))
    up = four(weight, Geometry((2, 2), (1, 1), (1, 1), transposed=True), (4, 4))
    down = four(weight, Geometry((2, 2), (1, 1), (1, 1)), (8, 8))
    assert up["circular"].value == pytest.approx(down["circular"].value)
    dense = layer_operator(weight, Geometry((2, 2), (0, 0), (1, 1), transposed=True), (4, 4))
    assert up["valid"].value == pytest.approx(slow(dense.to_dense()) / 16, abs=1e-10)
