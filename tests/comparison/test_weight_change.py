"""Relative change and cosine: closed forms, a naive twin, and what has no number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from infoflow.comparison import weight_change as module
from infoflow.comparison.weight_change import weight_change
from tests.cases import gaussian

numbers = st.floats(-1e3, 1e3, width=32)
pairs = st.tuples(
    arrays(np.float32, (3, 4), elements=numbers), arrays(np.float32, (3, 4), elements=numbers)
)


def naive(a, b):
    a, b = a.astype("float64").ravel(), b.astype("float64").ravel()
    return np.linalg.norm(b - a) / np.linalg.norm(a), a @ b / np.linalg.norm(a) / np.linalg.norm(b)


@pytest.mark.parametrize("scale", [2.0, 0.5, -1.0, 1.25])
def test_a_scaled_copy_changes_by_the_scale_less_one(scale):
    weight = gaussian(16, 8, 3, 3)
    change = weight_change(weight, (weight * np.float32(scale)).astype("float32"))
    assert change.relative == pytest.approx(abs(scale - 1), rel=1e-6)
    assert change.cosine == pytest.approx(math.copysign(1, scale), abs=1e-9)


def test_the_same_weight_has_no_change_and_a_cosine_of_one():
    weight = gaussian(5, 7)
    change = weight_change(weight, weight.copy())
    assert (change.relative, change.cosine, change.changed) == (0.0, 1.0, 0)


def test_pruning_changes_by_what_was_removed():
    weight = gaussian(20, 30)
    kept = np.abs(weight) > 0.5
    change = weight_change(weight, weight * kept)
    removed = np.linalg.norm((weight * ~kept).astype("float64"))
    assert change.relative == pytest.approx(removed / np.linalg.norm(weight.astype("float64")))
    assert change.zeros_after - change.zeros_before == change.changed == int((~kept).sum())


def test_quantisation_to_int8_changes_by_at_most_half_a_step():
    weight = gaussian(64, 64)
    step = np.abs(weight).max() / 127
    quantised = (np.round(weight / step) * step).astype("float32")
    change = weight_change(weight, quantised)
    rms = float(np.sqrt(np.mean(weight.astype("float64") ** 2)))
    assert 0 < change.relative <= step / 2 / rms
    # Uniform rounding: step/√12 is the root mean square.
    assert change.relative == pytest.approx(step / math.sqrt(12) / rms, rel=0.05)


@given(pairs)
@settings(max_examples=60, deadline=None)
def test_it_is_what_the_formula_says(pair):
    a, b = pair
    change = weight_change(a, b)
    if not a.any() or not b.any():
        return
    relative, cosine = naive(a, b)
    if min(np.abs(a[a != 0]).min(), np.abs(b[b != 0]).min()) > 1e-30:
        assert change.relative == pytest.approx(relative, rel=1e-9)
        assert change.cosine == pytest.approx(cosine, abs=1e-9)
    assert -1 <= change.cosine <= 1


@given(pairs)
@settings(max_examples=40, deadline=None)
def test_swapped_it_has_the_same_cosine_and_counts(pair):
    there, back = weight_change(*pair), weight_change(*pair[::-1])
    assert there.cosine == pytest.approx(back.cosine, abs=1e-12)
    assert there.changed == back.changed
    assert (there.zeros_before, there.zeros_after) == (back.zeros_after, back.zeros_before)


def test_blocks_give_what_one_piece_gives(monkeypatch):
    a, b = gaussian(40, 50, seed=1), gaussian(40, 50, seed=2)
    whole = weight_change(a, b)
    monkeypatch.setattr(module, "BLOCK", 7)
    parts = weight_change(a, b)
    assert parts.relative == pytest.approx(whole.relative, rel=1e-13)
    assert parts.cosine == pytest.approx(whole.cosine, abs=1e-13)
    assert parts.changed == whole.changed


@pytest.mark.parametrize("scale", [1e-200, 1e-170, 1e200])
def test_squares_that_overflow_or_vanish(scale):
    a, b = gaussian(6, 6, seed=1).astype("f8"), gaussian(6, 6, seed=2).astype("f8")
    relative, cosine = naive(a, b)
    change = weight_change(a * scale, b * scale)
    assert change.relative == pytest.approx(relative, rel=1e-9)
    assert change.cosine == pytest.approx(cosine, abs=1e-9)


def test_a_tiny_change_is_not_lost():
    a = gaussian(4, 4).astype("f8")
    b = a.copy()
    b[0, 0] = np.nextafter(b[0, 0], 10)
    change = weight_change(a, b)
    assert change.changed == 1
    assert 0 < change.relative < 1e-15


def test_a_weight_that_was_zero_has_no_relative_change():
    zero, weight = np.zeros((3, 3), np.float32), gaussian(3, 3)
    change = weight_change(zero, weight)
    assert change.relative is None
    assert change.cosine is None
    assert change.note == "every weight was exactly zero before"
    gone = weight_change(weight, zero)
    assert gone.relative == 1.0
    assert gone.cosine is None
    assert weight_change(zero, zero).relative == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_counted_not_summed(bad):
    a, b = gaussian(3, 3), gaussian(3, 3)
    b[1, 1] = bad
    change = weight_change(a, b)
    assert change.relative is None
    assert change.non_finite == 1
    assert "NaN or infinite" in change.note


def test_stored_types_may_differ():
    a = gaussian(32, 32)
    change = weight_change(a, a.astype("float16"))
    assert 0 < change.relative < 2**-10


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match="shapes"):
        weight_change(np.ones((2, 3)), np.ones((3, 2)))


def test_infinities_and_huge_numbers_in_different_blocks(monkeypatch):
    monkeypatch.setattr("infoflow.comparison.weight_change.BLOCK", 2)
    a, b = np.full(6, 1.0), np.full(6, 1.0)
    b[0], a[4], b[4] = np.inf, np.inf, -np.inf
    b[2] = 2.0
    change = weight_change(a, b)
    assert (change.relative, change.non_finite, change.changed) == (None, 2, 3)
    huge = gaussian(4, 4).astype("f8") * 1e153
    relative, cosine = naive(huge / 1e153, huge[::-1] / 1e153)
    change = weight_change(huge, huge[::-1])
    assert change.relative == pytest.approx(relative, rel=1e-9)
    assert change.cosine == pytest.approx(cosine, abs=1e-9)


def test_opposite_infinities_and_sums_beyond_float64(monkeypatch):
    monkeypatch.setattr("infoflow.comparison.weight_change.BLOCK", 1)
    # The products Σab of two blocks are +∞ and −∞.
    assert weight_change(np.array([np.inf, np.inf]), np.array([1.0, -1.0])).relative is None
    # Every square is finite, and their sum is not.
    change = weight_change(np.full(9, 1e154), np.full(9, 5e153))
    assert (change.relative, change.cosine) == pytest.approx((0.5, 1.0))


def test_a_nan_in_both_is_no_change():
    a = gaussian(3, 3)
    a[1, 1] = np.nan
    change = weight_change(a, a.copy())
    assert (change.changed, change.relative, change.cosine) == (0, 0.0, None)
    assert change.non_finite == 1
